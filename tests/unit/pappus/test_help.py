"""`--help` is there at once: it imports none of the libraries that the commands work with."""

import json
import subprocess
import sys

import pytest

from .commands import COMMANDS

HEAVY = {
    *("aioboto3", "aiohttp", "aiokafka", "asyncpg", "botocore", "cryptography", "fastapi", "faust", "httpx", "httpx2"),
    *(
        "mlflow",
        "numpy",
        "onnxruntime",
        "opentelemetry",
        "pandas",
        "PIL",
        "psutil",
        "pydantic",
        "pydantic_settings",
        "services",
    ),
    *("streamlit", "structlog", "torch", "uvicorn", "watchfiles"),
}
"""Rich is none of them: typer draws the page with it."""
ASK = """
import json, sys
from typer.testing import CliRunner
from pappus.cli import app
asked = json.load(sys.stdin)
codes = [CliRunner().invoke(app, [*words.split(), "--help"]).exit_code for words in asked]
print(json.dumps([codes, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def test_no_help_page_imports_a_library_that_only_the_work_needs() -> None:
    asked = ["", "dlq", "keys", "users", *COMMANDS]
    ended = subprocess.run([sys.executable, "-c", ASK], input=json.dumps(asked), capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    codes, imported = json.loads(ended.stdout)
    assert set(codes) == {0}
    assert "typer" in imported
    assert HEAVY & set(imported) == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_in_a_sentence_what_it_does(name: str) -> None:
    text = COMMANDS[name].help
    assert text
    assert text[0].isupper()
    assert text.rstrip().endswith((".", "1.", "services..."))
