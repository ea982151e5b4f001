"""Medians, ratios, and the table of docs/benchmarks.md, whose rows stay until their scenario is recorded again."""

import datetime
import os
import statistics
from dataclasses import dataclass
from pathlib import Path

from bench import scenarios
from harness import paths

PAGE = paths.REPOSITORY / "docs" / "benchmarks.md"
BEGIN, END = "<!-- results: written by compat-tests/bench/run --record -->", "<!-- end of results -->"
COLUMNS = ("scenario", "figure", "msgloop", "Kafka", "ratio", "goal", "runs of each", "measured")
Row = tuple[str, ...]


@dataclass
class Result:
    """Figures of one scenario: {"msgloop": [{figure: value}, ...], "kafka": [...]}, one entry a run."""

    scenario: object
    runs: dict[str, list[dict[str, float]]]

    def median(self, broker: str, figure: str) -> float:
        return statistics.median(run[figure] for run in self.runs[broker])

    def figures(self):
        return list(self.runs["msgloop"][0])


def rows(result: Result, options) -> list[Row]:
    """A row for each figure. What it was measured with stands in each, because the next row may be of another day."""
    extent = result.scenario.extent.format(**vars(options))
    measured = f"{datetime.date.today()}, {os.cpu_count()} cores, Linux {os.uname().release.split('-')[0]}"
    return [(*_row(result, figure), extent, measured) for figure in result.figures()]


def _row(result: Result, figure: str) -> Row:
    name, goal = result.scenario.name, result.scenario.goals.get(figure, "")
    ours = result.median("msgloop", figure)
    if not result.runs.get("kafka"):
        return name, figure, f"{ours:.4g}", "-", "-", goal
    theirs = result.median("kafka", figure)
    ratio = f"{ours / theirs:.2f}" if theirs else "-"
    return name, figure, f"{ours:.4g}", f"{theirs:.4g}", ratio, goal


def row_text(lines: list[Row]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def table(rows_by_scenario) -> str:
    head = "Medians; ratio = msgloop / Kafka, of runs in alternation; `5 x 30 s after 60 s`: five of 30 s each, after 60 s of load.\n\n"
    return head + row_text([COLUMNS, ("---",) * len(COLUMNS), *(row for lines in rows_by_scenario for row in lines)]) + "\n"


def record(page: Path, result: Result, options) -> None:
    """Replaces the rows of this scenario on the page and keeps those of all others."""
    before, rest = page.read_text().split(BEGIN)
    section, after = rest.split(END, 1)
    kept = recorded(section) | {result.scenario.name: rows(result, options)}
    text = table(kept[name] for name in sorted(kept, key=_place))
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def recorded(section: str) -> dict[str, list[Row]]:
    """The rows of a section by scenario."""
    found = {}
    for line in section.splitlines():
        cells = tuple(cell.strip() for cell in line.split("|")[1:-1])
        if cells and cells[0] not in (COLUMNS[0], "---"):
            found.setdefault(cells[0], []).append(cells)
    return found


def _place(name: str) -> int:
    """The order of the scenarios; those that are no more come last."""
    names = [scenario.name for scenario in scenarios.ALL]
    return names.index(name) if name in names else len(names)
