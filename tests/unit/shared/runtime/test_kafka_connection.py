"""What a process says of its Kafka settings before it asks a broker anything."""

import ssl
from pathlib import Path

import pytest

from shared.messaging.kafka import Copies
from shared.runtime.kafka_connection import KafkaConnection
from shared.runtime.settings import InvalidSettings, Settings


def settings(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in {"KAFKA_BOOTSTRAP": "127.0.0.1:1", **values}.items():
        monkeypatch.setenv(f"PAPPUS_{name}", value)
    return Settings()


def test_without_more_settings_clients_speak_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings(monkeypatch, KAFKA_BOOTSTRAP="a:1").kafka.client_settings == {
        "bootstrap_servers": "a:1",
        "security_protocol": "PLAINTEXT",
    }


def test_all_settings_reach_the_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PAPPUS_SECRETS_FOLDER", str(tmp_path))
    (tmp_path / "pappus_kafka_password").write_text("secret\n")
    kafka = settings(monkeypatch, KAFKA_BOOTSTRAP="a:1,b:2", KAFKA_PROTOCOL="SASL_SSL", KAFKA_USERNAME="trainer").kafka
    client = kafka.client_settings
    context = client.pop("ssl_context")
    assert client == {
        "bootstrap_servers": "a:1,b:2",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "trainer",
        "sasl_plain_password": "secret",
    }
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert "secret" not in repr(kafka)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"KAFKA_PROTOCOL": "SASL_SSL"}, "PAPPUS_KAFKA_USERNAME"),
        ({"KAFKA_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_USERNAME": "trainer"}, "pappus_kafka_password"),
        ({"KAFKA_PROTOCOL": "SSL", "KAFKA_CA_FILE": "/nowhere/ca.pem"}, "PAPPUS_KAFKA_CA_FILE.*cannot be read"),
        ({"KAFKA_PROTOCOL": "SSL", "KAFKA_CA_FILE": __file__}, "PAPPUS_KAFKA_CA_FILE.*no certificates"),
        ({"KAFKA_PROTOCOL": "TLS"}, "PAPPUS_KAFKA_PROTOCOL"),
    ],
)
def test_what_is_missing_is_named(values: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidSettings, match=named) as refused:
        _ = settings(monkeypatch, **values).kafka
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("bootstrap", "addresses"),
    [
        ("a:1, b:2", [("a", 1), ("b", 2)]),
        ("[::1]:29092", [("::1", 29092)]),
        ("kafka", [("kafka", 9092)]),
    ],
)
def test_addresses_are_read_from_the_bootstrap(bootstrap: str, addresses: list[tuple[str, int]]) -> None:
    assert KafkaConnection(bootstrap).addresses == addresses


def test_more_copies_in_sync_than_there_are_is_refused() -> None:
    assert Copies(3, 2).min_insync == 2
    with pytest.raises(InvalidSettings, match="PAPPUS_KAFKA_MIN_INSYNC_REPLICAS is 2"):
        Copies(1, 2)
