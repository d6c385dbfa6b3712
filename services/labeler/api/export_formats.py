"""Exports without pictures: CSV, and COCO's JSON for classification. Each is written while the images are read."""

import csv
import json
from collections.abc import AsyncIterator, Mapping
from io import StringIO
from tempfile import SpooledTemporaryFile

from services.labeler.decisions.exported_names import file_name
from services.labeler.queries.exports import Exported

COLUMNS = (
    "image_id",
    "name",
    "sha256",
    "label",
    "no_label",
    "trust",
    "by",
    "decided_at",
    "split",
    "answer",
    "confidence",
    "model_version",
    "stored_at",
)
SPOOLED_BYTES = 1_000_000
"""More than this of what has to wait for the end is kept in a file."""
Folders = Mapping[str | None, str]


def facts(row: Exported) -> dict[str, object]:
    """Return what an export says of an image, by COLUMNS."""
    flagged, confidence = row["flagged"], row["confidence"]
    return {
        "image_id": str(row["image_id"]),
        "name": row["name"],
        "sha256": row["sha256"],
        "label": row["label"],
        "no_label": None if flagged == "unlabelled" else flagged,
        "trust": row["trust"],
        "by": row["decided_by"],
        "decided_at": None if row["decided_at"] is None else row["decided_at"].isoformat(),
        "split": row["side"],
        "answer": row["predicted"],
        "confidence": None if confidence is None else round(confidence, 6),
        "model_version": row["model_version"],
        "stored_at": row["stored_at"].isoformat(),
    }


def exported_path(row: Exported, folders: Folders) -> str:
    """Return where the picture of an image is in an archive with a folder for each label."""
    return f"{folders[row['label']]}/{file_name(row['name'], row['image_id'], row['image_format'])}"


async def csv_of(images: AsyncIterator[Exported]) -> AsyncIterator[bytes]:
    """Yield CSV (RFC 4180, UTF-8) with COLUMNS. A text that a spreadsheet would compute (=, +, -, @) begins with an
    apostrophe (OWASP, CSV injection)."""
    yield _csv_line(COLUMNS)
    async for row in images:
        yield _csv_line([_as_text(value) for value in facts(row).values()])


def _as_text(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value


def _csv_line(values: object) -> bytes:
    line = StringIO()
    csv.writer(line).writerow(values)  # type: ignore[arg-type]
    return line.getvalue().encode()


async def coco_of(images: AsyncIterator[Exported], folders: Folders) -> AsyncIterator[bytes]:
    """Yield a JSON document as COCO's, for classification: categories, images, and an annotation for each image with a
    label. `file_name` is that in the archive with a folder for each label."""
    categories = {label: number for number, label in enumerate((each for each in folders if each is not None), 1)}
    listed = [{"id": number, "name": label} for label, number in categories.items()]
    yield f'{{"info": {{"description": "Pappus"}}, "categories": {json.dumps(listed)}, "images": ['.encode()
    with SpooledTemporaryFile(max_size=SPOOLED_BYTES) as annotations:
        number = 0
        async for row in images:
            number += 1
            image = {
                "id": number,
                "file_name": exported_path(row, folders),
                "width": row["width"],
                "height": row["height"],
            }
            yield (", " if number > 1 else "").encode() + json.dumps(image | facts(row)).encode()
            if row["label"] is not None:
                annotation = {"id": number, "image_id": number, "category_id": categories[row["label"]]}
                annotations.write((b", " if annotations.tell() else b"") + json.dumps(annotation).encode())
        yield b'], "annotations": ['
        annotations.seek(0)
        while chunk := annotations.read(SPOOLED_BYTES):
            yield chunk
        yield b"]}"
