"""Writes the dated results of `run --all` into docs/compatibility.md: a table a subject, skipped checks with their reasons.

usage: python -m harness.record FILE RESULTS LABEL...
"""

import datetime
import os
import platform
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter, defaultdict
from pathlib import Path

HEAD = """# Compatibility

Written by `compat-tests/run --all`, not by hand. Checks that are not of msgloop alone run against Apache Kafka 4.3.1 as well
(`compat-tests/run --against kafka`), so that a wrong check shows itself. What a check does stands at the head of its file in `compat-tests/checks`.
"""


def outcome(case) -> tuple[str, str]:
    """(passed, failed or skipped; the reason)."""
    for tag in ("failure", "error"):
        if (found := case.find(tag)) is not None:
            return "failed", (found.get("message") or "").splitlines()[0][:200]
    if (found := case.find("skipped")) is not None:
        return "skipped", found.get("message") or ""
    return "passed", ""


def section(label: str, path: Path) -> str:
    counts: dict[str, Counter] = defaultdict(Counter)
    peers: list[str] = []
    notes: dict[str, Counter] = {"failed": Counter(), "skipped": Counter()}
    for case in ElementTree.parse(path).iter("testcase"):
        subject = case.get("classname", "").removeprefix("checks.").removeprefix("test_").replace("_", " ")
        kind, reason = outcome(case)
        counts[subject][kind] += 1
        peers += [found.get("value") for found in case.iter("property") if found.get("name") == "peer"]
        if kind == "failed":
            notes[kind][f"`{case.get('name')}`: {reason}"] += 1
        elif kind == "skipped":
            notes[kind][reason] += 1
    lines = [f"\n## {label}\n", "| subject | passed | failed | skipped |", "| --- | --- | --- | --- |"]
    lines += [f"| {s} | {c['passed']} | {c['failed']} | {c['skipped']} |" for s, c in sorted(counts.items())]
    if peers:
        lines += ["", "Suites of others:", *(f"- {peer}" for peer in sorted(peers))]
    for kind, reasons in notes.items():
        if reasons:
            lines += ["", f"{kind.capitalize()}:", *(f"- {reason}" + (f" ({n})" if n > 1 else "") for reason, n in sorted(reasons.items()))]
    return "\n".join(lines) + "\n"


def main(file: str, results: str, *labels: str) -> None:
    now = datetime.datetime.now(datetime.UTC) if hasattr(datetime, "UTC") else datetime.datetime.utcnow()
    dated = f"\nResults of {now:%Y-%m-%d}, Linux {platform.release().split('-')[0]}, {os.cpu_count()} cores.\n"
    sections = [section(label, Path(results) / f"{label}.xml") for label in labels if (Path(results) / f"{label}.xml").exists()]
    Path(file).write_text(HEAD + dated + "".join(sections))


if __name__ == "__main__":
    main(*sys.argv[1:])
