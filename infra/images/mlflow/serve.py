"""Starts the server of MLflow with secrets from files: a command line is readable by every user of a machine.

PAPPUS_DATABASE_URL (without password), PAPPUS_S3_ENDPOINT, PAPPUS_S3_REGION, PAPPUS_PORT; in PAPPUS_SECRETS_FOLDER the
files pappus_database_password, pappus_s3_access_key and pappus_s3_secret_key.
"""

import os
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

APPLICATION = "mlflow.server.fastapi_app:app"


def main() -> None:
    """Become the server. Exits with a sentence if a setting is missing."""
    environment = dict(os.environ)
    folder = Path(_setting("PAPPUS_SECRETS_FOLDER"))
    url = urlsplit(_setting("PAPPUS_DATABASE_URL"))
    login = f"{url.username}:{quote(_secret(folder, 'pappus_database_password'), safe='')}"
    place = url._replace(scheme="postgresql+psycopg", netloc=f"{login}@{url.netloc.rpartition('@')[2]}").geturl()
    environment |= {
        "AWS_ACCESS_KEY_ID": _secret(folder, "pappus_s3_access_key"),
        "AWS_SECRET_ACCESS_KEY": _secret(folder, "pappus_s3_secret_key"),
        "AWS_DEFAULT_REGION": environment.get("PAPPUS_S3_REGION", "us-east-1"),
        "MLFLOW_S3_ENDPOINT_URL": _setting("PAPPUS_S3_ENDPOINT"),
        "_MLFLOW_SERVER_FILE_STORE": place,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": f"s3://{environment.get('PAPPUS_MLFLOW_BUCKET', 'mlflow')}",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    host, port = environment.get("PAPPUS_HOST", "127.0.0.1"), environment.get("PAPPUS_PORT", "5000")
    command = [sys.executable, "-m", "uvicorn", "--host", host, "--port", port, APPLICATION]
    os.execve(sys.executable, command, environment)  # noqa: S606 - it becomes the server, which gets the signals


def _setting(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        sys.exit(f"{name} is not set. Set it and start again.")
    return value


def _secret(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text().strip()
    except OSError as error:
        sys.exit(f"The secret {name} cannot be read from PAPPUS_SECRETS_FOLDER ({folder}): {error.strerror}.")


if __name__ == "__main__":
    main()
