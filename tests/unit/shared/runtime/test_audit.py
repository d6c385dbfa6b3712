"""The audit log as a process writes it."""

import json
import subprocess
import sys
from typing import Any

PROCESS = """
from shared.runtime.audit import audit
from shared.runtime.settings import Settings
from shared.runtime.telemetry import configure, logger
from shared.runtime.tracing import tracer
configure("labeler-api", Settings(log_level="ERROR"))
logger.info("not shown")
with tracer().start_as_current_span("a request"):
    audit("rollback", who="olga\\x1b[2J", on="full-1", address="10.0.0.7", outcome="promoted")
"""


def test_a_line_has_fixed_fields_at_every_log_level() -> None:
    ended = subprocess.run([sys.executable, "-c", PROCESS], capture_output=True, text=True, check=True)
    line: dict[str, Any] = json.loads(ended.stdout)
    assert "\x1b" not in ended.stdout
    assert len(line.pop("trace_id")) == 32
    assert len(line.pop("span_id")) == 16
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "audit",
        "act": "rollback",
        "who": "olga\x1b[2J",
        "on": "full-1",
        "address": "10.0.0.7",
        "outcome": "promoted",
        "service": "labeler-api",
        "level": "info",
    }
