"""The MLflow server: one worker, its tables in PostgreSQL, its artefacts in S3."""

import sys

from pappus.stack.component import Component, Launch, Say
from pappus.stack.context import StackContext
from pappus.stack.credentials import READER, RECORDER
from pappus.stack.errors import StackError
from pappus.stack.probes import http_ok
from pappus.stack.s3 import REGION
from pappus.stack.s3_policy import ARTEFACTS
from pappus.stack.services import with_project
from pappus.stack.settings import PREFIX

FIRST_QUESTION = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default"
TABLES_SECONDS = 120.0


def mlflow_component(context: StackContext) -> Component:
    """Return the component of MLflow, the index of models. No service waits for it: the recorder catches up.

    People look at it as `reader`; only the recorder writes (`pappus.mlflow_server`).
    """

    async def launch(_: Say) -> Launch:
        environment = with_project({**context.server_environment, **_environment(context)})
        folder = context.state.working_folder("mlflow")
        return Launch((sys.executable, "-m", "pappus.mlflow_server"), environment, folder)

    async def make_tables() -> None:
        login = f"{READER}:{context.credentials.mlflow[READER]}"
        if not await http_ok(f"{context.url('mlflow')}{FIRST_QUESTION}", TABLES_SECONDS, login=login):
            raise StackError("MLflow runs but cannot use its database. See: pappus logs mlflow")

    return Component(
        name="mlflow",
        group="servers",
        launch=launch,
        probe=lambda: http_ok(f"{context.url('mlflow')}/health"),
        provision=make_tables,
        needs=("postgres", "s3"),
        ports={"mlflow": context.ports["mlflow"]},
        address=context.url("mlflow"),
        start_seconds=180.0,
        low_priority=True,
        config_hash=f"{context.ports['postgres']} {context.url('s3')}",  # both are passed when it starts
    )


def _environment(context: StackContext) -> dict[str, str]:
    """Return the settings of `pappus.mlflow_server`."""
    credentials = context.credentials
    key = credentials.s3["mlflow"]
    settings = {
        "PORT": str(context.ports["mlflow"]),
        "DATABASE_URL": context.database_url("mlflow", "mlflow"),
        **({"S3_CA_FILE": str(context.authority.certificate)} if context.config.secure else {}),
        "S3_ENDPOINT": context.url("s3"),
        "S3_REGION": REGION,
        "S3_ACCESS_KEY": key.access_key,
        "S3_SECRET_KEY": key.secret_key,
        "S3_BUCKET": ARTEFACTS,
        "MLFLOW_USERNAME": RECORDER,
        "MLFLOW_PASSWORD": credentials.mlflow[RECORDER],
        "MLFLOW_READER_USERNAME": READER,
        "MLFLOW_READER_PASSWORD": credentials.mlflow[READER],
    }
    return {"PYTHONUNBUFFERED": "1", **{PREFIX + name: value for name, value in settings.items()}}
