"""Which components a command selects."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pappus.stack.cache import Cache
from pappus.stack.component import Component
from pappus.stack.config import StackConfig
from pappus.stack.context import StackContext
from pappus.stack.errors import StackError
from pappus.stack.folders import StateFolder
from pappus.stack.plan import all_components, chosen
from pappus.stack.prometheus import configuration
from pappus.stack.services import SERVICES, service_environment

MakeComponent = Callable[..., Component]


@pytest.fixture
def components(make_component: MakeComponent) -> list[Component]:
    return [
        make_component("a"),
        make_component("b", needs=("a",)),
        make_component("c", needs=("b",)),
        make_component("d"),
    ]


def names(components: list[Component]) -> list[str]:
    return [component.name for component in components]


def test_a_component_brings_all_it_needs_in_the_order_of_the_plan(components: list[Component]) -> None:
    assert names(chosen(components, ["c"])) == ["a", "b", "c"]


def test_a_group_is_all_its_parts(components: list[Component]) -> None:
    assert names(chosen(components, ["tests"])) == ["a", "b", "c", "d"]


def test_an_unknown_word_is_refused_with_what_there_is(components: list[Component]) -> None:
    with pytest.raises(StackError, match=r"no component x.*a, b, c, d"):
        chosen(components, ["a", "x"])


def test_the_whole_plan_needs_nothing_it_does_not_have(state: StateFolder, tmp_path: Path) -> None:
    whole = all_components(StackContext.load(state, Cache(tmp_path / "cache"), {}))
    assert {need for component in whole for need in component.needs} <= set(names(whole))
    assert names(chosen(whole, ["servers"])) == ["kafka", "postgres", "s3", "mlflow"]
    assert {service.name for service in SERVICES} <= set(names(whole))


def test_only_the_predictors_replicas_share_a_port(state: StateFolder, tmp_path: Path) -> None:
    whole = all_components(StackContext.load(state, Cache(tmp_path / "cache"), {}))
    ports = [port for component in whole for port in component.ports]
    assert {port for port in ports if ports.count(port) > 1} == {"predictor", "predictor-grpc"}


def test_no_service_waits_for_mlflow(state: StateFolder, tmp_path: Path) -> None:
    whole = all_components(StackContext.load(state, Cache(tmp_path / "cache"), {}))
    assert [component.name for component in whole if "mlflow" in component.needs] == []


def test_a_server_on_another_port_restarts_those_that_know_it(state: StateFolder, tmp_path: Path) -> None:
    def editions(**environment: str) -> dict[str, str]:
        whole = all_components(StackContext.load(state, Cache(tmp_path / "cache"), environment))
        return {component.name: component.config_hash for component in chosen(whole, ["servers"])}

    def restarted(**environment: str) -> set[str]:
        return {name for name, config_hash in editions(**environment).items() if config_hash != editions()[name]}

    assert restarted() == set()
    assert restarted(PAPPUS_PORT_POSTGRES="1234") == restarted(PAPPUS_PORT_S3="1234") == {"mlflow"}
    assert restarted(PAPPUS_PORT_MLFLOW="1234") == set()


def test_observers_are_there_once_asked_for_and_services_send_to_them(state: StateFolder, tmp_path: Path) -> None:
    StackConfig(observe=True).save(state)
    context = StackContext.load(state, Cache(tmp_path / "cache"), {})
    assert {"prometheus", "jaeger"} <= set(names(all_components(context)))
    environment = service_environment(SERVICES[0], context)
    assert environment["PAPPUS_TRACE_EXPORTER"] == "otlp"
    assert environment["OTEL_EXPORTER_OTLP_ENDPOINT"] == context.url("jaeger-otlp")
    told = json.loads(configuration(context))
    asked = {each["labels"]["service"] for each in told["scrape_configs"][0]["static_configs"]}
    assert asked == {service.name for service in SERVICES}


def test_who_has_a_collector_of_their_own_keeps_it(state: StateFolder, tmp_path: Path) -> None:
    StackConfig(observe=True).save(state)
    own = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
    context = StackContext.load(state, Cache(tmp_path / "cache"), own)
    environment = service_environment(SERVICES[0], context)
    assert environment["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector:4318"
