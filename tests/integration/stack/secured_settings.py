"""The settings of a service in a secured stack."""

from typing import Any

from pappus.stack import Servers
from shared.runtime.settings import Settings


def settings(servers: Servers, owner: str, **values: Any) -> Settings:
    """Return the settings of a service in the secured stack."""
    own = servers.settings(owner)
    own["database_url"] = f"postgresql://{owner}@{own['database_url'].partition('@')[2].partition('?')[0]}"
    trusted = servers.stack.state.authority
    given = {
        **own,
        "database_password": servers.credentials.postgres[owner],
        "database_ca_file": trusted,
        "s3_ca_file": trusted,
    }
    return Settings(**{**given, **values})
