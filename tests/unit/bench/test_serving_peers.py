"""The comparison with other servers, without any: which are chosen, their answers, their processes, the table."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from bench.serving.limit import Limit
from bench.serving.load import FORM, Found
from bench.serving.peers.answers import ALLOWED, CHECKED, Answer, largest_difference, read_answer, some_of
from bench.serving.peers.environment import REQUIREMENTS, make_environment
from bench.serving.peers.peers import PEERS, Peer, chosen
from bench.serving.peers.running import PeerServer
from bench.serving.peers.table import Measured, Row, markdown
from bench.serving.peers.unavailable import Unavailable

GRASS = Answer("grass", {"dandelion": 0.3, "grass": 0.7})


def pins(name: str) -> dict[str, str]:
    """Return the versions of a requirements file, without the conditions on machines."""
    lines = (REQUIREMENTS / name).read_text().splitlines()
    found = [line.split(";")[0].strip().split("==") for line in lines]
    return {package.split("[")[0]: version for package, version in found}


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_peer_is_pinned_as_its_program_needs(peer: Peer) -> None:
    assert pins(f"{peer.name}.in").items() <= pins(f"{peer.name}.txt").items()
    (program,) = [part.split(":")[0] for part in peer.command if part.startswith("bench.")]
    assert importlib.util.find_spec(program)


def test_every_peer_has_the_same_runtime_of_the_model() -> None:
    assert len({pins(f"{peer.name}.txt")["onnxruntime"] for peer in PEERS}) == 1


def test_peers_are_chosen_by_name_once_or_all() -> None:
    assert [peer.name for peer in chosen("mosec, kserve,mosec")] == ["mosec", "kserve"]
    assert chosen("all") == PEERS


@pytest.mark.parametrize("names", ["", "torchserve", "kserve,torchserve"])
def test_an_unknown_peer_is_refused_with_the_known_ones(names: str) -> None:
    with pytest.raises(SystemExit, match="The peers are: fastapi_naive"):
        chosen(names)


def test_an_answer_is_its_label_with_the_probabilities() -> None:
    assert read_answer(b'{"label": "grass", "probabilities": {"dandelion": 0.3, "grass": 0.7}, "id": 1}') == GRASS


@pytest.mark.parametrize("body", [b"", b"[]", b'{"label": "grass"}', b'{"label": "grass", "probabilities": [0.3]}'])
def test_another_body_is_no_answer(body: bytes) -> None:
    with pytest.raises(Unavailable, match="instead of label and probabilities"):
        read_answer(body)


def test_answers_of_another_decoder_pass_with_their_difference() -> None:
    near = Answer("grass", {"dandelion": 0.31, "grass": 0.69})
    assert largest_difference("peer", [GRASS, GRASS], [GRASS, near], ALLOWED) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Answer("dandelion", {"dandelion": 0.51, "grass": 0.49}), "peer answers photograph 2 of 2 with .*dandelion"),
        (Answer("grass", {"grass": 1.0}), "peer answers photograph 2 of 2"),
        (Answer("grass", {"dandelion": 0.25, "grass": 0.75}), "differs by 0.050"),
    ],
)
def test_other_answers_stop_the_command(found: Answer, said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        largest_difference("peer", [GRASS, GRASS], [GRASS, found], ALLOWED)


@pytest.mark.parametrize(("given", "asked"), [(3, 3), (39, CHECKED), (40, CHECKED), (1000, CHECKED)])
def test_so_many_photographs_are_asked_about_for_the_check(given: int, asked: int) -> None:
    assert len(some_of([b"JPEG"] * given)) == asked


def test_a_peer_that_ends_at_its_start_says_why(tmp_path: Path) -> None:
    peer = Peer("broken", "nothing", ("-c", "raise SystemExit('no model for port {port}')"), FORM)
    server = PeerServer(peer, Path(sys.executable), tmp_path / "model.onnx", 2, tmp_path)
    with pytest.raises(Unavailable, match="ended while it started: no model for port"), server.running(b"JPEG"):
        pass


def test_without_uv_no_environment_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    with pytest.raises(Unavailable, match="uv, which makes the environment"):
        make_environment("mosec", tmp_path)


def test_an_installer_that_fails_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installer = tmp_path / "uv"
    installer.write_text("#!/bin/sh\necho no wheel for this machine >&2; exit 1\n")
    installer.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name, path=None: str(installer))
    with pytest.raises(Unavailable, match="not installed: no wheel for this machine"):
        make_environment("mosec", tmp_path)


def test_an_environment_with_the_same_pins_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    (tmp_path / "mosec").mkdir()
    shutil.copyfile(REQUIREMENTS / "mosec.txt", tmp_path / "mosec" / "installed.txt")
    assert make_environment("mosec", tmp_path) == tmp_path / "mosec" / "bin" / "python"


def measured(a_second: float, share: float) -> Measured:
    return Measured(Found(a_second, 100, 1, 2.0, 9.0, 10.0), share, 1.25)


def test_the_table_has_medians_and_reasons() -> None:
    turns = {1: [measured(100, 0.1), measured(300, 0.3)], 8: [measured(900, 0.5)]}
    rows = [Row("fast", "all | of it", measured=turns), Row("absent", reason="not installed:\nno wheel")]
    head, _, fast, absent, _, below = markdown(rows, [1, 8], [Limit(2000, 0.5), Limit(3000, 0.7)]).splitlines()
    assert head.count("|") == fast.count("|") == absent.count("|")
    figures = "200 / 900 | 0.20 / 0.50 | 1.25 / 1.25 | 2.0 / 2.0 | 9.0 / 9.0 | 3 |"
    assert fast == f"| fast | all / of it | {figures}"
    assert absent.startswith("| absent | left out: not installed: no wheel |")
    assert "1 / 8 connections" in below
    assert "2500 a second, CPU of an answer 0.60 ms" in below
