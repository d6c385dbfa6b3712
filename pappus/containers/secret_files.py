"""The secrets of an installation as files: one folder for each container, which mounts it at /run/secrets.

A container runs as a user that does not exist on the host, so the files in a folder are readable by all; the folder
above them is the owner's alone. Each file is called after the setting that it holds (see `shared.runtime.settings`).
"""

from collections.abc import Mapping
from pathlib import Path

from pappus.stack.credentials import READER, RECORDER, REPLICAS, Credentials
from pappus.stack.errors import StackError
from pappus.stack.files import write_private
from pappus.stack.folders import StateFolder
from pappus.stack.s3 import iam_users
from pappus.stack.s3_policy import PREDICTOR_API, TRAINER_RECORDER
from shared.contract.access import JOBS

MARKER = "README.txt"
_TEXT = (
    "Secrets of one Pappus installation, written by `pappus secrets`. Delete nothing here while its data is needed.\n"
)


def write_secrets(folder: Path) -> Credentials:
    """Write the files of every container below `folder`, with the passwords that are there already; what is missing is
    generated. Return them.

    Raises:
        StackError: the folder holds other things.
    """
    root = StateFolder(folder.expanduser().absolute())
    if root.root.is_symlink() or (root.root.is_dir() and any(root.root.iterdir()) and not _is_ours(root.root)):
        raise StackError(f"{root.root} holds other things than secrets of Pappus. Name an empty or a new folder.")
    root.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    root.root.chmod(0o700)
    (root.root / MARKER).write_text(_TEXT)
    credentials = Credentials.load_or_create(root)
    for container, files in _files(credentials).items():
        place = root.root / container
        place.mkdir(exist_ok=True)
        place.chmod(0o755)
        for name, text in files.items():
            _write(place / name, text)
    users = root.root / "labeler" / "users.json"
    if not users.exists():  # later it is changed by people
        _write(users, root.users.read_text())
    return credentials


def _is_ours(folder: Path) -> bool:
    marker = folder / MARKER
    return marker.is_file() and marker.read_text() == _TEXT


def _write(file: Path, text: str) -> None:
    if not file.exists() or file.read_text() != text:
        write_private(file, text)
    file.chmod(0o444)


def _files(credentials: Credentials) -> Mapping[str, Mapping[str, str]]:
    """Return the content of each file, by container and name."""

    def database(role: str) -> dict[str, str]:
        return {"pappus_database_password": credentials.postgres[role]}

    def objects(user: str) -> dict[str, str]:
        key = credentials.s3[user]
        return {"pappus_s3_access_key": key.access_key, "pappus_s3_secret_key": key.secret_key}

    def log(user: str) -> dict[str, str]:
        return {"pappus_kafka_password": credentials.kafka[user]}

    root = credentials.s3["root"]
    callbacks = {"pappus_callback_secret": credentials.callback_secret}
    return {
        "ingestor": {**database("ingestor"), **objects("ingestor"), **log("ingestor")},
        "labeler": {
            **database("labeler"),
            **objects("labeler"),
            **log("labeler"),
            "pappus_session_secret": credentials.session_secret,
        },
        "trainer": {**database("trainer"), **objects("trainer"), **log("trainer")},
        "trainer-recorder": {
            **database("trainer"),
            **objects(TRAINER_RECORDER),
            **log("trainer"),
            "pappus_mlflow_password": credentials.mlflow[RECORDER],
        },
        "predictor-api": {**database(REPLICAS), **objects(PREDICTOR_API), **log("predictor"), **callbacks},
        "predictor-worker": {**database("predictor"), **objects("predictor"), **log("predictor"), **callbacks},
        "mlflow": {
            **database("mlflow"),
            **objects("mlflow"),
            "pappus_mlflow_password": credentials.mlflow[RECORDER],
            "pappus_mlflow_reader_password": credentials.mlflow[READER],
        },
        "kafka": {"cluster.env": f"CLUSTER_ID={credentials.kafka_cluster}\n"},
        "postgres": {"password": credentials.postgres["postgres"]},
        "s3": {"root_access_key": root.access_key, "root_secret_key": root.secret_key},
        "s3-users": {"users.json": iam_users(credentials)},
        "grafana": {"password": credentials.grafana},
        "jobs": {
            **log(JOBS),
            "credentials.json": credentials.model_dump_json(indent=2) + "\n",
            "labeler_password": credentials.users["labeler"],
            "operator_password": credentials.users["operator"],
            "plants_password": credentials.postgres["seeder"],
        },
    }
