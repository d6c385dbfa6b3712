"""An API answers as its OpenAPI document says to every request."""

import asyncio
import random
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import schemathesis
from fastapi import FastAPI
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.python.asgi import shutdown_lifespans

from shared.testing import eventually
from tests.profiles import examples, is_the_same_each_time
from tests.unit.predictor.small_model import picture

CHECKS = {
    "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "503"]},  # a 503 has to be described, too
    # A list that is longer than described may also be a body that is too large.
    "negative_data_rejection": {
        "expected-statuses": ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429", "5xx"]
    },
    # No schema says of bytes that they are an image: what fits is 422 or 400 all the same.
    "positive_data_acceptance": {"enabled": False},
    # Keys are described as one scheme, and the middleware that asks for them stands before all routes.
    "ignored_auth": {"enabled": True},
}
"""Which of schemathesis' checks run: all but these differences."""
PHASES = ("examples", "coverage", "fuzzing")
"""The examples of the document; each keyword of each schema at its limits and beyond; generated requests."""

schemathesis.openapi.format("binary", st.sampled_from([picture(), picture(255, 0, 0)]) | st.binary())


def check_api(
    app: FastAPI,
    ready: Callable[[], bool],
    headers: Mapping[str, str] | None = None,
    *,
    times: float = 0.25,
    phases: Sequence[str] = PHASES,
) -> int:
    """Send generated requests, valid and invalid, to each operation of an application once it is ready. Its lifespan
    runs on an event loop in another thread until this returns. `times`: as in `examples`, of each operation. `phases`:
    those that run. Returns how many requests were sent.

    Raises:
        AssertionError: an answer was a 5xx other than a described 503, had a status, a content type, a header or a body
            that the document does not describe, took an invalid request for a valid one, or needed no key.
    """
    config = SchemathesisConfig.from_dict(
        {
            "seed": 1 if is_the_same_each_time() else random.getrandbits(64),
            "workers": 1,
            "headers": dict(headers or {}),
            "request-timeout": 120,  # some answers wait for news
            "generation": {"max-examples": examples(times).max_examples, "deterministic": is_the_same_each_time()},
            "checks": CHECKS,
            "phases": {name: {"enabled": name in phases} for name in (*PHASES, "stateful")},
            "continue-on-failure": True,
        }
    )
    try:
        schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config)
        asyncio.run(eventually(ready, 60))
        with warnings.catch_warnings():
            # A thread of the application may use `random` meanwhile, which hypothesis takes for the strategy's doing.
            warnings.filterwarnings("ignore", "Do not use the `random` module inside strategies")
            finished = list(from_schema(schema).execute())
    finally:
        shutdown_lifespans()
    faults = list(_faults(finished))
    assert not faults, "\n\n".join(faults[:10])
    return sum(len(each.recorder.cases) for each in finished if isinstance(each, events.ScenarioFinished))


def _faults(finished: Sequence[events.EngineEvent]) -> Iterator[str]:
    """Yield each answer that was wrong, with the request as a command."""
    for event in finished:
        if isinstance(event, events.FatalError):
            yield f"the run stopped: {event.exception!r}"
        elif isinstance(event, events.NonFatalError):
            yield f"{event.label}: {event.value!r}"
        elif isinstance(event, events.ScenarioFinished):
            for checks in event.recorder.checks.values():
                for check in checks:
                    if check.status is not Status.SUCCESS and check.failure_info is not None:
                        found = check.failure_info
                        yield f"{event.label}: {check.name}: {found.failure}\n{found.code_sample}"
