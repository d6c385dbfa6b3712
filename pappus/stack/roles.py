"""The roles, databases and schemas of PostgreSQL, made by psql from the files of infra/postgres."""

from collections.abc import Mapping
from pathlib import Path

from pappus.stack.command import run_command
from pappus.stack.folders import INFRA

SUPERUSER = "postgres"


async def make_roles(
    psql: Path, host: str, port: int, passwords: Mapping[str, str], environment: Mapping[str, str]
) -> None:
    """Create roles, databases, schemas and the extension, or change what differs. `passwords` are those of the roles
    and of the superuser, as which it connects; `environment` is that of psql.

    Raises:
        StepFailed: the server refused something; the text is that of psql.
    """
    own = {f"PAPPUS_{name.upper()}_PASSWORD": password for name, password in passwords.items()}
    where = ("-h", host, "-p", str(port), "-U", SUPERUSER, "-d", "postgres")
    files = [text for file in sorted((INFRA / "postgres").glob("*.sql")) for text in ("-f", str(file))]
    await run_command(
        [str(psql), "-X", "-q", *where, *files], {**environment, **own, "PGPASSWORD": passwords[SUPERUSER]}
    )
