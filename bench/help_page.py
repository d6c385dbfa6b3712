"""How long `pappus --help` takes, as a ratio to a Python that imports typer and Rich and does nothing: what is above 1
is ours. `python bench/help_page.py [ROUNDS]`."""

import subprocess
import sys
import time
from statistics import median

PAGES: tuple[list[str], ...] = ([], ["predict"], ["dlq", "redrive"], ["demo"])
NOTHING = "import typer, typer.rich_utils, rich.table, rich.live"


def seconds(*arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    nothing = median(seconds("-c", NOTHING) for _ in range(rounds))
    print(f"typer and Rich alone: {nothing:.2f} s")
    for page in PAGES:
        spent = median(seconds("-m", "pappus.cli", *page, "--help") for _ in range(rounds))
        print(f"pappus {' '.join([*page, '--help'])}: {spent:.2f} s, ratio {spent / nothing:.1f}")


if __name__ == "__main__":
    main()
