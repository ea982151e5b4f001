"""aiokafka: asyncio, with its own reading of the protocol. Its groups know the eager protocol alone: range, round robin, sticky."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import ProducerFenced, TopicAlreadyExistsError

STAMP = 1_600_000_000_000
SECONDS = 30


def run(check) -> None:
    """Runs one asynchronous check to its end, within a time."""
    asyncio.run(asyncio.wait_for(check, 120))


@asynccontextmanager
async def started(client):
    await client.start()
    try:
        yield client
    finally:
        await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())


def producer(broker, **settings):
    return started(AIOKafkaProducer(bootstrap_servers=broker.bootstrap, **settings))


def consumer(broker, *topics: str, **settings):
    return started(AIOKafkaConsumer(*topics, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False, **settings))


def administrator(broker):
    return started(AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap))


async def take(client: AIOKafkaConsumer, count: int) -> list:
    """The next `count` messages; then nothing more may come for a moment."""
    found, deadline = [], time.monotonic() + SECONDS
    while len(found) < count and time.monotonic() < deadline:
        found += sum((await client.getmany(timeout_ms=500, max_records=count - len(found))).values(), [])
    more = sum((await client.getmany(timeout_ms=500)).values(), [])
    assert (len(found), more) == (count, [])
    return found


async def until(condition, what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not await condition():
        assert time.monotonic() < deadline, f"not within {SECONDS} s: {what}"
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("idempotent", [False, True], ids=["plain", "idempotent"])
def test_writes_and_reads_every_codec(broker, topic, codec, idempotent):
    wanted = topic()
    values = [f"{i} ".encode() * 20 for i in range(500)]

    async def check():
        async with producer(broker, compression_type=codec, enable_idempotence=idempotent, linger_ms=5) as writer:
            sent = [await writer.send(wanted, value) for value in values]
            assert [(await s).offset for s in sent] == list(range(500))
        async with consumer(broker, wanted) as reader:
            assert [m.value for m in await take(reader, 500)] == values

    run(check())


def test_every_field_of_a_record_returns(broker, topic):
    wanted = topic()
    headers = (("a", b"\x00\xff"), ("a", b""), ("b", "ü".encode()))

    async def check():
        async with producer(broker) as writer:
            await writer.send_and_wait(wanted, b"v", b"k", headers=list(headers), timestamp_ms=STAMP)
            await writer.send_and_wait(wanted, None, b"tombstone")
        async with consumer(broker, wanted) as reader:
            first, second = await take(reader, 2)
        assert (first.key, first.value, first.headers, first.timestamp) == (b"k", b"v", headers, STAMP)
        assert (second.key, second.value) == (b"tombstone", None)

    run(check())


def test_offsets_by_time_and_ends(broker, topic):
    wanted = topic()
    at = TopicPartition(wanted, 0)

    async def check():
        async with producer(broker) as writer:
            for i in range(100):
                await writer.send(wanted, b"x", timestamp_ms=STAMP + i)
            await writer.flush()
        async with consumer(broker, wanted) as reader:
            assert await reader.beginning_offsets([at]) == {at: 0}
            assert await reader.end_offsets([at]) == {at: 100}
            assert (await reader.offsets_for_times({at: STAMP + 42}))[at].offset == 42
            assert (await reader.offsets_for_times({at: STAMP + 100}))[at] is None

    run(check())


@pytest.mark.parametrize("assignor", [RangePartitionAssignor, RoundRobinPartitionAssignor, StickyPartitionAssignor], ids=["range", "roundrobin", "sticky"])
def test_group_members_come_and_go(broker, topic, name, assignor):
    wanted = topic(partitions=6)

    async def check():
        members = []

        async def join():
            settings = {"group_id": name, "heartbeat_interval_ms": 300, "session_timeout_ms": 10000, "partition_assignment_strategy": (assignor,)}
            members.append(AIOKafkaConsumer(wanted, bootstrap_servers=broker.bootstrap, **settings))
            await members[-1].start()

        async def settled():
            owned = [[p.partition for p in m.assignment()] for m in members]
            return sorted(sum(owned, [])) == list(range(6)) and all(len(o) == 6 // len(members) for o in owned)

        for count in (1, 2, 3):
            await join()
            await until(settled, f"{count} members share 6 partitions")
        while members:
            await members.pop(0).stop()
            await until(settled, f"{len(members)} members share 6 partitions") if members else None

    run(check())


def test_static_member_returns(broker, topic, name):
    """It leaves without a word, and its partitions wait for it: the other member is never asked to rebalance."""
    wanted = topic(partitions=2)

    async def check():
        def member(instance: str):
            return consumer(broker, wanted, group_id=name, group_instance_id=instance, session_timeout_ms=30000, heartbeat_interval_ms=300)

        async with member("one") as first:
            async with member("two") as second:

                async def shared():
                    return len(first.assignment()) == len(second.assignment()) == 1

                await until(shared, "each has a partition")
                before = first.assignment(), second.assignment()
            began = time.monotonic()
            async with member("two") as again:
                assert (first.assignment(), again.assignment()) == before
                assert time.monotonic() - began < 10, "without waiting for the session to end"

    run(check())


def test_group_goes_on_where_it_committed(broker, topic, name):
    wanted = topic(partitions=3)

    async def fill(count: int):
        async with producer(broker) as writer:
            for i in range(count):
                await writer.send(wanted, str(i).encode(), partition=i % 3)
            await writer.flush()

    async def check():
        await fill(30)
        async with consumer(broker, wanted, group_id=name) as first:
            await take(first, 30)
            await first.commit()
        await fill(6)
        async with consumer(broker, wanted, group_id=name) as second:
            assert sorted(m.offset for m in await take(second, 6)) == [10, 10, 10, 11, 11, 11]
            await second.commit({TopicPartition(wanted, 1): (11, "note")})
            assert await second.committed(TopicPartition(wanted, 1)) == 11

    run(check())


def test_committed_is_seen_and_aborted_is_not(broker, topic, name):
    wanted = topic()

    async def check():
        async with producer(broker, transactional_id=name) as writer:
            for number in range(5):
                await writer.begin_transaction()
                for index in range(2):
                    await writer.send(wanted, f"{number}-{index}".encode())
                await (writer.commit_transaction() if number % 2 == 0 else writer.abort_transaction())
        async with consumer(broker, wanted, isolation_level="read_committed") as reader:
            assert [m.value.decode() for m in await take(reader, 6)] == [f"{n}-{i}" for n in (0, 2, 4) for i in range(2)]

    run(check())


def test_an_open_transaction_holds_readers_back(broker, topic, name):
    wanted = topic()
    at = TopicPartition(wanted, 0)

    async def check():
        async with producer(broker, transactional_id=name) as writer, consumer(broker, wanted, isolation_level="read_committed") as reader:
            async with writer.transaction():
                await writer.send_and_wait(wanted, b"inside")
                assert await reader.end_offsets([at]) == {at: 0}
                await take(reader, 0)
            assert [m.value for m in await take(reader, 1)] == [b"inside"]

    run(check())


def test_a_second_producer_fences_the_first(broker, topic, name):
    wanted = topic()

    async def check():
        async with producer(broker, transactional_id=name) as first:
            await first.begin_transaction()
            await first.send_and_wait(wanted, b"lost")
            async with producer(broker, transactional_id=name) as second:
                with pytest.raises(ProducerFenced):
                    await first.commit_transaction()
                async with second.transaction():
                    await second.send(wanted, b"kept")
        async with consumer(broker, wanted, isolation_level="read_committed") as reader:
            assert [m.value for m in await take(reader, 1)] == [b"kept"]

    run(check())


def test_consume_transform_produce(broker, topic, name):
    source, sink = topic("source", 2), topic("sink")

    async def check():
        async with producer(broker) as plain:
            for number in range(40):
                await plain.send(source, str(number).encode(), partition=number % 2)
            await plain.flush()
        async with producer(broker, transactional_id=name) as writer, consumer(broker, source, group_id=name, isolation_level="read_committed") as reader:
            done = rounds = 0
            while done < 40:
                found = await reader.getmany(timeout_ms=1000, max_records=7)
                if not found:
                    continue
                rounds += 1
                await writer.begin_transaction()
                for message in sum(found.values(), []):
                    await writer.send(sink, b"x" + message.value)
                await writer.send_offsets_to_transaction({p: messages[-1].offset + 1 for p, messages in found.items()}, name)
                if rounds % 3 == 0:
                    await writer.abort_transaction()
                    for at in reader.assignment():
                        reader.seek(at, await reader.committed(at) or 0)
                    continue
                await writer.commit_transaction()
                done += sum(map(len, found.values()))

            async def all_committed() -> bool:
                return [await reader.committed(TopicPartition(source, p)) for p in (0, 1)] == [20, 20]

            # The markers of the last transaction may still be on their way.
            await until(all_committed, "the group stands at the ends")
        async with consumer(broker, sink, isolation_level="read_committed") as reader:
            assert sorted(m.value.decode() for m in await take(reader, 40)) == sorted(f"x{number}" for number in range(40))

    run(check())


def test_administers_topics(broker, name):
    wanted = f"{name}-made"
    resource = ConfigResourceType.TOPIC

    async def check():
        async with administrator(broker) as client:
            new = NewTopic(wanted, 2, 1, topic_configs={"retention.ms": "5000"})
            assert (await client.create_topics([new])).topic_errors[0][1] == 0
            assert (await client.create_topics([new])).topic_errors[0][1] == TopicAlreadyExistsError.errno

            async def partitions(count: int) -> bool:
                return len((await client.describe_topics([wanted]))[0]["partitions"]) == count

            await until(lambda: partitions(2), "2 partitions")
            assert (await client.create_partitions({wanted: NewPartitions(4)})).topic_errors[0][1] == 0
            await until(lambda: partitions(4), "4 partitions")

            async def retention() -> str:
                asked = ConfigResource(resource, wanted, configs={"retention.ms": None})
                return (await client.describe_configs([asked]))[0].resources[0][4][0][1]

            assert await retention() == "5000"
            await client.alter_configs([ConfigResource(resource, wanted, configs={"retention.ms": "6000"})])

            async def changed() -> bool:
                return await retention() == "6000"

            await until(changed, "the setting is changed")
            assert (await client.delete_topics([wanted])).topic_error_codes[0][1] == 0

            async def gone() -> bool:
                return wanted not in await client.list_topics()

            await until(gone, "the topic is gone")

    run(check())


def test_administers_groups_and_records(broker, topic, name):
    wanted = topic()
    at = TopicPartition(wanted, 0)

    async def check():
        async with producer(broker) as writer:
            for _ in range(10):
                await writer.send(wanted, b"x")
            await writer.flush()
        async with administrator(broker) as client:
            async with consumer(broker, wanted, group_id=name) as member:
                await take(member, 10)
                await member.commit()
                described = (await client.describe_consumer_groups([name]))[0].groups[0]
                assert (described[1], described[2], len(described[5])) == (name, "Stable", 1)
            assert name in [group[0] for group in await client.list_consumer_groups()]
            assert (await client.list_consumer_group_offsets(name))[at].offset == 10
            assert (await client.delete_records({at: RecordsToDelete(4)}))[at] == 4
            assert (await client.describe_cluster())["controller_id"] >= 0
        async with consumer(broker, wanted) as reader:
            assert await reader.beginning_offsets([at]) == {at: 4}

    run(check())
