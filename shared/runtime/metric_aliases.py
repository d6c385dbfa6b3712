"""Names that dashboards of other projects know, as second names of our metrics: the same values, never others."""

from collections.abc import Iterator, Mapping

from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

KEPT = ("le",)
"""Labels of a histogram's own."""


class Alias(Collector):
    """A second name of a metric. `labels` names the labels that it has, by ours; series that differ only in others are
    added up. `where`: only series with these values of our labels count."""

    def __init__(
        self,
        name: str,
        source: Counter | Histogram,
        labels: Mapping[str, str] | None = None,
        where: Mapping[str, str] | None = None,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._name = name
        self._source = source
        self._labels = dict(labels or {}) | {kept: kept for kept in KEPT}
        self._where = dict(where or {})
        registry.register(self)

    @property
    def shown(self) -> str:
        """Its name as Prometheus shows it."""
        return self._name + self._suffix

    @property
    def of(self) -> str:
        """The name of the metric that it is a second name of."""
        return next(iter(self._source.describe())).name + self._suffix

    @property
    def only(self) -> str:
        """Which series count, in words; empty for all."""
        return ", ".join(f"only {key}={value}" for key, value in self._where.items())

    @property
    def _suffix(self) -> str:
        return "_total" if isinstance(self._source, Counter) else ""

    def describe(self) -> list[Metric]:
        """Return what is collected, without values."""
        return [self._metric(next(iter(self._source.describe())))]

    def collect(self) -> Iterator[Metric]:
        """Give the metric under its second name."""
        for found in self._source.collect():
            metric, sums = self._metric(found), dict[tuple[str, tuple[tuple[str, str], ...]], float]()
            for sample in found.samples:
                suffix = sample.name.removeprefix(found.name)
                if suffix == "_created" or any(sample.labels[key] != value for key, value in self._where.items()):
                    continue
                labels = tuple((new, sample.labels[old]) for old, new in self._labels.items() if old in sample.labels)
                sums[suffix, labels] = sums.get((suffix, labels), 0.0) + sample.value
            for (suffix, labels), value in sums.items():
                metric.add_sample(self._name + suffix, dict(labels), value)
            yield metric

    def _metric(self, found: Metric) -> Metric:
        return Metric(self._name, f"The same as {found.name}: {found.documentation}", found.type)
