"""Which blocks of commands in the pages are run by the tests, and of each other one, why not.

A block of commands (`Block.is_commands`) of a page in RUN_PAGES is run unless NOT_RUN has it; one of another page has
to be in NOT_RUN. Both mappings name a block by its page and the beginning of its text.
"""

import shutil
from collections.abc import Mapping

from tests.documents.pages import Block, all_pages, blocks_of

RUN_PAGES = (
    "README.md",
    "services/predictor/README.md",
    "docs/operations.md",
    "docs/debugging.md",
    "docs/tutorial.md",
)
"""In the order in which they are run, all on one running stack; the tutorial leaves it observed."""

LIST = "A list of what one may type, not a script; each command in it is checked."
DOCKER = "Needs Docker; make test-compose tests the file."
IN_A_COPY = "tests/unit/documents/test_extending.py runs it in a copy of the project, with the example applied."
CLUSTER = "Needs a cluster; make test-cluster tests the manifests."

NOT_RUN: Mapping[str, Mapping[str, str]] = {
    "README.md": {"pappus up | down | status": LIST},
    "CONTRIBUTING.md": {
        "make check    style, types": LIST,
        "pappus up --watch ": LIST,
    },
    "docs/debugging.md": {
        "python -m pytest -n 0": "Its debugger would wait for a person; make check runs the same tests.",
        '(eval "$(pappus env trainer-gate)"': "Its debugger would wait for a person.",
        "pappus logs trainer-gate -f": LIST,
        "kcat -b": LIST,
        "KEY=": "Needs kcat; the dead letters' redrive, which does the same, has tests of its own.",
    },
    "docs/extending.md": {
        "make generated": IN_A_COPY,
        ".venv/bin/python -m pytest -n 0 tests/unit/predictor": IN_A_COPY,
        ".venv/bin/python -m pytest -n 0 tests/unit/trainer/gate/test_verdict.py": IN_A_COPY,
        ".venv/bin/python -m pytest -q -n 0 tests/unit/trainer/gate": IN_A_COPY,
        ".venv/bin/python -m pytest -n 0 tests/unit/trainer/training": IN_A_COPY,
    },
    "docs/operations.md": {
        'make demo ARGS="--images FOLDER"': "Needs photographs of the reader; test_demo.py reads folders.",
        "make down\n": "Starts a second stack, with other labels, for minutes.",
        "kcat ": "Needs kcat and a secured stack.",
        "pappus history --json | jq": "Needs jq, and a folder of photographs.",
    },
    "docs/containers.md": {
        "make secrets ": DOCKER,
        "export COMPOSE_FILE": DOCKER,
        "PAPPUS_ALLOWED_HOSTS=": DOCKER,
    },
    "docs/installations.md": {
        "pappus predict photo.jpg --predictor": "Needs another installation; test_05_installations.py has one.",
        "kubectl port-forward": CLUSTER,
    },
    "docs/kafka.md": {"python -m bench.kafka_pitfalls": LIST},
    "docs/kubernetes.md": {"make secrets": CLUSTER, "kubectl apply": CLUSTER},
}
"""Blocks that no test runs, and the reason in a sentence."""

NEEDS: Mapping[str, Mapping[str, str]] = {
    "docs/debugging.md": {
        "curl -s -F file": "jq",
        "curl -s http://127.0.0.1:28204/health": "jq",
        "JARS=": "java",
        "java": "java",
    },
    "docs/operations.md": {"export PGPASSWORD=": "psql"},
    "docs/tutorial.md": {
        "pappus up --observe": "prometheus",
        "until pappus trace": "prometheus",
        "TRACE=": "prometheus",
        "query()": "prometheus",
    },
}
"""Blocks that need a program which some machines lack: without it, the block is left out there."""


def why_not_run(block: Block) -> str | None:
    """Return why no test runs the block; None if one does."""
    return _entry(NOT_RUN, block)


def blocks_to_run(page: str) -> list[Block]:
    """Return the blocks of a page that this machine can run, in order."""
    blocks = [block for block in blocks_of(page) if block.is_commands and why_not_run(block) is None]
    return [block for block in blocks if (program := _entry(NEEDS, block)) is None or shutil.which(program)]


def undecided() -> list[str]:
    """Return a sentence for each block of commands of which nothing here says whether it is run."""
    return [
        f"{block.page}, line {block.line}: say in tests/documents/plan.py whether this block is run."
        for page in all_pages()
        if page not in RUN_PAGES
        for block in blocks_of(page)
        if block.is_commands and why_not_run(block) is None
    ]


def unclear() -> list[str]:
    """Return a sentence for each entry here that does not name exactly one block of commands."""
    found = []
    for mapping in (NOT_RUN, NEEDS):
        for page, entries in mapping.items():
            blocks = [block for block in blocks_of(page) if block.is_commands]
            for beginning in entries:
                named = [block.line for block in blocks if block.text.startswith(beginning)]
                if len(named) != 1:
                    found.append(f"{page}: {beginning!r} begins {len(named)} blocks of commands.")
    return found


def _entry(mapping: Mapping[str, Mapping[str, str]], block: Block) -> str | None:
    entries = mapping.get(block.page, {})
    return next((text for beginning, text in entries.items() if block.text.startswith(beginning)), None)
