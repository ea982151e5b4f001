"""What the benchmarks report: kernel threads come and go, and a scenario that is recorded again replaces its own rows and nobody else's."""

import datetime
from types import SimpleNamespace

from bench import report, scenarios
from bench.kernel import spent

BY_NAME = {scenario.name: scenario for scenario in scenarios.ALL}
PAGE = f"# Page\n\n{report.BEGIN}\n\nNone yet.\n\n{report.END}\n\nSome words.\n"


def record(page, name: str, ours: float, **options: float) -> None:
    runs = [{"p50_ms": ours, "p99_ms": p99} for p99 in (1.0, 3.0, 90.0)]
    result = report.Result(BY_NAME[name], {"msgloop": runs, "kafka": [{"p50_ms": 4.0, "p99_ms": 0.0}]})
    report.record(page, result, SimpleNamespace(**options))


def test_rows_of_other_scenarios_stay(tmp_path):
    page = tmp_path / "benchmarks.md"
    page.write_text(PAGE)
    record(page, "start", 1.0, pairs=1, seconds=10, warm_up=10)
    record(page, "produce_1k", 2.0, pairs=5, seconds=30, warm_up=60)
    record(page, "start", 8.0, pairs=2, seconds=10, warm_up=10)
    text = page.read_text()
    rows = [row[:5] + row[6:7] for rows in report.recorded(text).values() for row in rows]
    assert rows == [
        ("produce_1k", "p50_ms", "2", "4", "0.50", "5 x 30 s after 60 s"),
        ("produce_1k", "p99_ms", "3", "0", "-", "5 x 30 s after 60 s"),
        ("start", "p50_ms", "8", "4", "2.00", "2 starts"),
        ("start", "p99_ms", "3", "0", "-", "2 starts"),
    ]
    assert text.startswith("# Page\n") and text.endswith("\n\nSome words.\n") and "None yet" not in text
    assert text.count(report.BEGIN) == text.count(report.END) == 1 and text.count("| scenario |") == 1


def test_rows_of_a_scenario_that_is_no_more_stay_last(tmp_path):
    page = tmp_path / "benchmarks.md"
    page.write_text(PAGE.replace("None yet.", "| gone | p50_ms | 1 | 2 | 0.50 | | 5 x 30 s after 60 s | 2026-01-01 |"))
    record(page, "start", 1.0, pairs=1, seconds=10, warm_up=10)
    assert list(report.recorded(page.read_text())) == ["start", "gone"]
    assert "| 2026-01-01 |" in page.read_text(), "with the date it was measured on"


def test_the_row_names_goal_and_day(tmp_path):
    page = tmp_path / "benchmarks.md"
    page.write_text(PAGE)
    before = datetime.date.today()
    name, goal = next((scenario.name, goal) for scenario in scenarios.ALL for figure, goal in scenario.goals.items() if figure == "p99_ms")
    record(page, name, 1.0, pairs=1, seconds=10, warm_up=10)
    row = report.recorded(page.read_text())[name][1]
    assert row[1] == "p99_ms" and row[5] == goal != ""
    assert row[7].split(",")[0] in (str(before), str(datetime.date.today()))


def test_a_kernel_thread_that_ends_takes_nothing_away():
    assert spent({"1": 5.0, "2": 90.0}, {"1": 5.5, "3": 0.25}) == 0.75
    # Another got the number of one that ended.
    assert spent({"1": 5.0, "2": 90.0}, {"1": 5.5, "2": 0.25}) == 0.5
