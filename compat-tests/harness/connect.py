"""Kafka's Connect and MirrorMaker 2 as processes of their own, on files that a check writes."""

import urllib.error
import urllib.request
from pathlib import Path

from harness import jvm
from harness.process import Process, free_port, wait_until

READY_SECONDS = 120


def write_properties(path: Path, properties: dict) -> Path:
    path.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
    return path


class Worker(Process):
    """A JVM that serves Connect's REST interface once it works; a restart finds its settings, and its files, again."""

    def __init__(self, name: str, directory: Path, main_class: str):
        directory.mkdir(parents=True, exist_ok=True)
        super().__init__(name, directory / f"{name}.log")
        self.directory, self.main_class, self.files = directory, main_class, []
        self.rest = f"http://127.0.0.1:{free_port()}"

    def settings(self, file: str, properties: dict) -> None:
        """Adds a properties file to the command line."""
        self.files.append(str(write_properties(self.directory / file, properties)))

    def start(self) -> "Worker":
        self.spawn(jvm.command(self.main_class, self.files))
        return self

    def answer(self, path: str) -> str:
        """What the REST interface says; empty while nobody answers."""
        try:
            with urllib.request.urlopen(self.rest + path, timeout=5) as said:
                return said.read().decode()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return ""

    def check_alive(self) -> bool:
        assert self.alive(), f"{self.name} ended with {self.child.returncode}\n{self.tail(80)}"
        return True


def standalone(directory: Path, bootstrap: str, topic: str, source: Path, sink: Path) -> Worker:
    """A standalone worker that copies the lines of a file to a topic, and from there to another file."""
    worker = Worker("connect", directory, "org.apache.kafka.connect.cli.ConnectStandalone")
    text = "org.apache.kafka.connect.storage.StringConverter"
    worker.settings("worker.properties", {
        "bootstrap.servers": bootstrap, "key.converter": text, "value.converter": text, "listeners": worker.rest, "plugin.discovery": "service_load",
        "offset.storage.file.filename": directory / "offsets", "offset.flush.interval.ms": 500, "consumer.session.timeout.ms": 6000,
        "consumer.heartbeat.interval.ms": 500,
    })
    worker.settings("source.properties", {
        "name": "source", "connector.class": "FileStreamSource", "tasks.max": 1, "file": source, "topic": topic,
    })
    worker.settings("sink.properties", {"name": "sink", "connector.class": "FileStreamSink", "tasks.max": 1, "file": sink, "topics": topic})
    return worker


def mirror(directory: Path, source: str, target: str, topic: str, group: str) -> Worker:
    """MirrorMaker 2 from cluster `a` to cluster `b`: one topic and one group, exactly once."""
    worker = Worker("mirror", directory, "org.apache.kafka.connect.mirror.MirrorMaker")
    topics = ("checkpoints.topic", "heartbeats.topic", "offset-syncs.topic", "offset.storage", "status.storage", "config.storage")
    worker.settings("mirror.properties", {
        "clusters": "a,b", "a.bootstrap.servers": source, "b.bootstrap.servers": target, "a->b.enabled": "true", "b->a.enabled": "false",
        "b->a.emit.heartbeats.enabled": "false", "topics": topic, "groups": group, "tasks.max": 2, "replication.factor": 1,
        **{f"{topic}.replication.factor": 1 for topic in topics}, "offset.storage.partitions": 2, "status.storage.partitions": 1,
        "b.exactly.once.source.support": "enabled", "dedicated.mode.enable.internal.rest": "true", "listeners": worker.rest,
        "a.consumer.isolation.level": "read_committed", "plugin.discovery": "service_load", "offset.flush.interval.ms": 500,
        "offset.lag.max": 0, "refresh.topics.interval.seconds": 2, "refresh.groups.interval.seconds": 2,
        "sync.topic.configs.interval.seconds": 2, "sync.group.offsets.enabled": "true", "sync.group.offsets.interval.seconds": 1,
        "emit.checkpoints.interval.seconds": 1, "emit.heartbeats.interval.seconds": 1, "session.timeout.ms": 10000, "scheduled.rebalance.max.delay.ms": 0,
    })
    return worker


def wait_lines(worker: Worker, file: Path, count: int, seconds: float = READY_SECONDS) -> list[str]:
    """The lines of a file once there are `count`, the last one complete."""

    def lines():
        worker.check_alive()
        text = file.read_text() if file.exists() else ""
        found = text.splitlines()
        return found if text.endswith("\n") and len(set(found)) >= count else None

    return wait_until(lines, seconds, f"{count} lines in {file.name}", pause=0.1)
