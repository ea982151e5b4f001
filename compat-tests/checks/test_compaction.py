"""Compacted topics: what a client reads is what a dictionary would hold, whatever the cleaner has removed meanwhile."""

import random
import subprocess

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition

from checks.test_dump_log import batches, dump, segments
from harness import admin, paths
from harness.process import wait_until

# A segment of 1 MiB is the smallest that Kafka takes; the cleaner looks often and at almost any dirt.
CLEANER = {"log.cleaner.backoff.ms": "300", "log.retention.check.interval.ms": "1000"}
COMPACTED = {
    "cleanup.policy": "compact",
    "segment.bytes": "1048576",
    "index.interval.bytes": "4096",
    "min.cleanable.dirty.ratio": "0.01",
    "file.delete.delay.ms": "100",
}


class Table:
    """Writes to a topic and to a dictionary."""

    def __init__(self, broker, topic: str, codec: str = "none", seed: int = 1):
        self.broker, self.topic, self.values, self.end = broker, topic, {}, 0
        self.random = random.Random(seed)
        self.producer = Producer({"bootstrap.servers": broker.bootstrap, "compression.type": codec, "enable.idempotence": True, "batch.num.messages": 50})

    def put(self, key: str, value: bytes | None) -> None:
        self.producer.produce(self.topic, key=key.encode(), value=value, headers={"h": b"1"}, timestamp=1_700_000_000_000 + self.end)
        self.producer.poll(0)
        self.end += 1
        self.values.pop(key, None)
        if value is not None:
            self.values[key] = value

    def rewrite(self, rounds: int, keys: int = 150, tombstones: float = 0.05) -> None:
        for _ in range(rounds):
            for number in range(keys):
                dead = self.random.random() < tombstones
                self.put(f"key {number}", None if dead else self.random.randbytes(100) * 3)
        assert self.producer.flush(60) == 0

    def roll(self) -> None:
        """One key that nobody cares for, until all before it is in closed segments."""
        for _ in range(24):
            self.put("filler", self.random.randbytes(100_000))
            assert self.producer.flush(60) == 0


def read(broker, topic: str) -> list:
    """Every record from the beginning to the end, by offset."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "none", "enable.partition.eof": True, "enable.auto.commit": False, "check.crcs": True, "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    found = []
    try:
        while True:
            message = consumer.poll(30)
            assert message is not None, "neither a record nor the end"
            if message.error():
                assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                return found
            found.append(message)
    finally:
        consumer.close()


def table_of(messages) -> dict:
    offsets = [m.offset() for m in messages]
    assert offsets == sorted(set(offsets)), "offsets ascend"
    values = {}
    for message in messages:
        assert message.timestamp()[1] == 1_700_000_000_000 + message.offset(), "a record keeps its offset and its timestamp"
        assert message.headers() == [("h", b"1")]
        values.pop(message.key().decode(), None)
        if message.value() is not None:
            values[message.key().decode()] = message.value()
    return values


def end_offset(broker, topic: str) -> tuple[int, int]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "none"})
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)
    finally:
        consumer.close()


@pytest.mark.parametrize("codec", ["none", "lz4", "zstd"])
def test_a_compacted_topic_reads_as_a_dictionary(own_broker, codec):
    broker = own_broker(CLEANER)
    admin.create_topic(broker.bootstrap, "compacted", 1, COMPACTED)
    table = Table(broker, "compacted", codec)
    for rounds in (40, 40, 40):
        table.rewrite(rounds)
        assert table_of(read(broker, "compacted")) == table.values, "while the cleaner is at it"
    table.roll()
    wait_until(lambda: len(read(broker, "compacted")) < 600, 90, "all but the newest of 18,000 records are gone", pause=0.5)
    assert table_of(read(broker, "compacted")) == table.values
    assert end_offset(broker, "compacted") == (0, table.end), "neither end of the log has moved"
    # Readers may begin anywhere, in a gap as well.
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "none"})
    kept = [m.offset() for m in read(broker, "compacted")]
    for wanted in (1, 5_000, 17_999):
        consumer.assign([TopicPartition("compacted", 0, wanted)])
        assert consumer.poll(30).offset() == min(o for o in kept if o >= wanted)
    consumer.close()
    table.rewrite(1)
    broker.restart()
    assert table_of(read(broker, "compacted")) == table.values, "after a restart"
    broker.stop()
    for path in segments(broker, "compacted"):
        if not path.stat().st_size:
            continue
        printed = dump(path, "--print-data-log", "--deep-iteration")
        batches(printed)
        assert "Found" not in printed, "no invalid bytes"
        for suffix in (".index", ".timeindex"):
            printed = dump(path.with_suffix(suffix))
            assert "Mismatches" not in printed and "non-monotonic" not in printed and "unindexed" not in printed, printed


def test_tombstones_go_after_their_time(own_broker):
    broker = own_broker(CLEANER)
    admin.create_topic(broker.bootstrap, "buried", 1, {**COMPACTED, "delete.retention.ms": "30000"})
    table = Table(broker, "buried")
    table.rewrite(2, keys=20, tombstones=0)
    for number in range(10):
        table.put(f"key {number}", None)
    table.roll()

    def left() -> dict:
        messages = [m for m in read(broker, "buried") if m.key() != b"filler"]
        return {m.key().decode(): m.value() for m in messages} if len(messages) <= 20 else {}

    wait_until(lambda: len(left()) == 20, 60, "one record a key is left", pause=0.2)
    assert sum(value is None for value in left().values()) == 10, "a tombstone outlives what it deletes"
    # Nothing is cleaned again before something is dirty.
    def gone() -> bool:
        table.roll()
        return len(left()) == 10

    wait_until(gone, 120, "tombstones go once delete.retention.ms is over", pause=1)
    assert table_of(read(broker, "buried")) == table.values


def test_a_record_without_a_key_is_refused(broker, topic):
    wanted = topic(cleanup_policy="compact")
    for codec in ("none", "zstd"):
        producer, outcomes = Producer({"bootstrap.servers": broker.bootstrap, "compression.type": codec}), []
        for key in (b"k", None):
            producer.produce(wanted, key=key, value=b"v" * 100, on_delivery=lambda error, _: outcomes.append(error and error.code()))
            producer.flush(30)
        assert outcomes == [None, KafkaError.INVALID_RECORD], codec


def test_compact_and_delete_loses_old_segments(own_broker):
    broker = own_broker(CLEANER)
    # By size alone: the table's timestamps are years old, and by time all of it would go.
    settings = {"cleanup.policy": "compact,delete", "retention.bytes": "3000000", "retention.ms": "-1"}
    admin.create_topic(broker.bootstrap, "both", 1, {**COMPACTED, **settings})
    table = Table(broker, "both")
    for number in range(20_000):
        table.put(f"once {number}", b"v" * 300)
    table.roll()
    wait_until(lambda: end_offset(broker, "both")[0] > 0, 60, "the log starts later", pause=0.2)
    found = table_of(read(broker, "both"))
    assert all(table.values[key] == value for key, value in found.items())
    assert "once 0" not in found and "once 19999" in found, "the oldest segments go, not all"


@pytest.mark.msgloop_only("`msgloop check` is ours")
def test_check_accepts_cleaned_segments_and_finds_broken_ones(own_broker):
    broker = own_broker(CLEANER)
    admin.create_topic(broker.bootstrap, "checked", 1, COMPACTED)
    table = Table(broker, "checked")
    table.rewrite(80)
    table.roll()
    wait_until(lambda: len(read(broker, "checked")) < 600, 90, "it is compacted", pause=0.5)
    assert broker.metric("msgloop_compactions_total") > 0
    broker.stop()

    def check() -> subprocess.CompletedProcess:
        return subprocess.run([str(paths.msgloop_binary()), "check", str(broker.log_dirs[0])], capture_output=True, text=True, timeout=60)

    assert check().returncode == 0, check().stdout
    cleaned = next(p for p in segments(broker, "checked") if p.stat().st_size)
    sidecar = cleaned.with_suffix(".checksums").read_bytes()
    # Without its sidecar nobody says that the gaps are meant.
    cleaned.with_suffix(".checksums").unlink()
    assert check().returncode != 0 and "are missing" in check().stdout
    cleaned.with_suffix(".checksums").write_bytes(sidecar)
    assert check().returncode == 0
    log = bytearray(cleaned.read_bytes())
    log[len(log) // 2] ^= 1
    cleaned.write_bytes(log)
    assert check().returncode != 0
