"""Writes every file that is made from code: `make generated`. The tests compare each with what this would write.

Events are written only if no reader of an old log, and no older release, would be broken by the change.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from infra import protobuf
from infra.documents import asyncapi, events_page
from infra.documents.badges import badges
from infra.documents.compatibility import find_breaks
from infra.k8s import generate as kubernetes
from infra.observability import generate as observability
from shared.contract import access_page

DOCS = Path(__file__).parents[1] / "docs"
EVENTS = DOCS / "asyncapi.json"


def files() -> Mapping[Path, str]:
    """Return the content of each generated file."""
    return {
        **kubernetes.files(),
        **observability.files(),
        **protobuf.files(),
        EVENTS: json.dumps(asyncapi.document(), indent=1, ensure_ascii=False) + "\n",
        DOCS / "events.md": events_page.page(),
        DOCS / "access.md": access_page.page(),
        **{DOCS / "images" / name: drawn for name, drawn in badges().items()},
    }


def breaks() -> list[str]:
    """Return a sentence for each change of the events that is incompatible with what was written last."""
    if not EVENTS.exists():
        return []
    before = json.loads(EVENTS.read_text())["components"]["schemas"]
    return find_breaks(before, asyncapi.document()["components"]["schemas"])


def main() -> None:
    """Write the files that differ."""
    if found := breaks():
        sys.exit("Nothing was written: the events would change incompatibly.\n" + "\n".join(found))
    for path, content in files().items():
        if not path.exists() or path.read_text() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            sys.stdout.write(f"wrote {path.relative_to(DOCS.parent)}\n")


if __name__ == "__main__":
    main()
