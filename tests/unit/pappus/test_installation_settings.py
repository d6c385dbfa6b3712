"""Which installation is meant: options, then the environment, then a profile, else the local stack."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from pappus.errors import Refused
from pappus.installation.access import ImageServing, Installation
from pappus.installation.resolve import resolve

PREDICTOR = "http://predictor:8000"
DSN = "postgresql://seeder@db:5432/pappus"


def found(environment: Mapping[str, str], **options: str | list[str] | None) -> Installation:
    """Return the installation; there has to be one."""
    installation = resolve(options, environment)
    assert installation is not None
    return installation


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.toml"
    path.write_text(
        'predictor = "http://from-profile:8000"\nlabeler = "http://labeler:8000/"\n'
        'replicas = ["http://one:8000", "http://two:8000"]\nlabeler_password_file = "secret"\n'
    )
    (tmp_path / "secret").write_text("from profile\n")
    return path


def test_an_option_beats_the_environment_and_that_a_profile(profile: Path) -> None:
    environment = {"PAPPUS_PREDICTOR_URL": "http://from-environment:8000", "PAPPUS_PROFILE": str(profile)}
    assert found({}, profile=str(profile)).predictor == "http://from-profile:8000"
    assert found(environment).predictor == "http://from-environment:8000"
    installation = found(environment, predictor="http://from-option:8000/")
    assert installation.predictor == "http://from-option:8000"
    assert installation.labeler == "http://labeler:8000"
    assert installation.origins["predictor"] == "--predictor"
    assert installation.origins["labeler"] == f"labeler in {profile}"


def test_a_profile_lists_replicas_and_names_files_beside_it(profile: Path) -> None:
    installation = found({"PAPPUS_PROFILE": str(profile)})
    assert installation.replicas == ("http://one:8000", "http://two:8000")
    assert installation.logins["labeler"].password == "from profile"


def test_a_profile_is_found_by_its_name(profile: Path) -> None:
    folder = profile.parent / "pappus"
    folder.mkdir()
    profile.rename(folder / "cluster.toml")
    (profile.parent / "secret").rename(folder / "secret")
    assert found({"XDG_CONFIG_HOME": str(profile.parent)}, profile="cluster").labeler == "http://labeler:8000"


def test_a_secret_may_stand_in_a_file_or_in_the_folder_of_secrets(tmp_path: Path) -> None:
    (tmp_path / "pappus_operator_password").write_text("from folder\n")
    (tmp_path / "named").write_text("from file\n")
    environment = {
        "PAPPUS_PREDICTOR_URL": PREDICTOR,
        "PAPPUS_SECRETS_FOLDER": str(tmp_path),
        "PAPPUS_LABELER_PASSWORD_FILE": str(tmp_path / "named"),
    }
    logins = found(environment).logins
    assert (logins["labeler"].password, logins["operator"].password) == ("from file", "from folder")
    directly = found(environment | {"PAPPUS_LABELER_PASSWORD": "itself"}).logins
    assert directly["labeler"].password == "itself"


def test_a_password_of_the_database_may_stand_apart() -> None:
    environment = {"PAPPUS_PREDICTOR_URL": PREDICTOR, "PAPPUS_PLANTS_DSN": DSN, "PAPPUS_PLANTS_PASSWORD": "a/b@c"}
    assert found(environment).plants_dsn == "postgresql://seeder:a%2Fb%40c@db:5432/pappus"


def test_secrets_are_not_in_the_text_of_an_installation() -> None:
    names = ("PREDICTOR_KEY", "LABELER_PASSWORD", "PLANTS_PASSWORD")
    secrets = {f"PAPPUS_{name}": "confidential" for name in names}
    installation = found({"PAPPUS_PREDICTOR_URL": PREDICTOR, "PAPPUS_PLANTS_DSN": DSN} | secrets)
    assert installation.predictor_key == "confidential"
    assert "confidential" not in repr(installation) + repr(installation.plants)


@pytest.mark.parametrize(
    "environment",
    [{}, {"PAPPUS_PREDICTOR_URL": ""}, {"PAPPUS_MLFLOW_URL": "http://mlflow:5000", "PAPPUS_PLANTS_DSN": DSN}],
)
def test_without_an_address_the_local_stack_is_meant(environment: Mapping[str, str]) -> None:
    assert resolve({"predictor": None, "labeler": ""}, environment) is None


def test_images_are_served_at_every_address_unless_one_is_named() -> None:
    environment = {"PAPPUS_PREDICTOR_URL": PREDICTOR, "PAPPUS_SERVE_AS": "http://me:8300/x/"}
    assert found(environment).serving == ImageServing("0.0.0.0", 8300, "http://me:8300/x")
    assert found(environment, serve_on="127.0.0.1:1").serving == ImageServing("127.0.0.1", 1, "http://me:8300/x")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"predictor": "predictor:8000"},
            "--predictor is 'predictor:8000': write an address such as http://host:8000.",
        ),
        ({"labeler": "ftp://labeler"}, "--labeler is 'ftp://labeler': write an address"),
        ({"labeler": "http://labeler:80000"}, "--labeler is 'http://labeler:80000': write an address"),
        ({"replicas": ["http://a:1", "b"], "predictor": PREDICTOR}, "--replica is 'b': write an address"),
        ({"ca_file": "ca.pem"}, "--ca-file says more about an installation, and none is named"),
        (
            {"serve_on": "here", "serve_as": PREDICTOR, "predictor": PREDICTOR},
            "--serve-on is 'here': write an address of",
        ),
        ({"serve_on": "0.0.0.0:1", "predictor": PREDICTOR}, "--serve-on says where images are served, and not how the"),
        ({"profile": "/nowhere/x.toml"}, "/nowhere/x.toml, which --profile names, cannot be read: No such file"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(options: dict[str, str], words: str) -> None:
    with pytest.raises(Refused) as refused:
        resolve(options, {})
    assert str(refused.value).startswith(words)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("PAPPUS_LABELER_URL", "x", "PAPPUS_LABELER_URL is 'x': write an address such as http://host:8000."),
        ("PAPPUS_PLANTS_DSN", "db", "PAPPUS_PLANTS_DSN is no address of PostgreSQL: write postgresql://seeder@HOST"),
        ("PAPPUS_LABELER_PASSWORD_FILE", "/nowhere", "/nowhere, which PAPPUS_LABELER_PASSWORD_FILE names, cannot be"),
        ("PAPPUS_PROFILE", "/nowhere/x.toml", "/nowhere/x.toml, which PAPPUS_PROFILE names, cannot be read"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(variable: str, value: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        resolve({}, {"PAPPUS_PREDICTOR_URL": PREDICTOR, variable: value})
    assert str(refused.value).startswith(words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("predictor = ", "is no TOML"),
        ('predicter = "http://a"', "has the key predicter, which means nothing. Known are: predictor, replicas"),
        ("labeler = 8000", "labeler in .* is 8000: write a text in quotes"),
        ('predictor = "http://a"\nlabeler_password_file = "gone"', "gone, which labeler_password_file in .* cannot be"),
    ],
)
def test_a_profile_that_cannot_be_used_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises(Refused, match=words):
        resolve({"profile": str(path)}, {})
