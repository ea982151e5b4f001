"""The real `msgloop` binary on free ports with its own data directory."""

import time
import urllib.error
import urllib.request
from pathlib import Path

from harness import paths
from harness.broker import Broker
from harness.process import free_port, wait_until


class Msgloop(Broker):
    kind = "msgloop"
    ready_seconds = 30

    def __init__(self, *arguments, backend: str = "auto", launcher: list[str] | None = None, binary: Path | None = None, **named):
        super().__init__(*arguments, **named)
        self.backend = backend
        self.launcher = launcher or []
        self.binary = binary
        self.admin_port = free_port()

    def settings(self) -> dict[str, str]:
        return {
            "listeners": f"PLAINTEXT://{self.bootstrap}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "log.dirs": ",".join(str(d) for d in self.log_dirs),
            "msgloop.admin.listener": f"127.0.0.1:{self.admin_port}",
            "msgloop.io.backend": self.backend,
            "offsets.topic.num.partitions": "4",
            "group.initial.rebalance.delay.ms": "0",
            **self.overrides,
        }

    def command(self) -> list[str]:
        command = [*self.launcher, str(self.binary or paths.msgloop_binary(self.backend))]
        for key, value in self.settings().items():
            command += ["--override", f"{key}={value}"]
        return command

    def start(self, wait: bool = True) -> "Msgloop":
        began = time.monotonic()
        self.spawn(self.command())
        if wait:
            self.wait_ready()
            self.start_seconds = time.monotonic() - began
        return self

    def wait_ready(self) -> None:
        def ready():
            assert self.alive(), f"msgloop ended with {self.child.returncode} while starting\n{self.tail()}"
            return self.http("/readyz")[0] == 200

        wait_until(ready, self.ready_seconds, f"msgloop is ready on {self.bootstrap}", pause=0.005)

    def http(self, path: str) -> tuple[int, str]:
        """Status and body of the admin listener; status 0 when nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return 0, ""

    def metric(self, name: str) -> float:
        """The sum over all label sets of one Prometheus series; 0 when it is not there."""
        values = [l.rsplit(" ", 1)[1] for l in self.http("/metrics")[1].splitlines() if l.split("{")[0].split(" ")[0] == name]
        return sum(float(v) for v in values)
