"""confluent-kafka (the current librdkafka): produce, consume, groups, administration."""

import time

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING, ConsumerGroupTopicPartitions, Consumer, ConsumerGroupState, IsolationLevel, KafkaError, KafkaException, Producer, TopicPartition,
)
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType

from harness import admin
from harness.process import wait_until

STAMP = 1_600_000_000_000


def produce(broker, topic: str, values: list, **settings) -> list:
    """The delivered messages, in the order of delivery; fails on the first error."""
    delivered = []

    def note(error, message):
        assert error is None, error
        delivered.append(message)

    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 1, **settings})
    for value in values:
        producer.produce(topic, **(value if isinstance(value, dict) else {"value": value}), on_delivery=note)
    assert producer.flush(30) == 0
    return delivered


def consumer(broker, group: str = "unused", **settings) -> Consumer:
    return Consumer({
        "bootstrap.servers": broker.bootstrap, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False,
        "check.crcs": True, "heartbeat.interval.ms": 300, "session.timeout.ms": 10000, **settings,
    })


def take(client: Consumer, count: int, seconds: float = 20) -> list:
    found = []
    deadline = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < deadline:
        found += [m for m in client.consume(count - len(found), timeout=0.5)]
    assert [m.error() for m in found if m.error()] == []
    assert len(found) == count
    return found


def from_start(broker, topic: str, count: int, **settings) -> list:
    client = consumer(broker, **settings)
    client.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    try:
        return take(client, count)
    finally:
        client.close()


@pytest.mark.smoke
@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("idempotent", [False, True], ids=["plain", "idempotent"])
def test_writes_and_reads_every_codec(broker, topic, codec, idempotent):
    wanted = topic()
    values = [f"{i} ".encode() * 50 for i in range(2000)]
    produce(broker, wanted, values, **{"compression.type": codec, "enable.idempotence": idempotent})
    found = from_start(broker, wanted, len(values))
    assert [m.value() for m in found] == values
    assert [m.offset() for m in found] == list(range(len(values)))


def test_every_field_of_a_record_returns(broker, topic):
    wanted = topic()
    headers = [("a", b"\x00\xff"), ("a", b""), ("nothing", None), ("é", "ü".encode())]
    produce(broker, wanted, [{"value": b"v", "key": b"k", "timestamp": STAMP, "headers": headers}, {"value": None, "key": b""}, {"value": b""}])
    first, second, third = from_start(broker, wanted, 3)
    assert (first.key(), first.value(), first.headers(), first.timestamp()[1]) == (b"k", b"v", headers, STAMP)
    assert (second.key(), second.value()) == (b"", None)
    assert (third.key(), third.value()) == (None, b"")


@pytest.mark.parametrize("size", [1, 100_000, 1_000_000])
def test_large_messages(broker, topic, size):
    wanted = topic()
    produce(broker, wanted, [b"x" * size, b"y" * size], **{"message.max.bytes": 2_000_000})
    assert [m.value() for m in from_start(broker, wanted, 2, **{"fetch.message.max.bytes": 1000})] == [b"x" * size, b"y" * size]


def test_too_large_message_is_refused(broker, topic):
    wanted = topic(max_message_bytes="1000")
    errors = []
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    producer.produce(wanted, b"x" * 5000, on_delivery=lambda error, _: errors.append(error))
    producer.flush(20)
    assert [e.code() for e in errors] == [KafkaError.MSG_SIZE_TOO_LARGE]


def test_seek_and_watermarks(broker, topic):
    wanted = topic()
    produce(broker, wanted, [str(i).encode() for i in range(500)])
    client = consumer(broker)
    assert client.get_watermark_offsets(TopicPartition(wanted, 0), timeout=10) == (0, 500)
    client.assign([TopicPartition(wanted, 0, 499)])
    assert take(client, 1)[0].value() == b"499"
    for offset in (0, 250, 498):
        client.seek(TopicPartition(wanted, 0, offset))
        assert take(client, 1)[0].value() == str(offset).encode()
    client.close()


def test_offsets_by_time(broker, topic):
    wanted = topic()
    produce(broker, wanted, [{"value": b"", "timestamp": STAMP + i} for i in range(500)], **{"batch.num.messages": 100})
    client = consumer(broker)

    def at(time_ms: int) -> int:
        return client.offsets_for_times([TopicPartition(wanted, 0, time_ms)], timeout=10)[0].offset

    assert [at(STAMP - 1), at(STAMP + 123), at(STAMP + 499)] == [0, 123, 499]
    assert at(STAMP + 500) == -1
    client.close()


def test_long_poll_wakes_for_new_records(broker, topic):
    wanted = topic()
    client = consumer(broker, **{"fetch.wait.max.ms": 5000})
    client.assign([TopicPartition(wanted, 0, OFFSET_BEGINNING)])
    assert client.consume(1, timeout=1.5) == []
    began = time.monotonic()
    produce(broker, wanted, [b"wake"])
    assert take(client, 1)[0].value() == b"wake"
    assert time.monotonic() - began < 2, "the waiting fetch is answered at once"
    client.close()


def test_partition_eof_and_read_committed(broker, topic):
    wanted = topic()
    produce(broker, wanted, [b"1", b"2"])
    client = consumer(broker, **{"enable.partition.eof": True, "isolation.level": "read_committed"})
    client.assign([TopicPartition(wanted, 0, OFFSET_BEGINNING)])
    found = [client.poll(10) for _ in range(3)]
    assert [m.value() for m in found[:2]] == [b"1", b"2"]
    assert found[2].error().code() == KafkaError._PARTITION_EOF
    client.close()


def test_unknown_topic_and_partition(broker, name):
    client = consumer(broker, **{"allow.auto.create.topics": False})
    with pytest.raises(KafkaException) as failure:
        client.get_watermark_offsets(TopicPartition(f"{name}-none", 0), timeout=10)
    assert failure.value.args[0].code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)
    client.close()


@pytest.mark.parametrize("strategy", ["range", "roundrobin", "cooperative-sticky"])
def test_group_members_come_and_go(broker, topic, name, strategy):
    wanted = topic(partitions=6)
    members = []

    def settle():
        def shared():
            for member in members:
                member.consume(10, timeout=0.05)
            owned = [[p.partition for p in m.assignment()] for m in members]
            return sorted(sum(owned, [])) == list(range(6)) and all(len(o) == 6 // len(members) for o in owned)

        wait_until(shared, 30, f"{len(members)} members share 6 partitions")

    for _ in range(3):
        members.append(consumer(broker, name, **{"partition.assignment.strategy": strategy}))
        members[-1].subscribe([wanted])
        settle() if len(members) != 2 else None
    settle()
    members.pop(1).close()
    settle()
    members.pop(0).close()
    settle()
    members.pop().close()


def test_static_member_returns(broker, topic, name):
    wanted = topic(partitions=2)
    settings = {"group.instance.id": "one", "session.timeout.ms": 30000}
    first = consumer(broker, name, **settings)
    first.subscribe([wanted])
    wait_until(lambda: first.consume(1, timeout=0.1) or len(first.assignment()) == 2, 20, "the member owns both partitions")
    first.close()
    client = admin.client(broker.bootstrap)
    description = client.describe_consumer_groups([name])[name].result(20)
    assert [m.group_instance_id for m in description.members] == ["one"], "close of a static member does not leave the group"
    second = consumer(broker, name, **settings)
    second.subscribe([wanted])
    began = time.monotonic()
    wait_until(lambda: second.consume(1, timeout=0.1) or len(second.assignment()) == 2, 20, "the returned member owns both partitions")
    assert time.monotonic() - began < 10, "without waiting for the session of the first"
    second.close()


def test_commits_and_reads_committed_offsets(broker, topic, name):
    wanted = topic(partitions=2)
    client = consumer(broker, name)
    client.commit(offsets=[TopicPartition(wanted, 0, 7, metadata="note"), TopicPartition(wanted, 1, 9)], asynchronous=False)
    found = client.committed([TopicPartition(wanted, p) for p in (0, 1)], timeout=10)
    assert [(p.offset, p.metadata) for p in found][0] == (7, "note")
    assert found[1].offset == 9
    client.close()


def test_administers_topics(broker, name):
    client = admin.client(broker.bootstrap)
    wanted = f"{name}-made"
    client.create_topics([NewTopic(wanted, 2, 1, config={"retention.ms": "5000"})])[wanted].result(20)
    with pytest.raises(KafkaException) as again:
        client.create_topics([NewTopic(wanted, 2, 1)])[wanted].result(20)
    assert again.value.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS
    client.create_partitions([NewPartitions(wanted, 4)])[wanted].result(20)
    wait_until(lambda: len(client.list_topics(wanted, timeout=10).topics[wanted].partitions) == 4, 10, "4 partitions")
    resource = ConfigResource(ResourceType.TOPIC, wanted)
    assert next(iter(client.describe_configs([resource]).values())).result(20)["retention.ms"].value == "5000"
    change = ConfigResource(ResourceType.TOPIC, wanted, incremental_configs=[ConfigEntry("retention.ms", "6000", incremental_operation=AlterConfigOpType.SET)])
    next(iter(client.incremental_alter_configs([change]).values())).result(20)
    assert next(iter(client.describe_configs([resource]).values())).result(20)["retention.ms"].value == "6000"
    client.delete_topics([wanted])[wanted].result(20)
    wait_until(lambda: wanted not in client.list_topics(timeout=10).topics, 10, "the topic is gone")


def test_old_alter_configs_replaces_all(broker, topic):
    wanted = topic(retention_ms="5000")
    client = admin.client(broker.bootstrap)
    next(iter(client.alter_configs([ConfigResource(ResourceType.TOPIC, wanted, set_config={"segment.ms": "70000"})]).values())).result(20)
    found = next(iter(client.describe_configs([ConfigResource(ResourceType.TOPIC, wanted)]).values())).result(20)
    assert (found["segment.ms"].value, found["retention.ms"].value) == ("70000", "604800000")


def test_administers_groups(broker, topic, name):
    wanted = topic()
    produce(broker, wanted, [b"1", b"2"])
    client = admin.client(broker.bootstrap)
    member = consumer(broker, name)
    member.subscribe([wanted])
    take(member, 2)
    member.commit(asynchronous=False)
    description = client.describe_consumer_groups([name])[name].result(20)
    assert description.state == ConsumerGroupState.STABLE
    assert [[p.topic for p in m.assignment.topic_partitions] for m in description.members] == [[wanted]]
    member.close()
    assert name in [g.group_id for g in client.list_consumer_groups().result(20).valid]
    offsets = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(name)])[name].result(20)
    assert [(p.topic, p.offset) for p in offsets.topic_partitions] == [(wanted, 2)]
    moved = ConsumerGroupTopicPartitions(name, [TopicPartition(wanted, 0, 1)])
    client.alter_consumer_group_offsets([moved])[name].result(20)
    again = consumer(broker, name)
    again.subscribe([wanted])
    assert take(again, 1)[0].offset() == 1
    again.close()
    client.delete_consumer_groups([name])[name].result(20)
    assert name not in [g.group_id for g in client.list_consumer_groups().result(20).valid]


def test_deletes_records_and_lists_offsets(broker, topic):
    wanted = topic()
    produce(broker, wanted, [{"value": b"x", "timestamp": STAMP + i} for i in range(100)])
    client = admin.client(broker.bootstrap)
    at = TopicPartition(wanted, 0)

    def offset(spec) -> int:
        return client.list_offsets({at: spec}, isolation_level=IsolationLevel.READ_UNCOMMITTED)[at].result(20).offset

    assert (offset(OffsetSpec.earliest()), offset(OffsetSpec.latest()), offset(OffsetSpec.max_timestamp())) == (0, 100, 99)
    assert offset(OffsetSpec.for_timestamp(STAMP + 42)) == 42
    assert client.delete_records([TopicPartition(wanted, 0, 30)])[TopicPartition(wanted, 0, 30)].result(20).low_watermark == 30
    assert offset(OffsetSpec.earliest()) == 30
    assert client.describe_cluster().result(20).controller is not None
