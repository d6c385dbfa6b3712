"""Pappus from another program: upload, ask, correct, list, follow.

The requests, the types of the answers and the errors are those of `shared.clients`, which the command and the pages
use, too; this module adds a login and loops over pages. Every method raises `ApiError`: `ApiProblem` says what the API
refused (`code` for programs, the text for people), `ApiUnreachable` that it did not answer. What may succeed later (no
connection, 429, 502, 503, 504) is sent again for `retry_for_seconds`; all tries of a command carry one key, so it is
carried out once.
"""

import hashlib
import io
import ssl
import time
import zipfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from uuid import UUID, uuid4

import httpx2

from shared.clients import labeler, predictor
from shared.clients.answers import (
    AcceptedImage,
    Applied,
    ChampionView,
    HistoryEntry,
    ImageView,
    ModelView,
    Prediction,
    Uploaded,
)
from shared.clients.api import BlockingApi, Connecting
from shared.clients.batches import AcceptedBatch, BatchPrediction, BatchView, get_batch, request_predictions
from shared.clients.browse import MAX_LISTED, ImageFilter, ListedImage, Sort, list_images
from shared.clients.bulk import MAX_BULK, BulkCorrection, BulkOutcome, correct_labels
from shared.clients.duplicates import DuplicateCheck, check_duplicate
from shared.clients.errors import ApiError, ApiProblem, ApiUnreachable
from shared.clients.events import MAX_EVENTS, MAX_WAIT_SECONDS, EventView, list_events
from shared.clients.feedback import CorrectedAnswer, correct_answer
from shared.clients.request import ApiRequest
from shared.contract.events import NoLabel

__all__ = ["ApiError", "ApiProblem", "ApiUnreachable", "BulkCorrection", "ImageFilter", "Pappus"]

T = TypeVar("T")
TIMEOUT_SECONDS = 40.0  # longer than the labeler waits for an outcome, and than an answer waits for an event
LOOK_EVERY_SECONDS = 0.5
SHOWN_WITHIN_SECONDS = 10.0
"""A batch is shown a moment after it was accepted; that it is not yet known is no error for so long."""
ADVICE = "Is the address right, and can it be reached from here?"


class Pappus:
    """An installation, as one person uses it. `labeler` and `predictor` are the addresses of its two APIs; without
    `predictor` only `predict` fails. `predictor_key`: where the predictor asks for one. `ca_file`: who signs for the
    APIs; None: the authorities of the system. `transport` replaces the network, for tests. It logs in with its first
    request, and again when the session has ended."""

    def __init__(
        self,
        labeler: str,
        predictor: str = "",
        *,
        name: str,
        password: str,
        predictor_key: str = "",
        ca_file: Path | None = None,
        retry_for_seconds: float = 30.0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        tls = None if ca_file is None else ssl.create_default_context(cafile=ca_file)
        key = {"X-Api-Key": predictor_key} if predictor_key else {}
        self._login = (name, password)
        self._logged_in = False
        self._labeler, self._predictor = (
            BlockingApi(url, TIMEOUT_SECONDS, transport, retry_for_seconds, Connecting(tls, headers, advice=ADVICE))
            for url, headers in ((labeler, {}), (predictor, key))
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._labeler.close()
        self._predictor.close()

    # Images

    def upload(
        self, image: Path | bytes, *, name: str | None = None, label: str | None = None
    ) -> Uploaded | AcceptedImage:
        """Upload an image file, with its label if it is known. The same bytes again are the same image, also after a
        crash of this program. AcceptedImage: it is not stored yet, and will be."""
        data, called = _content(image)
        key = hashlib.sha256(data + b"\0" + (label or "").encode()).hexdigest()
        return self._ask(labeler.upload_image(name or called, data, key, label))

    def check_duplicate(self, image: Path | bytes) -> DuplicateCheck:
        """Ask whether an image file is stored already: its bytes, its pixels, or the picture in another size or
        encoding. Nothing is stored."""
        data, called = _content(image)
        return self._ask(check_duplicate(called, data))

    def predict(self, image: Path | bytes) -> Prediction:
        """Ask the model in service about an image file; it is not stored."""
        data, called = _content(image)
        return self._predictor.send(predictor.predict(data, called))

    def predict_later(
        self,
        images: Iterable[Path | bytes] = (),
        *,
        image_ids: Sequence[UUID] = (),
        urls: Sequence[str] = (),
        callback_url: str | None = None,
        key: str | None = None,
    ) -> AcceptedBatch:
        """Ask about up to 10,000 images at once, and read the answers with `predictions`: image files, stored images,
        or public web addresses; one of the three. It returns when all is durable. The same images with the same `key`
        are the same batch, also after a crash of this program. `callback_url` is told when all are finished. The
        prediction about a file has its name; only where two have the same one, a number stands before it. Raises
        ValueError for more than one of the three."""
        files = list(images)
        if bool(files) + bool(image_ids) + bool(urls) > 1:
            raise ValueError("A batch has images, image_ids or urls, one of the three. Ask once for each.")
        archive = None if image_ids or urls else _archive(files)
        asked = request_predictions(
            archive=archive, image_ids=image_ids, urls=urls, callback_url=callback_url, key=key or str(uuid4())
        )
        return self._predictor.send(asked)

    def predictions(self, batch_id: UUID, after: int = -1) -> Iterator[BatchPrediction]:
        """Yield the predictions of a batch in the order of its images, each when it is answered or refused, and wait
        for those that are pending. `after`: the index of the last one that you are done with; -1: from the first."""
        while True:
            batch = self._shown(batch_id, after)
            for prediction in batch.predictions:
                if prediction.state == "pending" or prediction.index != after + 1:
                    break
                yield prediction
                after = prediction.index
            if after + 1 >= batch.size:
                return
            if not batch.finished:
                time.sleep(LOOK_EVERY_SECONDS)

    def _shown(self, batch_id: UUID, after: int) -> BatchView:
        until = time.monotonic() + SHOWN_WITHIN_SECONDS
        while True:
            try:
                return self._predictor.send(get_batch(batch_id, after))
            except ApiProblem as problem:
                if problem.code != "unknown_batch" or time.monotonic() >= until:
                    raise
            time.sleep(LOOK_EVERY_SECONDS)

    def image(self, image_id: UUID) -> ImageView:
        """Return one image in any state."""
        return self._ask(labeler.get_image(image_id))

    def history(self, image_id: UUID) -> list[HistoryEntry]:
        """Return every revision of its label, and in which model each is live since when."""
        return self._ask(labeler.get_history(image_id))

    def images(self, asked: ImageFilter | None = None, sort: Sort = "newest") -> Iterator[ListedImage]:
        """Yield all stored images that fulfil a filter (None: all), read page by page."""
        cursor: str | None = None
        while True:
            page = self._ask(list_images(asked or ImageFilter(), sort, cursor=cursor, limit=MAX_LISTED))
            yield from page.items
            if (cursor := page.next) is None:
                return

    # Labels

    def correct(
        self,
        image_id: UUID,
        label: str | None = None,
        *,
        no_label: NoLabel | None = None,
        revision: int | None = None,
        reason: str = "",
    ) -> Applied | AcceptedImage:
        """Say what an image shows, or in `no_label` why it has no label. `revision`: of the label that was seen; if
        another person set one since, this is an ApiProblem with the code "superseded", and `members` say which. None:
        the label that holds now is replaced."""
        seen = self.image(image_id).revision if revision is None else revision
        return self._ask(labeler.correct_label(image_id, label, seen, no_label=no_label, reason=reason))

    def correct_answer(
        self, prediction_id: UUID, label: str | None = None, *, reason: str = "", image: Path | bytes | None = None
    ) -> CorrectedAnswer:
        """Say what is right instead of an answer of `predict`, or without a label only that it is wrong. `image`: the
        file that was asked about; it is sent if it is not stored yet. Without it that is an ApiProblem with the code
        "image_needed". An answer that is younger than a second or so may be unknown (404)."""
        key = str(uuid4())
        try:
            return self._ask(correct_answer(prediction_id, label, reason=reason, key=key))
        except ApiProblem as problem:
            if problem.code != "image_needed" or image is None:
                raise
        data, called = _content(image)
        return self._ask(correct_answer(prediction_id, label, reason=reason, file=(called, data), key=key))

    def correct_all(self, corrections: Iterable[BulkCorrection], reason: str = "") -> Iterator[BulkOutcome]:
        """Say what many images show; yield what became of each, in their order. One that is refused holds up no
        other."""
        for some in _in_batches(corrections, MAX_BULK):
            yield from self._ask(correct_labels(some, reason=reason)).items

    # What happened

    def events(
        self, after: int = 0, *, image: UUID | None = None, types: Collection[str] = (), follow: bool = False
    ) -> Iterator[EventView]:
        """Yield what happened after a cursor, each event once: keep the `number` of the last one you are done with, and
        begin there the next time. It ends with the newest event; with `follow` it waits for the next ones."""
        wait = MAX_WAIT_SECONDS if follow else 0.0
        while True:
            page = self._ask(list_events(after, limit=MAX_EVENTS, image=image, types=types, wait_seconds=wait))
            yield from page.items
            after = page.next
            if not page.more and not follow:
                return

    # Models

    def champion(self) -> ChampionView | None:
        """Return the model in service; None before the first one."""
        return self._ask(labeler.get_champion())

    def models(self, limit: int = labeler.MAX_MODELS) -> list[ModelView]:
        """Return the newest models, newest first, each with its verdict."""
        return self._ask(labeler.list_models(limit))

    def _ask(self, request: ApiRequest[T]) -> T:
        if self._logged_in:
            try:
                return self._labeler.send(request)
            except ApiProblem as problem:
                if problem.status != 401:
                    raise  # else the session has ended: log in again
        session = self._labeler.send(labeler.log_in(*self._login))
        self._labeler.authenticate(session.token)
        self._logged_in = True
        return self._labeler.send(request)


def _content(image: Path | bytes) -> tuple[bytes, str]:
    """Return the bytes of an image and what it is called."""
    return (image, "image") if isinstance(image, bytes) else (image.read_bytes(), image.name)


def _archive(images: Iterable[Path | bytes]) -> bytes:
    """Return a ZIP archive of images, which holds them as they are: files under their names, with a number before a
    name that is taken, or that would be left out as hidden; bytes under their number."""
    held, taken = io.BytesIO(), set[str]()
    with zipfile.ZipFile(held, "w") as archive:
        for number, image in enumerate(images):
            data, name = _content(image)
            if isinstance(image, bytes):
                name = f"{number:05d}"
            while name in taken or name.startswith((".", "__MACOSX")):
                name = f"{number:05d}-{name}"
            taken.add(name)
            archive.writestr(name, data)
    return held.getvalue()


def _in_batches(corrections: Iterable[BulkCorrection], size: int) -> Iterator[list[BulkCorrection]]:
    some: list[BulkCorrection] = []
    for each in corrections:
        some.append(each)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some
