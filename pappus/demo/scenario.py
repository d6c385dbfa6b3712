"""The scenario of the demo, stage by stage, through the APIs that users call."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from pappus.demo.images import ImageSource
from pappus.demo.intake import ingest_and_wait
from pappus.demo.predictions import (
    Answer,
    ask,
    describe,
    unless_set_aside,
    until_live_or_aside,
)
from pappus.demo.report import Report
from pappus.demo.view import View
from pappus.errors import Refused
from pappus.installation.access import Installation
from pappus.installation.replicas import Replicas
from pappus.plants import PlantRow
from shared.clients.answers import ModelView
from shared.clients.api import AsyncApi
from shared.clients.errors import ApiProblem
from shared.clients.labeler import ask_gate, correct_label, find_images, get_champion, get_first_model, list_models

CORRECTIONS = 5
TRIES = 15
TRIGGER_NEW_IMAGES = 10
INGEST_SECONDS = 300.0
TRAIN_SECONDS = 240.0
LIVE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Corrected:
    """An answer that was corrected to `label`, and the ids of its image and of the correction."""

    answer: Answer
    label: str
    image_id: UUID
    event_id: UUID


class DemoScenario:
    """One run of the scenario on an installation that runs."""

    def __init__(self, installation: Installation, source: ImageSource, report: Report, view: View) -> None:
        self._installation = installation
        self._source = source
        self._report = report
        self._view = view
        self._rows: Sequence[PlantRow] = ()
        self._labelled = 0

    async def run(self) -> None:
        """Run all stages in order. Raises Refused with the cause and where to look."""
        async with (
            self._installation.labeler_as("labeler") as person,
            self._installation.labeler_as("operator") as operator,
            self._installation.open_replicas() as replicas,
            self._installation.open_predictor() as predictor,
        ):
            await self._ingest()
            before = await self._first_model(person, replicas)
            answers = await self._predict(predictor)
            corrected = await self._correct(person, replicas, answers)
            await self._ask_again(predictor, answers, corrected)
            await self._roll_back(operator, replicas, corrected, before)

    async def _ingest(self) -> None:
        """Ingest the images; the later stages use those that are stored."""
        with self._view.stage("images in") as stage:
            show = partial(setattr, stage, "summary")
            intake = await ingest_and_wait(self._installation, self._source, INGEST_SECONDS, show)
            self._rows = intake.usable
            self._labelled = await self._installation.plants.count_labelled()
            self._report.figures |= {
                "rows": len(self._source.rows),
                "new_rows": intake.new,
                "stored": len(intake.stored),
                "rejected": len(intake.rejected),
            }
            if intake.rejected:
                url, why = next(iter(intake.rejected.items()))
                stage.summary += f"; {len(intake.rejected)} rejected, for example {url} ({why})"
            if not intake.usable:
                raise Refused(
                    "None of these images is stored, so the demo cannot go on. Choose others: --images FOLDER"
                )

    async def _first_model(self, person: AsyncApi, replicas: Replicas) -> str:
        """Wait until a model of a full training over the images is judged and served; return the version in service."""
        with self._view.stage("model trained, judged, served") as stage:
            deadline = time.monotonic() + TRAIN_SECONDS
            while not (settled := self._settled(await person.send(list_models()))):
                stage.summary = (await person.send(get_first_model())).waits_for
                if time.monotonic() > deadline:
                    raise Refused(
                        f"No model of {self._labelled} images after {TRAIN_SECONDS:.0f} s. {stage.summary}"
                        f" See: {self._installation.logs_of('trainer-full', 'trainer-gate')}"
                    )
                await asyncio.sleep(0.2)
            champion = await person.send(get_champion())
            if champion is None:
                raise Refused(f"The first model was not promoted: {settled.summary}")
            await replicas.until_all_serve(champion.version, LIVE_SECONDS)
            stage.summary = f"{champion.version} serves on {replicas.description}. {champion.summary}"
            self._report.figures["test_accuracy"] = champion.metrics.get("test_accuracy")
            return champion.version

    def _settled(self, models: Sequence[ModelView]) -> ModelView | None:
        """Return a judged model of a full training that leaves out fewer images than the trigger waits for, or None."""
        for model in models:
            images = (model.training_images or 0) + (model.test_images or 0)
            if model.lane == "full" and model.state != "candidate" and self._labelled - images < TRIGGER_NEW_IMAGES:
                return model
        return None

    async def _predict(self, predictor: AsyncApi) -> list[Answer]:
        with self._view.stage("predictions") as stage:
            answers = await ask(predictor, self._source, self._rows)
            stage.summary = describe(answers)
            self._report.figures["answers_right_before"] = sum(not answer.wrong for answer in answers)
            return answers

    async def _correct(self, person: AsyncApi, replicas: Replicas, answers: Sequence[Answer]) -> list[Corrected]:
        """Correct wrong answers one by one, and wait until every replica serves each; return the live ones. A
        correction that the gate sets aside, because other answers would become wrong, is reported."""
        with self._view.stage("corrections") as stage:
            live: list[Corrected] = []
            aside: list[str] = []
            for answer, label in _to_correct(answers):
                if len(live) == CORRECTIONS or (live and not answer.wrong):
                    break
                data = await self._source.read(answer.row)
                start = time.perf_counter()
                image_id, event_id = await _correct_one(person, answer, label, self._installation)
                advice = f"See: {self._installation.logs_of('trainer-fast', 'trainer-gate')}"
                if why := await until_live_or_aside(person, image_id, event_id, LIVE_SECONDS, advice):
                    aside.append(why)
                else:
                    await replicas.until_all_answer(data, label, LIVE_SECONDS)
                    self._report.correction_to_live_seconds.append(time.perf_counter() - start)
                    live.append(Corrected(answer, label, image_id, event_id))
                stage.summary = _summarize_corrections(self._report.correction_to_live_seconds, aside)
            self._report.figures["corrections_set_aside"] = len(aside)
            if not live:
                raise Refused(f"None of {len(aside)} corrections became live. The first was set aside: {aside[0]}")
            self._report.corrected_image = live[0].image_id
            return live

    async def _ask_again(self, predictor: AsyncApi, answers: Sequence[Answer], corrected: Sequence[Corrected]) -> None:
        with self._view.stage("the same images asked again") as stage:
            again = await ask(predictor, self._source, self._rows)
            now = {answer.sha256: answer for answer in again}
            hold = sum(now[one.answer.sha256].label == one.label for one in corrected)
            touched = {one.answer.sha256 for one in corrected}
            others = sum(now[a.sha256].label != a.label for a in answers if a.sha256 not in touched)
            stage.summary = (
                f"{hold} of {len(corrected)} corrected images answered as corrected, "
                f"{others} other answers changed; {describe(again)}"
            )
            self._report.figures |= {
                "corrected": len(corrected),
                "corrected_hold": hold,
                "other_answers_changed": others,
                "answers_right_after": sum(not answer.wrong for answer in again),
            }
            if hold != len(corrected):
                raise Refused(f"{len(corrected) - hold} corrected images are not answered as corrected.")

    async def _roll_back(
        self, operator: AsyncApi, replicas: Replicas, corrected: Sequence[Corrected], before: str
    ) -> None:
        """Roll back to the model before the corrections, then unfreeze: the corrections become live again, but for
        those that the gate sets aside now that it judges all of them at once."""
        first = corrected[0]
        data = await self._source.read(first.answer.row)
        with self._view.stage("rollback") as stage:
            await operator.send(ask_gate("rollback", "demo: show that an operator can go back", before))
            await replicas.until_all_serve(before, LIVE_SECONDS)
            answer = (await replicas.ask(data)).label
            stage.summary = f"{before} serves again, frozen; the first corrected image is {answer!r} again"
        with self._view.stage("unfreeze: corrections return") as stage:
            await operator.send(ask_gate("unfreeze", "demo: go on learning"))
            aside = []
            for one in corrected:
                pixels = await self._source.read(one.answer.row)
                back = partial(replicas.until_all_answer, pixels, one.label, LIVE_SECONDS)
                if why := await unless_set_aside(operator, one.image_id, one.event_id, back):
                    aside.append(why)
            if len(aside) == len(corrected):
                raise Refused(f"None of {len(aside)} corrections returned. The first was set aside: {aside[0]}")
            champion = await operator.send(get_champion())
            stage.summary = (
                f"{champion.version if champion else '?'} serves; {len(corrected) - len(aside)} of {len(corrected)} "
                "corrections are live again" + (f", for example set aside: {aside[0]}" if aside else "")
            )


def _to_correct(answers: Sequence[Answer]) -> list[tuple[Answer, str]]:
    """Return the corrections to make, in order: the most confident wrong answers with their true labels, then the
    least certain right answers with their runner-up."""
    wrong = sorted((a for a in answers if a.wrong), key=lambda a: (-a.confidence, a.sha256))
    unsure = sorted((a for a in answers if not a.wrong), key=lambda a: (a.confidence, a.sha256))
    return [(a, str(a.row.label)) for a in wrong[:TRIES]] + [(a, a.runner_up) for a in unsure[:TRIES]]


def _summarize_corrections(seconds: Sequence[float], aside: Sequence[str]) -> str:
    """Return one sentence about the corrections so far."""
    live = f"{len(seconds)} live on all replicas"
    if seconds:
        live += ", each after " + ", ".join(f"{one:.2f}" for one in seconds) + " s"
    return live + (f"; {len(aside)} set aside, for example: {aside[0]}" if aside else "")


async def _correct_one(person: AsyncApi, answer: Answer, label: str, installation: Installation) -> tuple[UUID, UUID]:
    """Correct one image as a user does who saw its answer and its revision; return the ids of image and event. If
    another correction came in between (409), read the image again and correct it once more."""

    async def once() -> tuple[UUID, UUID]:
        found = await person.send(find_images(answer.sha256))
        if not found:
            raise Refused(
                f"{answer.row.url_source} is not known to the labeler. Run it again, or see:"
                f" {installation.logs_of('labeler-api')}"
            )
        image = found[0]
        correction = correct_label(
            image.image_id,
            label,
            image.revision,
            reason="demo: the answer was wrong",
            prediction_id=answer.prediction_id,
            shown_model_version=answer.model_version,
            shown_label=answer.label,
            shown_probability=answer.confidence,
        )
        return image.image_id, (await person.send(correction)).event_id

    try:
        return await once()
    except ApiProblem as problem:
        if problem.status != 409:
            raise
    return await once()
