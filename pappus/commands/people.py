"""What people do by hand: predict, correct, history, train, rollback and the other requests to the gate."""

import hashlib
import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from pappus.client import Labeler, Predictor, Refused, read_image
from pappus.commands.options import StateOption, attempt, state_folder
from pappus.running import RunningStack

console = Console()
Reason = Annotated[str, typer.Option(help="Why, for those who read the history.")]


def predict(files: Annotated[list[Path], typer.Argument(help="Image files.")], state: StateOption = None) -> None:
    """Ask the model about image files."""

    async def work() -> None:
        stack = RunningStack.find(state_folder(state))
        table = Table("file", "label", "probability", "model", "ms", "corrections behind it")
        async with Predictor(stack.predictor, patience_seconds=10) as predictor:
            for path in files:
                answer = await predictor.predict(read_image(path), path.name)
                behind = ", ".join(f"{c['image_id'][:8]} ({c['weight']:.2f})" for c in answer["corrections"])
                probability = f"{answer['probabilities'][answer['label']]:.3f}"
                milliseconds = f"{answer['milliseconds']:.1f}"
                table.add_row(
                    str(path), answer["label"], probability, answer["model_version"], milliseconds, behind or "-"
                )
        console.print(table)

    attempt(work)


def correct(
    image: Annotated[str, typer.Argument(help="An image id, the sha256 of the bytes, or a file.")],
    label: Annotated[str, typer.Argument(help="The right label.")],
    reason: Reason = "",
    state: StateOption = None,
) -> None:
    """Set the right label of an image; a file that is not known yet is uploaded first."""

    async def work() -> None:
        stack = RunningStack.find(state_folder(state))
        async with stack.labeler_as("labeler") as person:
            found = await _find(person, image, upload=True)
            outcome = await person.correct(found["image_id"], label, found["revision"], reason=reason)
            if outcome.get("state") == "applied":
                console.print(
                    f"{found['image_id']} : {label!r} (revision {outcome['revision']}, before: {found['label']!r})."
                )
            else:
                console.print(f"Accepted, not visible yet: pappus history {found['image_id']}")

    attempt(work)


def history(
    image: Annotated[
        str | None, typer.Argument(help="An image id, a sha256 or a file; without it, the models.")
    ] = None,
    state: StateOption = None,
) -> None:
    """Every label an image had, who set it and which model has it; without an image, every model and its verdict."""

    async def work() -> None:
        stack = RunningStack.find(state_folder(state))
        async with stack.labeler_as("labeler") as person:
            if image is None:
                console.print(_models_table(await person.models()))
                return
            found = await _find(person, image, upload=False)
            console.print(_labels_table(found, await person.history(found["image_id"])))

    attempt(work)


def train(reason: Reason = "asked for by hand", state: StateOption = None) -> None:
    """Ask for a full training now."""

    async def work() -> None:
        stack = RunningStack.find(state_folder(state))
        async with stack.labeler_as("operator") as operator:
            event = (await operator.train(reason))["event_id"]
            console.print(f"Requested as {event}. What became of it: pappus history")

    attempt(work)


def rollback(
    version: Annotated[str, typer.Argument(help="A version that served before: pappus history")],
    reason: Reason = "asked for by hand",
    state: StateOption = None,
) -> None:
    """Serve an earlier version again and freeze promotions, so that nothing replaces it until `pappus unfreeze`."""
    _ask_gate("rollback", reason, version, state)


def approve(version: str, reason: Reason = "asked for by hand", state: StateOption = None) -> None:
    """Promote a model that waits for a person."""
    _ask_gate("approve", reason, version, state)


def freeze(reason: Reason = "asked for by hand", state: StateOption = None) -> None:
    """Promote nothing until `pappus unfreeze`."""
    _ask_gate("freeze", reason, None, state)


def unfreeze(reason: Reason = "asked for by hand", state: StateOption = None) -> None:
    """Let promotions go on; corrections that came meanwhile are made live."""
    _ask_gate("unfreeze", reason, None, state)


def _ask_gate(action: str, reason: str, version: str | None, state: Path | None) -> None:
    async def work() -> None:
        stack = RunningStack.find(state_folder(state))
        async with stack.labeler_as("operator") as operator:
            outcome = await operator.ask(action, reason, version)
            if outcome.get("outcome") == "rejected":
                raise Refused(f"The gate refused: {outcome['summary']}")
            console.print(
                outcome.get("summary") or f"Requested as {outcome['event_id']}. What became of it: pappus history"
            )

    attempt(work)


async def _find(person: Labeler, image: str, upload: bool) -> dict[str, Any]:
    """The image that an id, a sha256 or a file names."""
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", image):
        return await person.image(image)
    path = Path(image)
    sha256 = image if re.fullmatch(r"[0-9a-f]{64}", image) else hashlib.sha256(read_image(path)).hexdigest()
    found = await person.images_with(sha256)
    if found:
        return found[0]
    if not upload or sha256 == image:
        raise Refused(f"No stored image has the bytes {sha256[:12]}...: upload it, or pappus correct FILE LABEL")
    return await person.image((await person.upload(read_image(path), path.name))["image_id"])


def _models_table(models: list[dict[str, Any]]) -> Table:
    table = Table(
        Column("version", no_wrap=True),
        "state",
        Column("seq.", justify="right"),
        Column("accuracy", justify="right"),
        "verdict",
    )
    for model in models:
        accuracy = _accuracy(model)
        table.add_row(
            model["version"],
            model["state"],
            str(model["sequence"] or "-"),
            "-" if accuracy is None else f"{accuracy:.3f}",
            model["summary"] or "-",
        )
    return table


def _accuracy(model: dict[str, Any]) -> float | None:
    """On the locked test images: as the gate measured it, else as the training did."""
    judged = [rule["figures"].get("accuracy") for rule in model["verdict"] if rule["rule"] == "accuracy"]
    found = judged[0] if judged else model["metrics"].get("test_accuracy")
    return None if found is None else float(found)


def _labels_table(image: dict[str, Any], entries: list[dict[str, Any]]) -> Table:
    table = Table(
        "rev.", "from", "to", "by", "when", "state", "live in", title=f"{image['image_id']} ({image['state']})"
    )
    for entry in entries:
        state = entry["set_aside"] or entry["state"]
        table.add_row(
            str(entry["revision"]),
            entry["label_from"] or "-",
            entry["label_to"] or "-",
            entry["corrected_by"],
            str(entry["occurred_at"])[:19],
            state,
            entry["live_in"] or "-",
        )
    return table
