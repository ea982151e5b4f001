"""Kafka Connect (file source and file sink in one standalone worker) and MirrorMaker 2 between two brokers."""

import json
import time

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import ConfigResource, ResourceType

from harness import admin, connect
from harness.process import wait_until

PARTITIONS = 3
READ_SECONDS = 90
# Young enough for retention.
FIRST_MS = int(time.time() * 1000) - 3_600_000


@pytest.fixture
def ended():
    """A list of processes that are killed when the check ends."""
    started = []
    yield started
    for each in started:
        each.kill()


def append(path, lines: list[str]) -> None:
    with open(path, "a") as file:
        file.writelines(f"{line}\n" for line in lines)


def in_order_at_first(lines: list[str]) -> list[str]:
    return list(dict.fromkeys(lines))


def test_connect_standalone_copies_a_file(broker, topic, tmp_path, ended):
    """Lines go through a topic into another file: each once over a clean restart, and none is missing after `kill -9`."""
    wanted = topic()
    source, sink = tmp_path / "in.txt", tmp_path / "out.txt"
    lines = [f"line {n}" for n in range(900)]
    append(source, lines[:300])
    worker = connect.standalone(tmp_path, broker.bootstrap, wanted, source, sink)
    ended.append(worker)
    worker.start()
    assert connect.wait_lines(worker, sink, 300) == lines[:300]
    status = json.loads(worker.answer("/connectors/sink/status"))
    assert [task["state"] for task in status["tasks"]] == ["RUNNING"], status
    append(source, lines[300:600])
    connect.wait_lines(worker, sink, 450)
    assert worker.stop() in (0, 143), worker.tail()
    worker.start()
    assert connect.wait_lines(worker, sink, 600) == lines[:600]
    append(source, lines[600:])
    connect.wait_lines(worker, sink, 750)
    worker.kill()
    worker.start()
    # Both connectors promise at least once: what was copied but not noted comes again.
    assert in_order_at_first(connect.wait_lines(worker, sink, 900)) == lines


def read(bootstrap: str, topic: str, count: int, seconds: float = READ_SECONDS) -> list[list]:
    """What read_committed shows of each partition: at least `count` records in all, and what follows within a moment."""
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False, "isolation.level": "read_committed"})
    reader.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(PARTITIONS)])
    found, deadline = [], time.monotonic() + seconds
    try:
        while len(found) < count and time.monotonic() < deadline:
            found += [m for m in reader.consume(1000, timeout=0.5) if not m.error()]
        found += [m for m in reader.consume(1000, timeout=3) if not m.error()]
    finally:
        reader.close()
    return [[(m.key(), m.value(), m.headers(), m.timestamp()) for m in found if m.partition() == p] for p in range(PARTITIONS)]


def produce(bootstrap: str, topic: str, numbers: range) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "compression.type": "lz4"})
    for n in numbers:
        producer.produce(topic, f"v{n}".encode(), f"k{n % 7}".encode(), partition=n % PARTITIONS, headers=[("n", str(n).encode())], timestamp=FIRST_MS + n)
    assert producer.flush(60) == 0


def produce_and_abort(bootstrap: str, topic: str, transactional_id: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": transactional_id})
    producer.init_transactions(60)
    producer.begin_transaction()
    for p in range(PARTITIONS):
        producer.produce(topic, b"never", partition=p)
    producer.flush(60)
    producer.abort_transaction(60)


def group_reads(bootstrap: str, group: str, topic: str, count: int) -> list[bytes]:
    """Reads `count` records (and what more there is) as a group and commits."""
    reader = Consumer({
        "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False,
        "isolation.level": "read_committed", "session.timeout.ms": 6000,
    })
    reader.subscribe([topic])
    found, deadline = [], time.monotonic() + READ_SECONDS
    try:
        while len(found) < count and time.monotonic() < deadline:
            found += [m.value() for m in reader.consume(1000, timeout=0.5) if not m.error()]
        found += [m.value() for m in reader.consume(1000, timeout=2) if not m.error()]
        reader.commit(asynchronous=False)
        return found
    finally:
        reader.close()


def committed(bootstrap: str, group: str, topic: str) -> list[int]:
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    try:
        return [p.offset for p in reader.committed([TopicPartition(topic, p) for p in range(PARTITIONS)], timeout=20)]
    finally:
        reader.close()


def high_watermark(bootstrap: str, topic: str, partition: int) -> int:
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused"})
    try:
        return reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=20)[1]
    finally:
        reader.close()


def topic_config(bootstrap: str, topic: str, name: str) -> str:
    client = admin.client(bootstrap)
    try:
        return next(iter(client.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values())).result(20)[name].value
    except KafkaException:
        return ""


def test_mirror_maker_mirrors(own_broker, tmp_path, ended, name):
    """Records, configs and a group's place come over; killed amid its work, MirrorMaker writes each record once all the same."""
    here, there = own_broker(), own_broker()
    # Groups named `connect-…` are Connect's own, which MirrorMaker leaves out.
    mirrored, group = f"a.{name}", f"readers-of-{name}"
    admin.create_topic(here.bootstrap, name, PARTITIONS, {"retention.ms": "987654321"})
    produce(here.bootstrap, name, range(300))
    produce_and_abort(here.bootstrap, name, name)
    assert len(group_reads(here.bootstrap, group, name, 300)) == 300
    worker = connect.mirror(tmp_path, here.bootstrap, there.bootstrap, name, group)
    ended.append(worker)
    worker.start()
    wait_until(lambda: worker.check_alive() and topic_config(there.bootstrap, mirrored, "retention.ms") == "987654321", 180, "the topic is there", pause=0.5)
    assert read(there.bootstrap, mirrored, 300) == read(here.bootstrap, name, 300)
    produce(here.bootstrap, name, range(300, 3000))
    read(there.bootstrap, mirrored, 600)
    worker.kill()
    produce(here.bootstrap, name, range(3000, 3600))
    worker.start()
    assert read(there.bootstrap, mirrored, 3600) == read(here.bootstrap, name, 3600)

    assert len(group_reads(here.bootstrap, group, name, 3300)) == 3300
    ends = [high_watermark(there.bootstrap, mirrored, p) for p in range(PARTITIONS)]

    def at_the_end() -> bool:
        """The offset after the last record; only the marker of its transaction may follow."""
        return all(0 <= end - offset <= 1 for end, offset in zip(ends, committed(there.bootstrap, group, mirrored)))

    wait_until(at_the_end, 90, f"the group has its place near {ends}", pause=0.5)
    produce(here.bootstrap, name, range(3600, 3630))
    assert sum(map(len, read(there.bootstrap, mirrored, 3630))) == 3630
    # It also asked for access rules: that there are none is no failure.
    assert "UnsupportedVersion" not in worker.log_path.read_text()
    assert sorted(group_reads(there.bootstrap, group, mirrored, 30)) == sorted(f"v{n}".encode() for n in range(3600, 3630))
