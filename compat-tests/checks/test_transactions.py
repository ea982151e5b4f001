"""Transactions with librdkafka (the older protocol: partitions are added first, the epoch stays) and with Kafka's tools.

The Java client, which speaks the newer protocol, has its own checks in compat-tests/java/TransactionChecks.java.
"""

import re
import time

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from harness import admin, bank
from harness.jvm import tool
from harness.process import wait_until


def producer(broker, transactional_id: str, **settings) -> Producer:
    made = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": transactional_id, "linger.ms": 1, **settings})
    made.init_transactions(30)
    return made


def consumer(broker, group: str = "unused", **settings) -> Consumer:
    return Consumer({
        "bootstrap.servers": broker.bootstrap, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False,
        "isolation.level": "read_committed", **settings,
    })


def values(broker, topic: str, count: int, partition: int = 0, seconds: float = 20, **settings) -> list:
    """The first `count` values; then nothing more may come for a moment."""
    reader = consumer(broker, **settings)
    reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    found, deadline = [], time.monotonic() + seconds
    try:
        while len(found) < count and time.monotonic() < deadline:
            found += [m for m in reader.consume(count - len(found), timeout=0.5) if not m.error()]
        found += [m for m in reader.consume(10, timeout=1) if not m.error()]
        return [m.value().decode() for m in found]
    finally:
        reader.close()


def ends(broker, topic: str, partition: int = 0) -> tuple[int, int]:
    """The high watermark and the last stable offset."""
    found = []
    for level in ("read_uncommitted", "read_committed"):
        reader = consumer(broker, **{"isolation.level": level})
        try:
            client = admin.client(broker.bootstrap)
            from confluent_kafka import IsolationLevel
            from confluent_kafka.admin import OffsetSpec

            wanted = IsolationLevel.READ_COMMITTED if level == "read_committed" else IsolationLevel.READ_UNCOMMITTED
            at = TopicPartition(topic, partition)
            found.append(client.list_offsets({at: OffsetSpec.latest()}, isolation_level=wanted)[at].result(20).offset)
        finally:
            reader.close()
    return found[0], found[1]


@pytest.mark.smoke
def test_committed_is_seen_and_aborted_is_not(broker, topic, name):
    wanted = topic()
    writer = producer(broker, name)
    for number, commit in enumerate([True, False, True, False]):
        writer.begin_transaction()
        for index in range(3):
            writer.produce(wanted, f"{number}-{index}".encode())
        writer.commit_transaction(30) if commit else (writer.flush(20), writer.abort_transaction(30))
    expected = [f"{number}-{index}" for number in (0, 2) for index in range(3)]
    assert values(broker, wanted, 6) == expected
    everything = values(broker, wanted, 12, **{"isolation.level": "read_uncommitted"})
    assert everything == [f"{number}-{index}" for number in range(4) for index in range(3)]
    # Each transaction has a marker, which takes an offset.
    wait_until(lambda: ends(broker, wanted) == (16, 16), 10, "the markers are written")


def test_an_open_transaction_holds_readers_back(broker, topic, name):
    wanted = topic()
    plain = Producer({"bootstrap.servers": broker.bootstrap})
    plain.produce(wanted, b"before")
    plain.flush(20)
    writer = producer(broker, name)
    writer.begin_transaction()
    writer.produce(wanted, b"inside")
    writer.flush(20)
    plain.produce(wanted, b"after")
    plain.flush(20)
    assert ends(broker, wanted) == (3, 1)
    assert values(broker, wanted, 1) == ["before"]
    writer.commit_transaction(30)
    assert values(broker, wanted, 3) == ["before", "inside", "after"]


def test_a_second_producer_fences_the_first(broker, topic, name):
    wanted = topic()
    first = producer(broker, name)
    first.begin_transaction()
    first.produce(wanted, b"lost")
    first.flush(20)
    second = producer(broker, name)
    first.produce(wanted, b"late")
    with pytest.raises(KafkaException) as failure:
        first.commit_transaction(30)
    assert failure.value.args[0].code() in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH)
    second.begin_transaction()
    second.produce(wanted, b"kept")
    second.commit_transaction(30)
    assert values(broker, wanted, 1) == ["kept"]


def test_consume_transform_produce(broker, topic, name):
    source, sink = topic("source", 2), topic("sink")
    plain = Producer({"bootstrap.servers": broker.bootstrap})
    for number in range(40):
        plain.produce(source, str(number).encode(), partition=number % 2)
    plain.flush(20)
    writer = producer(broker, name)
    reader = consumer(broker, name)
    reader.subscribe([source])
    done, rounds = 0, 0
    while done < 40:
        batch = [m for m in reader.consume(7, timeout=5) if not m.error()]
        if not batch:
            continue
        rounds += 1
        writer.begin_transaction()
        for message in batch:
            writer.produce(sink, b"x" + message.value())
        positions = reader.position(reader.assignment())
        writer.send_offsets_to_transaction(positions, reader.consumer_group_metadata(), 30)
        if rounds % 3 == 0:
            writer.abort_transaction(30)
            committed = {p.partition: max(p.offset, 0) for p in reader.committed(reader.assignment(), timeout=20)}
            for partition, offset in committed.items():
                reader.seek(TopicPartition(source, partition, offset))
            continue
        writer.commit_transaction(30)
        done += len(batch)
    committed = sum(p.offset for p in reader.committed([TopicPartition(source, 0), TopicPartition(source, 1)], timeout=20))
    assert committed == 40
    assert sorted(values(broker, sink, 40)) == sorted(f"x{number}" for number in range(40))
    reader.close()


def test_a_transaction_that_takes_too_long_is_aborted(own_broker):
    broker = own_broker({"transaction.abort.timed.out.transaction.cleanup.interval.ms": "500"})
    admin.create_topic(broker.bootstrap, "late", 1)
    writer = producer(broker, "late", **{"transaction.timeout.ms": 2000})
    writer.begin_transaction()
    writer.produce("late", b"forgotten")
    writer.flush(20)
    assert ends(broker, "late") == (1, 0)
    wait_until(lambda: ends(broker, "late") == (2, 2), 20, "the transaction is aborted")
    with pytest.raises(KafkaException):
        writer.commit_transaction(30)
    assert values(broker, "late", 0) == []


def test_transactions_outlive_a_kill(own_broker):
    broker = own_broker()
    admin.create_topic(broker.bootstrap, "kept", 2)
    writer = producer(broker, "kept")
    for number in range(20):
        writer.begin_transaction()
        writer.produce("kept", str(number).encode(), partition=number % 2)
        if number == 13:
            writer.flush(20)
        if number in (5, 13):
            broker.kill()
            broker.start()
        writer.commit_transaction(60)
    found = values(broker, "kept", 10) + values(broker, "kept", 10, partition=1)
    assert sorted(map(int, found)) == list(range(20))


def with_open_transaction(broker, topic: str, name: str):
    """A producer whose transaction holds one record."""
    writer = producer(broker, name)
    writer.begin_transaction()
    writer.produce(topic, b"open")
    writer.flush(20)
    return writer


def test_kafka_transactions_lists_and_describes(broker, topic, name):
    wanted = topic()
    writer = with_open_transaction(broker, wanted, name)

    def run(*arguments: str) -> str:
        return tool("TransactionsCommand", "--bootstrap-server", broker.bootstrap, *arguments)

    listed = next(line for line in run("list").splitlines() if line.startswith(name)).split()
    assert listed[-1] == "Ongoing"
    described = run("describe", "--transactional-id", name)
    assert re.search(rf"{name}\s+\d+\s+0\s+Ongoing\s+60000\s+.*{wanted}-0", described), described
    producers = run("describe-producers", "--topic", wanted, "--partition", "0").splitlines()
    assert len(producers) == 2 and producers[1].split()[-1] == "0", producers
    writer.commit_transaction(30)
    wait_until(lambda: "CompleteCommit" in run("describe", "--transactional-id", name), 30, "the transaction is complete")


def test_kafka_transactions_aborts(broker, topic, name):
    wanted = topic()
    writer = with_open_transaction(broker, wanted, name)
    assert ends(broker, wanted) == (1, 0)
    tool("TransactionsCommand", "--bootstrap-server", broker.bootstrap, "abort", "--topic", wanted, "--partition", "0", "--start-offset", "0")
    assert ends(broker, wanted) == (2, 2)
    assert values(broker, wanted, 0) == []


def test_kafka_transactions_ends_one_by_its_id(broker, topic, name):
    wanted = topic()
    writer = with_open_transaction(broker, wanted, name)
    tool("TransactionsCommand", "--bootstrap-server", broker.bootstrap, "forceTerminateTransaction", "--transactionalId", name)
    wait_until(lambda: ends(broker, wanted) == (2, 2), 20, "the transaction is aborted")
    with pytest.raises(KafkaException):
        writer.commit_transaction(30)
    assert values(broker, wanted, 0) == []


def test_kafka_transactions_finds_none_that_hang(broker, topic, name):
    """An open transaction that its coordinator knows of does not hang, however long it takes."""
    wanted = topic()
    writer = with_open_transaction(broker, wanted, name)
    asked = ["--topic", wanted, "--max-transaction-timeout", "0"]
    found = tool("TransactionsCommand", "--bootstrap-server", broker.bootstrap, "find-hanging", *asked)
    assert [line for line in found.splitlines() if wanted in line] == [], found
    writer.commit_transaction(30)


@pytest.mark.campaign
def test_the_bank_keeps_its_money(own_broker, full):
    """Clients move money over 8 partitions in transactions while the broker is killed: every total is the same."""
    broker = own_broker()
    report = bank.run(broker, clients=4, kills=20 if full else 4, seed=7)
    assert report.transfers > 50, report
    assert report.audits > 3, report
    assert report.wrong == [], report


def test_the_bank_shows_what_read_uncommitted_would(own_broker):
    """The audit can fail: readers of everything see half of the transfers."""
    broker = own_broker()
    report = bank.run(broker, clients=4, kills=0, seed=8, isolation="read_uncommitted", seconds=10)
    assert report.wrong != [], report
