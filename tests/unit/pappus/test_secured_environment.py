"""What the processes of a secured stack are given, and what those of an open one are not."""

from dataclasses import replace
from pathlib import Path

import pytest

from pappus.stack.addresses import database_url
from pappus.stack.cache import Cache
from pappus.stack.certificates import Pair
from pappus.stack.config import StackConfig
from pappus.stack.context import StackContext
from pappus.stack.credentials import Credentials
from pappus.stack.folders import StateFolder
from pappus.stack.kafka_security import secured_properties
from pappus.stack.plan import all_components
from pappus.stack.services import SERVICES, Service, service_environment
from shared.contract.access import JOBS, PRINCIPALS
from shared.runtime.kafka_connection import KafkaConnection


@pytest.fixture
def secured(state: StateFolder) -> StackContext:
    context = StackContext.load(state, Cache(Path("unused")), {})
    StackConfig(secure=True).save(state)
    context.authority.prepare()
    return StackContext.load(state, Cache(Path("unused")), {})


def of(context: StackContext, name: str) -> dict[str, str]:
    return service_environment(next(service for service in SERVICES if service.name == name), context)


def test_a_service_of_a_secured_stack_logs_in_under_its_own_name(secured: StackContext) -> None:
    got = of(secured, "predictor-worker")
    authority = str(secured.state.authority)
    assert got["PAPPUS_KAFKA_PROTOCOL"] == "SASL_SSL"
    assert got["PAPPUS_KAFKA_USERNAME"] == "predictor"
    assert got["PAPPUS_KAFKA_PASSWORD"] == secured.credentials.kafka["predictor"]
    assert got["PAPPUS_S3_ENDPOINT"].startswith("https://")
    files = {got[f"PAPPUS_{name}_CA_FILE"] for name in ("KAFKA", "DATABASE", "S3")}
    assert files == {authority}


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_no_service_gets_the_password_of_another_login(secured: StackContext, service: Service) -> None:
    text = "\n".join(service_environment(service, secured).values())
    others = {name: word for name, word in secured.credentials.kafka.items() if name != service.owner}
    assert [name for name, word in others.items() if word in text] == []
    assert {*PRINCIPALS, JOBS, "admin"} == secured.credentials.kafka.keys()


def test_an_open_stack_gives_no_logins(state: StateFolder) -> None:
    context = StackContext.load(state, Cache(Path("unused")), {})
    got = of(context, "predictor-worker")
    assert not [name for name in got if "CA_FILE" in name or name.startswith("PAPPUS_KAFKA_P")]
    assert context.kafka == KafkaConnection("127.0.0.1:29092")


def test_passwords_of_an_earlier_release_are_kept_and_those_of_kafka_added(state: StateFolder) -> None:
    made = StackContext.load(state, Cache(Path("unused")), {}).credentials
    earlier = made.model_dump()
    del earlier["kafka"]
    state.credentials.write_text(Credentials.model_validate(earlier).model_dump_json(exclude={"kafka"}))
    later = Credentials.load_or_create(state)
    assert later.postgres == made.postgres
    assert later.kafka.keys() == made.kafka.keys()
    assert Credentials.load_or_create(state) == later, "the new ones are kept, too"


def test_a_client_of_postgres_checks_who_answers(secured: StackContext) -> None:
    url = database_url(secured.state, ("seeder", "word"), 1)
    assert (
        url == f"postgresql://seeder:word@127.0.0.1:1/pappus?sslmode=verify-full&sslrootcert={secured.state.authority}"
    )


def test_securing_starts_every_server_and_service_again(state: StateFolder, secured: StackContext) -> None:
    open_stack = StackContext.load(state, Cache(Path("unused")), {})
    plain = {each.name: each.config_hash for each in all_components(replace(open_stack, config=StackConfig()))}
    locked = {each.name: each.config_hash for each in all_components(secured)}
    assert locked.keys() - plain.keys() == {"postgres-server"}
    same = {name for name, found in plain.items() if locked[name] == found}
    assert same == {"labeler-ui"}, "it uses no server itself"


def test_no_listener_of_the_broker_is_open(tmp_path: Path) -> None:
    pair = Pair(tmp_path / "kafka.pem", tmp_path / "kafka.key")
    lines = secured_properties({"kafka": 1, "kafka-controller": 2}, pair, tmp_path / "ca.pem", "word").splitlines()
    values = dict(line.split("=", 1) for line in lines)
    assert values["listener.security.protocol.map"] == "CONTROLLER:SASL_SSL,SASL_SSL:SASL_SSL"
    assert values["super.users"] == "User:admin"
    assert "allow.everyone.if.no.acl.found" not in values
