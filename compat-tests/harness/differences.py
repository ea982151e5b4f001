"""The table of docs/differences.md: every way in which msgloop answers otherwise than Apache Kafka, with its reason.

A row reads `| what | Kafka | msgloop | reason |`. Rows whose first cell begins with `API` or `topic config` are compared with
the running brokers: a difference without a row fails, and so does a row without a difference.
"""

import re
from pathlib import Path

ABSENT = "-"


def rows(path: Path, subject: str) -> dict[str, tuple[str, str]]:
    """{name: (Kafka's value, ours)} of the rows about `subject`; fails on a row without a reason."""
    found = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        cells = [c.strip().replace("`", "") for c in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if len(cells) == 4 and cells[0].startswith(subject + " "):
            assert cells[3], f"a difference needs its reason: {line}"
            found[cells[0].removeprefix(subject + " ")] = (cells[1], cells[2])
    return found


def check(path: Path, subject: str, theirs: dict[str, str], ours: dict[str, str]) -> None:
    """Fails with ready-made rows for what is missing in the table, and names the rows that no longer hold."""
    actual = {
        name: (theirs.get(name, ABSENT), ours.get(name, ABSENT))
        for name in sorted({*theirs, *ours})
        if theirs.get(name, ABSENT) != ours.get(name, ABSENT)
    }
    listed = rows(path, subject)
    missing = [f"| {subject} `{n}` | {k} | {m} | |" for n, (k, m) in actual.items() if listed.get(n) != (k, m)]
    stale = [name for name, pair in listed.items() if actual.get(name) != pair]
    assert not missing and not stale, "\n".join([f"not in {path.name}:", *missing, f"no longer so: {stale}"])
