"""One whole stack for all end-to-end tests, started and led through its story by `pappus demo`, as a person does it."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pappus.stack import Stack
from pappus.stack.ports import DEFAULT_PORTS, free_ports
from pappus.stack.settings import StackSettings
from pappus.stack.testing import keep_logs

from .demo_run import Told, left_of, pappus

COLD_SECONDS = 1500  # the first time on a machine Kafka is fetched and the S3 server built
TEST_SECONDS = 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the first test that needs the stack the time of its story too; the others take longer on a busy machine."""
    first = True
    for item in items:
        skipped = any(mark.args and mark.args[0] for mark in item.iter_markers("skipif"))
        if "told" in getattr(item, "fixturenames", ()) and not skipped:
            item.add_marker(pytest.mark.timeout(COLD_SECONDS if first else TEST_SECONDS), append=False)
            first = False


@pytest.fixture(scope="session")
def told() -> Iterator[Told]:
    """All services on free ports after `pappus demo`, everything left running; gone afterwards, and not one process
    left. It also ends if this process is killed: the supervisor is tied to it."""
    with tempfile.TemporaryDirectory(prefix="pappus-told-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL's own user has to pass when the tests run as root
        stack = Stack(Path(folder) / "state")
        report = Path(folder) / "report.json"
        try:
            stack.up(["s3"], ports=free_ports(DEFAULT_PORTS), parent=os.getpid())
            ended = pappus(stack.state.root, "demo", "--report", str(report), seconds=COLD_SECONDS)
            seen = json.loads(report.read_text()) if report.exists() else {}
            yield Told(stack, ended.returncode, ended.stdout + ended.stderr, seen)
        finally:
            keep_logs(stack.state, StackSettings().test_logs)
            stack.reset()
        assert left_of(stack) == []
