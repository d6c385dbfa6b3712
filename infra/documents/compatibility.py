"""What a change of the events would break for those who read old logs, or run an older release. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

Schemas = Mapping[str, Mapping[str, Any]]


def find_breaks(before: Schemas, after: Schemas) -> list[str]:
    """Return a sentence for each incompatible change of these JSON schemas, by name: a schema or a field that is gone,
    a field that old events lack and new readers insist on, a type or a value that old events have and that is no longer
    taken. Adding optional fields, schemas, types and values is no break."""
    return [
        sentence
        for name, old in before.items()
        for sentence in ([f"{name} is gone."] if name not in after else _breaks(name, old, after[name]))
    ]


def _breaks(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    known, found = old.get("properties", {}), new.get("properties", {})
    for field in sorted(known.keys() - found.keys()):
        yield f"{name}.{field} is gone: keep it, readers of old logs and older releases expect it."
    for field in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        yield f"{name}.{field} is required now: give it a default, old events lack it."
    for field in sorted(known.keys() & found.keys()):
        lost = _kinds(known[field]) - _kinds(found[field])
        if lost:
            yield f"{name}.{field} no longer takes {', '.join(sorted(lost))}: old events have it."


def _kinds(schema: Mapping[str, Any]) -> set[str]:
    """Return what a field takes, each as a word: types, references, the values of an enumeration."""
    if "anyOf" in schema:
        return {kind for each in schema["anyOf"] for kind in _kinds(each)}
    if "$ref" in schema:
        return {str(schema["$ref"]).rpartition("/")[2]}
    if "enum" in schema:
        return {f"the value {value!r}" for value in schema["enum"]}
    if "const" in schema:
        return {f"the value {schema['const']!r}"}
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        items = schema.get("items") or {}
        return {f"a list of {each}" for each in _kinds(items)}
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return {f"a map to {each}" for each in _kinds(schema["additionalProperties"])}
    return {kind}
