"""The secrets of an installation in containers, as files."""

import json
import stat
from pathlib import Path

import pytest

from pappus.containers.secret_files import write_secrets
from pappus.stack.errors import StackError
from pappus.stack.folders import StateFolder
from services.labeler.settings import LabelerSettings
from services.predictor.settings import PredictorSettings
from services.trainer.recorder.settings import RecorderSettings
from shared.runtime.settings import EnvironmentSettings, Settings

SETTINGS: dict[str, type[EnvironmentSettings]] = {
    "ingestor": Settings,
    "labeler": LabelerSettings,
    "trainer": Settings,
    "trainer-recorder": RecorderSettings,
    "predictor-api": PredictorSettings,
    "predictor-worker": PredictorSettings,
}


def texts(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_what_was_generated_once_stays(tmp_path: Path) -> None:
    write_secrets(tmp_path / "secrets")
    before = texts(tmp_path / "secrets")
    write_secrets(tmp_path / "secrets")
    assert texts(tmp_path / "secrets") == before


def test_people_who_were_added_stay(tmp_path: Path) -> None:
    write_secrets(tmp_path / "secrets")
    users = tmp_path / "secrets" / "labeler" / "users.json"
    users.chmod(0o644)
    users.write_text("[]")
    write_secrets(tmp_path / "secrets")
    assert users.read_text() == "[]"


def test_only_the_owner_enters_the_folder_and_containers_read_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    write_secrets(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in (file for container in folder.iterdir() if container.is_dir() for file in container.iterdir()):
        assert stat.S_IMODE(file.stat().st_mode) == 0o444
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o755


@pytest.mark.parametrize("container", SETTINGS)
def test_each_file_is_a_setting_of_its_container(
    container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_secrets(tmp_path / "secrets")
    folder = tmp_path / "secrets" / container
    monkeypatch.setenv("PAPPUS_SECRETS_FOLDER", str(folder))
    monkeypatch.setenv("PAPPUS_MLFLOW_URL", "http://mlflow")
    settings = SETTINGS[container]()
    for file in folder.glob("pappus_*"):
        assert getattr(settings, file.name.removeprefix("pappus_")).get_secret_value() == file.read_text()


def test_no_container_but_the_jobs_has_the_password_of_another(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    credentials = write_secrets(folder)
    roles = dict.fromkeys(("ingestor", "labeler", "trainer", "mlflow", "postgres"), "")
    for role, own in {**roles, "predictor": "predictor-worker", "predictor_api": "predictor-api"}.items():
        holders = {
            file.parent.name
            for file in folder.rglob("*")
            if file.is_file() and file.parent != folder and credentials.postgres[role] in file.read_text()
        }
        assert all(holder == "jobs" or holder.startswith(own or role) for holder in holders)


def test_the_store_knows_every_user_but_root(tmp_path: Path) -> None:
    credentials = write_secrets(tmp_path / "secrets")
    accounts = json.loads((tmp_path / "secrets/s3-users/users.json").read_text())["accessAccounts"]
    assert {name: account["secret"] for name, account in accounts.items()} == {
        name: key.secret_key for name, key in credentials.s3.items() if name != "root"
    }


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(StackError, match="holds other things"):
        write_secrets(tmp_path)
    assert texts(tmp_path) == {"thesis.txt": "precious"}


def test_a_stack_is_no_folder_of_secrets(state: StateFolder) -> None:
    with pytest.raises(StackError, match="holds other things"):
        write_secrets(state.root)
