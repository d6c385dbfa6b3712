"""The DAG of infra/airflow: it parses, and asks the labeler's API for one training, as an operator.

Airflow is no dependency of Pappus: a double gives what the file takes from it. What Airflow itself makes of the file is
checked with `airflow dags test pappus_training` (docs/operations.md).
"""

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.error import HTTPError

import pytest

FILE = Path(__file__).parents[2] / "infra" / "airflow" / "dags" / "pappus_training.py"


@dataclass
class Labeler:
    """A labeler's API that notes what it was asked, by path: the body and the headers."""

    url: str = ""
    port: int = 0
    asked: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    refuses: bool = False


@pytest.fixture
def labeler() -> Iterator[Labeler]:
    """An API on a free port."""
    noted = Labeler()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            noted.asked.append((self.path, body, dict(self.headers)))
            answer = {"token": "a-token"} if self.path == "/login" else {"event_id": "an-event"}
            self.send_response(401 if noted.refuses else 200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Print nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    noted.port = server.server_port
    noted.url = f"http://127.0.0.1:{noted.port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield noted
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def airflow(labeler: Labeler, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the file imports from Airflow. `dags` and `tasks`: the options of each decorator; `run`: runs the task."""
    seen = SimpleNamespace(dags=[], tasks=[], run=None)

    def dag(**options: Any) -> Callable[[Callable[[], None]], Callable[[], None]]:
        seen.dags.append(options)
        return lambda made: made

    def task(**options: Any) -> Callable[[Callable[[], str]], Callable[[], None]]:
        seen.tasks.append(options)

        def decorate(work: Callable[[], str]) -> Callable[[], None]:
            def instantiate() -> None:
                seen.run = work

            return instantiate

        return decorate

    login = SimpleNamespace(schema="http", host="127.0.0.1", port=labeler.port, login="operator", password="secret")
    sdk = ModuleType("airflow.sdk")
    sdk.dag, sdk.task = dag, task  # type: ignore[attr-defined]
    sdk.BaseHook = SimpleNamespace(get_connection=lambda name: {"pappus_labeler": login}[name])  # type: ignore[attr-defined]
    sdk.get_current_context = lambda: {"run_id": "scheduled__2026-01-02"}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "airflow", ModuleType("airflow"))
    monkeypatch.setitem(sys.modules, "airflow.sdk", sdk)
    return seen


def load() -> ModuleType:
    """Parse the file, as Airflow does."""
    spec = importlib.util.spec_from_file_location("pappus_training", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_file_makes_one_dag_of_one_task_that_is_retried(airflow: SimpleNamespace) -> None:
    load()
    assert [(dag["catchup"], dag["max_active_runs"]) for dag in airflow.dags] == [(False, 1)]
    assert [task["retries"] for task in airflow.tasks] == [3]


def test_parsing_the_file_asks_nothing(airflow: SimpleNamespace, labeler: Labeler) -> None:
    load()
    assert labeler.asked == []


def test_the_task_asks_for_a_training_as_the_operator(airflow: SimpleNamespace, labeler: Labeler) -> None:
    load()
    assert airflow.run() == "an-event"
    (login_path, login, _), (path, body, headers) = labeler.asked
    assert (login_path, login) == ("/login", {"name": "operator", "password": "secret"})
    assert (path, body) == ("/trainings", {"reason": "Airflow run scheduled__2026-01-02"})
    assert headers["Authorization"] == "Bearer a-token"


def test_a_retry_of_a_run_has_the_same_key(airflow: SimpleNamespace, labeler: Labeler) -> None:
    load()
    airflow.run()
    airflow.run()
    keys = [headers["Idempotency-Key"] for path, _, headers in labeler.asked if path == "/trainings"]
    assert keys == ["airflow scheduled__2026-01-02"] * 2


def test_a_refusal_fails_the_task_so_that_airflow_tries_again(airflow: SimpleNamespace, labeler: Labeler) -> None:
    load()
    labeler.refuses = True
    with pytest.raises(HTTPError, match="401"):
        airflow.run()
