"""Questions about what became of promotions: which are watched, and what people said about their answers."""

from services.trainer.data.queries import Tables
from shared.contract.events import ModelPromoted

_WATCHED = """
SELECT event FROM promotions
WHERE route IN ('superior', 'non_inferior', 'approve')
  AND sequence > (SELECT coalesce(max(sequence), 0) FROM promotions WHERE route IN ('first', 'rollback', 'override'))
"""
"""Promotions that the gate decided, since a person last chose the model themselves."""
NEWEST = 50


async def watched_promotions(tables: Tables) -> list[ModelPromoted]:
    """Return the promotions that are watched, oldest first: the newest of them, and the newest of a full model. None
    from before the last rollback or override: a person who chose a model knows better."""
    rows = await tables.fetch(
        f"""(SELECT * FROM ({_WATCHED}) newest ORDER BY (event ->> 'sequence')::integer DESC LIMIT $1)
            UNION
            (SELECT * FROM ({_WATCHED}) newest WHERE event ->> 'lane' = 'full'
             ORDER BY (event ->> 'sequence')::integer DESC LIMIT 1)""",  # noqa: S608 - constants
        NEWEST,
    )
    found = [ModelPromoted.model_validate(row["event"]) for row in rows]
    return sorted(found, key=lambda promotion: promotion.sequence)


async def chosen_by_person_since(tables: Tables, sequence: int) -> ModelPromoted | None:
    """Return the first rollback or override after this promotion; None if there is none."""
    event = await tables.fetchval(
        """SELECT event FROM promotions WHERE sequence > $1 AND route IN ('rollback', 'override')
           ORDER BY sequence LIMIT 1""",
        sequence,
    )
    return None if event is None else ModelPromoted.model_validate(event)


async def shown_answers(tables: Tables, sequence: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return answers that people decided about, and how many they agreed with: of versions that served first before
    this promotion of a full model, back to the full model before it, and of those that served first from it on."""
    rows = await tables.fetch(
        """WITH first AS (SELECT version, min(sequence) AS sequence FROM promotions GROUP BY version),
                before AS (SELECT coalesce(max(sequence), 0) AS sequence FROM promotions
                           WHERE sequence < $1 AND event ->> 'lane' = 'full')
           SELECT first.sequence >= $1 AS since, count(*) AS answers, count(*) FILTER (WHERE agreed) AS agreed
           FROM shown_answers JOIN first USING (version), before
           WHERE first.sequence >= before.sequence GROUP BY 1""",
        sequence,
    )
    counts = {row["since"]: (row["answers"], row["agreed"]) for row in rows}
    return counts.get(False, (0, 0)), counts.get(True, (0, 0))
