"""kafka-python: pure Python, its own reading of the protocol and the record formats."""

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from harness.process import wait_until

CODECS = [None, "gzip", "snappy", "lz4", "zstd"]


def producer(broker, **settings) -> KafkaProducer:
    return KafkaProducer(bootstrap_servers=broker.bootstrap, **settings)


def from_start(broker, topic: str, count: int) -> list:
    client = KafkaConsumer(bootstrap_servers=broker.bootstrap, group_id=None, consumer_timeout_ms=10_000, check_crcs=True)
    client.assign([TopicPartition(topic, 0)])
    client.seek_to_beginning()
    try:
        return [m for _, m in zip(range(count), client)]
    finally:
        client.close()


@pytest.mark.parametrize("codec", CODECS)
def test_writes_and_reads_every_codec(broker, topic, codec):
    wanted = topic()
    client = producer(broker, compression_type=codec, linger_ms=5)
    values = [f"{i} ".encode() * 20 for i in range(500)]
    sent = [client.send(wanted, value=v) for v in values]
    client.flush(30)
    assert [f.get(1).offset for f in sent] == list(range(500))
    client.close()
    assert [m.value for m in from_start(broker, wanted, 500)] == values


def test_every_field_of_a_record_returns(broker, topic):
    wanted = topic()
    client = producer(broker)
    headers = [("a", b"\x00\xff"), ("a", b""), ("b", "ü".encode())]
    client.send(wanted, key=b"k", value=b"v", headers=headers, timestamp_ms=1_600_000_000_000).get(10)
    client.send(wanted, key=b"tombstone", value=None).get(10)
    client.close()
    first, second = from_start(broker, wanted, 2)
    assert (first.key, first.value, list(first.headers), first.timestamp) == (b"k", b"v", headers, 1_600_000_000_000)
    assert (second.key, second.value) == (b"tombstone", None)


def test_group_goes_on_where_it_committed(broker, topic, name):
    wanted = topic(partitions=3)
    client = producer(broker)

    def fill(count: int):
        for i in range(count):
            client.send(wanted, value=str(i).encode(), partition=i % 3)
        client.flush(30)

    def member() -> KafkaConsumer:
        return KafkaConsumer(
            wanted, bootstrap_servers=broker.bootstrap, group_id=name, auto_offset_reset="earliest", enable_auto_commit=False, consumer_timeout_ms=15_000,
        )

    fill(30)
    first = member()
    assert len([m for _, m in zip(range(30), first)]) == 30
    first.commit()
    first.close()
    fill(6)
    second = member()
    assert sorted(m.offset for _, m in zip(range(6), second)) == [10, 10, 10, 11, 11, 11]
    second.close()
    client.close()


def test_offsets_by_time_and_ends(broker, topic):
    wanted = topic()
    client = producer(broker)
    for i in range(100):
        client.send(wanted, value=b"x", timestamp_ms=1_600_000_000_000 + i)
    client.flush(30)
    client.close()
    at = TopicPartition(wanted, 0)
    reader = KafkaConsumer(bootstrap_servers=broker.bootstrap, group_id=None)
    assert reader.beginning_offsets([at]) == {at: 0}
    assert reader.end_offsets([at]) == {at: 100}
    assert reader.offsets_for_times({at: 1_600_000_000_042})[at].offset == 42
    reader.close()


def test_lists_and_deletes_topics(broker, topic):
    wanted = topic(partitions=2)
    client = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    assert wanted in client.list_topics()
    client.delete_topics([wanted])
    wait_until(lambda: wanted not in client.list_topics(), 10, "the topic is gone")
    client.close()
