"""Everything in a schema: dropped, or moved into another one.

A role that owns two schemas needs no right on the database to swap what is in them; to make or rename a schema it would
need CREATE on the database, with which it could take the names of others.
"""

from shared.tables.postgres import Transaction

_CONTENT = """
WITH content (kind, name) AS (
    SELECT CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                        WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, format('%I.%I', nspname, relname)
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = $1 AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      AND NOT (relkind = 'S' AND EXISTS (  -- a sequence of a column goes with its table
          SELECT FROM pg_depend
          WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype IN ('a', 'i')))
    UNION ALL
    SELECT CASE prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END,
           format('%I.%I(%s)', nspname, proname, pg_get_function_identity_arguments(pg_proc.oid))
    FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace WHERE nspname = $1
    UNION ALL
    SELECT 'TYPE', format('%I.%I', nspname, typname)
    FROM pg_type JOIN pg_namespace ON pg_namespace.oid = typnamespace LEFT JOIN pg_class ON pg_class.oid = typrelid
    WHERE nspname = $1 AND (typtype IN ('e', 'd', 'r') OR relkind = 'c')
)
SELECT kind, name FROM content ORDER BY kind, name
"""


async def drop_content(transaction: Transaction, schema: str) -> None:
    """Drop everything in `schema`, which need not exist, with all that depends on it. The schema stays."""
    for found in await transaction.fetch(_CONTENT, schema):
        await transaction.execute(f"DROP {found['kind']} IF EXISTS {found['name']} CASCADE")


async def move_content(transaction: Transaction, source: str, target: str) -> None:
    """Move everything in the schema `source` into the schema `target`, where no such names may be."""
    for found in await transaction.fetch(_CONTENT, source):
        await transaction.execute(f"ALTER {found['kind']} {found['name']} SET SCHEMA {target}")
