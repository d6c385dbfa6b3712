"""A container with a wrong setting ends at its start, and says in one sentence which setting it is."""

import asyncio
import json
import shutil
import ssl
from pathlib import Path

import pytest

from pappus.stack.certificates import Authority
from shared.testing import eventually

from .installation import Compose, Ended, let_containers_in

pytestmark = [pytest.mark.compose, pytest.mark.timeout(300)]
TRAINER = [f"trainer-{part}" for part in ("fast", "gate", "full", "trigger", "recorder")]
PREDICTOR = ["predictor-worker", "predictor-batches", "predictor-monitor"]
OURS = ["ingestor", "labeler-api", "labeler-ui", "predictor-api-0", *PREDICTOR, "mlflow", "prepare", *TRAINER]
OF_THE_DATABASE = ["ingestor", *PREDICTOR, *TRAINER]
OF_THE_STORE = ["ingestor", *PREDICTOR, "trainer-fast", "trainer-gate", "trainer-full"]
WRITERS = ["trainer-full", "trainer-trigger", "predictor-monitor"]


def says(ended: Ended) -> str:
    """Return the last thing that a process said before it ended, and see that it is one sentence, without where in the
    code it was raised."""
    assert ended.code not in (0, None), ended.output
    assert "Traceback" not in ended.output
    last = ended.output.strip().splitlines()[-1]
    return str(json.loads(last)["error"]) if last.startswith("{") else last


@pytest.fixture
def secrets(compose: Compose, tmp_path: Path) -> Path:
    """A copy of all secrets, to be spoilt."""
    copy = tmp_path / "secrets"
    shutil.copytree(compose.secrets, copy)
    for place in copy.rglob("*"):
        place.chmod(0o777 if place.is_dir() else 0o666)
    let_containers_in(copy)
    return copy


def spoil(secrets: Path, name: str) -> None:
    """Make this secret wrong wherever it is."""
    for file in secrets.rglob(name):
        file.write_text("wrong")


@pytest.mark.parametrize("service", OURS)
def test_an_image_without_a_setting_names_it(compose: Compose, service: str) -> None:
    said = says(compose.bare_guest(service).run())
    assert "PAPPUS_" in said
    assert "is not set" in said or "Field required" in said


@pytest.mark.parametrize("service", OF_THE_DATABASE)
def test_a_wrong_password_of_the_database(compose: Compose, secrets: Path, service: str) -> None:
    spoil(secrets, "pappus_database_password")
    assert "secret pappus_database_password" in says(compose.guest(service, secrets).run())


@pytest.mark.parametrize("service", OF_THE_DATABASE)
def test_a_missing_secret(compose: Compose, secrets: Path, service: str) -> None:
    for file in secrets.rglob("pappus_database_password"):
        file.unlink()
    assert "secret pappus_database_password" in says(compose.guest(service, secrets).run())


@pytest.mark.parametrize("service", OF_THE_STORE)
def test_a_wrong_key_of_the_object_store(compose: Compose, secrets: Path, service: str) -> None:
    spoil(secrets, "pappus_s3_secret_key")
    assert "secret pappus_s3_secret_key" in says(compose.guest(service, secrets).run())


def test_no_secrets_at_all(compose: Compose, secrets: Path) -> None:
    assert "PAPPUS_SECRETS_FOLDER" in says(compose.guest("ingestor", secrets, PAPPUS_SECRETS_FOLDER="/nowhere").run())


def test_credentials_that_are_none(compose: Compose, secrets: Path) -> None:
    (secrets / "jobs" / "credentials.json").write_text("{")
    assert "is not a credentials.json that Pappus wrote" in says(compose.guest("prepare", secrets).run())


@pytest.mark.parametrize(("days", "said"), [(-1, "has expired"), (30, "not signed by whom PAPPUS_KAFKA_CA_FILE names")])
async def test_a_certificate_that_is_no_good(compose: Compose, secrets: Path, days: int, said: str) -> None:
    """A broker with an expired certificate, and one with that of another authority."""
    own, other = Authority(secrets / "own"), Authority(secrets / "other")
    other.prepare()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    pair = own.server("kafka", days=days)
    context.load_cert_chain(pair.certificate, pair.key)
    trusted = own.certificate if days < 0 else other.certificate
    shutil.copyfile(trusted, secrets / "ingestor" / "ca.pem")

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        guest = compose.guest(
            "ingestor",
            secrets,
            network="host",
            PAPPUS_KAFKA_BOOTSTRAP=f"127.0.0.1:{port}",
            PAPPUS_KAFKA_PROTOCOL="SSL",
            PAPPUS_KAFKA_CA_FILE="/run/secrets/ca.pem",
            PAPPUS_DATABASE_URL=f"postgresql://ingestor@127.0.0.1:{compose.ports['POSTGRES']}/pappus",
            PAPPUS_S3_ENDPOINT=f"http://127.0.0.1:{compose.ports['S3']}",
        )
        ended = await asyncio.to_thread(guest.run)
    assert said in says(ended)


async def test_a_broker_that_is_away_is_waited_for(compose: Compose, secrets: Path) -> None:
    with compose.guest("ingestor", secrets, PAPPUS_KAFKA_BOOTSTRAP="nowhere:9092") as container:
        await eventually(lambda: "Is it running, at PAPPUS_KAFKA_BOOTSTRAP?" in container.logs(), 60)
        assert container.running()
        assert container.stop() == 0, container.logs()


@pytest.mark.parametrize("service", WRITERS)
@pytest.mark.parametrize(
    ("volume", "said"), [("full", "No space left on device"), ("read-only", "Read-only file system")]
)
def test_a_volume_that_cannot_be_written(compose: Compose, service: str, volume: str, said: str) -> None:
    with compose.stopped(service):  # one trigger works, others stand by
        ended = compose.guest(service, compose.secrets, volume=volume).run()
    assert f"PAPPUS_STATE_FOLDER is /var/lib/pappus, where this process cannot write ({said})" in says(ended)


@pytest.mark.parametrize("volume", ["full", "read-only"])
async def test_a_predictor_serves_without_a_volume(compose: Compose, volume: str) -> None:
    compose.have_a_model()
    with compose.guest("predictor-api-0", compose.secrets, volume=volume, PAPPUS_REPLICA="guest") as container:
        await eventually(lambda: "could not be kept in PAPPUS_STATE_FOLDER" in container.logs(), 60)
        await eventually(container.healthy, 60)


async def test_a_predictor_serves_although_the_database_refuses_its_login(compose: Compose, secrets: Path) -> None:
    compose.have_a_model()
    spoil(secrets, "pappus_database_password")
    with compose.guest("predictor-api-0", secrets, PAPPUS_REPLICA="guest") as container:
        await eventually(container.healthy, 60)
