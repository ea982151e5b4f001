"""Careless and hostile bytes: each gets what Apache Kafka gives, on its own connection only, and costs no memory.

Every expectation here was first seen on Apache Kafka.
"""

import socket
import struct

import pytest

from harness import wire
from harness.process import wait_until

CORRUPT_MESSAGE, UNKNOWN_TOPIC, MESSAGE_TOO_LARGE, INVALID_TOPIC, UNSUPPORTED_VERSION = 2, 3, 10, 17, 35
INVALID_RECORD, INVALID_REQUIRED_ACKS, INVALID_CONFIG, INVALID_REQUEST = 87, 21, 40, 42
MEMORY_BOUND_BYTES = 64 << 20


@pytest.fixture
def bystander(broker):
    """Another client's connection: it is served before and after, and does not notice."""
    with wire.Connection(broker.port) as connection:
        connection.ask(wire.API_VERSIONS, 0, b"")
        yield
        connection.ask(wire.METADATA, 4, wire.metadata([]))


@pytest.fixture
def costs_no_memory(broker):
    if broker.kind == "kafka":
        yield  # A JVM's heap says nothing about one request.
        return
    before = broker.rss_bytes()
    yield
    assert broker.rss_bytes() - before < MEMORY_BOUND_BYTES


def closes(connection: wire.Connection) -> None:
    with pytest.raises(wire.Closed):
        connection.receive()


def test_unknown_version_of_api_versions_is_answered_in_version_0(broker, bystander):
    with wire.Connection(broker.port) as connection:
        connection.send(wire.API_VERSIONS, 99, b"\0\0\0")
        reader = wire.Reader(connection.receive())
        code, count = reader.take("hi")
        assert (code, count) == (UNSUPPORTED_VERSION, 1)
        assert reader.take("hhh")[:2] == (wire.API_VERSIONS, 0)
        assert reader.rest() == b""
        assert connection.ask(wire.API_VERSIONS, 0, b"")[:2] == b"\0\0", "the connection goes on"


@pytest.mark.parametrize("key,version", [(wire.METADATA, 99), (wire.FETCH, 3), (wire.PRODUCE, 2), (999, 0), (-1, 0), (4, 0)], ids=str)
def test_unknown_version_or_key_closes(broker, bystander, key, version):
    with wire.Connection(broker.port) as connection:
        connection.send(key, version, b"\0" * 32)
        closes(connection)


@pytest.mark.parametrize("body", [b"", b"\0", b"\x7f\xff\xff\xff", b"\0\0\0\1\x7f\xff", b"\0\0\0\2\0\1a"], ids=lambda b: b.hex() or "empty")
def test_unparseable_request_closes(broker, bystander, body):
    with wire.Connection(broker.port) as connection:
        connection.send(wire.METADATA, 4, body)
        closes(connection)


@pytest.mark.parametrize("length", [0x7FFFFFFF, 104_857_601, -1, -0x80000000], ids=str)
def test_wrong_length_prefix_closes(broker, bystander, costs_no_memory, length):
    with wire.Connection(broker.port) as connection:
        connection.send_raw(struct.pack(">i", length) + b"\0" * 64)
        closes(connection)


def test_billion_elements_cost_nothing(broker, bystander, costs_no_memory):
    for claimed in (1_000_000_000, 0x7FFFFFFF):
        with wire.Connection(broker.port) as connection:
            connection.send(wire.METADATA, 4, struct.pack(">i", claimed) + b"\0" * 1000)
            closes(connection)


def test_billion_records_cost_nothing(broker, topic, bystander, costs_no_memory):
    wanted = topic()
    with wire.Connection(broker.port) as connection:
        records = wire.batch([b"v"], count=1_000_000_000, last_offset_delta=999_999_999)
        code, _ = wire.produce_answer(connection.ask(wire.PRODUCE, 3, wire.produce(wanted, 0, records)))
        assert code == INVALID_RECORD


@pytest.mark.msgloop_only("Apache Kafka reserves the 100 MB that each half frame claims, and runs out of heap")
def test_half_a_frame_then_silence_hurts_nobody(broker, bystander, costs_no_memory):
    halves = [socket.create_connection(("127.0.0.1", broker.port)) for _ in range(50)]
    for half in halves:
        half.sendall(struct.pack(">i", 100_000_000) + b"\0" * 10)
    for half in halves:
        half.close()


def test_random_bytes_close(broker, bystander):
    with wire.Connection(broker.port) as connection:
        connection.send_raw(b"GET / HTTP/1.1\r\nHost: kafka\r\n\r\n")
        closes(connection)


# What is wrong with the batch, and Kafka's answer to it.
BATCHES = {
    "bad-crc": (lambda: wire.batch([b"v"], crc=1), CORRUPT_MESSAGE),
    "flipped-body-bit": (lambda: wire.batch([b"v"])[:-3] + b"\xff" + wire.batch([b"v"])[-2:], CORRUPT_MESSAGE),
    "truncated": (lambda: wire.batch([b"value"])[:-1], INVALID_RECORD),
    "shorter-than-its-header": (lambda: wire.batch([b"v"])[:20], INVALID_RECORD),
    "length-too-small": (lambda: struct.pack(">qi", 0, 5) + b"\0" * 5, CORRUPT_MESSAGE),
    "length-negative": (lambda: struct.pack(">qi", 0, -5) + b"\0" * 60, CORRUPT_MESSAGE),
    "magic-3": (lambda: wire.batch([b"v"], magic=3), CORRUPT_MESSAGE),
    "count-too-high": (lambda: wire.batch([b"v"], count=2, last_offset_delta=1), INVALID_RECORD),
    "count-too-low": (lambda: wire.batch([b"a", b"b"], count=1, last_offset_delta=0), INVALID_RECORD),
    "last-offset-delta-wrong": (lambda: wire.batch([b"a", b"b"], last_offset_delta=5), INVALID_RECORD),
    "two-batches": (lambda: wire.batch([b"a"]) + wire.batch([b"b"]), INVALID_RECORD),
    "control-batch": (lambda: wire.batch([b"a"], attributes=0x20), INVALID_RECORD),
    "too-large": (lambda: wire.batch([b"x" * 1_100_000]), MESSAGE_TOO_LARGE),
    "base-offset-not-zero": (lambda: wire.batch([b"a"], base_offset=7), INVALID_RECORD),
    "good": (lambda: wire.batch([b"a"]), 0),
}


@pytest.mark.parametrize("fault", BATCHES)
def test_wrong_batch_gets_its_error(broker, topic, bystander, fault):
    make, expected = BATCHES[fault]
    wanted = topic()
    with wire.Connection(broker.port) as connection:
        code, offset = wire.produce_answer(connection.ask(wire.PRODUCE, 3, wire.produce(wanted, 0, make())))
        assert (code, offset) == (expected, 0 if expected == 0 else -1)
        code, offset = wire.produce_answer(connection.ask(wire.PRODUCE, 3, wire.produce(wanted, 0, wire.batch([b"next"]))))
        assert (code, offset) == (0, 1 if expected == 0 else 0), "nothing of the wrong batch was stored"


def test_produce_without_records_or_with_wrong_acks(broker, topic, bystander):
    wanted = topic()
    with wire.Connection(broker.port) as connection:
        code, _ = wire.produce_answer(connection.ask(wire.PRODUCE, 3, wire.produce(wanted, 0, wire.batch([b"v"]), acks=2)))
        assert code == INVALID_REQUIRED_ACKS
        code, _ = wire.produce_answer(connection.ask(wire.PRODUCE, 3, wire.produce(wanted, 0, b"")))
        assert code == INVALID_RECORD


@pytest.mark.parametrize("partition", [1, -1, 0x7FFFFFFF])
def test_produce_to_an_unknown_partition(broker, topic, bystander, partition):
    wanted = topic()
    with wire.Connection(broker.port) as connection:
        answer = connection.ask(wire.PRODUCE, 3, wire.produce(wanted, partition, wire.batch([b"v"])))
        assert wire.produce_answer(answer)[0] == UNKNOWN_TOPIC


@pytest.mark.parametrize("wrong", ["", "with space", "sl/ash", "..", "x" * 250, "ünï"])
def test_wrong_topic_name_in_metadata(broker, bystander, wrong):
    with wire.Connection(broker.port) as connection:
        answer = connection.ask(wire.METADATA, 4, wire.array([wire.string(wrong)]) + b"\1")
    reader = wire.Reader(answer)
    reader.take("i")
    for _ in range(reader.take("i")):
        reader.take("i"), reader.string(), reader.take("i"), reader.string()
    reader.string(), reader.take("i")
    assert reader.take("i") == 1
    assert reader.take("h") == INVALID_TOPIC


def test_unknown_config_at_creation(broker, name, bystander):
    """CreateTopics version 2: INVALID_CONFIG, and no topic."""
    one = wire.string(name) + struct.pack(">ih", 1, 1) + wire.array([]) + wire.array([wire.string("no.such.config") + wire.string("1")])
    with wire.Connection(broker.port) as connection:
        reader = wire.Reader(connection.ask(wire.CREATE_TOPICS, 2, wire.array([one]) + struct.pack(">ib", 5000, 0)))
    assert reader.take("ii") == (0, 1)
    assert (reader.string(), reader.take("h")) == (name, INVALID_CONFIG)
    assert "no.such.config" in reader.string()


def test_pipelined_requests_are_answered_in_order(broker, topic, bystander):
    wanted = topic()
    with wire.Connection(broker.port) as connection:
        for _ in range(200):
            connection.send(wire.PRODUCE, 3, wire.produce(wanted, 0, wire.batch([b"v"])))
        last = connection.correlation_id
        for i in range(200):
            connection.correlation_id = last - 199 + i
            assert wire.produce_answer(connection.receive()) == (0, i)


def test_a_client_that_never_reads_is_bounded(broker, topic, bystander, costs_no_memory):
    """Ten thousand fetches of 100 kB are asked for and not one answer is read."""
    wanted = topic()
    with wire.Connection(broker.port) as connection:
        connection.ask(wire.PRODUCE, 3, wire.produce(wanted, 0, wire.batch([b"x" * 100_000])))
    deaf = wire.Connection(broker.port, seconds=2)
    try:
        for _ in range(10_000):
            deaf.send(wire.FETCH, 4, wire.fetch(wanted, 0, 0))
    except (TimeoutError, ConnectionError):
        pass  # The broker stopped reading or hung up: both bound the memory.
    with wire.Connection(broker.port) as other:
        wait_until(lambda: other.ask(wire.API_VERSIONS, 0, b"")[:2] == b"\0\0", 10, "others are served meanwhile")
    deaf.socket.close()
