"""Which version of the folding code the tables of a schema were made by, and whether this process may fold on."""

from shared.runtime.errors import UnknownContent
from shared.tables.postgres import Transaction


async def check_fold_version(transaction: Transaction, schema: str, version: int) -> str:
    """Return an empty text if the tables were made by this version of the folding code, else what to do about the
    older one. Tables that nothing was folded into yet take this version.

    Raises:
        UnknownContent: a newer release made the tables; this one could not keep them up.
    """
    if not await transaction.fetchval("SELECT EXISTS (SELECT FROM positions)"):
        await transaction.execute("UPDATE fold SET version = $1", version)
    stored = int(await transaction.fetchval("SELECT version FROM fold"))
    if stored > version:
        raise UnknownContent(
            f"The tables of {schema} were made by a newer release (fold {stored}; this release has fold {version})."
            " Install that release, or fold the tables again with this one: pappus replay."
        )
    if stored < version:
        return (
            f"The tables of {schema} were made by older code (fold {stored}; this release has fold {version}), which"
            f" would fold some events otherwise. Fold them again: pappus replay {schema}"
        )
    return ""
