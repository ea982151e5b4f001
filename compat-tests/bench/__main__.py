"""Runs the scenarios in alternation and prints a table of ratios."""

import argparse
import sys
import tempfile
from pathlib import Path

from bench import brokers, report, scenarios


def arguments():
    parser = argparse.ArgumentParser(prog="compat-tests/bench/run")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--warm-up", type=float, default=10)
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--disk", type=Path, default=None, help="where the brokers keep their data")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    chosen = [s for s in scenarios.ALL if options.only in s.name]
    if options.list:
        print("\n".join(f"{s.name:24} {s.what}" for s in scenarios.ALL))
        return 0
    results = []
    for scenario in chosen:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=options.disk) as directory:
            pair = brokers.Pair(Path(directory))
            print(f"== {scenario.name}: {scenario.what}", file=sys.stderr, flush=True)
            try:
                results.append(report.Result(scenario, scenario.measure(pair, options)))
            finally:
                pair.kill()
        print(report.row_text(results[-1]), file=sys.stderr, flush=True)
    text = report.table(results, options)
    print(text)
    if options.record:
        report.record(text)
    return 0


sys.exit(main())
