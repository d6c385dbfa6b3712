"""Settings that cannot be used are refused in a sentence that names them."""

import json
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from shared.runtime.settings import InvalidSettings, Settings, check_installation

NFC, NFD = "L\u00f6wenzahn", "Lo\u0308wenzahn"
LABELS = [
    ["a", "a"],
    [NFC, NFD],
    ["a"],
    [],
    ["a", ""],
    ["a", "b "],
    ["a", "\u00a0b"],
    ["a", "b\x00"],
    ["a", "b\x1b[2J"],
    ["a", "b\u2028c"],
    ["a", "x" * 201],
    ["a", "ö" * 101],
    ["a", 7],
    "grass",
]


@pytest.mark.parametrize("labels", LABELS, ids=ascii)
def test_labels_no_model_can_have_are_refused(labels: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPPUS_LABELS", json.dumps(labels))
    with pytest.raises(InvalidSettings, match="PAPPUS_LABELS") as by_process:
        Settings()
    with pytest.raises(InvalidSettings, match="PAPPUS_LABELS") as by_up:
        check_installation({"PAPPUS_LABELS": json.dumps(labels)})
    assert "\n" not in str(by_process.value) + str(by_up.value)


@pytest.mark.parametrize("text", ["grass,dandelion", "[", ""])
def test_labels_that_are_no_json_are_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPPUS_LABELS", text)
    with pytest.raises(InvalidSettings, match=r"(?i)labels.*JSON"):
        Settings()
    with pytest.raises(InvalidSettings, match=r"(?i)labels.*JSON"):
        check_installation({"PAPPUS_LABELS": text})


@pytest.mark.parametrize("name", ["plants/v2", "", "..", "a b", "Löwen", "x" * 101, "a\n"])
def test_a_model_name_that_a_registry_cannot_have_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPPUS_MODEL_NAME", name)
    with pytest.raises(InvalidSettings, match="PAPPUS_MODEL_NAME"):
        Settings()


@pytest.mark.parametrize("labels", [["a", "b"], ["Gänseblümchen", "two words", "x" * 200], ["🌼", "🌱"]])
def test_labels_of_any_language_are_taken(labels: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPPUS_LABELS", json.dumps(labels))
    assert list(Settings().labels) == labels


def test_labels_are_kept_in_one_form_of_unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPPUS_LABELS", json.dumps([NFD, "grass"]))
    assert Settings().labels == (NFC, "grass")


@pytest.mark.parametrize(
    ("name", "value"),
    [("HEALTH_PORT", "70000"), ("LOG_LEVEL", "loud"), ("S3_ENDPOINT", "somewhere"), ("REPLICA", "a/b")],
)
def test_other_settings_have_ranges(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"PAPPUS_{name}", value)
    with pytest.raises(InvalidSettings, match=f"PAPPUS_{name}"):
        Settings()


def test_a_refusal_shows_no_value_of_a_secret() -> None:
    with pytest.raises(InvalidSettings) as refused:
        Settings.model_validate({"database_url": ["a secret"], "health_port": -1})
    assert "a secret" not in str(refused.value)


def test_a_secret_may_be_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pappus_s3_secret_key").write_text("from a file\n")
    monkeypatch.setenv("PAPPUS_SECRETS_FOLDER", str(tmp_path))
    assert Settings().s3_secret_key.get_secret_value() == "from a file"
    monkeypatch.setenv("PAPPUS_S3_SECRET_KEY", "from the environment")
    assert Settings().s3_secret_key.get_secret_value() == "from the environment"


def test_a_missing_folder_of_secrets_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPPUS_SECRETS_FOLDER", str(tmp_path / "missing"))
    with pytest.raises(InvalidSettings, match=r"PAPPUS_SECRETS_FOLDER is .*missing"):
        Settings()


@pytest.mark.parametrize(
    ("values", "dsn"),
    [
        ({"database_url": "postgresql://a:b@h:1/d"}, "postgresql://a:b@h:1/d"),
        ({"database_url": "postgresql://a@h:1/d", "database_password": "p/w@"}, "postgresql://a:p%2Fw%40@h:1/d"),
        ({"database_url": "postgresql://a:old@h/d", "database_password": "new"}, "postgresql://a:new@h/d"),
    ],
)
def test_the_address_of_the_database_is_put_together(values: dict[str, str], dsn: str) -> None:
    assert Settings.model_validate(values).database_dsn == dsn


@pytest.mark.parametrize(("query", "mode"), [("", "verify-full"), ("?sslmode=verify-ca", "verify-ca")])
def test_the_address_of_the_database_says_whom_to_trust(query: str, mode: str, ca_file: Path) -> None:
    values = {"database_url": f"postgresql://a:b@h/d{query}", "database_ca_file": ca_file}
    dsn = urlsplit(Settings.model_validate(values).database_dsn)
    assert dict(parse_qsl(dsn.query)) == {"sslmode": mode, "sslrootcert": str(ca_file)}


def test_a_process_with_defaults_has_no_name_in_its_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAPPUS_REPLICA", raising=False)
    settings = Settings()
    assert (settings.replica, settings.in_groups["member"]) == ("local", None)


def test_a_name_that_was_set_counts_even_if_it_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPPUS_REPLICA", "local")
    assert Settings().in_groups["member"] == "local"


def test_an_address_that_is_missing_is_named() -> None:
    with pytest.raises(InvalidSettings, match="PAPPUS_KAFKA_BOOTSTRAP is not set: say where it is, such as kafka:9092"):
        _ = Settings().kafka
    with pytest.raises(InvalidSettings, match="PAPPUS_DATABASE_URL is not set"):
        _ = Settings().database_dsn
    with pytest.raises(InvalidSettings, match="PAPPUS_S3_ENDPOINT is not set"):
        _ = Settings().store_endpoint
