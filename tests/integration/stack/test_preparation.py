"""`pappus prepare` on real servers: it may be repeated, and says in one sentence why it cannot go on."""

from pathlib import Path

import pytest

from pappus.containers.preparation import Preparation, PreparationSettings
from pappus.stack import Servers
from pappus.stack.buckets import ObjectStoreAway, make_buckets
from pappus.stack.errors import StackError
from pappus.stack.ports import HOST, free_ports
from pappus.stack.s3 import REGION


def settings(servers: Servers, folder: Path) -> PreparationSettings:
    file = folder / "credentials.json"
    file.write_text(servers.credentials.model_dump_json())
    return PreparationSettings(
        kafka_bootstrap=servers.kafka_bootstrap,
        database_url=servers.database_url("postgres", "postgres"),
        s3_endpoint=servers.s3_endpoint,
        credentials_file=file,
    )


async def test_each_step_may_be_repeated(servers: Servers, tmp_path: Path) -> None:
    for _ in range(2):
        said: list[str] = []
        await Preparation(settings(servers, tmp_path), said.append).run()
    assert [line.split(":")[0] for line in said] == ["database", "tables", "topics", "buckets"]
    assert said[1:3] == ["tables: no migration is missing", "topics: all topics are there"]


async def test_single_steps_are_done_by_name(servers: Servers, tmp_path: Path) -> None:
    said: list[str] = []
    await Preparation(settings(servers, tmp_path), said.append).run(("topics",))
    assert said == ["topics: all topics are there"]


async def test_an_unknown_step_is_refused_with_the_known_ones(servers: Servers, tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"no step tabels. The steps are: database, tables, topics, buckets"):
        await Preparation(settings(servers, tmp_path), print).run(("tabels",))


async def test_missing_credentials_are_named() -> None:
    with pytest.raises(StackError, match="PAPPUS_CREDENTIALS_FILE"):
        await Preparation(PreparationSettings(database_url="postgresql://x"), print).run(("tables",))


async def test_an_object_store_that_is_away_is_told_from_one_that_refuses(servers: Servers) -> None:
    root = servers.credentials.s3["root"]
    with pytest.raises(ObjectStoreAway):
        make_buckets(f"http://{HOST}:{free_ports(['away'])['away']}", REGION, root)
    with pytest.raises(StackError) as refused:
        make_buckets(servers.s3_endpoint, REGION, root.model_copy(update={"secret_key": "wrong"}))
    assert not isinstance(refused.value, ObjectStoreAway)


async def test_roles_over_tls_need_a_psql_that_encrypts(ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StackError, match="PAPPUS_DATABASE_CA_FILE is set, and the psql"):
        await Preparation(PreparationSettings(database_ca_file=ca_file), print).run(("database",))
