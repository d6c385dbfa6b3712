"""Trains Pappus on a schedule of Airflow, for those who schedule there: it asks for a full training, no more.

It asks the labeler's API as an operator, not Kafka. The API knows who may ask and writes down who did and why, takes a
repeated request once (Airflow retries), and needs no Kafka client, certificate or broker address here. Pappus still
trains by itself when enough has changed; whether a new model serves is for the gate to say, as always.

The Airflow connection `pappus_labeler` is of type HTTP: the address of the API, name and password of an operator.
Only Airflow's own libraries are needed. Copy this file into the folder of DAGs.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import Request, urlopen

from airflow.sdk import BaseHook, dag, get_current_context, task

CONNECTION = "pappus_labeler"
TIMEOUT_SECONDS = 30


def ask_for_training(address: str, name: str, password: str, reason: str, key: str) -> str:
    """Publish `training.requested` through the labeler's API, once for each `key`. Return the event's id.

    Raises:
        urllib.error.URLError: the API does not answer, or refuses; Airflow tries again.
    """
    token = _post(f"{address}/login", {"name": name, "password": password}, {})["token"]
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    return str(_post(f"{address}/trainings", {"reason": reason}, headers)["event_id"])


def _post(url: str, body: dict[str, str], headers: dict[str, str]) -> Any:
    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})  # noqa: S310
    with urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - the connection names the address
        return json.load(answer)


@dag(
    schedule="0 3 * * *", start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False, max_active_runs=1, tags=["pappus"]
)
def pappus_training() -> None:
    """Ask for a full training each night."""

    @task(retries=3, retry_delay=timedelta(minutes=5))
    def request_training() -> str:
        connection = BaseHook.get_connection(CONNECTION)
        address = f"{connection.schema or 'http'}://{connection.host}:{connection.port or 8000}"
        run = get_current_context()["run_id"]
        return ask_for_training(
            address, connection.login or "operator", connection.password or "", f"Airflow run {run}", f"airflow {run}"
        )

    request_training()


pappus_training()
