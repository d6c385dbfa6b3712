"""What is checked about commands that a page names: the command, its options and arguments; targets; modules."""

import pytest

from tests.documents.usages import errors_in_script, errors_in_usage


@pytest.mark.parametrize(
    "line",
    [
        "pappus up | down | status      the stack",
        "pappus keys add NAME [--per-minute N] | ls | remove NAME",
        "pappus dlq redrive [ID...]",
        "pappus trace IMAGE|PREDICTION|VERSION",
        "pappus logs NAME -f",
        "pappus users",
        "make check-deploy     what it does",
        'make test ARGS="tests/unit -k gate"',
        "python -m services.replay SERVICE",
        "python -m …",
        "make secrets && docker compose build",
        "plants_data",
        "pappus logs -n 100000 | grep TRACE",
    ],
)
def test_a_right_usage_has_no_error(line: str) -> None:
    assert errors_in_usage(line) == []


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("pappus fly", "there is no command fly"),
        ("pappus up | fly", "there is no command fly"),
        ("pappus keys add NAME | sing", "there is no command sing"),
        ("pappus dlq burn ID", "burn is no command of dlq"),
        ("pappus up --loudly", "up has no option --loudly"),
        ("pappus keys ls | add NAME --per-hour N", "add has no option --per-hour"),
        ("pappus down NAME", "down takes fewer arguments"),
        ("make tea", "no such target"),
        ("make secrets && pappus fly", "No such command 'fly'"),
        ("pappus logs --backwards | grep TRACE", "No such option"),
        ("python -m services.nothing", "no such module"),
        ("python -m services", "no such module to run"),
    ],
)
def test_a_wrong_usage_is_named(line: str, error: str) -> None:
    (found,) = errors_in_usage(line)
    assert error in found


@pytest.mark.parametrize(
    "script",
    [
        "pappus history | grep fast",
        "if [ $A = grass ]; then pappus correct $P grass; fi",
        "A=$(pappus history $P | grep -o x)\nmake demo",
        'query() { curl -s http://x --data-urlencode "query=$1"; }',
        "pappus correct $P \\\n  grass --reason 'in two\nlines'",
        "export A=1 B=2 && pappus demo --images FOLDER   # pappus fly",
    ],
)
def test_a_script_with_commands_that_parse_has_no_error(script: str) -> None:
    assert errors_in_script(script) == []


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("pappus history --loud | grep fast", "No such option: --loud"),
        ("true; pappus correct", "Missing argument"),
        ("A=$(pappus fly)", "No such command 'fly'"),
        ('(eval "$(pappus env)"; true)', "Missing argument"),
        ("until pappus trace; do sleep 1; done", "Missing argument"),
        ("pappus logs -n many", "valid integer"),
        ("make tea && true", "no such target"),
        (".venv/bin/python -m services.nothing", "no such module"),
    ],
)
def test_a_script_with_a_command_that_does_not_parse_is_named(script: str, error: str) -> None:
    (found,) = errors_in_script(script)
    assert error in found
