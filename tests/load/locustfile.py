"""People who ask for predictions, upload photographs and label them, all at once: `make load`.

For PAPPUS_LOAD_FROZEN_SECONDS promotions are frozen, then the labels make models and these are promoted, while the load
goes on. At the end the thresholds of tests/load/settings.py decide the exit code. Pictures are drawn, and labelled as
they were drawn, so that the installation learns nothing false; still, use one whose data you can do without.
"""

import random
from itertools import count
from typing import Any
from uuid import uuid4

import gevent
import requests
from locust import HttpUser, constant_pacing, events, task
from locust.env import Environment

from pappus.demo.drawing import DRAWN_LABELS, draw
from tests.load.settings import LoadSettings, find_installation
from tests.load.thresholds import FROZEN, PROMOTING, Figures, judge

SETTINGS = LoadSettings()
INSTALLATION = find_installation()
FIGURES = Figures()
SEED = random.SystemRandom().randrange(2**31)
"""Of the drawings: each run uploads pictures that the installation has never seen."""
NUMBERS = count()
PICTURES = [draw(label, number) for label in DRAWN_LABELS for number in range(20)]
"""For predictions."""


class Phase:
    """The phase that requests are counted in, None while the load warms up, and the promotions there were before it."""

    current: str | None = None
    promoted_before = 0


class Visitor(HttpUser):
    """Asks for a prediction, four times a second."""

    host = INSTALLATION.predictor
    wait_time = constant_pacing(0.25)
    weight = 2

    @task
    def predict(self) -> None:
        """Ask about one picture."""
        picture = random.choice(PICTURES)
        self.client.post("/predict", files={"file": ("drawn.jpg", picture)}, name="predict")


class Labeler(HttpUser):
    """Uploads a picture and says what is on it, once a second."""

    host = INSTALLATION.labeler
    wait_time = constant_pacing(1.0)
    weight = 1

    def on_start(self) -> None:
        """Log in."""
        self.client.headers.update(authorisation("labeler"))

    @task
    def upload_and_label(self) -> None:
        """Upload a picture; once it is stored, label it."""
        label = random.choice(DRAWN_LABELS)
        picture = draw(label, next(NUMBERS), SEED)
        key = {"Idempotency-Key": str(uuid4())}
        answer = self.client.post("/images", files={"file": ("drawn.jpg", picture)}, headers=key, name="upload")
        if answer.ok and (stored := answer.json()).get("state") == "stored":
            body = {"label": label, "revision": stored["revision"], "reason": "load test"}
            path = f"/images/{stored['image_id']}/label"
            self.client.post(path, json=body, headers={"Idempotency-Key": str(uuid4())}, name="correct")


def authorisation(name: str) -> dict[str, str]:
    """Return the header of a session of this user. Raises requests.RequestException."""
    credentials = {"name": name, "password": INSTALLATION.passwords[name]}
    answer = requests.post(f"{INSTALLATION.labeler}/login", json=credentials, timeout=30)
    answer.raise_for_status()
    return {"authorization": f"Bearer {answer.json()['token']}"}


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def start_phases(environment: Environment, **_: Any) -> None:
    """Freeze promotions, and let them go on after PAPPUS_LOAD_FROZEN_SECONDS."""
    _ask_gate("freeze")
    gevent.spawn(_run_phases)


def _run_phases() -> None:
    gevent.sleep(SETTINGS.warm_up_seconds)
    Phase.promoted_before, Phase.current = _promotions(), FROZEN
    gevent.sleep(max(0.0, SETTINGS.frozen_seconds - SETTINGS.warm_up_seconds))
    _count_promotions()
    _ask_gate("unfreeze")
    Phase.current = PROMOTING


def _count_promotions() -> None:
    """Write down the promotions of the phase that ends."""
    promoted = _promotions()
    if Phase.current is not None:
        FIGURES.promotions[Phase.current] = promoted - Phase.promoted_before
    Phase.promoted_before = promoted


@events.request.add_listener  # type: ignore[untyped-decorator]
def measure(name: str, response_time: float, exception: Exception | None = None, **_: Any) -> None:
    """Count one request in the phase that it ended in."""
    if Phase.current is not None:
        FIGURES.add(Phase.current, name, response_time, None if exception is None else repr(exception))


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def stop_phases(environment: Environment, **_: Any) -> None:
    """Count the promotions of the last phase, and leave none frozen."""
    _count_promotions()
    if Phase.current != PROMOTING:
        _ask_gate("unfreeze")


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def decide(environment: Environment, **_: Any) -> None:
    """Print the figures and each threshold that does not hold, and set the exit code."""
    wrong = judge(FIGURES, SETTINGS)
    for line in [*FIGURES.lines(), *(f"NOT HELD: {sentence}" for sentence in wrong)]:
        print(line)  # noqa: T201 - the result
    environment.process_exit_code = 1 if wrong else 0


def _ask_gate(action: str) -> None:
    answer = requests.post(
        f"{INSTALLATION.labeler}/models/{action}",
        json={"reason": "load test"},
        headers={**authorisation("operator"), "Idempotency-Key": str(uuid4())},
        timeout=30,
    )
    answer.raise_for_status()


def _promotions() -> int:
    """Return how often a model was promoted, ever."""
    answer = requests.get(
        f"{INSTALLATION.labeler}/models", params={"limit": 1000}, headers=authorisation("operator"), timeout=30
    )
    answer.raise_for_status()
    return sum(len(model["promotions"]) for model in answer.json())
