"""What the description says above the routes, and all examples together."""

from collections.abc import Mapping, Sequence

from services.labeler.api.examples.classes import of_classes
from services.labeler.api.examples.events import of_events
from services.labeler.api.examples.feedback import of_feedback
from services.labeler.api.examples.images import of_images
from services.labeler.api.examples.labels import of_labels
from services.labeler.api.examples.lineage import of_lineage
from services.labeler.api.examples.live import of_live
from services.labeler.api.examples.model_history import of_model_history
from services.labeler.api.examples.models import of_models, of_operators
from services.labeler.api.examples.people import of_people
from services.labeler.api.examples.review import of_review
from services.labeler.api.examples.session import of_session
from services.labeler.api.examples.sign_on import of_sign_on
from services.labeler.api.examples.webhooks import of_webhooks
from services.labeler.api.examples.withdrawals import of_withdrawals
from shared.http.docs import PICTURE
from shared.http.examples import Example
from shared.http.problems import Problem

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
    "classes": "See what images can show. Operators add classes and rename them, while everything runs.",
    "models": "See the models, what the gate said about them, and drifts. Operators roll back, approve, freeze, train.",
    "people": "See who may log in and what each person decided. Admins add people and change what they may do.",
    "events": "Follow what happens, and see whether all parts keep up.",
}
PROBLEMS = (
    Problem(
        401,
        "unauthorised",
        "There is no session. Log in with POST /login or POST /token, and send the token as Authorization: Bearer"
        " <token>.",
    ),
    Problem(
        410,
        "image_withdrawn",
        "Image 1f0c7a52-91d4-5e0b-8c11-7a3b5d0e6f20 was withdrawn by operator on 2026-05-04: The owner of the picture"
        " asks for it. Its bytes are gone, and stay away.",
    ),
    Problem(422, "invalid_request", "body.revision: Field required"),
)


def examples_of(labels: Sequence[str], model_name: str, with_provider: bool = False) -> Mapping[str, Example]:
    """Return the examples of an installation with these labels (two or more), by the names of the routes. The first
    label is that of the picture. `with_provider`: with the routes that log in with one."""
    return {
        **of_session(),
        **(of_sign_on() if with_provider else {}),
        **of_images(labels),
        **of_labels(labels, model_name),
        **of_feedback(labels),
        **of_classes(labels),
        **of_review(labels),
        **of_models(labels),
        **of_operators(),
        **of_model_history(labels),
        **of_lineage(labels),
        **of_withdrawals(),
        **of_people(),
        **of_events(labels),
        **of_live(labels),
        **of_webhooks(),
    }
