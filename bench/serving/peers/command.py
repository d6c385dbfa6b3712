"""What is typed: which peers, where their environments are, and with which model."""

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.serving.limit import whole_model
from bench.serving.load import read_photographs
from bench.serving.peers.comparison import Comparison, Plan
from bench.serving.peers.environment import make_environment
from bench.serving.peers.peers import chosen
from bench.serving.peers.running import PappusServer, PeerServer, Server
from bench.serving.peers.unavailable import Unavailable

REPLICAS = 2
"""Worker processes of each peer, as a stack has replicas."""


def add_arguments(arguments: argparse.ArgumentParser, peers: str) -> None:
    """Add what a comparison and the measurement of a stack alone are told; `peers`: the ones without a word."""
    arguments.add_argument("--images", type=Path, required=True, help="folder of <label>/*.jpg")
    arguments.add_argument("--connections", type=int, nargs="+", default=[1, 8, 32])
    arguments.add_argument("--seconds", type=int, default=20)
    arguments.add_argument("--turns", type=int, default=2)
    arguments.add_argument("--peers", default=peers, help="names with commas between, or all")
    arguments.add_argument("--environments", type=Path, help="folder that keeps the environments of the peers")


def replica_folder(state: Path) -> Path:
    """Return the folder of artefacts of the first replica of a stack."""
    return state / "services" / "predictor-api-0" / "artefacts"


def compare(options: argparse.Namespace, state: Path | None, model: Path | None) -> None:
    """Compare the peers with each other, and with the stack of the state folder if one is given."""
    peers = chosen(options.peers)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        if state is not None:
            model = folder / "model.onnx"
            model.write_bytes(whole_model(replica_folder(state)))
        assert model is not None
        servers: list[Server] = [] if state is None else [PappusServer(state, replica_folder(state))]
        reasons = {}
        for peer in peers:
            print(f"Environment of {peer.name} ...", flush=True)
            try:
                python = make_environment(peer.name, (options.environments or folder).resolve())
            except Unavailable as error:
                print(f"{peer.name} is left out: {error}")
                reasons[peer.name] = str(error)
            else:
                servers.append(PeerServer(peer, python, model, REPLICAS, folder))
        photographs = read_photographs(options.images)
        plan = Plan(photographs, model, options.connections, options.seconds, options.turns, REPLICAS)
        print("\n" + Comparison(plan, servers, reasons).run())
