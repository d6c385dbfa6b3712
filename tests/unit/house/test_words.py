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


OLD_WORDS = re.compile(
    "|".join([rf"(?i:\b(?:{old})\b)" for old in PROSE] + [rf"(?<!\w)(?:{old})" for old in NAMES]),
)
"""All of them in one expression: one pass over the tree, not one for each word."""


def _files() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from (
            path for path in (ROOT / folder).rglob("*") if path.suffix in ENDINGS and "__pycache__" not in path.parts
        )
    yield from (ROOT / page for page in PAGES)


def _successor(word: str) -> str:
    """Return what to write instead of an old word."""
    prose = (new for old, new in PROSE.items() if re.fullmatch(old, word, re.IGNORECASE))
    names = (new for old, new in NAMES.items() if re.fullmatch(old, word))
    return next(prose, None) or next(names, "a word of docs/glossary.md")


def find_old_words(text: str) -> list[str]:
    """Return a line for each old word in a text: the number of the line, the word, its successor."""
    return [
        f"{number}: {match[0]!r}: write {_successor(match[0])}"
        for number, line in enumerate(text.splitlines(), 1)
        if (match := OLD_WORDS.search(line))
    ]


def test_no_old_word_is_left() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in _files()
        if path.resolve() != ITSELF
        for line in find_old_words(path.read_text())
    ]
    assert not found, f"{len(found)} old words:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "line", ["runs for ever", "whoever holds the lock", "Somebody else was first", "the newest wish", "open_log(url)"]
)
def test_an_old_word_is_found_and_its_successor_named(line: str) -> None:
    (found,) = find_old_words(line)
    assert "write" in found
