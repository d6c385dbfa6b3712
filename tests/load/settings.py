"""The settings of the load test: which installation, how hard, and what must hold (PAPPUS_LOAD_...)."""

import os
from dataclasses import dataclass

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from pappus.stack.folders import StateFolder
from pappus.stack.settings import StackSettings
from pappus.stack_client import RunningStack


class LoadSettings(BaseSettings):
    """What must hold, in each phase unless it says otherwise. A 95th percentile is in milliseconds."""

    model_config = SettingsConfigDict(env_prefix="PAPPUS_LOAD_", frozen=True, extra="ignore")

    warm_up_seconds: float = Field(default=10.0, ge=0, description="What is not measured, at the start")
    frozen_seconds: float = Field(
        default=40.0, gt=0, description="The first phase, without promotions, with the warm-up"
    )
    failure_ratio: float = Field(default=0.0, ge=0, le=1, description="Failed requests of all, at most")
    p95_predict: float = Field(default=250.0, gt=0, description="Predictions")
    p95_upload: float = Field(default=1000.0, gt=0, description="Uploads, until the image is stored")
    p95_correct: float = Field(default=500.0, gt=0, description="Corrections, until they hold")
    slow_down: float = Field(
        default=2.0, gt=0, description="95th percentile of predictions while promoting by that before"
    )
    promotions: int = Field(default=1, ge=0, description="Models promoted in the second phase, at least")


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the APIs are, and the passwords of `labeler` and `operator`."""

    predictor: str
    labeler: str
    passwords: dict[str, str]


def find_installation() -> Installation:
    """Return the installation that PAPPUS_PREDICTOR_URL, PAPPUS_LABELER_URL, PAPPUS_LABELER_PASSWORD and
    PAPPUS_OPERATOR_PASSWORD name, else the local stack of PAPPUS_STATE.

    Raises:
        StackError: no variable names an installation, and no local stack runs.
        SystemExit: some of the variables are set and others are missing.
    """
    names = ("PAPPUS_PREDICTOR_URL", "PAPPUS_LABELER_URL", "PAPPUS_LABELER_PASSWORD", "PAPPUS_OPERATOR_PASSWORD")
    given = {name: os.environ[name] for name in names if os.environ.get(name)}
    if not given:
        stack = RunningStack.find(StateFolder.at(StackSettings().state))
        return Installation(
            stack.predictor, stack.labeler, {role: login.password for role, login in stack.logins.items()}
        )
    if missing := [name for name in names if name not in given]:
        raise SystemExit(f"Set {', '.join(missing)} too, or none of these for the local stack: {', '.join(names)}.")
    predictor, labeler, *passwords = (given[name].rstrip("/") if "URL" in name else given[name] for name in names)
    return Installation(predictor, labeler, dict(zip(("labeler", "operator"), passwords, strict=True)))
