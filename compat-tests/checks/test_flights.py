"""Real input through every client with each codec: what one client wrote, another reads, equal in count and content."""

from functools import lru_cache

import pytest

from harness import flights
from harness.members import Member
from harness.process import wait_until
from harness.line_clients import CLIENTS, CODECS, client

SUBSET = 20_000


@lru_cache
def source_digest(path):
    return flights.digest_of_source(path)


def pairs(names: list[str]):
    """Each producer with each codec; the consumer rotates, so each consumer meets each codec and never only itself."""
    for p, producer in enumerate(names):
        for c, codec in enumerate(CODECS):
            yield producer, names[(p + c + 1) % len(names)], codec


def check(broker, topic: str, producer: str, consumer: str, codec: str, count: int) -> None:
    for side in (client(producer), client(consumer)):
        if codec not in side.codecs:
            pytest.skip(side.without)
    source = flights.lines(count)
    client(producer).produce(broker.bootstrap, topic, codec, source)
    found = flights.digest_of_consumed(client(consumer).consume(broker.bootstrap, topic, count))
    assert found == source_digest(source), source_digest(source).difference(found)


QUICK = ["kcat", "confluent-kafka", "kafka-python", "java"]


@pytest.mark.parametrize("producer,consumer,codec", pairs(QUICK))
def test_subset_of_flights(broker, topic, producer, consumer, codec):
    check(broker, topic(partitions=6), producer, consumer, codec, SUBSET)


@pytest.mark.smoke
def test_every_flight_through_two_clients(broker, topic):
    check(broker, topic(partitions=6), "confluent-kafka", "kcat", "zstd", flights.FLIGHTS)


@pytest.mark.full
@pytest.mark.parametrize("producer,consumer,codec", pairs([c.name for c in CLIENTS]))
def test_every_flight(broker, topic, producer, consumer, codec):
    check(broker, topic(partitions=6), producer, consumer, codec, flights.FLIGHTS)


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_every_flight_through_a_group_whose_members_come_and_go(broker, topic, name, strategy):
    """Three members; one leaves and another joins at each seventh of the way. Read again is allowed, read differently or not at all is not."""
    wanted = topic(partitions=6)
    source = flights.lines()
    client("confluent-kafka").produce(broker.bootstrap, wanted, "lz4", source)
    records: dict = {}
    members = [start_member(broker, name, wanted, records, strategy) for _ in range(3)]
    for seventh in range(1, 7):
        wait_until(lambda: len(records) >= flights.FLIGHTS * seventh // 7, 120, f"{seventh} sevenths are read")
        members.pop(seventh % 3).leave()
        members.append(start_member(broker, name, wanted, records, strategy))
    wait_until(lambda: len(records) >= flights.FLIGHTS, 120, "everything is read")
    for member in members:
        member.leave()
    assert all(len(set(readings)) == 1 for readings in records.values()), "the same record each time it is read"
    found = flights.digest_of_consumed([b"%d\t%d\t%s\t%s" % (*place, *readings[0]) for place, readings in sorted(records.items())])
    assert found == source_digest(source), source_digest(source).difference(found)


def start_member(broker, group: str, topic: str, records: dict, strategy: str) -> Member:
    member = Member(broker.bootstrap, group, topic, records, strategy)
    member.start()
    return member
