"""The examples of the API's description. They tell one story: a picture is uploaded and labelled, a model learns it,
and an operator commands the gate."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from services.labeler.commands.uploads import upload_id
from shared.clients.answers import (
    Accepted,
    AcceptedImage,
    AccessToken,
    Applied,
    ChampionView,
    FirstModel,
    GateAnswer,
    HistoryEntry,
    ImageView,
    Labels,
    ModelView,
    PromotionView,
    ReviewItem,
    ReviewQueue,
    Session,
    ShownPrediction,
    Uploaded,
)
from shared.contract.events import LabelCorrected, PromotionRequested, RuleOutcome, TrainingRequested, uuid_of
from shared.http.docs import PICTURE
from shared.http.examples import Example
from shared.http.problems import Problem
from shared.imaging.drawing import draw_dandelion

ABOUT = f"""People upload images and correct labels; operators command the gate. Each command waits for its outcome and
answers with it.

**To try it:** press *Authorize* and log in with your name and password. Open a request, press *Try it out*, then
*Execute*. Send [{PICTURE}](docs/{PICTURE}) with *Upload an image* as the user `labeler` first: the examples below are
about this image. What you send is real and stays.

An error is a problem document (RFC 9457). The header `X-Trace-Id` of each answer names its trace."""
TAGS = {
    "session": "Log in. The token counts for hours; `pappus users logout` ends it earlier.",
    "images": "Upload images and look at them.",
    "labels": "Say what images show, and find those that need it most.",
    "models": "See the models and what the gate said about them. Operators roll back, approve, freeze and train.",
}
PROBLEMS = (
    Problem(
        401,
        "unauthorised",
        "There is no session. Log in with POST /login or POST /token, and send the token as Authorization: Bearer"
        " <token>.",
    ),
    Problem(422, "invalid_request", "body.revision: Field required"),
)
USER, OPERATOR = "labeler", "operator"
VERSION, FORMER = "fast-3f9c2a71b0de", "full-8d1e5c07a94b"
MORNING = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
TOKEN = "eyJhbGciOiJIUzI1NiIs...the rest of the token"  # noqa: S105 - no token: its form
BROUGHT = "1f0c7a52-91d4-5e0b-8c11-7a3b5d0e6f20"
NO_IMAGE = Problem(404, "image_unknown", f"There is no image {BROUGHT}. Check the id, or upload the image.")
NO_MODEL = Problem(404, "model_unknown", f"There is no model {VERSION!r}. `pappus history` lists them.")
NOT_OPERATOR = Problem(403, "forbidden", "labeler has the role labeler; this needs the role operator. Ask an operator.")
WRONG_LOGIN = "The name or the password is wrong. Check both and try again."
MANY_LOGINS = "Too many logins were tried. Try again in 3 s."


def example_sha256() -> str:
    """Return the hash of the example picture."""
    return hashlib.sha256(draw_dandelion()).hexdigest()


def example_image_id() -> UUID:
    """Return the image id that the example picture has after `labeler` uploaded it without an Idempotency-Key."""
    return upload_id(USER, example_sha256(), None)


def of_labels(labels: Sequence[str], model_name: str) -> Mapping[str, Example]:
    """Return the examples of an installation with these labels (two or more), by the names of the routes. The first
    label is that of the picture."""
    return {
        **_of_session(),
        **_of_images(labels),
        **_of_labels(labels, model_name),
        **_of_models(labels),
        **_of_operators(),
    }


def _of_session() -> dict[str, Example]:
    password = "a long password"  # noqa: S105 - an example
    return {
        "log_in": Example(
            body={"name": USER, "password": password},
            answers={200: Session(token=TOKEN, name=USER, role="labeler", expires_at=NOON)},
            problems=(
                Problem(401, "unauthorised", WRONG_LOGIN),
                Problem(422, "invalid_request", "body.password: Field required"),
                Problem(429, "too_many_logins", MANY_LOGINS),
            ),
        ),
        "issue_access_token": Example(
            body={"grant_type": "password", "username": USER, "password": password},
            answers={200: AccessToken(access_token=TOKEN, expires_in=43_200)},
            problems=(
                Problem(400, "invalid_grant", WRONG_LOGIN, {"error_description": WRONG_LOGIN}),
                Problem(422, "invalid_request", "body.grant_type: Field required"),
                Problem(429, "too_many_logins", MANY_LOGINS, {"error_description": MANY_LOGINS}),
            ),
        ),
    }


def _of_images(labels: Sequence[str]) -> dict[str, Example]:
    image_id, sha256 = example_image_id(), example_sha256()
    view = ImageView(
        image_id=image_id,
        state="stored",
        label=labels[0],
        revision=0,
        trust="claimed",
        sha256=sha256,
        width=144,
        height=144,
        source="upload",
        registered_by=USER,
        corrected_by=None,
        attempt=1,
        prediction=_prediction(labels),
    )
    uploaded = Uploaded(image_id=image_id, sha256=sha256, label=labels[0], revision=0)
    about = {"image_id": image_id}
    not_text = Problem(422, "invalid_request", "path.image_id: Input should be a valid UUID")
    return {
        "upload_image": Example(
            body={"file": PICTURE, "label": labels[0]},
            answers={
                200: uploaded.model_copy(update={"duplicate_of": image_id}),
                201: uploaded,
                202: AcceptedImage(event_id=uuid_of("image.registered", image_id, 1), image_id=image_id),
            },
            problems=(Problem(422, "not_an_image", "This is not an image. Send a JPEG, PNG, WebP, GIF or BMP."),),
        ),
        "find_images": Example(
            parameters={"sha256": sha256},
            answers={200: [view]},
            problems=(Problem(422, "invalid_request", "query.sha256: Field required"),),
        ),
        "get_image": Example(parameters=about, answers={200: view}, problems=(NO_IMAGE, not_text)),
        "get_image_content": Example(parameters=about, problems=(NO_IMAGE, not_text)),
        "get_rendition": Example(parameters={**about, "w": 320}, problems=(NO_IMAGE, not_text)),
    }


def _of_labels(labels: Sequence[str], model_name: str) -> dict[str, Example]:
    image_id = example_image_id()
    event_id = uuid_of(LabelCorrected.topic, image_id, 1)
    reason = "Yellow petals."
    applied = Applied(image_id=image_id, label=labels[0], revision=1, event_id=event_id)
    item = ReviewItem(
        image_id=image_id,
        label=labels[0],
        revision=0,
        trust="claimed",
        prediction=_prediction(labels),
        reason=f"It was uploaded as {labels[0]}, and the model says {labels[1]} (59%).",
    )
    first = Problem(
        409,
        "superseded",
        f"anna was first: the label is {labels[1]} now (revision 1). Look at it again, and correct it if it is wrong.",
        {"label": labels[1], "revision": 1, "corrected_by": "anna"},
    )
    unknown = Problem(
        422,
        "unknown_label",
        f"'moss' is not a label of this installation. Choose one of: {', '.join(labels)}.",
    )
    many = Problem(422, "invalid_request", "query.limit: Input should be less than or equal to 1000")
    entry = HistoryEntry(
        event_id=event_id,
        revision=1,
        label_from=labels[0],
        label_to=labels[0],
        corrected_by=USER,
        occurred_at=NOON,
        reason=reason,
        shown_model_version=FORMER,
        shown_label=labels[1],
        state="applied",
        live_in=VERSION,
        live_at=NOON,
        set_aside=None,
    )
    return {
        "get_labels": Example(answers={200: Labels(labels=tuple(labels), model_name=model_name)}),
        "set_label": Example(
            parameters={"image_id": image_id},
            body={"label": labels[0], "revision": 0, "reason": reason},
            answers={200: applied, 202: AcceptedImage(event_id=event_id, image_id=image_id)},
            problems=(NO_IMAGE, first, unknown),
        ),
        "get_history": Example(
            parameters={"image_id": image_id},
            answers={200: [entry]},
            problems=(NO_IMAGE, Problem(422, "invalid_request", "path.image_id: Input should be a valid UUID")),
        ),
        "get_review_queue": Example(
            parameters={"limit": 5},
            answers={200: ReviewQueue(items=[item], waiting=17)},
            problems=(many,),
        ),
    }


def _of_models(labels: Sequence[str]) -> dict[str, Example]:
    rules = [
        RuleOutcome(
            rule="accuracy",
            outcome="passed",
            sentence="57 of 60 test images are right (95.0%); at least 70.0% was needed.",
            figures={"accuracy": 0.95, "images": 60},
        ),
        RuleOutcome(
            rule="corrections_hold",
            outcome="passed",
            sentence="All 1 corrected images are answered as corrected.",
            figures={"corrections": 1, "broken": 0},
        ),
    ]
    summary = (
        "Promoted: it is no worse than champion and anchor. The reason to change: 1 correction that the champion does"
        " not hold."
    )
    promotion = PromotionView(
        sequence=2,
        route="non_inferior",
        summary=summary,
        verdict=rules,
        frozen=False,
        requested_by=None,
        promoted_at=NOON,
    )
    model = ModelView(
        version=VERSION,
        lane="fast",
        parent=FORMER,
        state="champion",
        sequence=2,
        summary=summary,
        verdict=rules,
        metrics={"accuracy": 0.95, "log_loss": 0.14},
        training_images=240,
        test_images=60,
        corrections=1,
        seconds={"build": 0.02},
        trained_at=NOON,
        promoted_at=NOON,
        promotions=[promotion],
    )
    champion = ChampionView(**model.model_dump(), frozen=False, requested_by=None)
    waits = f"The first model needs 20 trusted images of each label; there are 3 of {labels[0]}, 5 of {labels[1]}."
    return {
        "list_models": Example(
            parameters={"limit": 5},
            answers={200: [model]},
            problems=(Problem(422, "invalid_request", "query.limit: Input should be less than or equal to 1000"),),
        ),
        "get_champion": Example(
            answers={200: champion},
            problems=(Problem(404, "model_unknown", f"No model is in service yet. {waits}"),),
        ),
        "get_first_model": Example(answers={200: FirstModel(waits_for=waits)}),
    }


def _of_operators() -> dict[str, Example]:
    requested = Accepted(event_id=uuid_of(TrainingRequested.topic, OPERATOR))
    return {
        "rollback": _of_gate(
            "rollback",
            FORMER,
            "It was better in the rain.",
            f"rolled back from {VERSION} to {FORMER} and froze promotions",
        ),
        "approve": _of_gate("approve", VERSION, "I looked at its answers.", f"approved {VERSION}"),
        "override": _of_gate(
            "override", VERSION, "The test images are old.", f"put {VERSION} into service despite its verdict"
        ),
        "freeze": _of_gate("freeze", None, "A new camera is tested today.", "froze promotions"),
        "unfreeze": _of_gate("unfreeze", None, "The camera is good.", "lifted the freeze of promotions"),
        "train": Example(
            body={"reason": "The images of the new camera are in."},
            answers={202: requested},
            problems=_OF_OPERATORS,
        ),
    }


_OF_OPERATORS = (NOT_OPERATOR, Problem(422, "invalid_request", "body.reason: Field required"))


def _of_gate(action: str, version: str | None, reason: str, done: str) -> Example:
    """Return the example of a request to the gate. `version` is None for those that name none, and get no 404."""
    answer = GateAnswer(
        outcome="promoted", version=version or VERSION, sequence=3, summary=f"{OPERATOR} {done}: {reason}"
    )
    accepted = Accepted(event_id=uuid_of(PromotionRequested.topic, OPERATOR, action))
    body = {"reason": reason} if version is None else {"version": version, "reason": reason}
    problems = _OF_OPERATORS if version is None else (*_OF_OPERATORS, NO_MODEL)
    return Example(body=body, answers={200: answer, 202: accepted}, problems=problems)


def _prediction(labels: Sequence[str]) -> ShownPrediction:
    return ShownPrediction(
        prediction_id=uuid_of("prediction", example_image_id()),
        label=labels[1],
        probabilities={labels[0]: 0.41, labels[1]: 0.59, **dict.fromkeys(labels[2:], 0.0)},
        model_version=FORMER,
    )
