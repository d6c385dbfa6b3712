"""MLflow's server, one worker: `python -m pappus.mlflow_server`.

Reads the settings of `settings.py`, its passwords among them. Owns database and bucket `mlflow`. `mlflow server` would
import all of MLflow, check the store and start a child: twice the time, 250 MB more, and an orphan when it is killed.
"""

import os
import sys

import uvicorn

from pappus.mlflow_server.door import Door
from pappus.mlflow_server.settings import MlflowServerSettings, environment_of_mlflow
from shared.runtime.settings import InvalidSettings
from shared.runtime.telemetry import configure, logger


def main() -> int:
    """Serve until asked to end. Return the exit code."""
    try:
        settings = MlflowServerSettings()
    except InvalidSettings as error:
        logger.error("MLflow does not start", error=str(error))
        return 1
    configure("mlflow", settings)
    os.environ.update(environment_of_mlflow(settings))
    from mlflow.server.fastapi_app import app  # it reads the environment when it is imported

    passwords = {
        settings.mlflow_username: settings.mlflow_password.get_secret_value(),
        settings.mlflow_reader_username: settings.mlflow_reader_password.get_secret_value(),
    }
    door = Door(app, passwords, settings.mlflow_username, settings.http_hosts)
    uvicorn.run(door, host=settings.host, port=settings.port, log_config=None, forwarded_allow_ips=[])
    return 0


if __name__ == "__main__":
    sys.exit(main())
