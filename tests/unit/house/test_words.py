"""The code, the documents and the pages use the words of the field (docs/glossary.md), and no private dialect.

Topics, event fields, SQL and names of commands are a contract and stay as they are.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDERS = ("services", "shared", "pappus", "bench", "tests", "docs", ".github")
PAGES = ("README.md", "CONTRIBUTING.md", "Makefile")
ENDINGS = {".py", ".md", ".toml", ".yml", ".yaml", ".json"}

PROSE = {
    r"for ever|forever": "until cancelled, without end",
    r"who(so)?ever": "name the reader, the caller or the process",
    r"whatever": "name what is meant",
    r"nobody(?![`\"])|no one": "no person, no process, none",
    r"(some|any|every)body('s)?": "a person, a process, all subscribers",
    r"hostage|to blame|culprit": "block; responsible",
    r"bur(y|ies|ied)": "send to the dead-letter topic",
    r"patience": "timeout, retry limit",
    r"wish(es|ed)?": "request, target, reason",
    r"(?<!dead[ -_])(?<!-)letters? (for|of) (a|the) record": "dead letter",
    r"let(s|ting)? go": "release",
    r"bare hands": "raw sockets",
    r"gives? way": "runs at low priority",
}
"""Phrases of prose (in any case), and what to write instead."""

NAMES = {
    r"_bury|_handled_or_buried": "_send_to_dlq, _process_or_dead_letter",
    r"KafkaLog|MemoryLog|open_log": "KafkaEventLog, MemoryEventLog, open_event_log",
    r"committed_notes": "committed_offsets",
    r"Taken": "PartitionState",
    r"[Aa]ppliers?|APPLIERS?": "Projector, projectors",
    r"caught_up\(|\bfolded\(": "wait_until_caught_up, wait_until_projected",
    r"let_go_channel|_said_if_it_lasts|STAND_BACK_SECONDS": "release_lock_channel, _report_after_delay",
    r"\w*PATIENCE\w*|\w*patience_seconds": "VERDICT_TIMEOUT, retry_for_seconds, kafka_wait_seconds",
    r"InService|class Serving\b": "ModelHolder, ServingModel",
    r"Contestants?|_rivals?": "EvaluatedModel, _baselines",
    r"Examiner|Examination|Circumstances": "Evaluator, Evaluation, GateInputs",
    r"class Damage|_culprit": "Regressions, _most_responsible_correction",
    r"gather_material": "load_evaluation_data",
    r"Situation": "FastLaneState, RequestContext",
    r"IfItLoads|IfItIsGood": "RequiresLoad, RequiresEvaluation",
    r"CannotMake": "CandidateBuildError",
    r"WarmChild|class Warming": "WorkerProcess, FeaturePrefetcher",
    r"\w*[a-z]Wish\b|_Wish|\bWish\b": "_DueReason, CorrectionRequest, PendingCorrection",
    r"LatePublisher|class Sending": "ReconnectingPublisher, CommandBus",
    r"class Desk|class Work\b|class Presses": "ReviewSession, UploadSession, ClickGuard",
    r"class Part\b|RESTING|gives_way|class Wanted": "Component, BACKOFF, low_priority, DesiredState",
    r"class Standing|take_in\(": "RowStatus, ingest_and_wait",
    r"WhyThisModel|class Why\b|_became\b": "VersionReasonBody, ReasonBody, _outcome",
    r"class Limited|class Traced": "BodyLimitMiddleware, TraceMiddleware",
    r"gate_keeper|GateKeeper": "gate, GateHandlers",
}
"""Names of the code, and their successors."""

ITSELF = Path(__file__).resolve()


def _files() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from (
            path for path in (ROOT / folder).rglob("*") if path.suffix in ENDINGS and "__pycache__" not in path.parts
        )
    yield from (ROOT / page for page in PAGES)


def _findings() -> list[str]:
    patterns = [(re.compile(rf"\b({old})\b", re.IGNORECASE), new) for old, new in PROSE.items()]
    patterns += [(re.compile(rf"(?<!\w)(?:{old})"), new) for old, new in NAMES.items()]
    found = []
    for path in _files():
        if path.resolve() == ITSELF:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for pattern, new in patterns:
                if match := pattern.search(line):
                    found.append(f"{path.relative_to(ROOT)}:{number}: {match[0]!r}: write {new}")
    return found


def test_no_old_word_is_left() -> None:
    found = _findings()
    assert not found, f"{len(found)} old words:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "line", ["runs for ever", "whoever holds the lock", "Somebody else was first", "the newest wish", "open_log(url)"]
)
def test_an_old_word_would_be_found(line: str) -> None:
    prose = any(re.search(rf"\b({old})\b", line, re.IGNORECASE) for old in PROSE)
    names = any(re.search(rf"(?<!\w)(?:{old})", line) for old in NAMES)
    assert prose or names
