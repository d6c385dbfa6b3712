"""What differs between how a model was made and how it would be made here and now. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from shared.contract.events import ModelTrained

Parameters = Mapping[str, str | int | float]
MACHINE = ("cpu", "blas_kernels")
NAMED = 5
"""So many image ids stand in a sentence."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that differs. `what`: "manifest", "images", "parameters", "parent", "libraries" or "cpu"."""

    what: str
    sentence: str


def differing_parameters(recorded: Parameters, here: Parameters) -> list[Finding]:
    """Return which parameters of the code have other values in this release. `replaces`, which only names a lost
    artefact, is none."""
    names = sorted((recorded.keys() | here.keys()) - {"replaces", "champion_sequence"})
    changed = [
        f"{name} was {recorded.get(name, 'not there')} and is {here.get(name, 'not there')}"
        for name in names
        if recorded.get(name) != here.get(name)
    ]
    if not changed:
        return []
    return [Finding("parameters", f"This release does not make this model any more: {'; '.join(changed)}.")]


def differing_origins(recorded: Mapping[str, str], here: Mapping[str, str]) -> list[Finding]:
    """Return which libraries, and which kind of CPU, are others than those that the model was made with."""
    if not recorded:
        return [
            Finding(
                what,
                f"The {named} it was made with {'was' if what == 'cpu' else 'were'} not written down: releases before"
                " this one did not.",
            )
            for what, named in (("libraries", "libraries"), ("cpu", "kind of CPU"))
        ]
    changed = {
        name: f"{name} {recorded.get(name) or 'none'} then, {here.get(name) or 'none'} now"
        for name in sorted(recorded.keys() | here.keys())
        if recorded.get(name) != here.get(name)
    }
    of_machine = [sentence for name, sentence in changed.items() if name in MACHINE]
    of_libraries = [sentence for name, sentence in changed.items() if name not in MACHINE]
    found = []
    if of_libraries:
        found.append(Finding("libraries", f"Other libraries: {'; '.join(of_libraries)}."))
    if of_machine:
        found.append(Finding("cpu", f"Another kind of CPU: {'; '.join(of_machine)}."))
    return found


def unreadable_images(lost: Collection[UUID], whole: int) -> list[Finding]:
    """Return that the bytes of these images, of `whole` in the manifest, are gone or others."""
    if not lost:
        return []
    named = ", ".join(str(each) for each in sorted(lost)[:NAMED])
    more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
    return [
        Finding("images", f"{len(lost)} of {whole} images are gone, hold other bytes or do not decode: {named}{more}.")
    ]


@dataclass(frozen=True, slots=True)
class Made:
    """What was made here."""

    weights_sha256: str
    artefact_sha256: str
    backbone_id: str


def verdict(recorded: ModelTrained, made: Made | None, findings: Collection[Finding]) -> str:
    """Return in a sentence whether it is the same model. `made` is None if it was not trained, because of the
    findings."""
    if made is None:
        return f"{recorded.version} cannot be made again here."
    if made.weights_sha256 == recorded.weights_sha256:
        bytes_too = (
            "its file, too, byte for byte" if made.artefact_sha256 == recorded.artefact_sha256 else "not its file"
        )
        return f"{recorded.version} is the same: all weights are equal, bit for bit; {bytes_too}."
    part = "the backbone and what follows" if made.backbone_id != recorded.backbone_id else "head or correction layer"
    blamed = "" if findings else " Nothing that is written down differs, so this is a bug: please report it."
    return f"{recorded.version} came out differently: other weights in {part}.{blamed}"
