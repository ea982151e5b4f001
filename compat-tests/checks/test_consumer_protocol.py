"""Consumer groups of KIP-848 (`group.protocol=consumer`): the Java client, librdkafka, Kafka's tools, and wrong use."""

import re
import subprocess
import sys
import threading
import time

import pytest
from confluent_kafka import Consumer, KafkaException, Producer

from harness import admin, paths, programs
from harness.heartbeat import Member
from harness.jvm import tool
from harness.line_clients import java_command
from harness.process import wait_until

# Heartbeats often enough for tests; the defaults take minutes for what seconds show.
SETTINGS = {
    "group.consumer.min.heartbeat.interval.ms": "100",
    "group.consumer.heartbeat.interval.ms": "300",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "6000",
}
PARTITIONS = 6
JAVA = paths.COMPAT / "java" / "ConsumerProtocol.java"


@pytest.fixture(scope="module")
def groups_broker(new_broker):
    return new_broker(overrides=SETTINGS).start()


@pytest.fixture(scope="module")
def outcomes(groups_broker):
    return programs.run([*java_command(), "consumer-protocol", groups_broker.bootstrap, "java-"])


@pytest.mark.parametrize("check", programs.names(JAVA))
def test_java(outcomes, check):
    assert outcomes.get(check, "the check did not run") == "", outcomes.get(check)


def member(broker, group: str, **settings) -> Consumer:
    return Consumer({
        "bootstrap.servers": broker.bootstrap, "group.id": group, "group.protocol": "consumer", "auto.offset.reset": "earliest",
        "enable.auto.commit": False, "topic.metadata.refresh.interval.ms": 1000, **settings,
    })


def owned(members: list[Consumer]) -> list[list[tuple[str, int]]]:
    for each in members:
        each.poll(0.05)
    return [[(p.topic, p.partition) for p in each.assignment()] for each in members]


def settle(members: list[Consumer], count: int = PARTITIONS, least: int = 1, seconds: float = 40) -> list[list[tuple[str, int]]]:
    """Polls until the members own `count` partitions, none twice, each at least `least`."""

    def settled():
        found = owned(members)
        flat = [p for each in found for p in each]
        return found if len(flat) == count == len(set(flat)) and min(map(len, found)) >= least else None

    return wait_until(settled, seconds, f"{len(members)} members share {count} partitions")


def fill(broker, topic: str, count: int) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for i in range(count):
        producer.produce(topic, str(i).encode(), partition=i % PARTITIONS)
    assert producer.flush(30) == 0


@pytest.mark.smoke
def test_librdkafka_members_come_and_go(groups_broker, name):
    admin.create_topic(groups_broker.bootstrap, name, PARTITIONS)
    members = []
    try:
        for count in (1, 2, 3):
            members.append(member(groups_broker, name))
            members[-1].subscribe([name])
            settle(members, least=PARTITIONS // count)
        members.pop(0).close()
        settle(members, least=3)
    finally:
        for each in members:
            each.close()


def test_librdkafka_reads_on_where_it_committed(groups_broker, name):
    admin.create_topic(groups_broker.bootstrap, name, PARTITIONS)
    fill(groups_broker, name, 60)
    for count in (60, 12):
        reader = member(groups_broker, name)
        reader.subscribe([name])
        found = []
        deadline = time.monotonic() + 30
        while len(found) < count and time.monotonic() < deadline:
            found += [m for m in reader.consume(count, timeout=0.5) if not m.error()]
        assert len(found) == count
        reader.commit(asynchronous=False)
        assert owned([reader])[0]
        reader.close()
        fill(groups_broker, name, 12)


CRASHING = """
import sys, time
from confluent_kafka import Consumer
c = Consumer({"bootstrap.servers": sys.argv[1], "group.id": sys.argv[2], "group.protocol": "consumer"})
c.subscribe([sys.argv[2]])
while True:
    c.poll(0.1)
    if c.assignment():
        print("ready", flush=True)
"""


def test_crashed_member_is_replaced(groups_broker, name):
    admin.create_topic(groups_broker.bootstrap, name, PARTITIONS)
    crashing = subprocess.Popen([sys.executable, "-c", CRASHING, groups_broker.bootstrap, name], stdout=subprocess.PIPE, text=True)
    try:
        assert crashing.stdout.readline() == "ready\n"
        other = member(groups_broker, name)
        other.subscribe([name])
        settle([other], count=3)
    finally:
        crashing.kill()
        crashing.wait()
    settle([other], count=PARTITIONS)
    other.close()


@pytest.mark.parametrize("moment", [0.0, 0.4, 0.9, 1.6])
def test_kill_9_in_the_middle_of_a_rebalance(own_broker, name, moment):
    """Members whose broker dies while partitions move come to rest afterwards, and nothing is read by two."""
    broker = own_broker(SETTINGS)
    admin.create_topic(broker.bootstrap, name, PARTITIONS)
    members = [member(broker, name, **{"reconnect.backoff.max.ms": 500}) for _ in range(3)]
    try:
        members[0].subscribe([name])
        settle(members[:1])
        members[1].subscribe([name])
        members[2].subscribe([name])
        killer = threading.Timer(moment, broker.kill)
        killer.start()
        until = time.monotonic() + moment + 0.3
        while time.monotonic() < until:
            owned(members)
        killer.join()
        broker.start()
        settle(members, least=2, seconds=60)
        fill(broker, name, 60)
        seen = {}
        deadline = time.monotonic() + 30
        while len(seen) < 60 and time.monotonic() < deadline:
            for each in members:
                for message in each.consume(100, timeout=0.1):
                    if not message.error():
                        seen.setdefault((message.partition(), message.offset()), []).append(each)
        assert len(seen) == 60
        assert [at for at, readers in seen.items() if len(readers) > 1] == []
    finally:
        for each in members:
            each.close()


def test_kafka_consumer_groups_describes_it(groups_broker, name):
    admin.create_topic(groups_broker.bootstrap, name, PARTITIONS)
    fill(groups_broker, name, 60)
    reader = member(groups_broker, name, **{"client.id": "described-client"})
    reader.subscribe([name])
    settle([reader])
    found = []
    while len(found) < 60:
        found += [m for m in reader.consume(60, timeout=0.5) if not m.error()]
    reader.commit(asynchronous=False)

    def run(*arguments: str) -> str:
        answer: list = []
        asking = threading.Thread(target=lambda: answer.append(tool("consumer.group.ConsumerGroupCommand", "--bootstrap-server", groups_broker.bootstrap, *arguments)))
        asking.start()
        while asking.is_alive():
            reader.poll(0.1)
        return answer[0]

    group = ["--group", name]
    assert re.search(rf"{name}\s+\S+\s+\(\d+\)\s+uniform\s+Stable\s+1", run("--describe", "--state", *group))
    assert re.search(rf"{name}\s+\S+\s+/127.0.0.1\s+described-client\s+6", run("--describe", "--members", *group))
    verbose = run("--describe", "--members", "--verbose", *group)
    assert "TARGET-ASSIGNMENT" in verbose and re.search(rf"6\s+(\d+)\s+{name}:0,1,2,3,4,5\s+\1\s+{name}:0,1,2,3,4,5", verbose), verbose
    assert len(re.findall(rf"{name}\s+{name}\s+\d", run("--describe", *group))) == PARTITIONS
    assert name in run("--list", "--type", "consumer").split()
    assert name in run("--list", "--state", "stable").split()
    assert name not in run("--list", "--type", "classic").split()
    reader.close()
    assert re.search(rf"{name}\s+\S+\s+\(\d+\)\s+uniform\s+Empty\s+0", run_closed(groups_broker, "--describe", "--state", *group))
    assert "successful" in run_closed(groups_broker, "--delete", *group)


def run_closed(broker, *arguments: str) -> str:
    return tool("consumer.group.ConsumerGroupCommand", "--bootstrap-server", broker.bootstrap, *arguments)


def test_dump_log_reads_the_records(own_broker, name):
    broker = own_broker({**SETTINGS, "offsets.topic.num.partitions": "1"})
    admin.create_topic(broker.bootstrap, name, PARTITIONS)
    first, second = member(broker, name), member(broker, name)
    first.subscribe([name])
    settle([first])
    second.subscribe([name])
    settle([first, second], least=3)
    second.close()
    first.close()
    broker.stop()
    (segment,) = [p for d in broker.log_dirs for p in d.glob("**/__consumer_offsets-0/*.log")]
    printed = tool("DumpLogSegments", "--files", str(segment), "--offsets-decoder", "--print-data-log")
    # CONSUMER_GROUP_METADATA, MEMBER_METADATA, TARGET_ASSIGNMENT_METADATA, TARGET_ASSIGNMENT_MEMBER, CURRENT_MEMBER_ASSIGNMENT
    for kind in ("3", "5", "6", "7", "8"):
        assert f'"type":"{kind}"' in printed, kind
    assert '"memberEpoch"' in printed and "<DELETE>" in printed
    assert "Error at offset" not in printed and "Unknown record type" not in printed


# Condition, what is asked (version, member, epoch, what is said), Kafka's error code. `E` is the members' epoch; the group
# has a dynamic member `a`, a static member `s` of the instance `i`, and one that left the instance `g` to come back.
E = 1000
CODES = {
    "INVALID_REQUEST": 42, "UNKNOWN_MEMBER_ID": 25, "FENCED_INSTANCE_ID": 82, "GROUP_ID_NOT_FOUND": 69, "FENCED_MEMBER_EPOCH": 110,
    "UNRELEASED_INSTANCE_ID": 111, "UNSUPPORTED_ASSIGNOR": 112, "INVALID_REGULAR_EXPRESSION": 128, "NONE": 0,
}
JOIN = {"timeout": 60_000, "topics": [], "reads": []}
WRONG = [
    ("joins", 1, "b", 0, JOIN, "NONE"),
    ("joins without an id", 1, "", 0, JOIN, "INVALID_REQUEST"),
    ("is given an id", 0, "", 0, JOIN, "NONE"),
    ("no group", 1, "b", 0, {**JOIN, "group": ""}, "INVALID_REQUEST"),
    ("empty instance", 1, "b", 0, {**JOIN, "instance": ""}, "INVALID_REQUEST"),
    ("empty rack", 1, "b", 0, {**JOIN, "rack": ""}, "INVALID_REQUEST"),
    ("no timeout", 1, "b", 0, {**JOIN, "timeout": -1}, "INVALID_REQUEST"),
    ("no topics", 1, "b", 0, {**JOIN, "topics": None}, "INVALID_REQUEST"),
    ("reads unsaid", 1, "b", 0, {**JOIN, "reads": None}, "INVALID_REQUEST"),
    ("reads something", 1, "b", 0, {**JOIN, "reads": [(b"\1" * 16, [0])]}, "INVALID_REQUEST"),
    ("epoch -3", 1, "a", -3, {}, "INVALID_REQUEST"),
    ("unknown assignor", 1, "b", 0, {**JOIN, "assignor": "x"}, "UNSUPPORTED_ASSIGNOR"),
    ("bad pattern", 1, "b", 0, {**JOIN, "regex": "("}, "INVALID_REGULAR_EXPRESSION"),
    ("unknown group", 1, "a", 1, {"group": "none-such"}, "GROUP_ID_NOT_FOUND"),
    ("leaves unknown group", 1, "a", -1, {"group": "none-such"}, "GROUP_ID_NOT_FOUND"),
    ("unknown member", 1, "x", E, {}, "UNKNOWN_MEMBER_ID"),
    ("from the future", 1, "a", E + 1, {}, "FENCED_MEMBER_EPOCH"),
    ("from the past", 1, "a", 1, {}, "FENCED_MEMBER_EPOCH"),
    ("is alive", 1, "a", E, {}, "NONE"),
    ("joins again", 1, "a", 0, JOIN, "NONE"),
    ("instance in use", 1, "b", 0, {**JOIN, "instance": "i"}, "UNRELEASED_INSTANCE_ID"),
    ("instance free", 1, "b", 0, {**JOIN, "instance": "g"}, "NONE"),
    ("instance of another", 1, "a", E, {"instance": "i"}, "FENCED_INSTANCE_ID"),
    ("instance unknown", 1, "a", E, {"instance": "x"}, "UNKNOWN_MEMBER_ID"),
    ("leaves unknown", 1, "x", -1, {}, "UNKNOWN_MEMBER_ID"),
    ("leaves without an id", 0, "", -1, {}, "INVALID_REQUEST"),
    ("leaves for now, not static", 1, "a", -2, {}, "INVALID_REQUEST"),
    ("leaves for another", 1, "a", -2, {"instance": "i"}, "FENCED_INSTANCE_ID"),
    ("leaves for now", 1, "s", -2, {"instance": "i"}, "NONE"),
    ("leaves", 1, "a", -1, {}, "NONE"),
]


def find_coordinator(broker, group: str) -> None:
    """Makes the topic of offsets, which is there once somebody has asked for a coordinator."""
    client = admin.client(broker.bootstrap)  # One that nobody holds would be gone before it has asked.
    try:
        client.describe_consumer_groups([group])[group].result(20)
    except KafkaException:
        pass


@pytest.mark.parametrize("condition, version, who, epoch, said, code", WRONG, ids=[row[0].replace(" ", "-") for row in WRONG])
def test_wrong_use_gets_kafkas_code(groups_broker, name, condition, version, who, epoch, said, code):
    find_coordinator(groups_broker, name)
    members = Member(groups_broker.port, name)
    wait_until(lambda: members.join("a")[0] == 0, 20, "the coordinator answers")
    assert members.join("s", instance="i")[0] == 0
    assert members.join("gone", instance="g")[0] == 0
    assert members.beat("gone", -2, instance="g")[0] == 0
    # Nobody subscribes to anything, so every member is in the group's first epoch or in one after it.
    epochs = members.join("a")[1]
    asked = epochs + (epoch - E) if epoch >= E - 10 else epoch
    if condition == "from the past":
        # Two changes of the subscription bring the member two epochs on.
        for topics in (["x"], ["x", "y"]):
            deadline = time.monotonic() + 10
            while members.beat("a", 0, topics=topics, timeout=60_000, reads=[])[1] <= epochs and time.monotonic() < deadline:
                time.sleep(0.2)
    found = members.beat(who, asked, version, **said)
    assert found[0] == CODES[code], (condition, found)


@pytest.mark.msgloop_only("a bound of this suite's machine, not of a protocol")
def test_five_hundred_members_rebalance_in_three_seconds(own_broker, name):
    broker = own_broker(SETTINGS)
    admin.create_topic(broker.bootstrap, name, 1000)
    group = Member(broker.port, name)
    epochs, reads = {}, {}

    def beat(who: str) -> None:
        known = epochs.get(who, 0)
        said = {"reads": list(reads.get(who, {}).items())}
        if known == 0:
            said |= {"timeout": 60_000, "topics": [name]}
        code, epoch, assignment = group.beat(who, known, **said)
        assert code == 0, (who, code)
        epochs[who] = epoch
        if assignment is not None:
            reads[who] = assignment

    def at_rest() -> bool:
        return all(sum(map(len, each.values())) == 2 for each in reads.values()) and len(set(epochs.values())) == 1

    names = [f"m{i}" for i in range(500)]
    find_coordinator(broker, name)
    wait_until(lambda: group.join("m0", topics=[name])[0] == 0, 20, "the coordinator answers")
    began = time.monotonic()
    while not (len(epochs) == 500 and at_rest()):
        for who in names:
            beat(who)
        assert time.monotonic() - began < 60
    print(f"500 members came to rest in {time.monotonic() - began:.2f} s")
    group.beat(names[0], -1)
    epochs.pop(names[0]), reads.pop(names[0])
    began = time.monotonic()
    while not (sum(sum(map(len, each.values())) for each in reads.values()) == 1000 and len(set(epochs.values())) == 1):
        for who in names[1:]:
            beat(who)
        assert time.monotonic() - began < 60
    took = time.monotonic() - began
    print(f"499 members took over in {took:.2f} s")
    assert took < 10, "three seconds on a quiet machine"
