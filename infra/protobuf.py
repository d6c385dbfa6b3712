"""Writes the Python modules of the messages that are described in .proto files; `make generated` writes them."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from grpc_tools import protoc  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[1]
PROTOCOLS = (Path("services/predictor/api/standards/protocol/open_inference.proto"),)
"""Seen from the root of the project."""


@cache
def files() -> Mapping[Path, str]:
    """Return the content of each generated file: a module and its types for each protocol."""
    found: dict[Path, str] = {}
    for protocol in PROTOCOLS:
        with TemporaryDirectory() as folder:
            outputs = [f"--python_out={folder}", f"--pyi_out={folder}"]
            if protoc.main(["protoc", f"--proto_path={ROOT}", *outputs, str(protocol)]):
                raise ValueError(f"{protocol} is no description of messages: see above.")
            for made in sorted(Path(folder).rglob("*.py*")):
                found[ROOT / made.relative_to(folder)] = made.read_text()
    return found
