"""Client programs that run all their checks at once and report `ok NAME` or `FAIL NAME reason`, a line a check."""

import re
import subprocess
from pathlib import Path

PROGRAM_SECONDS = 300


def names(*sources: Path, pattern: str = r'"([a-z0-9]+(?:_[a-z0-9]+)+)", ') -> list[str]:
    """The names of the checks in a program, read from its source, so that the list is written once."""
    return sorted({n for source in sources for n in re.findall(pattern, source.read_text())})


def run(command: list[str]) -> dict[str, str]:
    """The outcome of each check: empty when it passed, else the reason."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PROGRAM_SECONDS)
    outcomes = {}
    for line in done.stdout.splitlines():
        word, _, rest = line.partition(" ")
        name, _, reason = rest.partition(" ")
        if word in ("ok", "FAIL"):
            outcomes[name] = "" if word == "ok" else reason or "failed"
    assert done.returncode == 0, f"{command[:4]} ended with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return outcomes
