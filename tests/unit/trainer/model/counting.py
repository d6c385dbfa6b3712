"""How often artefacts are parsed while a block runs."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import REGISTRY

LIBRARIES = ("onnx", "onnxruntime")


def parses() -> dict[str, int]:
    """Return the counter `pappus_artefact_parses` of this process, by library."""
    name = "pappus_artefact_parses_total"
    return {library: int(REGISTRY.get_sample_value(name, {"library": library}) or 0) for library in LIBRARIES}


@contextmanager
def counted_parses() -> Iterator[dict[str, int]]:
    """Yield a dict that is filled at the end of the block: parses during the block, by library."""
    before, counted = parses(), dict[str, int]()
    try:
        yield counted
    finally:
        counted.update({library: count - before[library] for library, count in parses().items()})
