"""The MLflow server: one worker, its tables in PostgreSQL, its artefacts in S3."""

import sys

from pappus.stack.component import Component, Launch, Say
from pappus.stack.context import StackContext
from pappus.stack.errors import StackError
from pappus.stack.ports import HOST
from pappus.stack.probes import http_ok
from pappus.stack.s3 import client_environment
from pappus.stack.s3_policy import ARTEFACTS

APPLICATION = "mlflow.server.fastapi_app:app"
FIRST_QUESTION = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default"
TABLES_SECONDS = 120.0


def mlflow_component(context: StackContext) -> Component:
    """Return the component of MLflow, the index of models. No service waits for it: the recorder catches up.

    `mlflow server` would import all of MLflow, check the store and start this very command as its child: twice the
    time, 250 MB more, and an orphan when it is killed. The child is started here instead, with the same environment.
    """

    async def launch(_: Say) -> Launch:
        port = str(context.ports["mlflow"])
        arguments = (sys.executable, "-m", "uvicorn", "--host", HOST, "--port", port, APPLICATION)
        environment = {**context.server_environment, **_environment(context)}
        return Launch(arguments, environment, folder=context.state.working_folder("mlflow"))

    async def make_tables() -> None:
        if not await http_ok(f"{context.url('mlflow')}{FIRST_QUESTION}", timeout_seconds=TABLES_SECONDS):
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
    """Return the environment, which holds the database password: a command line is readable by every user."""
    return {
        **client_environment(context, "mlflow"),
        "_MLFLOW_SERVER_FILE_STORE": context.database_url("mlflow", "mlflow", "postgresql+psycopg"),
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": f"s3://{ARTEFACTS}",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # with it: 10 processes, 1.3 GB, orphans
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONUNBUFFERED": "1",
    }
