"""Drifts and live accuracy, as the command asks for them."""

from collections.abc import Mapping

from pappus.actions.class_names import class_names
from pappus.actions.views import percent_with_interval
from pappus.installation.access import Installation
from pappus.terminal.listing import Column, Listing
from pappus.terminal.output import Output
from shared.clients.answers import DriftView
from shared.clients.labeler import get_champion, list_drifts
from shared.clients.names import with_names


async def show_drifts(installation: Installation, output: Output, limit: int) -> None:
    """Show the newest `limit` drifts, and how often people agreed since the last full model."""
    async with installation.labeler_as("labeler") as person:
        found = await person.send(list_drifts(limit + 1))
        champion, names = await person.send(get_champion()), await class_names(person)
    shown, live = found[:limit], champion.live_since_full if champion is not None else None
    if shown:
        output.show(drifts_table([with_names(drift, names) for drift in shown]))
    else:
        output.say("No drift was noticed.")
    if len(found) > limit:
        output.say(f"Older ones are left out. To see more: --limit {4 * limit}")
    if live is not None and live.answers:
        output.say(
            f"Since the last full model people agreed with {percent_with_interval(live)} of the answers they saw."
        )
    else:
        output.say("No person has decided about an answer of the model in service yet.")
    output.give(
        {
            "drifts": [drift.model_dump(mode="json") for drift in shown],
            "more": len(found) > limit,
            "live_since_full": None if live is None else live.model_dump(mode="json"),
        }
    )


def drifts_table(drifts: list[DriftView]) -> Listing:
    """Return one row per drift, newest first, with what explains it."""
    table = Listing(
        Column("noticed", whole=True),
        Column("since", whole=True),
        Column("what", whole=True),
        Column("value", whole=True, right=True),
        Column("threshold", whole=True, right=True),
        Column("model", whole=True),
        "state",
        "figures",
    )
    for drift in drifts:
        table.add(
            f"{drift.detected_at:%Y-%m-%d %H:%M:%S}",
            f"{drift.window_from:%Y-%m-%d %H:%M:%S}",
            drift.statistic,
            f"{drift.value:.2f}",
            f"{drift.threshold:.2f}",
            drift.model_version,
            "open" if drift.open else "answered by a full model",
            _figures(drift.figures),
        )
    return table


def _figures(figures: Mapping[str, float]) -> str:
    """Return each figure with what was expected beside it: "confidence 0.71 (0.93)"."""
    words = []
    for name, value in figures.items():
        if name.startswith("expected_"):
            continue
        expected = figures.get(f"expected_{name}")
        words.append(f"{name.replace('_', ' ', 1)} {value:.2f}" + ("" if expected is None else f" ({expected:.2f})"))
    return ", ".join(words) or "-"
