"""What the kernel spends for nobody in particular, and its page cache."""

import os
from pathlib import Path

from harness.process import TICKS_PER_SECOND

WRITERS = ("kworker", "jbd2", "kswapd", "xfsaild", "ksoftirqd")


def kernel_thread_seconds() -> dict[str, float]:
    """CPU seconds so far of each kernel thread that writes back pages and journals."""
    found = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            name, fields = Path(entry.path, "stat").read_text().rsplit(")", 1)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if name.split("(", 1)[1].startswith(WRITERS):
            values = fields.split()
            found[entry.name] = (int(values[11]) + int(values[12])) / TICKS_PER_SECOND
    return found


def spent(before: dict[str, float], after: dict[str, float]) -> float:
    """What the threads spent in between. Those that have ended count for nothing: a sum that held all they ever did would fall."""
    return sum(max(seconds - before.get(thread, 0), 0) for thread, seconds in after.items())


def drop_page_cache() -> None:
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")
