"""Kafka Streams applications (java/Streams.java) under load and `kill -9`, and what they must have written afterwards, computed here.

A word count writes each count of each word; a windowed join writes each pair of a left and a right record of one key that lie at most
`WINDOW_MS` apart. Both have one right answer whatever the order of arrival, so a record processed twice, or not at all, shows.
"""

import random
import shutil
import time
from collections import Counter, defaultdict
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, IsolationLevel, Producer, TopicPartition
from confluent_kafka.admin import OffsetSpec

from harness import admin
from harness.line_clients import java_command
from harness.process import Process, wait_until

PARTITIONS = 3
# As in java/Streams.java.
WINDOW_MS = 5000
ADMIN_SECONDS = 20
RUNNING_SECONDS = 240
# What is fed before a kill takes longer than a commit interval.
SLICES, SLICE_SECONDS = 20, 0.2
# How long to look for an open transaction: longer than the tasks of an instance just killed wait for their next owner.
OPEN_SECONDS = 60
# A transaction left open by an application that never comes back ends by this timeout.
TRANSACTION_MS = 10_000
SETTINGS = {
    "processing.guarantee": "exactly_once_v2",
    "num.stream.threads": "2",
    "commit.interval.ms": "1500",
    "statestore.cache.max.bytes": "0",
    "replication.factor": "1",
    "producer.transaction.timeout.ms": str(TRANSACTION_MS),
    "consumer.auto.offset.reset": "earliest",
    "consumer.metadata.max.age.ms": "2000",
}
# What a member of the classic protocol says for itself and the broker says for a streams group.
CLASSIC = {"consumer.session.timeout.ms": "10000", "consumer.heartbeat.interval.ms": "500"}
BROKER = {
    "group.initial.rebalance.delay.ms": "0",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    "group.streams.session.timeout.ms": "10000",
    "group.streams.min.session.timeout.ms": "6000",
    "group.streams.heartbeat.interval.ms": "500",
    "group.streams.min.heartbeat.interval.ms": "500",
    "group.streams.initial.rebalance.delay.ms": "0",
    "group.streams.assignment.interval.ms": "0",
    "group.streams.min.assignment.interval.ms": "0",
}


class StreamsApp(Process):
    """One instance: a JVM with its own state directory, which it finds again after a restart unless that is removed."""

    def __init__(self, directory: Path, bootstrap: str, kind: str, name: str, protocol: str):
        directory.mkdir(parents=True, exist_ok=True)
        super().__init__(f"streams {kind}", directory / "streams.log")
        self.directory, self.kind, self.app = directory, kind, name
        own = {"bootstrap.servers": bootstrap, "application.id": name, "state.dir": directory / "state", "group.protocol": protocol}
        settings = {**SETTINGS, **(CLASSIC if protocol == "classic" else {}), **own}
        (directory / "settings").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))

    def start(self) -> "StreamsApp":
        """Starts it without waiting: it is `running` some seconds later."""
        self.from_byte = self.log_path.stat().st_size if self.log_path.exists() else 0
        self.spawn([*java_command(heap="256m"), "streams", self.kind, self.app, str(self.directory / "settings")])
        return self

    def running(self) -> bool:
        said = self.log_path.read_bytes()[self.from_byte:].decode(errors="replace")
        assert self.alive() and "state ERROR" not in said, f"the application failed\n{self.tail(80)}"
        states = [line for line in said.splitlines() if line.startswith("state ")]
        return bool(states) and states[-1] == "state RUNNING"

    def wait_running(self) -> None:
        wait_until(self.running, RUNNING_SECONDS, f"{self.name} runs", pause=0.1)

    def forget(self) -> None:
        """Removes the local state, as on another machine: a new identity, and all state from the changelog topics."""
        shutil.rmtree(self.directory / "state", ignore_errors=True)


class WordCount:
    kind, inputs = "word-count", ("in",)

    def __init__(self, lines: int, seed: int):
        chance = random.Random(seed)
        words = [f"word{n}" for n in range(50)]
        self.records = [("in", str(n), " ".join(chance.choices(words, k=5)), 0) for n in range(lines)]
        self.counts = Counter(word for _, _, line, _ in self.records for word in line.split())
        self.expected = sum(self.counts.values())

    def wrong(self, found: list, runs: int = 1) -> list[str]:
        """Each word's records must read 1, 2, 3 and so on up to its count, in this order; `runs` times if it was begun anew."""
        read = defaultdict(list)
        for key, value in found:
            read[key].append(int(value))
        return [
            f"{word}: {self.counts[word]} times, read {read[word]}"
            for word in sorted({*read, *self.counts})
            if read[word] != [*range(1, self.counts[word] + 1)] * runs
        ]


class Join:
    kind, inputs = "join", ("left", "right")

    def __init__(self, count: int, seed: int):
        chance = random.Random(seed)
        # Each side has a time of its own for each record: a window store tells records of one key and time apart by a number that begins anew at a restart.
        now = int(time.time() * 1000) - count * 400
        self.records = []
        for n in range(count):
            for side in self.inputs:
                self.records.append((side, f"key{chance.randrange(10)}", f"{side[0]}{n}", now + n * 400 + chance.randrange(-190, 190)))
        sides = {side: defaultdict(list) for side in self.inputs}
        for side, key, value, at in self.records:
            sides[side][key].append((value, at))
        self.pairs = Counter(
            (key, f"{left}|{right}")
            for key, lefts in sides["left"].items()
            for left, one in lefts
            for right, other in sides["right"][key]
            if abs(one - other) <= WINDOW_MS
        )
        self.expected = sum(self.pairs.values())

    def wrong(self, found: list) -> list[str]:
        read = Counter(found)
        return [f"{pair}: {self.pairs[pair]} due, {read[pair]} found" for pair in sorted({*read, *self.pairs}) if read[pair] != self.pairs[pair]]


class Topics:
    """The topics of one run, and what is in them."""

    def __init__(self, bootstrap: str, name: str, job):
        self.bootstrap, self.name, self.job = bootstrap, name, job
        for suffix in (*job.inputs, "out"):
            admin.create_topic(bootstrap, f"{name}-{suffix}", PARTITIONS)
        self.producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5})
        self.admin = admin.client(bootstrap)

    def feed(self, records: list) -> None:
        for side, key, value, at in records:
            self.producer.produce(f"{self.name}-{side}", value.encode(), key.encode(), timestamp=at)
            self.producer.poll(0)
        assert self.producer.flush(60) == 0

    def names(self) -> set[str]:
        """All topics of the broker."""
        return set(self.admin.list_topics(timeout=ADMIN_SECONDS).topics)

    def _ends(self, topics: list[str], level: IsolationLevel) -> dict[TopicPartition, int]:
        at = {TopicPartition(topic, p): OffsetSpec.latest() for topic in topics for p in range(PARTITIONS)}
        found = self.admin.list_offsets(at, isolation_level=level)
        return {where: future.result(ADMIN_SECONDS).offset for where, future in found.items()}

    def open_records(self) -> int:
        """Records of the output (markers included) that a transaction not yet decided holds back."""
        out = [f"{self.name}-out"]
        return sum(self._ends(out, IsolationLevel.READ_UNCOMMITTED).values()) - sum(self._ends(out, IsolationLevel.READ_COMMITTED).values())

    def output(self, count: int, seconds: float, isolation: str = "read_committed") -> list[tuple[str, str]]:
        """Output of `isolation` from its beginning: at least `count` records within `seconds`, and what follows within a moment."""
        reader = Consumer({
            "bootstrap.servers": self.bootstrap, "group.id": "unused", "enable.auto.commit": False, "isolation.level": isolation, "check.crcs": True,
        })
        reader.assign([TopicPartition(f"{self.name}-out", p, OFFSET_BEGINNING) for p in range(PARTITIONS)])
        found, deadline = [], time.monotonic() + seconds
        try:
            while len(found) < count and time.monotonic() < deadline:
                found += [m for m in reader.consume(1000, timeout=0.5) if not m.error()]
            found += [m for m in reader.consume(1000, timeout=3) if not m.error()]
        finally:
            reader.close()
        return [(m.key().decode(), m.value().decode()) for m in found]

    def behind(self) -> dict[str, tuple[int, int]]:
        """Input partitions that the group has not committed to their end: (committed, end)."""
        from confluent_kafka import ConsumerGroupTopicPartitions

        asked = [ConsumerGroupTopicPartitions(self.name)]
        committed = self.admin.list_consumer_group_offsets(asked)[self.name].result(ADMIN_SECONDS).topic_partitions
        read = {(p.topic, p.partition): p.offset for p in committed}
        ends = self._ends([f"{self.name}-{side}" for side in self.job.inputs], IsolationLevel.READ_COMMITTED)
        return {f"{p.topic}-{p.partition}": (read.get((p.topic, p.partition), -1), end) for p, end in ends.items() if end and read.get((p.topic, p.partition)) != end}


def parts(records: list, count: int) -> list[list]:
    """`count` parts of equal size, in order."""
    size = -(-len(records) // count)
    return [records[at : at + size] for at in range(0, len(records), size)]


def feed_and_kill(app: StreamsApp, topics: Topics, records: list) -> None:
    """Feeds a running application bit by bit, and kills it in the second half of it while the output has records of which nobody
    has said whether they count; the rest is fed to a dead one."""
    app.wait_running()
    slices, deadline = parts(records, SLICES), time.monotonic() + OPEN_SECONDS
    while len(slices) > SLICES // 2 or topics.open_records() == 0:
        assert time.monotonic() < deadline, f"no transaction was seen open\n{app.tail()}"
        if slices:
            topics.feed(slices.pop(0))
        time.sleep(SLICE_SECONDS)
    app.kill()
    for rest in slices:
        topics.feed(rest)
