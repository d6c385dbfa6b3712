"""The badges of the README, drawn from pyproject.toml: they need no server that draws them."""

import re
import tomllib
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
CHARACTER_PIXELS = 6.6
PADDING_PIXELS = 8
HEIGHT_PIXELS = 20
_RANGE = re.compile(r">=3\.(\d+),<3\.(\d+)")


def badges() -> Mapping[str, str]:
    """Return each badge as SVG, by the name of its file."""
    project = tomllib.loads(PROJECT.read_text())["project"]
    return {
        "badge-python.svg": draw("Python", " | ".join(python_versions(project["requires-python"])), "#0969da"),
        "badge-licence.svg": draw("licence", _licence(project), "#1a7f37"),
    }


def python_versions(required: str) -> list[str]:
    """Return the minor versions in a range such as >=3.11,<3.13. Raises ValueError for another form."""
    found = _RANGE.fullmatch(required)
    if found is None:
        raise ValueError(f"requires-python is {required!r}: write it as >=3.A,<3.B, or teach the badge another form.")
    return [f"3.{minor}" for minor in range(int(found[1]), int(found[2]))]


def draw(name: str, value: str, colour: str) -> str:
    """Return a badge: the name on grey, the value on `colour`, in white on both."""
    left, right = _width(name), _width(value)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{HEIGHT_PIXELS}" role="img"'
        f' aria-label="{escape(name)}: {escape(value)}">\n'
        f"  <title>{escape(name)}: {escape(value)}</title>\n"
        f'  <clipPath id="round"><rect width="{left + right}" height="{HEIGHT_PIXELS}" rx="3"/></clipPath>\n'
        f'  <g clip-path="url(#round)">\n'
        f'    <rect width="{left}" height="{HEIGHT_PIXELS}" fill="#57606a"/>\n'
        f'    <rect x="{left}" width="{right}" height="{HEIGHT_PIXELS}" fill="{colour}"/>\n'
        f"  </g>\n"
        f'  <g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">\n'
        f'    <text x="{left / 2:g}" y="14">{escape(name)}</text>\n'
        f'    <text x="{left + right / 2:g}" y="14">{escape(value)}</text>\n'
        f"  </g>\n"
        f"</svg>\n"
    )


def _width(text: str) -> int:
    return round(len(text) * CHARACTER_PIXELS) + 2 * PADDING_PIXELS


def _licence(project: Mapping[str, Any]) -> str:
    return str(project["license"])
