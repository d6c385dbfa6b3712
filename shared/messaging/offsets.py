"""Which offset of a partition may be committed while its messages finish out of order."""


class Offsets:
    """The unfinished offsets of one partition, in the order they were added."""

    def __init__(self) -> None:
        self._finished: dict[int, bool] = {}
        self._next: int | None = None

    def add(self, offset: int) -> None:
        """Add an offset. Offsets grow (with gaps where records were compacted).

        Raises:
            ValueError: the offset is not greater than the last one.
        """
        if self._next is not None and offset < self._next:
            raise ValueError(f"Offset {offset} was added after {self._next - 1}: add each offset once, in order.")
        self._finished[offset] = False
        self._next = offset + 1

    def finish(self, offset: int) -> None:
        """Mark an offset as finished: its effects are acknowledged, or it is a dead letter."""
        self._finished[offset] = True
        while self._finished and self._finished[first := next(iter(self._finished))]:
            del self._finished[first]

    @property
    def unfinished(self) -> int:
        """How many messages lie between the committable offset and the last one added."""
        return len(self._finished)

    @property
    def committable(self) -> int | None:
        """The lowest unfinished offset, or the one after the last; None before the first."""
        return next(iter(self._finished), self._next)
