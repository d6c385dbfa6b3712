"""Bring KServe's SDK into the cache folder: `python -m tests.unit.predictor.standards.kserve_sdk`.

Exits with 1 if it cannot be had.
"""

import asyncio
import os
import sys

from pappus.stack.cache import Cache
from pappus.stack.errors import StackError
from pappus.stack.settings import StackSettings
from tests.unit.predictor.standards.kserve_sdk.environment import SdkEnvironment


def main() -> int:
    """Bring it. Return the exit code."""
    try:
        asyncio.run(SdkEnvironment(Cache(StackSettings().cache)).bring(os.environ, _say))
    except StackError as failure:
        _say(str(failure))
        return 1
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
