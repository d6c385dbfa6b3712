"""What `pytest --cov` measured, in a few lines: the total, and the modules that tests run least."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from coverage import Coverage

LOW_PERCENT = 70.0
NEVER_SHOWN = "__main__.py"  # runs in processes of its own, which are not measured


def lines(data_file: Path) -> Iterator[str]:
    """Give the summary of a coverage data file, line by line; no line if there is no such file."""
    if not data_file.exists():
        return
    coverage = Coverage(data_file=str(data_file))
    coverage.load()
    with TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        coverage.json_report(outfile=str(report))
        measured = json.loads(report.read_text())
    total = measured["totals"]["percent_covered"]
    yield f"{total:.1f} % of the lines and branches of pappus, services and shared run in unit and contract tests"
    percents = {name: file["summary"]["percent_covered"] for name, file in measured["files"].items()}
    for name, percent in sorted(percents.items(), key=lambda item: item[1]):
        if percent < LOW_PERCENT and not name.endswith(NEVER_SHOWN):
            yield f"{percent:5.1f} %  {name}"
