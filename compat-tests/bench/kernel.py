"""What the kernel spends for nobody in particular, and its page cache."""

import os
from pathlib import Path

from harness.process import TICKS_PER_SECOND

WRITERS = ("kworker", "jbd2", "kswapd", "xfsaild", "ksoftirqd")


def kernel_thread_seconds() -> float:
    """CPU seconds so far of the kernel threads that write back pages and journals."""
    ticks = 0
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            name, fields = Path(entry.path, "stat").read_text().rsplit(")", 1)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if name.split("(", 1)[1].startswith(WRITERS):
            values = fields.split()
            ticks += int(values[11]) + int(values[12])
    return ticks / TICKS_PER_SECOND


def drop_page_cache() -> None:
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")
