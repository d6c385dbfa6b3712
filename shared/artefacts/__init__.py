"""An artefact as data from a stranger: looked through before any part of it is run.

`wire.py` bounds what parsing may cost, `graph.py` says what a graph may hold, `cost.py` what an answer may cost.
"""

from shared.artefacts.graph import check_graph, parse_artefact

__all__ = ["check_graph", "parse_artefact"]
