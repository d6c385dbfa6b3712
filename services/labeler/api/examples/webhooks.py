"""Another program hears of each correction."""

from uuid import UUID

from services.labeler.api.examples.models import OF_OPERATORS
from services.labeler.api.examples.story import NOON, OPERATOR
from services.labeler.api.problems import of_refusal
from services.labeler.commands.webhooks import webhook_unknown
from shared.clients.webhooks import NewWebhook, WebhookView
from shared.http.examples import Example
from shared.http.problems import Problem

WEBHOOK = UUID("6f1d2c8e-0b7a-4c55-9d3e-2f8a4b6c7d90")
URL = "https://hooks.example/pappus"


def of_webhooks() -> dict[str, Example]:
    """Return the examples of the routes about webhooks."""
    webhook = WebhookView(
        webhook_id=WEBHOOK, url=URL, types=["label.corrected"], made_by=OPERATOR, made_at=NOON, delivered=42
    )
    stopped = webhook.model_copy(update={"failures": 12, "stopped_at": NOON, "last_error": "It answered 500."})
    new = NewWebhook(**dict(webhook), secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")  # noqa: S106 - an example
    of_one = (OF_OPERATORS[0], of_refusal(webhook_unknown(WEBHOOK)), Problem(422, "invalid_request", "path.webhook_id"))
    return {
        "list_webhooks": Example(answers={200: [stopped]}, problems=OF_OPERATORS[:1]),
        "add_webhook": Example(
            body={"url": URL, "types": ["label.corrected"]},
            answers={201: new},
            problems=(OF_OPERATORS[0], Problem(422, "address_forbidden", "10.0.0.1 is a private address.")),
        ),
        "resume_webhook": Example(parameters={"webhook_id": WEBHOOK}, answers={200: webhook}, problems=of_one),
        "remove_webhook": Example(parameters={"webhook_id": WEBHOOK}, answers={200: webhook}, problems=of_one),
    }
