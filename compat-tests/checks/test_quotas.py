"""Client quotas in force: a client above its rate is told to wait, and held to the rate."""

import struct
import time

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from harness import wire
from harness.admin import create_topic
from harness.jvm import tool

RATE = 1_000_000
VALUE = bytes(10_000)
# Not measured: a window may be used up at once.
SETTLED_SECONDS = 4
MEASURED_SECONDS = 10


@pytest.fixture(scope="module")
def limited(new_broker):
    """A broker with a window of two seconds, so that a rate settles quickly."""
    broker = new_broker(overrides={"quota.window.num": "3", "controller.quota.window.num": "1"}).start()
    quotas = {"slow-producer": f"producer_byte_rate={RATE}", "slow-consumer": f"consumer_byte_rate={RATE}", "compat": "controller_mutation_rate=1"}
    for client, quota in quotas.items():
        tool(
            "ConfigCommand", "--bootstrap-server", broker.bootstrap, "--alter", "--entity-type", "clients", "--entity-name", client,
            "--add-config", quota,
        )
    create_topic(broker.bootstrap, "limited")
    yield broker
    broker.kill()


def throttled(pauses: list) -> dict:
    """Settings of a client that notes the pauses it is told, in seconds."""
    return {"throttle_cb": lambda event: pauses.append(event.throttle_time), "statistics.interval.ms": 0}


def held_rate(step) -> float:
    """Bytes a second that `step` moves once the first window is used up."""
    moved, begun, settled = 0, None, time.monotonic() + SETTLED_SECONDS
    while begun is None or time.monotonic() < begun + MEASURED_SECONDS:
        moved += step()
        if begun is None and time.monotonic() >= settled:
            begun, moved = time.monotonic(), 0
    return moved / (time.monotonic() - begun)


def test_a_producer_is_held_to_its_rate(limited):
    delivered, pauses = [], []
    producer = Producer({
        "bootstrap.servers": limited.bootstrap, "client.id": "slow-producer", "batch.size": 50_000, "linger.ms": 5,
        "queue.buffering.max.messages": 100, **throttled(pauses),
    })

    def step() -> int:
        before = len(delivered)
        try:
            producer.produce("limited", VALUE, on_delivery=lambda error, _: delivered.append(error))
        except BufferError:
            producer.poll(0.05)
        producer.poll(0)
        return (len(delivered) - before) * len(VALUE)

    rate = held_rate(step)
    producer.flush(30)
    assert not any(delivered) and max(pauses) > 0
    assert 0.85 * RATE < rate < 1.15 * RATE, f"{rate:.0f} bytes a second"


def test_a_consumer_is_held_to_its_rate(limited):
    pauses = []
    producer = Producer({"bootstrap.servers": limited.bootstrap, "client.id": "free", "batch.size": 50_000})
    for _ in range(2_500):
        producer.produce("limited", VALUE)
    assert producer.flush(30) == 0
    client = Consumer({
        "bootstrap.servers": limited.bootstrap, "client.id": "slow-consumer", "group.id": "unused", "fetch.message.max.bytes": 50_000,
        "queued.max.messages.kbytes": 100, "enable.auto.commit": False, **throttled(pauses),
    })
    client.assign([TopicPartition("limited", 0, OFFSET_BEGINNING)])
    rate = held_rate(lambda: sum(len(m.value()) for m in client.consume(10, timeout=0.05)))
    client.close()
    assert pauses and max(pauses) > 0
    assert 0.85 * RATE < rate < 1.15 * RATE, f"{rate:.0f} bytes a second"


def test_an_older_admin_is_told_when_its_partitions_are_paid_for(limited):
    def create(name: str, partitions: int) -> tuple[int, int]:
        topic = wire.string(name) + struct.pack(">ih", partitions, 1) + wire.array([]) + wire.array([])
        with wire.Connection(limited.port) as connection:
            answer = connection.ask(wire.CREATE_TOPICS, 4, wire.array([topic]) + struct.pack(">ib", 5000, 0))
        pause, code = struct.unpack_from(">i", answer)[0], struct.unpack_from(">h", answer, 4 + 4 + 2 + len(name))[0]
        return code, pause

    # One token at first and one more each second; 21 partitions leave 20 to be paid.
    code, pause = create("large", 21)
    assert code == 0 and 15_000 < pause <= 20_000
    code, later = create("small", 1)
    assert code == 0 and 0 < later <= 21_000
