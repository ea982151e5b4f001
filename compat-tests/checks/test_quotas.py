"""Client quotas in force: a client above its rate is told to wait, and held to the rate."""

import struct
import time

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from harness import flexible, wire
from harness.admin import create_topic
from harness.flexible import int32, items, text
from harness.jvm import tool
from harness.process import wait_until

RATE = 1_000_000
VALUE = bytes(10_000)
# Not measured: a window may be used up at once.
SETTLED_SECONDS = 4
MEASURED_SECONDS = 10


@pytest.fixture(scope="module")
def limited(new_broker):
    """A broker with a window of two seconds, so that a rate settles quickly."""
    broker = new_broker(overrides={"quota.window.num": "3", "controller.quota.window.num": "1"}).start()
    quotas = {"busy": "request_percentage=0.1", "strict": "controller_mutation_rate=1", "slow-producer": f"producer_byte_rate={RATE}", "slow-consumer": f"consumer_byte_rate={RATE}", "compat": "controller_mutation_rate=1"}
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


METADATA, CREATE_TOPICS, DELETE_TOPICS, CREATE_PARTITIONS = 3, 19, 20, 37
NONE, THROTTLED = 0, 89


def test_a_client_that_keeps_the_broker_busy_is_told_to_pause_and_not_read_from_meanwhile(limited):
    def pause(connection: wire.Connection, client: str) -> int:
        """What one request, of which many take a thousandth of a core, costs, in milliseconds."""
        return flexible.ask(connection, METADATA, 9, items([], bytes) + bytes(4), client).take("i")

    with wire.Connection(limited.port) as busy, wire.Connection(limited.port) as free:
        told = wait_until(lambda: pause(busy, "busy"), 20, "the client is told to pause", pause=0)
        begun = time.monotonic()
        # A sample of the window is the longest pause for time.
        assert told <= 1000
        assert pause(free, "free") == 0
        pause(busy, "busy")
        # Muted for what the first answer said.
        assert time.monotonic() - begun >= 0.9 * told / 1000


def test_changes_of_metadata_are_refused_to_newer_clients_until_they_are_paid_for(limited):
    timeout = int32(5000) + b"\0"

    def asked(key: int, version: int, body: bytes, row) -> tuple[int, int]:
        """The pause in milliseconds, and the code of the one change."""
        # Another connection each time: one that was told to pause is not read from.
        with wire.Connection(limited.port) as connection:
            answer = flexible.ask(connection, key, version, body, "strict")
            pause = answer.take("i")
            return pause, answer.items(row)[0]

    def create(name: str, partitions: int) -> tuple[int, int]:
        topic = text(name) + int32(partitions) + b"\0\1" + items([], bytes) + items([], bytes) + b"\0"
        return asked(CREATE_TOPICS, 6, items([topic], bytes) + timeout + b"\0", _created)

    def add(name: str, count: int) -> tuple[int, int]:
        return asked(CREATE_PARTITIONS, 3, items([text(name) + int32(count) + b"\0\0"], bytes) + timeout + b"\0", lambda row: (row.text(), row.take("h"), row.text(), row.unsigned())[1])

    def delete(name: str) -> tuple[int, int]:
        return asked(DELETE_TOPICS, 5, items([text(name)], bytes) + int32(5000) + b"\0", lambda row: (row.text(), row.take("h"), row.text(), row.unsigned())[1])

    # One token, and one more each second. A change is made whole as long as any is left.
    assert create("strict", 5) == (0, NONE)
    for refused in lambda: create("stricter", 1), lambda: add("strict", 6), lambda: delete("strict"):
        pause, code = refused()
        assert code == THROTTLED and 0 < pause <= 4000
    time.sleep(pause / 1000)
    assert add("strict", 7) == (0, NONE)
    pause, code = add("strict", 8)
    assert code == THROTTLED and 0 < pause <= 2000
    time.sleep(pause / 1000)
    assert delete("strict") == (0, NONE)


def _created(row: flexible.Reader) -> int:
    row.text()
    code = row.take("h")
    row.text(), row.take("i"), row.take("h")
    row.items(lambda config: (config.text(), config.text(), config.take("b"), config.take("b"), config.take("b"), config.unsigned()))
    row.unsigned()
    return code


def test_connections_of_an_address_beyond_its_rate_are_closed_unanswered(new_broker):
    broker = new_broker(overrides={"quota.window.num": "3"}).start()
    rate = 5
    tool(
        "ConfigCommand", "--bootstrap-server", broker.bootstrap, "--alter", "--entity-type", "ips", "--entity-name", "127.0.0.1",
        "--add-config", f"connection_creation_rate={rate}",
    )

    def answered() -> bool:
        try:
            with wire.Connection(broker.port) as connection:
                connection.ask(wire.API_VERSIONS, 0, b"")
                return True
        except wire.Closed:
            return False

    # The window has two whole seconds and the one that has begun.
    time.sleep(4)
    begun = time.monotonic()
    outcomes = [answered() for _ in range(2 * rate + 1)]
    taken = time.monotonic() - begun
    outcomes += [answered() for _ in range(4)]
    broker_said = f"{outcomes} after {taken:.1f} s"
    assert all(outcomes[: 2 * rate]), broker_said
    assert not all(outcomes), broker_said
    # The first that is refused is kept waiting before it is closed, so that the client does not come again at once.
    assert time.monotonic() - begun > 0.15, broker_said
    wait_until(answered, 20, "connections are taken again", pause=0.5)
    broker.kill()
