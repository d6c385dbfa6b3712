"""Valid messages made wrong, byte by byte or value by value, as strategies that hypothesis can shrink."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

PIECES = (
    *(b"\x00", b"\xff" * 4, b"\xff\xff\xff\x7f", b"\x80" * 10, b"-1", b"+1", b"1e309", b"NaN", b"Infinity", b"9" * 30),
    *(b"\r", b"\n", b"\r\n", b"\r\n\r\n", b": ", b" ", b"\t", b'"', b"{", b"}", b"[", b"]", b",", b"null", b"\\ud800"),
    *(b"\xed\xa0\x80", b"\xfe\xff", b"[" * 3_000, b'{"a":' * 3_000, b"A" * 70_000),
)
"""What parsers stumble over."""
NASTY: st.SearchStrategy[Any] = (
    st.sampled_from(
        [None, True, "", "\ud800", "\x00", [], {}, [[]], [{}], -1, 0, 2**31, 2**63, 2**64, -(2**63), 10**40]
    )
    | st.sampled_from([0.5, float("nan"), float("inf"), -0.0, 1e308, "NaN", "9" * 5_000, "é", [0] * 1_000])
    | st.integers(1, 300).map(lambda depth: json.loads("[" * depth + "]" * depth))
)
"""Values that no field of JSON expects."""
_Edit = tuple[str, float, float, bytes]
_EDITS: st.SearchStrategy[_Edit] = st.tuples(
    st.sampled_from(["flip", "insert", "replace", "delete", "repeat", "cut"]),
    st.floats(0, 1, exclude_max=True),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from(PIECES) | st.binary(min_size=1, max_size=4),
)


def mutated(messages: st.SearchStrategy[bytes], most: int = 4) -> st.SearchStrategy[bytes]:
    """Return messages with 1 to `most` edits: a bit flipped, bytes put in, overwritten, deleted or repeated, the end
    cut off."""
    return st.builds(_edited, messages, st.lists(_EDITS, min_size=1, max_size=most))


def with_wrong_values(documents: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return JSON documents of which one value is another one, or missing."""
    return st.builds(_replaced, documents, st.floats(0, 1, exclude_max=True), NASTY, st.booleans())


def _edited(message: bytes, edits: list[_Edit]) -> bytes:
    for kind, start, length, piece in edits:
        at = int(start * (len(message) + 1))
        end = at + 1 + int(length * min(len(message) - at, 40))
        if kind == "flip" and at < len(message):
            message = message[:at] + bytes([message[at] ^ 1 << int(length * 8)]) + message[at + 1 :]
        elif kind == "insert":
            message = message[:at] + piece + message[at:]
        elif kind == "replace":
            message = message[:at] + piece + message[at + len(piece) :]
        elif kind == "delete":
            message = message[:at] + message[end:]
        elif kind == "repeat":
            message = message[:end] + message[at:]
        elif kind == "cut":
            message = message[:at]
    return message


def _replaced(document: Any, which: float, value: Any, missing: bool) -> Any:
    """Return a copy of a document without one of its values, or with another one in its place."""
    copy = json.loads(json.dumps(document))
    places = list(_places(copy))
    if not places:
        return value
    inside, key = places[int(which * len(places))]
    if missing:
        del inside[key]
    else:
        inside[key] = value
    return copy


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the place of each value in a document: what it is in, and its key or number."""
    if isinstance(document, dict | list):
        for key, value in document.items() if isinstance(document, dict) else enumerate(document):
            yield document, key
            yield from _places(value)
