"""An artefact as data from a stranger: looked through before any part of it is run.

`wire.py` bounds what parsing may cost, `graph.py` says what a graph may hold, `cost.py` what an answer may cost;
`layer.py` reads and writes a correction layer without a graph, `space.py` reads the space in which it lies.
"""

from shared.artefacts.graph import check_graph, parse_artefact
from shared.artefacts.layer import LayerRows, open_layer, padded, read_layer, rows_of, write_layer
from shared.artefacts.space import Space, space_of

__all__ = [
    "LayerRows",
    "Space",
    "check_graph",
    "open_layer",
    "padded",
    "parse_artefact",
    "read_layer",
    "rows_of",
    "space_of",
    "write_layer",
]
