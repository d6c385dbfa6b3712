"""From the bytes of an image to the body of an answer. Knows nothing of requests."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from opentelemetry.trace import Span
from starlette.types import Scope

from services.predictor.api.prediction_log import Answered, PredictionLog
from services.predictor.api.trial_answers import TrialAnswers
from services.predictor.api.turns import Turn, Turns
from services.predictor.decisions.trials import is_in_share
from services.predictor.metrics import REFUSALS, count_answer, count_stages
from services.predictor.model.classes import KnownClasses
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.onnx_model import Model
from services.predictor.model.scoring import Scored, Scoring
from services.predictor.model.trial import CandidateFailed, LoadedTrial, failures_named
from shared.http.limits import ARRIVED
from shared.http.problems import Problem
from shared.imaging.decoding import UndecodableImage
from shared.imaging.structure import Pixels
from shared.runtime.clock import Clock, utc_now
from shared.runtime.tracing import describe_span, trace_id_of

HasLeft = Callable[[], Awaitable[bool]]
"""Tells whether the client of a request has left."""


class Asker(NamedTuple):
    """Who asks: `client` takes turns with others (see `Turns`), `api_key` is the name of its key, None without one;
    `arrived`: when the request was whole (`time.monotonic`), None: now."""

    client: str
    api_key: str | None
    arrived: float | None

    @classmethod
    def of(cls, scope: Scope, api_key: str | None) -> "Asker":
        """Return who sent a request. With keys a key is a client, else an address is one."""
        address = scope.get("client")
        return cls(api_key or (address[0] if address else ""), api_key, scope.get(ARRIVED))


class Predictions:
    """The predictions of one replica, and the model behind them."""

    def __init__(
        self,
        in_service: ModelHolder,
        prediction_log: PredictionLog,
        replica: str,
        turns: Turns,
        classes: KnownClasses | None = None,
        trials: TrialAnswers | None = None,
        clock: Clock = utc_now,
    ) -> None:
        """`classes`: what people call the labels; None: as they are. `trials`: where candidates are tried; None:
        nowhere."""
        self._classes = classes
        self._in_service = in_service
        self._prediction_log = prediction_log
        self._replica = replica
        self.turns = turns
        self._scoring = Scoring()
        self._trials = trials
        self._clock = clock

    @contextmanager
    def refusals_counted(self) -> Iterator[None]:
        """Count a problem that ends a request, by its code."""
        try:
            yield
        except Problem as problem:
            REFUSALS.labels(problem.error).inc()
            raise

    @property
    def has_model(self) -> bool:
        """Whether a model is in service."""
        return self._in_service.current is not None

    def name_of(self, label: str) -> str:
        """Return what people call a label now."""
        return label if self._classes is None else self._classes.current.name_of(label)

    def serving(self) -> ServingModel:
        """Return the model in service. Raises Problem (503) without a model."""
        serving = self._in_service.current
        if serving is None:
            detail = "No model has been promoted and loaded yet. Ask again when /readyz is green; /health says more."
            raise Problem(503, "no_model", detail, retry_after_seconds=2)
        return serving

    async def answer(self, data: bytes, span: Span, turn: Turn, api_key: str | None = None) -> dict[str, Any]:
        """Return the fields of PredictionBody. `span` and `turn` are those of the request, and `api_key` is the name of
        the key by which it was made.

        Raises:
            Problem: 422 with the reason code if `data` is not an image, 503 without a model.
        """
        serving = self.serving()  # read once: version and probabilities of an answer belong together
        trials, prediction_id = self._trials, uuid4()
        tried = None if trials is None else trials.current
        if trials is None or tried is None or not is_in_share(prediction_id, tried.trial.event.share):
            scored = await self._score(data, serving.model, turn)
            return self._record(scored, len(data), serving, span, api_key, prediction_id)
        seen: list[Pixels] = []
        if tried.gives_answers:
            given = await self._ask_candidate(data, tried, turn, seen)
            if given is not None:
                trials.ask_champion(tried, serving.model, seen[0], given.answer.label)
                candidate = tried.in_place_of(serving)
                return self._record(given, len(data), candidate, span, api_key, prediction_id, watched=False)
        scored = await self._score(data, serving.model, turn, seen.append)
        if not tried.gives_answers:
            trials.ask_candidate(tried, seen[0], scored.answer.label)
        return self._record(scored, len(data), serving, span, api_key, prediction_id)

    async def _ask_candidate(self, data: bytes, tried: LoadedTrial, turn: Turn, seen: list[Pixels]) -> Scored | None:
        """Return what a candidate answers that is given; None if it fails, so that the champion answers."""
        self.turns.expect(tried.model.answer_seconds)
        try:
            with failures_named():
                return await self._scoring.score(data, tried.model, turn.leave, seen.append)
        except UndecodableImage as error:
            raise _no_image(error) from error
        except CandidateFailed as error:
            tried.trial.fail(error)
            return None

    async def answer_each(
        self,
        images: Iterable[bytes],
        count: int,
        serving: ServingModel,
        span: Span,
        asker: Asker,
        has_left: HasLeft,
    ) -> list[dict[str, Any]] | None:
        """Return what `answer` returns for each of the `count` images of a request, all by the same model; None if the
        client has left meanwhile. Each image has a turn, so that other requests have theirs between two of them. An
        answer counts and is logged when there are all of them: none is recorded that is not given. A candidate in trial
        is compared, and gives none of these answers: they name one model.

        Raises:
            Problem: 422 with the reason code if one is not an image; its fact `image` says which, from 0. 503 if the
                first turn would come too late.
        """
        found: list[tuple[Scored, int, UUID]] = []
        trials, seen = self._trials, dict[UUID, Pixels]()
        tried = None if trials is None else trials.current
        for number, data in enumerate(images):
            if number and await has_left():
                return None
            prediction_id = uuid4()
            chosen = tried is not None and is_in_share(prediction_id, tried.trial.event.share)
            look = partial(seen.__setitem__, prediction_id) if chosen else None
            with await self.turns.take(asker.client, asker.arrived, begun=number > 0) as turn:
                try:
                    found.append((await self._score(data, serving.model, turn, look), len(data), prediction_id))
                except Problem as problem:
                    detail = problem.detail if count == 1 else f"Image {number}: {problem.detail}"
                    raise Problem(problem.status_code, problem.error, detail, {"image": number}) from problem
        if trials is not None and tried is not None:
            for scored, _, prediction_id in found:
                if prediction_id in seen:
                    trials.ask_candidate(tried, seen[prediction_id], scored.answer.label)
        return [self._record(scored, size, serving, span, asker.api_key, known) for scored, size, known in found]

    async def _score(
        self, data: bytes, model: Model, turn: Turn, look: Callable[[Pixels], None] | None = None
    ) -> Scored:
        self.turns.expect(model.answer_seconds)
        try:
            return await self._scoring.score(data, model, turn.leave, look)
        except UndecodableImage as error:
            raise _no_image(error) from error

    def _record(
        self,
        scored: Scored,
        size_bytes: int,
        serving: ServingModel,
        span: Span,
        api_key: str | None,
        prediction_id: UUID,
        watched: bool = True,
    ) -> dict[str, Any]:
        """Log and count an answer that is given now; return its body. `watched`: whether it is compared with the drift
        reference of its model, as those of the champion are."""
        answered = Answered(
            scored,
            serving.promotion.model_name,
            serving.promotion.version,
            serving.model.metadata.drift_reference if watched else "",
            self._replica,
            prediction_id,
            self._clock(),
            span,
            size_bytes,
            api_key,
        )
        self._prediction_log.offer(answered)
        _count(scored)
        describe_span(span, prediction_id=answered.prediction_id, version=serving.promotion.version)
        return self._body(answered, serving.promotion.sequence)

    async def model(self, other_than: str | None = None, wait_seconds: float = 0.0) -> dict[str, Any]:
        """Return the fields of ModelBody; while `other_than` is the version in service wait at most `wait_seconds` for
        another one. Raises Problem (503) without a model."""
        if other_than is not None:
            await self._in_service.wait_for_other(other_than, wait_seconds)
        serving = self.serving()
        return {
            "version": serving.promotion.version,
            "sequence": serving.promotion.sequence,
            "labels": list(serving.model.metadata.labels),
            "artefact_sha256": serving.promotion.artefact_sha256,
            "loaded_at": serving.loaded_at.isoformat(),
            "replica": self._replica,
        }

    def _body(self, answered: Answered, sequence: int) -> dict[str, Any]:
        answer = answered.scored.answer
        return {
            "label": answer.label,
            "name": self.name_of(answer.label),
            "probabilities": answer.probabilities,
            "model_version": answered.model_version,
            "model_sequence": sequence,
            "prediction_id": str(answered.prediction_id),
            "trace_id": trace_id_of(answered.span),
            "milliseconds": answered.scored.milliseconds,
            "sha256": answered.scored.sha256,
            "replica": self._replica,
            "corrections": [{"image_id": str(each.image_id), "weight": each.weight} for each in answer.corrections],
        }


def _no_image(error: UndecodableImage) -> Problem:
    return Problem(422, error.reason, str(error))


def _count(scored: Scored) -> None:
    count_answer(scored.answer.label, scored.answer.probability, "api")
    count_stages(scored.decode_seconds, scored.infer_seconds)
