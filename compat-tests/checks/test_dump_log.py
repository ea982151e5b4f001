"""`kafka-dump-log` reads the segment files in the data directory: of a stopped broker and of a running one."""

import re

import pytest
from confluent_kafka import Producer

from harness import admin
from harness.jvm import tool
from harness.process import wait_until

RECORDS = 6000


def fill(broker, topic: str, codec: str = "none") -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "compression.type": codec, "batch.num.messages": 100, "enable.idempotence": True})
    for i in range(RECORDS):
        producer.produce(topic, key=str(i).encode(), value=b"v" * 200, headers={"h": b"1"}, timestamp=1_600_000_000_000 + i)
    # The campaigns of `run --all` share the disk, and it was seen to stand still for half a minute.
    assert producer.flush(120) == 0


def segments(broker, topic: str) -> list:
    return sorted(p for d in broker.log_dirs for p in d.glob(f"**/{topic}-0/*.log"))


def dump(path, *more: str) -> str:
    return tool("DumpLogSegments", "--files", str(path), *more)


def batches(printed: str) -> list[dict]:
    """The batch lines of a dump; fails on any batch that is not valid."""
    found = [dict(re.findall(r"(\w+): (\S+)", line)) for line in printed.splitlines() if line.startswith("baseOffset:")]
    assert found, printed
    assert [b for b in found if b["isvalid"] != "true"] == []
    return found


def last_offset(paths) -> int:
    return max(int(b["lastOffset"]) for p in paths for b in batches(dump(p)))


def test_stopped_broker(own_broker):
    broker = own_broker()
    admin.create_topic(broker.bootstrap, "dumped", 1, {"segment.bytes": "1048576", "index.interval.bytes": "4096"})
    for codec in ["none", "lz4", "zstd"]:
        fill(broker, "dumped", codec)
    broker.stop()
    paths = segments(broker, "dumped")
    assert len(paths) > 1, "the topic rolled"
    following = 0
    for path in paths:
        assert int(path.stem) == following, "a segment is named by its first offset"
        printed = dump(path, "--print-data-log", "--deep-iteration")
        for found in batches(printed):
            assert int(found["baseOffset"]) == following
            following = int(found["lastOffset"]) + 1
        assert printed.count("| offset: ") == following - int(path.stem)
        assert "Found" not in printed, "no invalid bytes"
    assert following == 3 * RECORDS


def test_indexes_of_a_stopped_broker(own_broker):
    broker = own_broker()
    admin.create_topic(broker.bootstrap, "indexed", 1, {"segment.bytes": "1048576", "index.interval.bytes": "4096"})
    fill(broker, "indexed")
    broker.stop()
    paths = segments(broker, "indexed")
    for path in paths:
        for suffix in (".index", ".timeindex"):
            index = path.with_suffix(suffix)
            printed = dump(index, "--index-sanity-check")
            assert "passed sanity check" in printed, printed
            printed = dump(index)
            assert "Mismatches" not in printed and "non-monotonic" not in printed and "unindexed" not in printed, printed
    entries = sum(dump(p.with_suffix(".index")).count("offset: ") for p in paths)
    assert entries > 10, "the offset index has an entry about every 4 KiB"


def test_producer_snapshot_of_a_stopped_broker(own_broker):
    broker = own_broker()
    admin.create_topic(broker.bootstrap, "snapped", 1, {"segment.bytes": "1048576"})
    fill(broker, "snapped")
    broker.stop()
    snapshots = sorted(p for d in broker.log_dirs for p in d.glob("**/snapped-0/*.snapshot"))
    assert snapshots, "a clean stop leaves a producer snapshot"
    printed = dump(snapshots[-1])
    assert re.search(r"producerId: \d+ producerEpoch: 0 .*lastSequence: %d" % (RECORDS - 1), printed), printed


@pytest.mark.msgloop_only("Apache Kafka's segments are written by the page cache at any time")
def test_running_broker_after_write_back(own_broker):
    """Whatever the files of a running node hold are whole, valid batches, and write-back does reach them."""
    broker = own_broker()
    admin.create_topic(broker.bootstrap, "running", 1, {"segment.bytes": "1048576"})
    for _ in range(3):
        fill(broker, "running")
    wait_until(lambda: segments(broker, "running") and segments(broker, "running")[0].stat().st_size > 0, 60, "write-back has begun")
    printed = [dump(path) for path in segments(broker, "running") if path.stat().st_size]
    # The newest file may hold the beginning of a batch only: what does not fill a block is in the write-ahead log.
    assert [b for text in printed[:-1] for b in batches(text)]
    assert "baseOffset:" not in printed[-1] or batches(printed[-1])
    assert broker.alive()
