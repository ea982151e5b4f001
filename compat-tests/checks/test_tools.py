"""Kafka's own command-line tools, by main class, against the broker under test."""

import json
import re

import pytest

from harness.jvm import ToolFailed, tool

LINES = "\n".join(f"key{i}:value{i}" for i in range(10))


@pytest.fixture
def run(broker):
    def with_bootstrap(name: str, *arguments: str, stdin: str | None = None) -> str:
        return tool(name, "--bootstrap-server", broker.bootstrap, *arguments, stdin=stdin)

    return with_bootstrap


def fill(run, topic: str) -> None:
    run("ConsoleProducer", "--topic", topic, "--reader-property", "parse.key=true", "--reader-property", "key.separator=:", stdin=LINES)


def test_kafka_topics(run, name):
    wanted = f"{name}-made"
    assert f"Created topic {wanted}" in run("TopicCommand", "--create", "--topic", wanted, "--partitions", "3", "--config", "retention.ms=86400000")
    assert wanted in run("TopicCommand", "--list").split()
    described = run("TopicCommand", "--describe", "--topic", wanted)
    assert re.search(rf"Topic: {wanted}\s+TopicId: \S{{22}}\s+PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: \S*retention.ms=86400000", described)
    assert len(re.findall(r"Partition: \d\s+Leader: \d+\s+Replicas: \d+\s+Isr: \d+", described)) == 3
    run("TopicCommand", "--alter", "--topic", wanted, "--partitions", "4")
    assert "PartitionCount: 4" in run("TopicCommand", "--describe", "--topic", wanted)
    assert run("TopicCommand", "--describe", "--unavailable-partitions").strip() == ""
    run("TopicCommand", "--delete", "--topic", wanted)
    assert wanted not in run("TopicCommand", "--list").split()


def test_kafka_topics_says_what_is_wrong(run, topic):
    with pytest.raises(ToolFailed, match="already exists"):
        run("TopicCommand", "--create", "--topic", topic())
    with pytest.raises(ToolFailed, match="Topic 'no-such-topic' does not exist"):
        run("TopicCommand", "--describe", "--topic", "no-such-topic")


def test_kafka_configs(run, topic):
    entity = ["--entity-type", "topics", "--entity-name", topic()]
    run("ConfigCommand", *entity, "--alter", "--add-config", "retention.ms=12345,cleanup.policy=[compact,delete]")
    described = run("ConfigCommand", *entity, "--describe")
    assert "retention.ms=12345" in described
    assert re.search("cleanup.policy=compact, ?delete", described)
    run("ConfigCommand", *entity, "--alter", "--delete-config", "retention.ms")
    assert "retention.ms" not in run("ConfigCommand", *entity, "--describe")
    assert "retention.ms=604800000" in run("ConfigCommand", *entity, "--describe", "--all")
    with pytest.raises(ToolFailed, match="(?i)unknown topic config name: no.such.config"):
        run("ConfigCommand", *entity, "--alter", "--add-config", "no.such.config=1")


def test_kafka_configs_of_brokers(run):
    node = re.search(r"id: (\d+)", run("BrokerApiVersionsCommand"))[1]
    described = run("ConfigCommand", "--entity-type", "brokers", "--entity-name", node, "--describe", "--all")
    for expected in ["message.max.bytes=1048588", "num.partitions=1", "auto.create.topics.enable=true", "log.segment.bytes=1073741824"]:
        assert expected in described


def test_console_producer_and_consumer(run, topic):
    wanted = topic()
    fill(run, wanted)
    printed = run(
        "consumer.ConsoleConsumer", "--topic", wanted, "--from-beginning", "--max-messages", "10", "--timeout-ms", "20000",
        "--formatter-property", "print.key=true", "--formatter-property", "print.offset=true", "--formatter-property", "key.separator=:",
    )
    lines = [line for line in printed.splitlines() if line.startswith("Offset:")]
    assert lines == [f"Offset:{i}:key{i}:value{i}" for i in range(10)]


def test_consumer_groups(run, topic, name):
    wanted = topic()
    fill(run, wanted)
    run("consumer.ConsoleConsumer", "--topic", wanted, "--group", name, "--from-beginning", "--max-messages", "10", "--timeout-ms", "20000")
    assert name in run("consumer.group.ConsumerGroupCommand", "--list").split()
    group = ["--group", name]

    def lag_line() -> list[str]:
        described = run("consumer.group.ConsumerGroupCommand", "--describe", *group)
        return next(line.split() for line in described.splitlines() if line.startswith(name))

    assert lag_line()[1:6] == [wanted, "0", "10", "10", "0"]
    assert "Empty" in run("consumer.group.ConsumerGroupCommand", "--describe", "--state", *group)
    reset = ["--reset-offsets", "--topic", wanted, *group]
    run("consumer.group.ConsumerGroupCommand", *reset, "--to-offset", "4", "--dry-run")
    assert lag_line()[3] == "10", "a dry run changes nothing"
    for target, expected in [(["--to-offset", "4"], "4"), (["--shift-by", "2"], "6"), (["--to-earliest"], "0"), (["--to-latest"], "10"), (["--to-datetime", "2001-01-01T00:00:00.000"], "0")]:
        run("consumer.group.ConsumerGroupCommand", *reset, *target, "--execute")
        assert lag_line()[3] == expected, target
    run("consumer.group.ConsumerGroupCommand", "--delete-offsets", "--topic", wanted, *group)
    run("consumer.group.ConsumerGroupCommand", *reset, "--to-offset", "4", "--execute")
    run("consumer.group.ConsumerGroupCommand", "--delete", *group)
    assert name not in run("consumer.group.ConsumerGroupCommand", "--list").split()


def test_get_offsets(run, topic):
    wanted = topic(partitions=2)
    fill(run, wanted)

    def offsets(time: str) -> list[str]:
        return sorted(run("GetOffsetShell", "--topic", wanted, "--time", time).split())

    assert offsets("earliest") == [f"{wanted}:0:0", f"{wanted}:1:0"]
    assert sum(int(line.rsplit(":", 1)[1]) for line in offsets("latest")) == 10
    assert all(int(line.rsplit(":", 1)[1]) >= 0 for line in offsets("-3"))


def test_delete_records(run, topic, tmp_path):
    wanted = topic()
    fill(run, wanted)
    wish = tmp_path / "offsets.json"
    wish.write_text(json.dumps({"version": 1, "partitions": [{"topic": wanted, "partition": 0, "offset": 4}]}))
    assert re.search(rf"partition: {wanted}-0\s+low_watermark: 4", run("DeleteRecordsCommand", "--offset-json-file", str(wish)))
    assert run("GetOffsetShell", "--topic", wanted, "--time", "earliest").strip() == f"{wanted}:0:4"


def test_log_dirs(run, topic):
    wanted = topic(partitions=2)
    fill(run, wanted)
    printed = run("LogDirsCommand", "--describe", "--topic-list", wanted)
    (described,) = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    (broker,) = described["brokers"]
    partitions = [p for directory in broker["logDirs"] for p in directory["partitions"]]
    assert sorted(p["partition"] for p in partitions) == [f"{wanted}-0", f"{wanted}-1"]
    assert sum(p["size"] for p in partitions) > 0
    assert all(p["offsetLag"] == 0 and not p["isFuture"] for p in partitions)


def test_broker_api_versions(run):
    printed = run("BrokerApiVersionsCommand")
    for api in ["Produce(0)", "Fetch(1)", "ListOffsets(2)", "Metadata(3)", "OffsetCommit(8)", "JoinGroup(11)", "CreateTopics(19)", "InitProducerId(22)"]:
        assert re.search(re.escape(api) + r": \d+ to \d+ \[usable: \d+\]", printed), api


def test_producer_and_consumer_perf(broker, run, topic):
    wanted = topic(partitions=3)
    printed = tool(
        "ProducerPerformance", "--topic", wanted, "--num-records", "20000", "--record-size", "500", "--throughput", "-1",
        "--bootstrap-server", broker.bootstrap, "--command-property", "acks=all",
    )
    assert "20000 records sent" in printed
    printed = run("ConsumerPerformance", "--topic", wanted, "--num-records", "20000", "--timeout", "20000")
    assert ", 20000, " in printed, printed


def test_groups_command_lists_types(run, topic, name):
    wanted = topic()
    fill(run, wanted)
    run("consumer.ConsoleConsumer", "--topic", wanted, "--group", name, "--from-beginning", "--max-messages", "10", "--timeout-ms", "20000")
    listed = run("GroupsCommand", "--list")
    assert re.search(rf"{name}\s+Classic\s+consumer", listed)


def test_cluster_tool(broker):
    assert re.search(r"Cluster ID: \S{22}", tool("ClusterTool", "cluster-id", "--bootstrap-server", broker.bootstrap))


def reports(printed: str, name: str) -> list[dict]:
    """The JSON lines of that name that a verifiable client printed."""
    return [line for line in map(json.loads, filter(lambda text: text.startswith("{"), printed.splitlines())) if line.get("name") == name]


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_verifiable_producer_and_consumer(run, topic, name, protocol):
    wanted = topic(partitions=2)
    printed = run("VerifiableProducer", "--topic", wanted, "--max-messages", "500", "--acks", "-1", "--value-prefix", "7")
    sent = reports(printed, "producer_send_success")
    assert sorted(int(record["value"].removeprefix("7.")) for record in sent) == list(range(500))
    assert len({(record["partition"], record["offset"]) for record in sent}) == 500
    assert reports(printed, "producer_send_error") == []
    (totals,) = reports(printed, "tool_data")
    assert (totals["sent"], totals["acked"]) == (500, 500)
    printed = run("VerifiableConsumer", "--topic", wanted, "--group-id", name, "--group-protocol", protocol, "--max-messages", "500", "--verbose")
    found = reports(printed, "record_data")
    assert sorted((r["partition"], r["offset"], r["value"]) for r in found) == sorted((r["partition"], r["offset"], r["value"]) for r in sent)
    assert sum(said["count"] for said in reports(printed, "records_consumed")) == 500
    assert [p for said in reports(printed, "offsets_committed") for p in said["offsets"]] and all(said["success"] for said in reports(printed, "offsets_committed"))
