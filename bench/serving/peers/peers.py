"""The servers that Pappus is compared with: what is on in each, how it is started, and how it is sent a photograph.

Each has a program in `servers/` and two files in `requirements/`: NAME.in, what the program needs, and NAME.txt, which
pins all of it (`uv pip compile --universal --python-version 3.11 --no-header --no-annotate NAME.in -o NAME.txt`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.serving.load import FORM, Request

SERVERS = "bench.serving.peers.servers"
RAW = Request("/predict", "image/jpeg", bytes)
"""The photograph itself as the body of the request."""


@dataclass(frozen=True)
class Peer:
    """One server. `command`: what its Python is given, with {port}."""

    name: str
    what: str
    command: tuple[str, ...]
    request: Request = FORM


PEERS = (
    Peer("fastapi_naive", "upload of FastAPI, Pillow, uvicorn", ("-m", f"{SERVERS}.fastapi_naive")),
    Peer("fastapi_tuned", "one route, simplejpeg, OpenCV, uvloop, httptools", ("-m", f"{SERVERS}.fastapi_tuned")),
    Peer("litserve", "two API processes before the workers, queue over ZeroMQ", ("-m", f"{SERVERS}.litserve_server")),
    Peer(
        "bentoml",
        "upload as a file on disk, OpenTelemetry without exporter",
        ("-m", "bentoml", "serve", f"{SERVERS}.bentoml_server:Photographs", "--host", "127.0.0.1", "--port", "{port}"),
    ),
    Peer("mlserver", "custom handler, parallel workers behind one API process", ("-m", f"{SERVERS}.mlserver_server")),
    Peer(
        "kserve",
        "custom model of the Python SDK, its timings and histograms, the photograph as body",
        ("-m", f"{SERVERS}.kserve_server"),
        Request("/v1/models/photographs:predict", RAW.content_type, RAW.body),
    ),
    Peer(
        "mosec",
        "compiled HTTP server (Rust) before the workers, the photograph as body",
        ("-m", f"{SERVERS}.mosec_server", "--address", "127.0.0.1", "--port", "{port}", "--log-level", "error"),
        RAW,
    ),
)


def chosen(names: str) -> Sequence[Peer]:
    """Return the peers that are named, with commas between; `all` are all of them."""
    if names == "all":
        return PEERS
    known = {peer.name: peer for peer in PEERS}
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise SystemExit(f"There is no peer {', '.join(unknown) or repr(names)}. The peers are: {', '.join(known)}.")
    return [known[name] for name in dict.fromkeys(wanted)]
