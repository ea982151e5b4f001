"""What both brokers have in common: an address, a directory, start, stop, kill, restart."""

from pathlib import Path

from harness.process import Process, free_port


class Broker(Process):
    """A single-node broker with its own data directory and a port it keeps over restarts."""

    kind = "abstract"
    ready_seconds = 60

    def __init__(self, directory: Path, overrides: dict[str, str] | None = None, log_dirs: list[Path] | None = None):
        directory.mkdir(parents=True, exist_ok=True)
        super().__init__(self.kind, directory / f"{self.kind}.log")
        self.directory = directory
        self.log_dirs = log_dirs or [directory / "data"]
        self.overrides = dict(overrides or {})
        self.port = free_port()

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self, wait: bool = True) -> "Broker":
        raise NotImplementedError

    def restart(self) -> "Broker":
        """A clean stop and a start on the same port and directory."""
        code = self.stop()
        assert code in (0, 143), f"{self.kind} ended with {code}\n{self.tail()}"
        return self.start()

    def __enter__(self) -> "Broker":
        return self

    def __exit__(self, *_) -> None:
        self.kill()
