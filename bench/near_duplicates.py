"""Are copies of photographs found, is anything else taken for a copy, and how long does a search take?

Usage: python -m bench.near_duplicates --images FOLDER [--hashes 10000 1000000]      (FOLDER holds <label>/*.jpg)

Of 50 photographs copies are made: resized, encoded again, mirrored, cropped to 0.8 of both sides at least, and mixtures
of these; each is looked for among all photographs of the folder. Recall: copies whose original is found; precision:
found photographs that are the original, or resemble it themselves. Then a table of looks on a PostgreSQL of its own is
filled with mixtures of photographs up to so many hashes, and the same copies are looked for there: their p95, beside
the time that the ingestor needs anyway to examine such a file, in the same run.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import cv2
import numpy as np
from numpy.typing import NDArray

from pappus.stack import Servers
from pappus.stack.testing import servers_in
from services.ingestor.data.looks import Looks
from services.ingestor.data.projection import MIGRATIONS
from services.ingestor.decisions.images import Acceptance, examine
from services.ingestor.decisions.looks import WINDOWS, Look, find_candidates, is_copy, look_of, read_hashes
from shared.imaging.decoding import decode
from shared.tables.database import Database

Pixels = NDArray[np.uint8]
ORIGINALS = 50
LOOKED_FOR = 200
AT_ONCE = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=Path, required=True, help="folder of <label>/*.jpg")
    parser.add_argument("--hashes", type=int, nargs="*", default=[10_000, 1_000_000], help="in the searched table")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    files = sorted(arguments.images.glob("*/*.jpg"))
    if len(files) < ORIGINALS:
        parser.error(f"There are fewer than {ORIGINALS} <label>/*.jpg in {arguments.images}.")
    random_numbers = random.Random(arguments.seed)
    photographs = [decode(file.read_bytes()) for file in files]
    looks = [look_of(photograph) for photograph in photographs]
    chosen = random_numbers.sample(range(len(files)), ORIGINALS)
    copies = [(index, kind, copy) for index in chosen for kind, copy in _copies(photographs[index], random_numbers)]
    _measure_finds(files, looks, copies)
    examined = _examine_seconds([files[index].read_bytes() for index in chosen])
    queries = [look_of(copy) for _, _, copy in random_numbers.sample(copies, LOOKED_FOR)]
    with tempfile.TemporaryDirectory(prefix="pappus-bench-") as folder:
        Path(folder).chmod(0o711)
        with servers_in(Path(folder) / "state", ("postgres",)) as servers:
            for hashes in arguments.hashes:
                asyncio.run(_measure_lookups(servers, photographs, queries, hashes, examined))


def _copies(photograph: Pixels, random_numbers: random.Random) -> Iterator[tuple[str, Pixels]]:
    """Return copies of a photograph, each with its kind; all are encoded again."""
    mirrored = np.ascontiguousarray(photograph[:, ::-1])
    yield "encoded at quality 30", _encoded(photograph, 30)
    yield "encoded as WebP", _encoded(photograph, 50, ".webp")
    for scale in (0.3, 0.5, 1.6):
        yield f"resized to {scale}", _encoded(_resized(photograph, scale), 85)
    yield "mirrored", _encoded(mirrored, 85)
    yield "mirrored, resized to 0.5", _encoded(_resized(mirrored, 0.5), 50)
    for kept in (0.95, 0.9, 0.85, 0.8):
        yield f"cropped to {kept}", _encoded(_cropped(photograph, kept, kept, random_numbers), 85)
    yield "width cropped to 0.85", _encoded(_cropped(photograph, 0.85, 1.0, random_numbers), 85)
    yield "height cropped to 0.85", _encoded(_cropped(photograph, 1.0, 0.85, random_numbers), 85)
    width, height = random_numbers.uniform(0.8, 0.98), random_numbers.uniform(0.8, 0.98)
    yield "cropped freely to 0.8 to 0.98", _encoded(_cropped(photograph, width, height, random_numbers), 85)
    cropped = _resized(_cropped(mirrored, 0.88, 0.88, random_numbers), 0.6)
    yield "mirrored, cropped to 0.88, resized to 0.6", _encoded(cropped, 70)


def _encoded(pixels: Pixels, quality: int, suffix: str = ".jpg") -> Pixels:
    flag = cv2.IMWRITE_JPEG_QUALITY if suffix == ".jpg" else cv2.IMWRITE_WEBP_QUALITY
    _, data = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [flag, quality])
    return decode(data.tobytes())


def _resized(pixels: Pixels, scale: float) -> Pixels:
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=method), np.uint8)


def _cropped(pixels: Pixels, width: float, height: float, random_numbers: random.Random) -> Pixels:
    rows, columns = round(pixels.shape[0] * height), round(pixels.shape[1] * width)
    top, left = random_numbers.randint(0, pixels.shape[0] - rows), random_numbers.randint(0, pixels.shape[1] - columns)
    return np.ascontiguousarray(pixels[top : top + rows, left : left + columns])


def _found(look: Look, looks: Sequence[Look]) -> set[int]:
    """Return which of the pictures are found to be copies of this one."""
    candidates = find_candidates(look, read_hashes(b"".join(each.hashes for each in looks)))
    return {each.place for each in candidates if is_copy(look, each, looks[each.place].thumbnail)}


def _measure_finds(files: Sequence[Path], looks: Sequence[Look], copies: Sequence[tuple[int, str, Pixels]]) -> None:
    alike = [_found(look, looks) for look in looks]
    for pair in {tuple(sorted((index, other))) for index, found in enumerate(alike) for other in found - {index}}:
        print(
            "photographs that resemble each other:",
            *(f"{files[index].parent.name}/{files[index].name}" for index in pair),
        )
    right: dict[str, list[bool]] = defaultdict(list)
    matched, wrong = 0, 0
    for index, kind, copy in copies:
        found = _found(look_of(copy), looks)
        right[kind].append(index in found)
        matched += len(found)
        wrong += len(found - alike[index])
    for kind, hits in right.items():
        print(f"{kind}: {sum(hits)} of {len(hits)} found")
    hits = [hit for each in right.values() for hit in each]
    print(f"recall {np.mean(hits):.3f} of {len(hits)} copies, precision {1 - wrong / matched:.3f} ({wrong} wrong)")


def _examine_seconds(files: Sequence[bytes]) -> float:
    """Return the median time of what the ingestor does with a file before it decides."""
    spent = []
    for data in files:
        started = time.perf_counter()
        examine(data, Acceptance())
        spent.append(time.perf_counter() - started)
    return float(np.median(spent))


def _mixtures(photographs: Sequence[Pixels], number: int) -> Iterator[Look]:
    """Return the looks of so many pictures, each mixed of three photographs, so that no two are copies."""
    numbers = np.random.default_rng(0)
    small = [cv2.resize(each, (128, 128), interpolation=cv2.INTER_AREA).astype(np.float32) for each in photographs]
    for _ in range(number):
        one, other, third = (small[index] for index in numbers.choice(len(small), 3, replace=False))
        share, rest = numbers.uniform(0.4, 0.6), numbers.uniform(0.3, 0.7)
        mixed = share * one + (1 - share) * (rest * other[:, ::-1] + (1 - rest) * third[::-1])
        contrast = one.std() / mixed.std()  # of a mixture it is lower
        yield look_of(np.clip((mixed - mixed.mean()) * contrast + mixed.mean(), 0, 255).astype(np.uint8))


async def _measure_lookups(
    servers: Servers, photographs: Sequence[Pixels], queries: Sequence[Look], hashes: int, examined: float
) -> None:
    schema = f"bench_{uuid4().hex[:8]}"
    async with Database.open(servers.database_url("postgres"), schema, MIGRATIONS) as database:
        looks = list(_mixtures(photographs, hashes // WINDOWS - len(photographs))) + [look_of(p) for p in photographs]
        for start in range(0, len(looks), AT_ONCE):
            rows = [(uuid4(), str(uuid4()), each.hashes, each.thumbnail) for each in looks[start : start + AT_ONCE]]
            async with database.transaction() as transaction:
                await transaction.executemany(
                    "INSERT INTO looks (image_id, group_id, hashes, thumbnail) VALUES ($1, $2, $3, $4)", rows
                )
        searched = Looks(database)
        started = time.perf_counter()
        await searched.compare([queries[0]])
        read = time.perf_counter() - started
        spent = []
        for look in queries:
            started = time.perf_counter()
            await searched.compare([look])
            spent.append(time.perf_counter() - started)
        p50, p95 = np.quantile(spent, [0.5, 0.95])
        print(
            f"{len(looks) * WINDOWS:,} hashes, {len(looks):,} images: p50 {p50 * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms,"
            f" {p95 / examined:.1f} times what examining a file takes ({examined * 1000:.1f} ms);"
            f" read at the start in {read:.1f} s"
        )
        await database.execute(f"DROP SCHEMA {schema} CASCADE")


if __name__ == "__main__":
    main()
