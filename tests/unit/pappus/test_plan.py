"""Which parts a command means."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pappus.stack.cache import Cache
from pappus.stack.context import StackContext
from pappus.stack.errors import StackError
from pappus.stack.folders import StateFolder
from pappus.stack.part import Part
from pappus.stack.plan import all_parts, chosen
from pappus.stack.services import SERVICES

MakePart = Callable[..., Part]


@pytest.fixture
def parts(make_part: MakePart) -> list[Part]:
    return [make_part("a"), make_part("b", needs=("a",)), make_part("c", needs=("b",)), make_part("d")]


def names(parts: list[Part]) -> list[str]:
    return [part.name for part in parts]


def test_a_part_brings_all_it_needs_in_the_order_of_the_plan(parts: list[Part]) -> None:
    assert names(chosen(parts, ["c"])) == ["a", "b", "c"]


def test_a_group_is_all_its_parts(parts: list[Part]) -> None:
    assert names(chosen(parts, ["tests"])) == ["a", "b", "c", "d"]


def test_an_unknown_word_is_refused_with_what_there_is(parts: list[Part]) -> None:
    with pytest.raises(StackError, match=r"no part called x.*a, b, c, d"):
        chosen(parts, ["a", "x"])


def test_the_whole_plan_needs_nothing_it_does_not_have(state: StateFolder, tmp_path: Path) -> None:
    whole = all_parts(StackContext.load(state, Cache(tmp_path / "cache"), {}))
    assert {need for part in whole for need in part.needs} <= set(names(whole))
    assert names(chosen(whole, ["servers"])) == ["kafka", "postgres", "s3", "mlflow"]
    assert {service.name for service in SERVICES} <= set(names(whole))


def test_only_the_predictors_replicas_share_a_port(state: StateFolder, tmp_path: Path) -> None:
    whole = all_parts(StackContext.load(state, Cache(tmp_path / "cache"), {}))
    ports = [port for part in whole for port in part.ports]
    assert {port for port in ports if ports.count(port) > 1} == {"predictor"}


def test_no_service_waits_for_mlflow(state: StateFolder, tmp_path: Path) -> None:
    whole = all_parts(StackContext.load(state, Cache(tmp_path / "cache"), {}))
    assert [part.name for part in whole if "mlflow" in part.needs] == []


def test_a_server_on_another_port_restarts_those_that_know_it(state: StateFolder, tmp_path: Path) -> None:
    def editions(**environment: str) -> dict[str, str]:
        whole = all_parts(StackContext.load(state, Cache(tmp_path / "cache"), environment))
        return {part.name: part.edition for part in chosen(whole, ["servers"])}

    def restarted(**environment: str) -> set[str]:
        return {name for name, edition in editions(**environment).items() if edition != editions()[name]}

    assert restarted() == set()
    assert restarted(PAPPUS_PORT_POSTGRES="1234") == restarted(PAPPUS_PORT_S3="1234") == {"mlflow"}
    assert restarted(PAPPUS_PORT_MLFLOW="1234") == set()
