"""How a client finds PostgreSQL of a stack."""

from urllib.parse import urlencode

from pappus.stack.config import StackConfig
from pappus.stack.folders import StateFolder
from pappus.stack.ports import HOST


def database_url(
    state: StateFolder, login: tuple[str, str], port: int, database: str = "pappus", driver: str = "postgresql"
) -> str:
    """Return the address for a role and its password. In a secured stack the client encrypts, and checks who answers.
    Raises StackError if the config cannot be read."""
    query = ""
    if StackConfig.load(state).secure:
        trusted = {"sslmode": "verify-full", "sslrootcert": str(state.authority)}
        query = f"?{urlencode(trusted, safe='/')}"
    role, password = login
    return f"{driver}://{role}:{password}@{HOST}:{port}/{database}{query}"
