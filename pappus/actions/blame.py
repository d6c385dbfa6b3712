"""What a person decided, and the way to take it out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pappus.actions.answers_log import newest_answers
from pappus.actions.class_names import class_names
from pappus.errors import Refused
from pappus.installation.access import Installation
from pappus.terminal.listing import Column, Listing, left_out
from pappus.terminal.output import Output
from pappus.terminal.progress import ProgressLine, progress_line
from shared.clients.answers import AcceptedImage
from shared.clients.api import AsyncApi
from shared.clients.errors import ApiProblem
from shared.clients.lineage import DecisionsOf, HoldingDecision, get_decisions
from shared.clients.lineage import take_out as take_out_request
from shared.clients.names import with_names
from shared.runtime.bounded import map_bounded

AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Push:
    """Of the newest `answers`, how many were shaped by a correction of the person that holds, and the mean weight of
    the heaviest of these corrections in them, 0 to 1; None if the log does not say weights."""

    answers: int
    shaped: int
    weight: float | None


async def show(installation: Installation, output: Output, person: str, limit: int, dry_run: bool) -> None:
    """Show what a person decided, with the newest `limit` decisions that hold. `dry_run`: for an operator, with what
    taking them out would do."""
    with progress_line(output.progress) as line:
        line.say(f"counting what {person} decided")
        async with installation.labeler_as("operator" if dry_run else "labeler") as api:
            found, names = await api.send(get_decisions(person)), await class_names(api)
        line.say("reading the newest answers")
        push = await _push(installation, found.held) if found.held else None
    shown = found.held[:limit]
    if shown:
        output.show(held_table([with_names(each, names) for each in shown]))
    output.note(left_out(found.holding, len(shown), "decisions that hold, the newest"))
    for sentence in sentences_about(found, push):
        output.say(sentence)
    if dry_run:
        output.say(f"Taking it out would publish one correction for each of {found.holding} images.")
    document = found.model_dump(mode="json") | {
        "held": [each.model_dump(mode="json") for each in shown],
        "more": found.holding > len(shown),
        "push": None if push is None else {"answers": push.answers, "shaped": push.shaped, "weight": push.weight},
    }
    output.give(document | ({"would_take_out": found.holding} if dry_run else {}))


async def take_out(
    installation: Installation, output: Output, person: str, reason: str, confirm: Callable[[str], None]
) -> None:
    """Take out all that a person decided and that still holds, after asking. What is taken out already is not asked for
    again, so a run that was ended in the middle goes on. Raises Refused at the end if something is left."""
    async with installation.labeler_as("operator") as operator:
        found = await operator.send(get_decisions(person, 0))
        if not (found.holding or found.voted):
            output.say(f"Nothing that {person} decided holds: there is nothing to take out.")
            output.give({"name": person, "taken_out": 0, "left": 0})
            return
        open_votes = f", and the votes about {len(found.voted)} more" if found.voted else ""
        confirm(f"Take out what {person} decided about {found.holding} images{open_votes}?")
        why = reason or f"What {person} decided is taken out."
        with progress_line(output.progress) as line:
            taken = await _take_all(operator, person, why, line)
        after = await operator.send(get_decisions(person, 0))
        left = after.holding + len(after.voted)
    output.give({"name": person, "taken_out": taken, "left": left})
    output.say(f"It is taken out of {taken} images. The fast lane makes a model without it; see: pappus history")
    if left:
        raise Refused(f"What {person} decided still holds for {left} images. Run the command again.")


async def _take_all(operator: AsyncApi, person: str, reason: str, line: ProgressLine) -> int:
    """Take out until nothing holds, or nothing more can be done now; return of how many images."""
    taken = 0

    async def one(image_id: UUID) -> bool:
        nonlocal taken
        try:
            answer = await operator.send(take_out_request(image_id, person, reason))
        except ApiProblem as problem:
            if problem.code != "superseded":
                raise
            return False  # another person spoke meanwhile: the next round looks again
        done = not isinstance(answer, AcceptedImage) and answer.state == "taken_out"
        taken += done
        line.say(f"{taken} images are done")
        return done

    while theirs := _images(await operator.send(get_decisions(person))):
        if not any(await map_bounded(one, theirs, AT_ONCE)):
            break
    return taken


def _images(found: DecisionsOf) -> list[UUID]:
    return list(dict.fromkeys([*(each.image_id for each in found.held), *found.voted]))


async def _push(installation: Installation, held: list[HoldingDecision]) -> Push | None:
    answers = await newest_answers(installation)
    if answers is None:
        return None
    theirs = {each.image_id for each in held if each.label is not None}
    shaped = [answer for answer in answers if theirs & set(answer.corrections)]
    heaviest = [
        max(weight for image_id, weight in pairs if image_id in theirs)
        for answer in shaped
        if (pairs := list(zip(answer.corrections, answer.correction_weights, strict=False)))
        and any(image_id in theirs for image_id, _ in pairs)
    ]
    return Push(len(answers), len(shaped), sum(heaviest) / len(heaviest) if heaviest else None)


def sentences_about(found: DecisionsOf, push: Push | None) -> list[str]:
    """Return what is known about a person's decisions."""
    if not (found.corrections or found.withdrawals or found.superseded or found.voted):
        return [f"{found.name} has decided nothing. Is the name right? pappus users ls"]
    fates = {
        "were overturned by others": found.overturned,
        "were confirmed by others": found.confirmed,
        f"were changed by {found.name}": found.changed,
        "came second to another person": found.superseded,
    }
    became = "".join(f", {count} {what}" for what, count in fates.items() if count)
    name = found.name
    said = f"{name} set {found.corrections} labels and took {found.withdrawals} back"
    against = f"{found.contradict_model} contradict the answer that {name} saw, {found.contradict_data_set} the label"
    sentences = [
        f"{said}; {found.holding} images follow {name} now{became}.",
        f"{against} that the image came with, {found.contradict_both} both.",
    ]
    if found.version is not None:
        sentences.append(f"{found.version}, the model in service, holds {found.in_service} of them.")
    if push is not None:
        mean = "" if push.weight is None else f", with weight {push.weight:.2f} on average"
        sentences.append(f"Of the newest {push.answers} answers they shaped {push.shaped}{mean}.")
    return sentences


def held_table(held: list[HoldingDecision]) -> Listing:
    """Return one row for each decision that holds."""
    table = Listing(
        Column("image", whole=True),
        "says",
        "without it",
        "the model said",
        "it came as",
        "when",
        Column("reason", if_any=True),
    )
    for each in held:
        table.add(*_cells(each))
    return table


def _cells(each: HoldingDecision) -> list[Any]:
    return [
        str(each.image_id),
        each.label or f"- ({each.no_label})",
        each.label_without or "-",
        each.shown_label or "-",
        each.data_set_label or "-",
        f"{each.decided_at:%Y-%m-%d %H:%M:%S}",
        each.reason,
    ]
