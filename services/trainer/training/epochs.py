"""Figures of a training, one for each epoch."""

from collections.abc import Mapping


class EpochCurves:
    """Collects figures of each step. An epoch has `steps`; the last one may have fewer."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._figures: dict[str, list[float]] = {}

    def add(self, **figures: float) -> None:
        """Add the figures of one step, by name; those of the same names each time."""
        for name, value in figures.items():
            self._figures.setdefault(name, []).append(value)

    def means(self) -> Mapping[str, tuple[float, ...]]:
        """Return the mean over the steps of each epoch, by name."""
        return {
            name: tuple(
                sum(epoch) / len(epoch)
                for start in range(0, len(values), self._steps)
                if (epoch := values[start : start + self._steps])
            )
            for name, values in self._figures.items()
        }
