"""Check the deployment: `python -m tests.deploy [--root FOLDER] [--only CHECK]`. Exits with 1 if a check fails."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pappus.stack.cache import Cache
from pappus.stack.errors import StackError
from pappus.stack.folders import PROJECT
from pappus.stack.settings import StackSettings
from tests.deploy.checks import CHECKS, CheckFailed, NothingToCheck
from tests.deploy.tools import Workbench


async def check(root: Path, names: Sequence[str], workbench: Workbench) -> int:
    """Run checks one after the other, a line for each. Return how many failed."""
    return sum([await _passes(name, root, workbench) is False for name in names])


async def _passes(name: str, root: Path, workbench: Workbench) -> bool:
    begun = time.monotonic()
    try:
        seen = await CHECKS[name](root, workbench)
    except NothingToCheck as nothing:
        _say(f"{name:12} nothing to check: {nothing}")
        return True
    except (CheckFailed, StackError) as failure:
        _say(f"{name:12} FAILED\n{failure}")
        return False
    _say(f"{name:12} {seen} ({time.monotonic() - begun:.1f} s)")
    return True


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """Run the checks that the arguments name, else all."""
    parser = argparse.ArgumentParser(prog="python -m tests.deploy", description=__doc__)
    parser.add_argument("--root", type=Path, default=PROJECT, help="another checkout than this one")
    parser.add_argument("--only", action="append", choices=CHECKS, help="only this check; may be given more than once")
    options = parser.parse_args(arguments)
    workbench = Workbench(Cache(StackSettings().cache), os.environ, _say)
    return 1 if asyncio.run(check(options.root.resolve(), options.only or list(CHECKS), workbench)) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
