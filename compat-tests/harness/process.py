"""A server process under test: started in its own directory, its output captured, watched, ended by pid."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def free_port() -> int:
    """A port nobody listens on now. Another process may take it before we do: a start that fails says so."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds: float, what: str, pause: float = 0.02):
    """Returns the first true value of `condition`, or fails naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds} s still not: {what}")
        time.sleep(pause)


class Process:
    """One process with its output in `log_path`; every start appends, so a restart keeps the history."""

    def __init__(self, name: str, log_path: Path):
        self.name = name
        self.log_path = log_path
        self.child: subprocess.Popen | None = None

    def spawn(self, command: list[str], environment: dict | None = None) -> None:
        assert not self.alive(), f"{self.name} is already running"
        with open(self.log_path, "ab") as log:
            log.write(f"\n--- {' '.join(command)[:400]}\n".encode())
            log.flush()
            self.child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self.child is not None, f"{self.name} was never started"
        return self.child.pid

    def alive(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def signal(self, number: int) -> None:
        if self.alive():
            os.kill(self.pid, number)

    def stop(self, seconds: float = 60) -> int:
        """SIGTERM, then waits for the exit code; a process that ignores it is killed and reported."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds, "stop after SIGTERM")

    def kill(self) -> None:
        """SIGKILL: what an out-of-memory kill or an operator's `kill -9` does."""
        self.signal(signal.SIGKILL)
        if self.child is not None:
            self.child.wait()

    def freeze(self) -> None:
        """Stops the process where it is, and returns once none of its threads runs."""
        self.signal(signal.SIGSTOP)
        if self.child is not None:
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        """Lets a frozen process go on."""
        self.signal(signal.SIGCONT)

    def wait(self, seconds: float, what: str) -> int:
        assert self.child is not None
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"{self.name} did not {what} within {seconds} s\n{self.tail()}") from None

    def tail(self, lines: int = 40) -> str:
        if not self.log_path.exists():
            return ""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def rss_bytes(self) -> int:
        """Resident memory now."""
        with open(f"/proc/{self.pid}/statm") as statm:
            return int(statm.read().split()[1]) * PAGE_BYTES

    def rss_peak_bytes(self) -> int:
        """The highest resident memory since the process started (VmHWM)."""
        with open(f"/proc/{self.pid}/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no VmHWM in /proc/pid/status")

    def cpu_seconds(self) -> float:
        """User and system time of all threads, kernel workers of io_uring included."""
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
