"""The sentences of the page Live (Markdown)."""

import shlex
from collections.abc import Sequence
from datetime import datetime

from services.labeler.ui.messages import code, duration, plain
from services.labeler.ui.words.images import NO_LABELS
from services.labeler.ui.words.models import moment
from shared.clients.live import DeadLettersOf, GroupView, LiveAnswer, LiveDecision, LiveStory, PartsView, ReplicaView
from shared.clients.webhooks import WebhookView

NOTHING_YET = "Nothing has happened yet. Add images, or correct a label: it shows here within a second."
NO_LETTERS = "There are no dead letters: every message was handled."
PAUSED = "Paused. What happens meanwhile is not lost; it shows when you follow again."
LONG_NAME = 40


def title(story: LiveStory) -> str:
    """Return what the image is called, without Markdown."""
    name = story.name or f"image {str(story.image_id)[:8]}"
    return name if len(name) <= LONG_NAME else f"{name[: LONG_NAME - 1]}…"


def story(told: LiveStory) -> str:
    """Return what happened to an image in one line, the first thing first."""
    steps = [_came(told), _kept(told)]
    if told.answer is not None:
        steps.append(_answer(told.answer))
    steps += [_decision(each) for each in told.decisions]
    if told.withdrawn_by is not None:
        steps.append(f"{plain(told.withdrawn_by)} withdrew it")
    return " · ".join(step for step in steps if step)


def _came(told: LiveStory) -> str:
    if told.came_at is None:
        return ""
    by = f" from {plain(told.came_from)}" if told.came_from else ""
    return f"{moment(told.came_at)}: came{by}"


def _kept(told: LiveStory) -> str:
    if told.stored_at is not None:
        return f"stored{_after(told.came_at, told.stored_at)}"
    if told.refused is not None:
        return f"refused: {plain(told.refused)}"
    return "" if told.withdrawn_by is not None else "being fetched and checked"


def _answer(answer: LiveAnswer) -> str:
    model = code(answer.model_version) if answer.promotion is None else f"v{answer.promotion}"
    return f"{model} says **{plain(answer.label)}** ({answer.confidence:.0%})"


def _decision(decision: LiveDecision) -> str:
    who = plain(decision.by)
    if decision.label is None:
        said = f"{who} {NO_LABELS[decision.no_label or 'withdrawn']}"
    elif decision.label == decision.label_before:
        said = f"{who} confirmed **{plain(decision.label)}**"
    else:
        said = f"{who} said **{plain(decision.label)}**"
    if decision.live_at is None or decision.promotion is None:
        return said
    return f"{said}, live in v{decision.promotion} after {duration(decision.at, decision.live_at)}"


def _after(start: datetime | None, end: datetime) -> str:
    return "" if start is None else f" after {duration(start, end)}"


def troubles(found: PartsView) -> list[str]:
    """Return a sentence for each part that does not work or has something waiting; none: all is well."""
    lines = [
        f"**{code(part.name)}** of the labeler: {plain(part.detail or 'it does not work')}"
        for part in found.parts
        if not part.ok
    ]
    lines += [
        f"Replica **{code(one.name)}** could not load {plain(one.failed)}" for one in found.replicas if one.failed
    ]
    lines += [line for group in found.groups if (line := _trouble(group))]
    return lines


def _trouble(group: GroupView) -> str:
    who = f"**{code(group.name)}** ({group.service})"
    waiting = f"{group.waiting:,} {'event waits' if group.waiting == 1 else 'events wait'}"
    if not group.members and group.idle:
        return f"{who} waits: {plain(group.idle)}" + (f" {waiting} for it." if group.waiting else "")
    if not group.members:
        return f"{who} does not run" + (f"; {waiting} for it." if group.waiting else ".")
    return f"{who}: {waiting}." if group.waiting else ""


def all_well(found: PartsView) -> str:
    """Return that all parts that are known keep up."""
    running = [one for one in found.replicas if one.running]
    models = {one.sequence for one in running}
    one_model = (
        f" {len(running)} replicas answer with v{models.pop()}." if len(running) > 1 and len(models) == 1 else ""
    )
    return (
        f"All {len(found.groups)} consumer groups run and nothing waits for them; every part of the labeler works."
        f"{one_model}"
    )


def every_part(found: PartsView) -> str:
    """Return a list of all parts with their state."""
    groups = [
        f"- {code(group.name)} ({group.service}): {group.members} {'member' if group.members == 1 else 'members'},"
        f" {group.waiting:,} waiting"
        for group in found.groups
    ]
    parts = [f"- {code(part.name)} (labeler): {'works' if part.ok else plain(part.detail)}" for part in found.parts]
    return "\n".join([*map(replica, found.replicas), *groups, *parts])


def replica(one: ReplicaView) -> str:
    """Return with which model a replica of the predictor answers, and since when, as one line of a list."""
    if not one.running:
        return f"- replica {code(one.name)}: not heard of since {moment(one.heard_at)}"
    if one.version is None:
        return f"- replica {code(one.name)}: has no model yet"
    promotion = "" if one.sequence is None else f" (v{one.sequence})"
    since = "" if one.loaded_at is None else f" since {moment(one.loaded_at)}"
    return f"- replica {code(one.name)}: answers with {code(one.version)}{promotion}{since}"


def letters(row: DeadLettersOf) -> str:
    """Return how many messages of a topic a group could not handle, since when, and why."""
    number = "1 message" if row.count == 1 else f"{row.count:,} messages"
    published = "1 was" if row.redriven == 1 else f"{row.redriven:,} were"
    again = f" {published} published again." if row.redriven else ""
    when = f", the last one {plain(row.when)} UTC" if row.when else ""
    return f"{code(row.group)} could not handle **{number}** of {code(row.topic)}{when}.{again}"


def reasons(row: DeadLettersOf) -> str:
    """Return the most frequent reasons, each as it is."""
    return "\n".join(f"- {plain(reason)}" for reason in row.reasons)


def rehearsed(outcomes: Sequence[str]) -> str:
    """Return what a redrive would do, in a sentence."""
    would = sum(outcome == "would be redriven" for outcome in outcomes)
    one = "1 message" if would == 1 else f"{would:,} messages"
    rest = len(outcomes) - would
    kept = f" {rest:,} would be left alone." if rest else ""
    return (
        f"A redrive would publish {one} again.{kept} First mend what refused them; then, on the machine of the stack:"
    )


def redrive_command(row: DeadLettersOf) -> str:
    """Return the command that redrives these dead letters."""
    return shlex.join(["pappus", "dlq", "redrive", "--topic", row.topic, "--group", row.group])


def webhook(failing: WebhookView) -> str:
    """Return why events do not arrive at an address, and what comes next."""
    tries = "1 try" if failing.failures == 1 else f"{failing.failures} tries"
    why = f"{code(failing.url)} did not take an event in {tries}: {plain(failing.last_error)}"
    if failing.stopped_at is not None:
        return f"Webhook stopped. {why} No event is lost: it goes on where it was."
    return f"Webhook fails. {why} It is tried again by itself."
