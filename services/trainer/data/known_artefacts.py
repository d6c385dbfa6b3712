"""Questions about all candidates at once: what became of each, for the sweeper."""

from services.trainer.data import queries
from services.trainer.data.queries import Tables
from shared.tables.postgres import Row

_ALL = """
SELECT m.version, m.lane, m.parent, m.trained_at, r.event_id IS NOT NULL AS judged,
       EXISTS (SELECT FROM promotions p WHERE p.version = m.version) AS served,
       CASE WHEN m.lane = 'full' THEN coalesce((r.event ->> 'waits_for_approval')::boolean, false) OR (
           EXISTS (SELECT FROM jsonb_array_elements(r.event -> 'verdict') f
                   WHERE f ->> 'outcome' = 'failed' AND f ->> 'rule' = 'promotions_open')
           AND NOT EXISTS (SELECT FROM jsonb_array_elements(r.event -> 'verdict') f
                           WHERE f ->> 'outcome' = 'failed' AND f ->> 'rule' <> 'promotions_open'))
       ELSE false END AS approvable
FROM models m LEFT JOIN rejections r ON r.cause = m.event_id
"""
"""A candidate of the fast lane that was rejected since promotions were frozen can be approved only until the next
promotion, and is one of the newest of its lane until then."""


async def all_candidates(tables: Tables) -> list[Row]:
    """Return version, lane, parent and time of each candidate, and whether it was rejected (`judged`), served, and may
    still be approved."""
    return list(await tables.fetch(_ALL))


async def champion_and_anchor(tables: Tables) -> dict[str, str]:
    """Return these versions, with which of the two each is; none before the first promotion. Ask it after
    `all_candidates`: what is promoted in between is the champion."""
    found: dict[str, str] = {}
    promotion = await queries.promotion(tables)
    if promotion is not None:
        found[promotion.version] = "serves"
    if (anchor := await queries.anchor_version(tables)) is not None:
        found.setdefault(anchor, "the anchor")
    return found
