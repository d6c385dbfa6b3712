"""The authority of a secured stack: what it signs, what it renews, and whom clients refuse."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pappus.stack.certificates import RENEW_DAYS, Authority, Pair
from shared.messaging.kafka import KafkaRefused, raise_refusal
from shared.runtime.certificates import trust
from shared.runtime.errors import InvalidSettings
from shared.runtime.kafka_connection import KafkaConnection


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "certificates")


@asynccontextmanager
async def server(pair: Pair) -> AsyncIterator[int]:
    """Run a server with this certificate that hangs up on its clients; yield its port."""

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    running = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context)
    async with running:
        yield running.sockets[0].getsockname()[1]


async def handshake(port: int, trusted: Path, host: str = "127.0.0.1") -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust(trusted, "X"), server_hostname=host)
    writer.close()
    await writer.wait_closed()


async def test_clients_of_the_authority_take_its_servers(authority: Authority) -> None:
    async with server(authority.server("kafka")) as port:
        await handshake(port, authority.certificate)
        await handshake(port, authority.certificate, "localhost")


async def test_kafka_with_a_certificate_of_another_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    other.prepare()
    async with server(authority.server("kafka")) as port:
        with pytest.raises(KafkaRefused, match=r"not signed by whom PAPPUS_KAFKA_CA_FILE names"):
            await raise_refusal(KafkaConnection(f"127.0.0.1:{port}", "SSL", ca_file=other.certificate))


async def test_kafka_with_an_expired_certificate_is_refused(authority: Authority) -> None:
    async with server(authority.server("kafka", days=-1)) as port:
        with pytest.raises(KafkaRefused, match=r"has expired: give the server a new one"):
            await raise_refusal(KafkaConnection(f"127.0.0.1:{port}", "SSL", ca_file=authority.certificate))


async def test_kafka_under_another_name_is_refused(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pappus.stack.certificates.HOST", "127.0.0.9")
    monkeypatch.setattr("pappus.stack.certificates.NAMES", ("elsewhere",))
    async with server(authority.server("kafka")) as port:
        connection = KafkaConnection(f"127.0.0.1:{port}", "SSL", ca_file=authority.certificate)
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(KafkaRefused, match=r"for another name: correct PAPPUS_KAFKA_BOOTSTRAP"):
                await raise_refusal(replace(connection, bootstrap=f"{host}:{port}"))


async def test_a_server_that_is_no_broker_is_not_called_a_refusal(authority: Authority) -> None:
    async with server(authority.server("kafka")) as port:
        await raise_refusal(KafkaConnection(f"127.0.0.1:{port}", "SSL", ca_file=authority.certificate))


def test_a_certificate_is_kept_until_it_is_about_to_expire(authority: Authority) -> None:
    first = authority.server("s3").certificate.read_bytes()
    assert authority.server("s3").certificate.read_bytes() == first
    soon = authority.server("postgres", days=RENEW_DAYS - 1).certificate.read_bytes()
    assert authority.server("postgres").certificate.read_bytes() != soon


def test_a_new_authority_gives_new_certificates(authority: Authority) -> None:
    first = authority.server("s3").certificate.read_bytes()
    authority.certificate.unlink()
    assert authority.server("s3").certificate.read_bytes() != first


def test_a_damaged_certificate_is_made_again(authority: Authority) -> None:
    pair = authority.server("s3")
    pair.certificate.write_text("nothing")
    assert b"BEGIN CERTIFICATE" in authority.server("s3").certificate.read_bytes()


def test_keys_are_for_their_owner_alone(authority: Authority) -> None:
    pair = authority.server("kafka")
    files = [*pair.key.parent.iterdir()]
    assert {file.stat().st_mode & 0o077 for file in [*files, pair.key.parent]} == {0}
    assert pair.keystore in files


def test_a_file_that_holds_no_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(InvalidSettings, match=r"PAPPUS_S3_CA_FILE is .*ca\.pem, which holds no certificates"):
        trust(tmp_path / "ca.pem", "PAPPUS_S3_CA_FILE")
