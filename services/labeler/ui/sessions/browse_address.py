"""The address of Browse: the filter and the order that it shows. A reload and a copied address show the same."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args
from urllib.parse import urlencode

from pydantic import ValidationError

from shared.clients.browse import ImageFilter, Sort

SEVERAL = ("label", "trust", "by", "split", "predicted", "version", "flagged", "copies")
"""Fields of the filter that may have several values; the others have one."""
SORTS: tuple[Sort, ...] = get_args(Sort)
Address = dict[str, str | list[str]]


def read_address(params: Mapping[str, Sequence[str]]) -> tuple[ImageFilter, Sort, list[str]]:
    """Return the filter and the order in an address, and the names of what could not be read: it is left out."""
    given: dict[str, Any] = {}
    for name in ImageFilter.model_fields:
        values = [value for value in params.get(name, ()) if value]
        if values:
            given[name] = list(values) if name in SEVERAL else values[-1]
    unread: list[str] = []
    while True:
        try:
            asked = ImageFilter.model_validate(given)
            break
        except ValidationError as error:
            wrong = {str(each["loc"][0]) for each in error.errors()} & given.keys()
            unread.extend(sorted(wrong))
            given = {name: value for name, value in given.items() if name not in wrong}
    sort = next(iter(params.get("sort", ())), SORTS[0])
    return asked, sort if sort in SORTS else SORTS[0], unread


def write_address(asked: ImageFilter, sort: Sort, cursor: str | None = None) -> Address:
    """Return the parameters of the address of a page; what is not asked for is left out."""
    found: Address = {}
    for name, value in asked.params().items():
        found[name] = [str(each) for each in value] if isinstance(value, list) else _written(value)
    if sort != SORTS[0]:
        found["sort"] = sort
    if cursor is not None:
        found["cursor"] = cursor
    return found


def export_address(path: str, asked: ImageFilter, export_format: str) -> str:
    """Return the address of an export of what the filter asks for."""
    return f"{path}?{urlencode(write_address(asked, SORTS[0]) | {'format': export_format}, doseq=True)}"


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).removesuffix("T00:00:00Z")
