"""Which offset of a partition may be committed while its messages finish out of order. Pure."""


class Offsets:
    """The offsets of one partition that were taken and are not finished, in the order they were taken."""

    def __init__(self) -> None:
        self._finished: dict[int, bool] = {}
        self._next: int | None = None

    def add(self, offset: int) -> None:
        """A message was taken; offsets only ever grow (with gaps, where records were compacted)."""
        if self._next is not None and offset < self._next:
            raise ValueError(f"Offset {offset} was taken after {self._next - 1}: one offset is taken once, in order.")
        self._finished[offset] = False
        self._next = offset + 1

    def finish(self, offset: int) -> None:
        """A message is finished: its effects are acknowledged, or it is a dead letter."""
        self._finished[offset] = True
        while self._finished and self._finished[first := next(iter(self._finished))]:
            del self._finished[first]

    @property
    def unfinished(self) -> int:
        """How many messages stand between the committable offset and the last one taken."""
        return len(self._finished)

    @property
    def committable(self) -> int | None:
        """The lowest unfinished offset, or the one after the last; None before any was taken."""
        return next(iter(self._finished), self._next)
