"""Runs the scenarios in alternation and prints a table of ratios."""

import argparse
import re
import sys
import tempfile
from pathlib import Path

from bench import brokers, coordinators, report, scenarios  # noqa: F401 (coordinators adds its scenarios to the list)


def arguments():
    parser = argparse.ArgumentParser(prog="compat-tests/bench/run")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--warm-up", type=float, default=10)
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--record", type=Path, nargs="?", const=report.PAGE, metavar="PAGE", help="the page whose rows are replaced")
    parser.add_argument("--disk", type=Path, default=None, help="where the brokers keep their data")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    chosen = [s for s in scenarios.ALL if re.search(options.only, s.name)]
    if options.list:
        print("\n".join(f"{s.name:24} {s.what}" for s in chosen))
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
        print(report.row_text(report.rows(results[-1], options)), file=sys.stderr, flush=True)
        # At once: a later scenario that fails must not take this one with it.
        if options.record:
            report.record(options.record, results[-1], options)
    print(report.table(report.rows(result, options) for result in results))
    return 0


sys.exit(main())
