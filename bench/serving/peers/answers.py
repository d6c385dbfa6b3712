"""Whether a server answers as the model in process does: a fast server with another answer is not compared."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from bench.serving.limit import load_model
from bench.serving.load import Request
from bench.serving.peers.unavailable import Unavailable
from services.predictor.decisions.answers import answer_of
from shared.imaging.preprocessing import prepare_image

CHECKED = 20
ALLOWED = 0.02
"""By so much a probability may differ: another decoder or another average over pixels moves it by less."""
ANSWER_SECONDS = 30
REMEDY = "Servers with other answers are not compared: mend it, or leave it out with --peers."


@dataclass(frozen=True)
class Answer:
    """The label, and the probability of each label."""

    label: str
    probabilities: dict[str, float]


def some_of(photographs: Sequence[bytes]) -> Sequence[bytes]:
    """Return CHECKED of the photographs, from all parts of the list; all of them if there are fewer."""
    step = max(1, len(photographs) // CHECKED)
    return photographs[::step][:CHECKED]


def expected_answers(source: Path, photographs: Sequence[bytes]) -> list[Answer]:
    """Return what the model of `bench.serving.limit.load_model` answers in this process."""
    model = load_model(source)
    answers = [answer_of(model.answer(prepare_image(each).pixels), model.metadata) for each in photographs]
    return [Answer(answer.label, answer.probabilities) for answer in answers]


def ask(port: int, request: Request, key: str, photograph: bytes) -> Answer:
    """Ask a server of this machine. Raises Unavailable: it gives no answer, or one that cannot be read."""
    connection = HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    headers = {"Content-Type": request.content_type, "Authorization": f"Bearer {key}"}
    try:
        connection.request("POST", request.path, request.body(photograph), headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, HTTPException) as error:
        raise Unavailable(f"no answer: {error!r}") from error
    finally:
        connection.close()
    if response.status != 200:
        raise Unavailable(f"answers with status {response.status}: {body[:100]!r}")
    return read_answer(body)


def read_answer(body: bytes) -> Answer:
    """Read the body of an answer. Raises Unavailable: it has no label with probabilities."""
    try:
        found = json.loads(body)
        return Answer(str(found["label"]), {label: float(value) for label, value in found["probabilities"].items()})
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise Unavailable(f"answers with {body[:100]!r} instead of label and probabilities") from error


def largest_difference(name: str, expected: Sequence[Answer], found: Sequence[Answer], allowed: float) -> float:
    """Return by how much probabilities differ at most. Stops the command where a label differs, or one by more."""
    largest = 0.0
    for number, (wanted, got) in enumerate(zip(expected, found, strict=True), 1):
        which = f"{name} answers photograph {number} of {len(expected)}"
        if got.label != wanted.label or got.probabilities.keys() != wanted.probabilities.keys():
            raise SystemExit(f"{which} with {got}, and the model in process with {wanted}. {REMEDY}")
        differences = [abs(got.probabilities[label] - value) for label, value in wanted.probabilities.items()]
        largest = max(largest, *differences)
        if largest > allowed:
            raise SystemExit(
                f"{which} with a probability that differs by {largest:.3f} from that of the model in process;"
                f" {allowed} is allowed. {REMEDY}"
            )
    return largest
