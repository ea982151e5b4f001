"""StreamsGroupHeartbeat (KIP-1071) in wrong use: each condition gets Kafka's code."""

import pytest
from confluent_kafka import KafkaException

from harness import admin, streams_app
from harness.process import wait_until
from harness.streams_heartbeat import StreamsMember, Subtopology

PARTITIONS = 6
# Stands for the epoch that the members have come to.
E = 1000
CODES = {
    "NONE": 0, "UNKNOWN_MEMBER_ID": 25, "INVALID_REQUEST": 42, "GROUP_ID_NOT_FOUND": 69, "FENCED_INSTANCE_ID": 82, "FENCED_MEMBER_EPOCH": 110,
    "UNRELEASED_INSTANCE_ID": 111, "STREAMS_INVALID_TOPOLOGY": 130,
}
NO_TASKS = {"active": [], "standby": [], "warmup": []}


def reads(topic: str, **more) -> list[Subtopology]:
    return [Subtopology([topic], **more)]


def joining(topic: str) -> dict:
    return {"timeout": 60_000, "process": "p", "topology": reads(topic), **NO_TASKS}


# What is said beside the join (of the topic {}) or the heartbeat, and what it gets.
JOINS = [
    ("joins", "b", {}, "NONE"),
    ("joins again", "a", {}, "NONE"),
    ("no group", "b", {"group": ""}, "INVALID_REQUEST"),
    ("no id", "", {}, "INVALID_REQUEST"),
    ("empty instance", "b", {"instance": ""}, "INVALID_REQUEST"),
    ("empty rack", "b", {"rack": ""}, "INVALID_REQUEST"),
    ("no timeout", "b", {"timeout": -1}, "INVALID_REQUEST"),
    ("says nothing of tasks", "b", {"active": None}, "INVALID_REQUEST"),
    ("has tasks", "b", {"active": [("0", [0])]}, "INVALID_REQUEST"),
    ("has copies", "b", {"standby": [("0", [0])]}, "INVALID_REQUEST"),
    ("no topology", "b", {"topology": None}, "INVALID_REQUEST"),
    ("a changelog with partitions", "b", {"topology": reads("x", changelogs=[("c", 1)])}, "STREAMS_INVALID_TOPOLOGY"),
    ("an internal topic", "b", {"topology": reads("__consumer_offsets")}, "STREAMS_INVALID_TOPOLOGY"),
    ("a pattern", "b", {"topology": reads("x", patterns=["a.*"])}, "INVALID_REQUEST"),
]
STATIC_JOINS = [
    ("instance in use", "b", {"instance": "i"}, "UNRELEASED_INSTANCE_ID"),
    ("instance free", "b", {"instance": "g"}, "NONE"),
]
BEATS = [
    ("is alive", "a", E, {}, "NONE"),
    ("epoch -3", "a", -3, {}, "INVALID_REQUEST"),
    ("topology later", "a", E, {"topology": reads("x")}, "INVALID_REQUEST"),
    ("half of its tasks", "a", E, {"active": [], "standby": []}, "INVALID_REQUEST"),
    ("no such part", "a", E, {**NO_TASKS, "active": [("1", [0])]}, "INVALID_REQUEST"),
    ("no such partition", "a", E, {**NO_TASKS, "active": [("0", [PARTITIONS])]}, "INVALID_REQUEST"),
    ("a negative partition", "a", E, {**NO_TASKS, "active": [("0", [-1])]}, "INVALID_REQUEST"),
    ("an offset twice", "a", E, {"offsets": [("0", 0, 1), ("0", 0, 1)]}, "INVALID_REQUEST"),
    ("unknown group", "a", 1, {"group": "none-such"}, "GROUP_ID_NOT_FOUND"),
    ("leaves unknown group", "a", -1, {"group": "none-such"}, "GROUP_ID_NOT_FOUND"),
    ("unknown member", "x", E, {}, "UNKNOWN_MEMBER_ID"),
    ("from the future", "a", E + 1, {}, "FENCED_MEMBER_EPOCH"),
    ("from the past", "a", E - 1, {}, "FENCED_MEMBER_EPOCH"),
    ("leaves", "a", -1, {}, "NONE"),
    ("leaves unknown", "x", -1, {}, "UNKNOWN_MEMBER_ID"),
    ("leaves for now, not static", "a", -2, {}, "INVALID_REQUEST"),
]
STATIC_BEATS = [
    ("instance of another", "a", E, {"instance": "i"}, "FENCED_INSTANCE_ID"),
    ("instance unknown", "a", E, {"instance": "x"}, "UNKNOWN_MEMBER_ID"),
    ("leaves for another", "a", -2, {"instance": "i"}, "FENCED_INSTANCE_ID"),
    ("leaves for now", "s", -2, {"instance": "i"}, "NONE"),
    ("leaves for good", "s", -1, {"instance": "i"}, "NONE"),
]


@pytest.fixture(scope="module")
def groups_broker(new_broker):
    broker = new_broker(overrides=streams_app.BROKER).start()
    client = admin.client(broker.bootstrap)
    try:  # Makes the topic of offsets, which is there once somebody has asked for a coordinator.
        client.describe_consumer_groups(["any"])["any"].result(20)
    except KafkaException:
        pass
    return broker


STATIC = pytest.mark.msgloop_only("Kafka 4.3.1 refuses static members of streams groups, which 4.4 takes")


@pytest.fixture
def members(groups_broker, name, against):
    """A group of `a`, of `s` that is the instance `i`, and of the instance `g` that left to come back; and the epoch it has come to."""
    admin.create_topic(groups_broker.bootstrap, name, PARTITIONS)
    speaks = StreamsMember(groups_broker.port, name)
    who = {"a": {}, "s": {"instance": "i"}, "gone": {"instance": "g"}} if against == "msgloop" else {"a": {}, "s": {}}
    wait_until(lambda: speaks.beat("a", 0, **joining(name)).code == 0, 20, "the coordinator answers")
    found = {member: speaks.beat(member, 0, **joining(name), **said) for member, said in who.items()}
    assert {member: answer.code for member, answer in found.items()} == dict.fromkeys(who, 0)
    tasks = {member: answer.active or [] for member, answer in found.items()}

    def settled():
        for member, said in who.items():
            answer = speaks.beat(member, found[member].epoch, **said, **{**NO_TASKS, "active": tasks[member]})
            assert answer.code == 0, (member, answer)
            found[member] = answer
            tasks[member] = tasks[member] if answer.active is None else answer.active
        shared = sum(len(partitions) for each in tasks.values() for _, partitions in each)
        return len({answer.epoch for answer in found.values()}) == 1 and shared == PARTITIONS

    wait_until(settled, 30, "all have their tasks")
    if "gone" in who:
        assert speaks.beat("gone", -2, instance="g").code == 0
    return speaks, found["a"].epoch


def rows(plain: list, static: list) -> list:
    """Parameters named by their conditions; those with static members are asked of msgloop only."""
    marked = [(row, ()) for row in plain] + [(row, STATIC) for row in static]
    return [pytest.param(*row, id=row[0].replace(" ", "-").replace(",", ""), marks=marks) for row, marks in marked]


@pytest.mark.parametrize("condition, who, said, code", rows(JOINS, STATIC_JOINS))
def test_a_join_gets_kafkas_code(members, name, condition, who, said, code):
    speaks, _ = members
    found = speaks.beat(who, 0, **{**joining(name), **said})
    assert found.code == CODES[code], (condition, found)


@pytest.mark.parametrize("condition, who, epoch, said, code", rows(BEATS, STATIC_BEATS))
def test_a_heartbeat_gets_kafkas_code(members, condition, who, epoch, said, code):
    speaks, settled = members
    found = speaks.beat(who, settled + epoch - E if epoch > 2 else epoch, **said)
    assert found.code == CODES[code], (condition, found)
