"""The smoke test: one image goes through a whole installation, which is left as it was."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from secrets import randbits
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

from pappus.demo.drawing import draw_tiles
from pappus.demo.predictions import until_live_or_aside
from pappus.demo.view import View
from pappus.errors import Refused
from pappus.installation.access import Installation
from pappus.installation.replicas import Replicas
from pappus.installation.settings import how_to_give
from shared.clients.answers import GateAnswer, ImageView, Prediction
from shared.clients.api import AsyncApi
from shared.clients.errors import ApiError
from shared.clients.labeler import ask_gate, correct_label, get_champion, get_first_model, get_image, upload_image
from shared.contract.events import NoLabel

LIMIT_SECONDS = 50.0
STEP_SECONDS = 20.0
ROLLBACK_SECONDS = 5.0
RESTORE_SECONDS = 8.0
LOOK_SECONDS = 0.1
TRIES = 3
SMOKE = "smoke test"
"""How the reason of every request of a smoke test begins."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The image that is sent. `drawn`: it was made for this test, and is called unusable afterwards, so that no queue
    has it."""

    name: str
    data: bytes
    drawn: bool


@dataclass(frozen=True, slots=True)
class Case:
    """One picture: its stored image, what was answered first, and the label it is corrected to, in this event."""

    picture: Picture
    image: ImageView
    first: Prediction
    label: str
    event_id: UUID


@dataclass(frozen=True, slots=True)
class Change:
    """Something that the test changed. `undo` takes it back, and may be called again; `by_hand`: the command for it."""

    name: str
    undo: Callable[[], Awaitable[None]]
    by_hand: str


class SmokeTest:
    """One smoke test. `picture`: the image to send; None draws one. Others may run at the same time: each looks at an
    image of its own, and rolls back again if another changed the model in service meanwhile."""

    def __init__(self, installation: Installation, view: View, picture: Picture | None) -> None:
        self._installation = installation
        self._view = view
        self._picture = picture
        self._reason = f"{SMOKE} {uuid4().hex[:8]}"
        self._changes: list[Change] = []

    async def run(self) -> None:
        """Run every step, and take back what was changed, also if one fails. Raises Refused or ApiError."""
        async with AsyncExitStack() as stack:
            person = await stack.enter_async_context(self._installation.labeler_as("labeler"))
            operator = None
            if self._installation.may("operator"):
                operator = await stack.enter_async_context(self._installation.labeler_as("operator"))
            await self._installation.check_predictor()
            replicas = await stack.enter_async_context(self._installation.open_replicas())
            try:
                await self._in_time(self._run_steps(person, operator, replicas))
            except BaseException as error:
                await self._take_back(str(error))
                raise

    async def _in_time(self, steps: Coroutine[Any, Any, None]) -> None:
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                await steps
        except TimeoutError as error:
            raise Refused(f"The smoke test is not through after {LIMIT_SECONDS:.0f} s.") from error

    async def _run_steps(self, person: AsyncApi, operator: AsyncApi | None, replicas: Replicas) -> None:
        with self._view.stage("model in service") as stage:
            stage.summary = await self._until_not_frozen(person)
        case = await self._correct_one(person, replicas)
        with self._view.stage("the other answer") as stage:
            await replicas.until_all_answer(case.picture.data, case.label, STEP_SECONDS)
            stage.summary = f"{case.label!r} from {replicas.description}"
        with self._view.stage("rollback") as stage:
            if operator is None:
                stage.summary = f"left out, for it needs an operator: {how_to_give('operator_password')}"
            else:
                await self._roll_back(operator, replicas, case)
                stage.summary = f"{case.first.model_version} serves again: {case.first.label!r}"
        with self._view.stage("taken back") as stage:
            await self._take_back()
            await replicas.until_all_answer(case.picture.data, case.first.label, STEP_SECONDS)
            stage.summary = f"no model holds the correction: {case.first.label!r} from {replicas.description}"

    async def _until_not_frozen(self, person: AsyncApi) -> str:
        """Wait until no other smoke test holds promotions frozen; return the version in service.

        Raises:
            Refused: there is none, or promotions stay frozen, so that no correction would become live.
        """
        deadline = monotonic() + STEP_SECONDS
        while True:
            champion = await person.send(get_champion())
            if champion is None:
                waits_for = (await person.send(get_first_model())).waits_for
                raise Refused(f"No model is in service yet, so there is nothing to test. {waits_for}")
            if not champion.frozen:
                return champion.version
            why = champion.freeze.summary if champion.freeze else champion.summary
            if SMOKE not in why or monotonic() > deadline:
                raise Refused(f"Promotions are frozen ({why}), so no correction becomes live: pappus unfreeze")
            await asyncio.sleep(LOOK_SECONDS)

    async def _correct_one(self, person: AsyncApi, replicas: Replicas) -> Case:
        """Send pictures until the correction of one becomes live: the gate may set one aside, because other answers
        would become wrong."""
        tries = 1 if self._picture else TRIES
        while True:
            picture = self._picture or Picture("smoke.png", draw_tiles(randbits(48)), drawn=True)
            with self._view.stage("upload") as stage:
                image = await self._upload(person, picture)
                stage.summary = f"{picture.name} is image {image.image_id}"
            with self._view.stage("predict") as stage:
                first = await replicas.ask(picture.data)
                await replicas.until_all_answer(picture.data, first.label, STEP_SECONDS)
                stage.summary = f"{first.label!r} by {first.model_version}, from {replicas.description}"
            with self._view.stage("correct") as stage:
                case = await self._correct(person, picture, image, first)
                advice = f"See: {self._installation.logs_of('trainer-fast', 'trainer-gate')}"
                aside = await until_live_or_aside(person, image.image_id, case.event_id, STEP_SECONDS, advice)
                stage.summary = f"to {case.label!r}: {aside or 'a model holds it'}"
            if aside is None:
                return case
            await self._take_back()
            tries -= 1
            if not tries:
                raise Refused(f"The correction was set aside: {aside}")

    async def _upload(self, person: AsyncApi, picture: Picture) -> ImageView:
        image_id = (await person.send(upload_image(picture.name, picture.data))).image_id
        deadline = monotonic() + STEP_SECONDS
        while True:
            image = await person.send(get_image(image_id))
            if image.state == "stored":
                return image
            if image.rejection is not None:
                raise Refused(f"{picture.name} was not stored: {image.rejection.detail}")
            if monotonic() > deadline:
                logs = self._installation.logs_of("ingestor")
                raise Refused(f"{picture.name} is not stored {STEP_SECONDS:.0f} s after its upload. See: {logs}")
            await asyncio.sleep(LOOK_SECONDS)

    async def _correct(self, person: AsyncApi, picture: Picture, image: ImageView, first: Prediction) -> Case:
        """Correct to the most probable of the other labels."""
        others = {label: probability for label, probability in first.probabilities.items() if label != first.label}
        label = max(others, key=lambda one: others[one])
        correction = correct_label(
            image.image_id,
            label,
            image.revision,
            reason=self._reason,
            prediction_id=first.prediction_id,
            shown_model_version=first.model_version,
            shown_label=first.label,
            shown_probability=first.probabilities[first.label],
        )
        by_hand = f"pappus correct {image.image_id} --withdraw"
        self._changes.append(Change("The correction", lambda: self._withdraw(person, picture, image), by_hand))
        return Case(picture, image, first, label, (await person.send(correction)).event_id)

    async def _roll_back(self, operator: AsyncApi, replicas: Replicas, case: Case) -> None:
        """Serve the model that answered first, and see that all replicas answer so again. Begin again if another smoke
        test changed the model in service before that was seen."""
        version = case.first.model_version
        self._changes.append(Change("The freeze of promotions", lambda: self._unfreeze(operator), "pappus unfreeze"))
        while True:
            await self._until_not_frozen(operator)
            answer = await operator.send(ask_gate("rollback", self._reason, version))
            try:
                await replicas.until_all_answer(case.picture.data, case.first.label, ROLLBACK_SECONDS)
            except Refused:
                champion = await operator.send(get_champion())
                if isinstance(answer, GateAnswer) and answer.outcome == "rejected":
                    raise Refused(f"The gate rejected the rollback: {answer.summary}") from None
                if champion is None or champion.version == version:
                    raise
            else:
                return

    async def _take_back(self, failed: str = "") -> None:
        """Take back what was changed. Raises Refused with what could not be taken back, after what `failed` before."""
        left = []
        while self._changes:
            change = self._changes[0]
            try:
                async with asyncio.timeout(RESTORE_SECONDS):
                    await change.undo()
            except (ApiError, TimeoutError) as error:
                why = str(error) or "no answer in time"
                left.append(f"{change.name} could not be taken back ({why}): {change.by_hand}")
            self._changes.pop(0)  # a change whose undoing was cancelled stays, and is undone again
        if left:
            raise Refused(" ".join(filter(None, [failed, *left])))

    async def _withdraw(self, person: AsyncApi, picture: Picture, before: ImageView) -> None:
        """Take the correction back, unless it never came or another person decided meanwhile."""
        now = await person.send(get_image(before.image_id))
        if now.revision != before.revision + 1:
            return
        why: NoLabel = "unusable" if picture.drawn else "withdrawn"
        over = f"{self._reason} is over"
        await person.send(correct_label(now.image_id, None, now.revision, no_label=why, reason=over))

    async def _unfreeze(self, operator: AsyncApi) -> None:
        """Lift the freeze of the rollback, unless an operator froze promotions for another reason."""
        champion = await operator.send(get_champion())
        if champion is None or not champion.frozen or champion.freeze is None or SMOKE not in champion.freeze.summary:
            return
        await operator.send(ask_gate("unfreeze", f"{self._reason} is over"))
