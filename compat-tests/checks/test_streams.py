"""Kafka Streams with exactly_once_v2, killed again and again: each input counts exactly once, in both of its group protocols."""

import re

import pytest

from harness import streams_app
from harness.jvm import tool
from harness.process import wait_until
from harness.streams_app import Join, StreamsApp, Topics, WordCount

OUTPUT_SECONDS = 240


@pytest.fixture(scope="module")
def streams_broker(new_broker):
    return new_broker(overrides=streams_app.BROKER).start()


@pytest.fixture
def start(streams_broker, tmp_path, name):
    """A function that makes (not starts) an instance of the check's application; what still runs at the end is killed."""
    made = []

    def make(job, protocol: str, broker=streams_broker) -> StreamsApp:
        made.append(StreamsApp(tmp_path / str(len(made)), broker.bootstrap, job.kind, name, protocol))
        return made[-1]

    yield make
    for app in made:
        app.kill()


def check_output(topics: Topics, job) -> None:
    found = topics.output(job.expected, OUTPUT_SECONDS)
    wrong = job.wrong(found)
    assert wrong == [], f"{len(wrong)} wrong, {len(found)} records for {job.expected}: {wrong[:5]}"


def check_end(topics: Topics, job, apps: list[StreamsApp]) -> None:
    """The result is exact, the kills did cut transactions off, and a clean stop leaves nothing to be read."""
    check_output(topics, job)
    everything = topics.output(job.expected, OUTPUT_SECONDS, "read_uncommitted")
    assert job.wrong(everything) != [], "no transaction was cut off: the kills came at the wrong time"
    for app in apps:
        assert app.stop() in (0, 143), app.tail()
    wait_until(lambda: topics.behind() == {}, 20, "the group has committed all it read")
    check_output(topics, job)


def killed_twice(broker, start, name: str, job, protocol: str) -> tuple[StreamsApp, Topics]:
    """Once with its state at hand afterwards, once with none, as on another machine."""
    topics = Topics(broker.bootstrap, name, job)
    app = start(job, protocol).start()
    first, second, third = streams_app.parts(job.records, 3)
    streams_app.feed_and_kill(app, topics, first)
    app.start()
    streams_app.feed_and_kill(app, topics, second)
    app.forget()
    app.start()
    topics.feed(third)
    check_end(topics, job, [app])
    return app, topics


def test_word_count_is_exact(streams_broker, start, name):
    killed_twice(streams_broker, start, name, WordCount(lines=400, seed=1), "classic")


def test_windowed_join_is_exact(streams_broker, start, name):
    killed_twice(streams_broker, start, name, Join(count=500, seed=2), "classic")


def test_word_count_as_a_streams_group(streams_broker, start, name):
    """KIP-1071: the broker assigns the tasks, and its own tool shows them."""
    job = WordCount(lines=400, seed=3)
    app, topics = killed_twice(streams_broker, start, name, job, "streams")

    def run(*arguments: str) -> str:
        return tool("streams.StreamsGroupCommand", "--bootstrap-server", streams_broker.bootstrap, "--timeout", "60000", *arguments)

    assert name in run("--list").split()
    app.start().wait_running()
    assert re.search(rf"{name}\s.*Stable\s+2\b", run("--describe", "--state", "--group", name))
    # Two sub-topologies of three partitions, shared by two threads.
    lines = [line for line in run("--describe", "--members", "--group", name).splitlines() if line.startswith(name)]
    tasks = [re.findall(r"\b([01]):\[([\d,]+)\]", line.partition("ACTIVE:")[2]) for line in lines]
    owned = [f"{sub}_{p}" for each in tasks for sub, found in each for p in found.split(",")]
    assert len(lines) == 2 and all(tasks) and sorted(owned) == [f"{sub}_{p}" for sub in (0, 1) for p in range(streams_app.PARTITIONS)], lines
    assert app.stop() in (0, 143), app.tail()
    wait_until(lambda: re.search(rf"{name}\s.*Empty", run("--describe", "--state", "--group", name)), 30, "the group is empty")
    run("--delete", "--group", name)
    assert name not in run("--list").split()


def test_windowed_join_as_a_streams_group(streams_broker, start, name):
    killed_twice(streams_broker, start, name, Join(count=500, seed=4), "streams")


def test_application_reset_begins_anew(streams_broker, start, name):
    """kafka-streams-application-reset puts the group back to the beginning and removes the internal topics."""
    job = WordCount(lines=60, seed=7)
    topics = Topics(streams_broker.bootstrap, name, job)
    topics.feed(job.records)
    app = start(job, "classic").start()
    check_output(topics, job)
    assert app.stop() in (0, 143), app.tail()
    internal = {f"{name}-KSTREAM-AGGREGATE-STATE-STORE-0000000003-{kind}" for kind in ("changelog", "repartition")}
    assert internal <= topics.names()
    printed = tool(
        "StreamsResetter", "--bootstrap-server", streams_broker.bootstrap, "--application-id", name, "--input-topics", f"{name}-in", "--force",
    )
    assert len(re.findall(rf"Topic: {name}-in Partition: \d Offset: 0", printed)) == streams_app.PARTITIONS, printed
    wait_until(lambda: not internal & topics.names(), 20, "the internal topics are gone")
    app.forget()
    app.start()
    assert job.wrong(topics.output(2 * job.expected, OUTPUT_SECONDS), runs=2) == []


@pytest.mark.full
@pytest.mark.parametrize("protocol", ["classic", "streams"])
@pytest.mark.parametrize("job", [WordCount(lines=20_000, seed=5), Join(count=8_000, seed=6)], ids=lambda job: job.kind)
def test_two_instances_and_the_broker_are_killed(own_broker, start, name, job, protocol):
    """Two instances take over from one another, and the broker comes back with all that it promised."""
    broker = own_broker(streams_app.BROKER)
    topics = Topics(broker.bootstrap, name, job)
    apps = [start(job, protocol, broker).start() for _ in range(2)]
    for number, part in enumerate(streams_app.parts(job.records, 6)):
        victim = apps[number % 2]
        streams_app.feed_and_kill(victim, topics, part)
        if number % 3 == 1:
            broker.kill()
            broker.start()
        if number % 3 == 2:
            victim.forget()
        victim.start()
    check_end(topics, job, apps)
