"""Kafka's own classes on a small, quickly started JVM."""

import os
import subprocess
from pathlib import Path

from harness import paths

QUICK_START = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Dorg.apache.logging.log4j.level=WARN"]
TOOL_SECONDS = 120
# Tools that are not in org.apache.kafka.tools; kafka-configs moved there after 4.3.
ELSEWHERE = {"ConfigCommand": "kafka.admin.ConfigCommand"}


def classpath(*extra: Path) -> str:
    return os.pathsep.join([*(str(e) for e in extra), f"{paths.KAFKA_LIBS}/*"])


def command(main_class: str, arguments: list[str], heap: str = "256m", extra: tuple[Path, ...] = ()) -> list[str]:
    return ["java", f"-Xmx{heap}", *QUICK_START, "-cp", classpath(*extra), main_class, *arguments]


class ToolFailed(AssertionError):
    """A tool ended with an error; `output` is all it said."""

    def __init__(self, name: str, code: int, output: str):
        super().__init__(f"{name} ended with {code}:\n{output}")
        self.code = code
        self.output = output


def tool(name: str, *arguments: str, stdin: str | None = None, seconds: float = TOOL_SECONDS) -> str:
    """Runs one of Kafka's tools by the name of its class, returns what it printed, raises `ToolFailed` on another exit code than 0."""
    done = subprocess.run(
        command(ELSEWHERE.get(name, f"org.apache.kafka.tools.{name}"), list(arguments)),
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
    )
    if done.returncode != 0:
        raise ToolFailed(name, done.returncode, done.stdout)
    return done.stdout
