"""Medians, ratios, and the table of docs/benchmarks.md."""

import datetime
import os
import statistics
from dataclasses import dataclass

from harness import paths

BEGIN, END = "<!-- results: written by compat-tests/bench/run --record -->", "<!-- end of results -->"


@dataclass
class Result:
    """Figures of one scenario: {"msgloop": [{figure: value}, ...], "kafka": [...]}, one entry a run."""

    scenario: object
    runs: dict[str, list[dict[str, float]]]

    def median(self, broker: str, figure: str) -> float:
        return statistics.median(run[figure] for run in self.runs[broker])

    def figures(self):
        return list(self.runs["msgloop"][0])


def row_text(result: Result) -> str:
    return "\n".join(_row(result, figure) for figure in result.figures())


def _row(result: Result, figure: str) -> str:
    ours = result.median("msgloop", figure)
    goal = result.scenario.goals.get(figure, "")
    if not result.runs.get("kafka"):
        return f"| {result.scenario.name} | {figure} | {ours:.4g} | - | - | {goal} |"
    theirs = result.median("kafka", figure)
    ratio = f"{ours / theirs:.2f}" if theirs else "-"
    return f"| {result.scenario.name} | {figure} | {ours:.4g} | {theirs:.4g} | {ratio} | {goal} |"


def table(results: list[Result], options) -> str:
    head = (
        f"{datetime.date.today()}: {options.pairs} pairs of {options.seconds:g} s in alternation after {options.warm_up:g} s of load, "
        f"{os.cpu_count()} cores, Linux {os.uname().release.split('-')[0]}. Medians; ratio = msgloop / Kafka.\n\n"
        "| scenario | figure | msgloop | Kafka | ratio | goal |\n| --- | --- | --- | --- | --- | --- |\n"
    )
    return head + "\n".join(row_text(r) for r in results) + "\n"


def record(text: str) -> None:
    """Replaces the results section of docs/benchmarks.md."""
    page = paths.REPOSITORY / "docs" / "benchmarks.md"
    before, rest = page.read_text().split(BEGIN)
    page.write_text(before + BEGIN + "\n\n" + text + "\n" + END + rest.split(END, 1)[1])
