"""Which artefacts may be deleted? Pure: what the tables know of models and what lies in the store in, a judgement on
each object out. When in doubt it stays."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Literal

PREFIX = "models/"


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A candidate that was announced. `served`: a promotion that counts names it. `judged`: it was rejected.
    `approvable`: it was rejected only for want of an approval, or because promotions were frozen."""

    version: str
    lane: Literal["fast", "full"]
    parent: str | None
    trained_at: datetime
    served: bool = False
    judged: bool = False
    approvable: bool = False


@dataclass(frozen=True, slots=True)
class SweepRules:
    """`newest`: how many candidates of each lane stay in any case, at least 1. `least_age`: nothing younger goes."""

    newest: int
    least_age: timedelta


@dataclass(frozen=True, slots=True)
class StoredArtefact:
    """An object below models/: when it was last put, by the clock of the store."""

    key: str
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether an object may go, and why or why not, in a few words."""

    key: str
    goes: bool
    reason: str


def judge_artefacts(
    stored: Sequence[StoredArtefact],
    models: Sequence[KnownModel],
    chosen: Mapping[str, str],
    rules: SweepRules,
    now: datetime,
) -> list[Judgement]:
    """Return what becomes of each object. `chosen`: versions that stay for another reason than that of their row, with
    that reason: the champion and the anchor.

    An object that no event names was put before its announcement, so it goes once that is overdue. If it is older than
    the oldest announcement, its events may have been on a log that is gone: then it stays."""
    kept = find_kept(models, chosen, rules.newest)
    known = {model.version for model in models}
    log_began = min((model.trained_at for model in models), default=None)

    def judge(one: StoredArtefact) -> tuple[bool, str]:
        version = version_of(one.key)
        if version is None:
            return False, "not the key of an artefact"
        if version in kept:
            return False, kept[version]
        if now - one.modified_at < rules.least_age:
            return False, "too young"
        if version in known:
            return True, "never served, and newer candidates of its lane are kept"
        if log_began is None or one.modified_at < log_began:
            return False, "older than all that the log knows"
        return True, "no event names it"

    return [Judgement(one.key, *judge(one)) for one in stored]


def find_kept(models: Sequence[KnownModel], chosen: Mapping[str, str], newest: int) -> dict[str, str]:
    """Return the versions that stay, each with the reason. What a layer was made on stays with it."""
    kept = dict(chosen)
    for model in models:
        if (reason := _reason_of(model)) is not None:
            kept.setdefault(model.version, reason)
    for lane in ("fast", "full"):
        of_lane = sorted((one for one in models if one.lane == lane), key=attrgetter("trained_at", "version"))
        for model in of_lane[-newest:]:
            kept.setdefault(model.version, f"one of the newest of the {lane} lane")
    for version in _ancestors(models, kept):
        kept.setdefault(version, "a kept layer was made on it")
    return kept


def version_of(key: str) -> str | None:
    """Return the version whose folder the object lies in; None if this is not the key of an artefact."""
    parts = key.split("/")
    return parts[1] if len(parts) == 3 and f"{parts[0]}/" == PREFIX and parts[1] and parts[2] else None


def _reason_of(model: KnownModel) -> str | None:
    if model.served:
        return "served, so one may roll back to it"
    if not model.judged:
        return "awaits its verdict"
    return "may be approved" if model.approvable else None


def _ancestors(models: Sequence[KnownModel], versions: Collection[str]) -> set[str]:
    """Return what these versions were made on: their parents, down to the full models."""
    by_version = {model.version: model for model in models}
    found, to_see = set[str](), list(versions)
    while to_see:
        model = by_version.get(to_see.pop())
        parent = None if model is None or model.lane == "full" else model.parent
        if parent is not None and parent not in found:
            found.add(parent)
            to_see.append(parent)
    return found
