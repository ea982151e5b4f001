"""Wrong use of every API: Kafka's exact error codes, from the tables in `harness/wrong_use/`."""

import uuid

import pytest

from harness import messages, wire, wrong_use
from harness.admin import create_topic
from harness.heartbeat import Member
from harness.process import wait_until
from harness.wrong_use import Row, admin, groups, records, topics, transactions

# Answers of a coordinator that is not ready yet.
COMING = {14, 15, 16}
ROWS = [*topics.ROWS, *records.ROWS, *groups.ROWS, *transactions.ROWS, *admin.ROWS]

# Where msgloop answers otherwise: its codes, and why.
OURS = {
    ("Produce", "a codec nobody knows"): (("UNSUPPORTED_COMPRESSION_TYPE",), "Kafka does not expect it and says that something went wrong"),
    ("IncrementalAlterConfigs", "an operation nobody knows"): (("INVALID_REQUEST",), "Kafka does not expect it and says that something went wrong"),
}


@pytest.fixture(scope="module")
def served(shared_broker):
    """The broker, with what the rows take for granted; the values they name."""
    with wire.Connection(shared_broker.port) as member:
        _coordinators(member)
        values = {**_topics(shared_broker), **_transactional_ids(shared_broker)}
        values["member"] = _live_group(member)
        _modern_group(shared_broker)
        yield shared_broker, values


def _coordinators(connection) -> None:
    """Waits until groups and transactional ids have coordinators that are ready."""
    for kind, keys in ((0, [wrong_use.LIVE_GROUP, wrong_use.OLD_GROUP]), (1, [wrong_use.FRESH, wrong_use.ONGOING])):
        wanted = {"key_type": kind, "coordinator_keys": keys}
        wait_until(lambda: set(messages.codes(messages.ask(connection, "FindCoordinator", 4, wanted))) == {0}, 60, "coordinators are found")
    for group in (wrong_use.LIVE_GROUP, wrong_use.OLD_GROUP, wrong_use.MODERN_GROUP):
        _when_loaded(connection, "Heartbeat", 4, groups.beat(group_id=group, member_id=groups.NOBODY))


def _when_loaded(connection, api: str, version: int, request: dict) -> dict:
    """The answer once it is not that the coordinator is not ready."""
    def answer():
        found = messages.ask(connection, api, version, request)
        return None if COMING & set(messages.codes(found)) else found

    return wait_until(answer, 60, f"the coordinator of {api} is ready")


def _topics(broker) -> dict:
    create_topic(broker.bootstrap, wrong_use.TOPIC, wrong_use.TOPIC_PARTITIONS)
    create_topic(broker.bootstrap, wrong_use.COMPACTED, 1, {"cleanup.policy": "compact"})
    create_topic(broker.bootstrap, "wrong_use.colliding")
    with wire.Connection(broker.port) as connection:
        data = wire.batch([b"v"] * wrong_use.TOPIC_RECORDS)
        assert wire.produce_answer(connection.ask(wire.PRODUCE, 3, wire.produce(wrong_use.TOPIC, 0, data))) == (0, 0)
        found = messages.ask(connection, "Metadata", 12, {"topics": [{"name": wrong_use.TOPIC}]})
        commit = groups.commit()
        assert messages.codes(messages.ask(connection, "OffsetCommit", 8, commit)) == [0]
    broker_id = found["brokers"][0]["node_id"]
    return {
        "topic_id": found["topics"][0]["topic_id"], "missing_topic_id": uuid.uuid4(), "broker_id": broker_id, "broker_name": str(broker_id),
    }


def _live_group(connection) -> str:
    """A classic group of one member that stays as long as the connection; its id."""
    wanted = groups.join(session_timeout_ms=1_800_000)
    joined = messages.ask(connection, "JoinGroup", 3, wanted)
    assert (joined["error_code"], joined["generation_id"]) == (0, wrong_use.LIVE_GENERATION)
    assignments = [{"member_id": joined["member_id"], "assignment": b""}]
    synced = messages.ask(connection, "SyncGroup", 3, groups.sync(member_id=joined["member_id"], assignments=assignments))
    assert synced["error_code"] == 0
    return joined["member_id"]


def _modern_group(broker) -> None:
    """A group of the consumer protocol with one member, which no test outlasts."""
    code, _, _ = Member(broker.port, wrong_use.MODERN_GROUP).join(wrong_use.MODERN_MEMBER, topics=[wrong_use.TOPIC])
    assert code == 0


def _transactional_ids(broker) -> dict:
    values = {}
    with wire.Connection(broker.port) as connection:
        for name, transactional_id in (("fresh", wrong_use.FRESH), ("ongoing", wrong_use.ONGOING)):
            made = _when_loaded(connection, "InitProducerId", 2, transactions.init(transactional_id, timeout_ms=900_000))
            values |= {f"{name}_id": made["producer_id"], f"{name}_epoch": made["producer_epoch"]}
        begun = wrong_use.known(transactions.add_offsets(wrong_use.ONGOING, transactions.ONGOING_ID, transactions.ONGOING_EPOCH), values)
        assert messages.codes(messages.ask(connection, "AddOffsetsToTxn", 2, begun)) == [0]
    return values


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_wrong_use(served, row: Row):
    broker, values = served
    request = wrong_use.known(row.fields, {**values, "new_group": f"wrong-use-new-{uuid.uuid4()}"})
    with wire.Connection(broker.port) as connection:
        answer = _when_loaded(connection, row.api, row.version, request)
    expected = row.codes
    if broker.kind == "msgloop" and (row.api, row.condition) in OURS:
        expected, _ = OURS[row.api, row.condition]
    assert tuple(messages.error_names()[code] for code in messages.codes(answer)) == expected, answer


@pytest.mark.msgloop_only("the table has what msgloop advertises")
def test_every_api_has_rows(broker):
    """Each API that is advertised, but for those that kafka-python does not know: theirs are in the checks named here."""
    elsewhere = {
        64,  # UnregisterBroker: test_admin_tools.py
        68, 69,  # ConsumerGroupHeartbeat and Describe: test_consumer_protocol.py
        71, 72,  # GetTelemetrySubscriptions and PushTelemetry: test_telemetry.py
        88, 89,  # StreamsGroupHeartbeat and Describe: test_streams_group.py
    }
    missing = set(wire.api_versions(broker.port)) - {messages.key(row.api) for row in ROWS}
    assert missing <= elsewhere
