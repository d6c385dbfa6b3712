"""Asks the process of this container whether it is well: `python -m shared.runtime.healthcheck [/readyz]`.

Exits with 0 if it answers 200, else with 1 and what it says. Nothing but the standard library is imported: a container
engine runs this every few seconds.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException

ANSWER_SECONDS = 4.0


def check(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """Return the exit code and what to print. The port is PAPPUS_HEALTH_PORT, the path the first argument."""
    port, path = environment.get("PAPPUS_HEALTH_PORT", "8080"), arguments[0] if arguments else "/readyz"
    try:
        connection = HTTPConnection("127.0.0.1", int(port), timeout=ANSWER_SECONDS)
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(10_000).decode(errors="replace")
    except (OSError, ValueError, HTTPException) as error:
        return 1, f"port {port} does not answer: {error!r}"
    return (0 if answer.status == 200 else 1), text


if __name__ == "__main__":
    code, text = check(sys.argv[1:], os.environ)
    sys.stdout.write(f"{text}\n")
    sys.exit(code)
