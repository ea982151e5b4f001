"""Administration of a cluster as Kafka's own tools do it: quotas, SCRAM users, elections, reassignments, the quorum."""

import json
import re

import pytest

from harness import flexible
from harness.heartbeat import Member
from harness.jvm import ToolFailed, tool
from harness.process import wait_until
from harness.wire import Connection


@pytest.fixture
def run(broker):
    def with_bootstrap(name: str, *arguments: str) -> str:
        return tool(name, "--bootstrap-server", broker.bootstrap, *arguments)

    return with_bootstrap


@pytest.fixture
def node(run):
    return re.search(r"id: (\d+)", run("BrokerApiVersionsCommand"))[1]


def test_quotas_are_set_found_and_removed(run, name):
    user, client = ["--entity-type", "users", "--entity-name", name], ["--entity-type", "clients", "--entity-name", name]
    run("ConfigCommand", "--alter", *user, *client, "--add-config", "producer_byte_rate=1024,request_percentage=12.5")
    run("ConfigCommand", "--alter", "--entity-type", "clients", "--entity-default", "--add-config", "consumer_byte_rate=1000000000")
    described = run("ConfigCommand", "--describe", *user, *client)
    assert "producer_byte_rate=1024.0" in described and "request_percentage=12.5" in described
    assert "consumer_byte_rate=1.0E9" in run("ConfigCommand", "--describe", "--entity-type", "clients", "--entity-default")
    assert name not in run("ConfigCommand", "--describe", *user)
    run("ConfigCommand", "--alter", *user, *client, "--delete-config", "producer_byte_rate,request_percentage")
    run("ConfigCommand", "--alter", "--entity-type", "clients", "--entity-default", "--delete-config", "consumer_byte_rate")
    assert "producer_byte_rate" not in run("ConfigCommand", "--describe", *user, *client)


def test_quotas_of_addresses(run):
    ip = ["--entity-type", "ips", "--entity-name", "192.0.2.7"]
    run("ConfigCommand", "--alter", *ip, "--add-config", "connection_creation_rate=100")
    assert "connection_creation_rate=100.0" in run("ConfigCommand", "--describe", *ip)
    run("ConfigCommand", "--alter", *ip, "--delete-config", "connection_creation_rate")


def test_scram_users(run, name):
    user = ["--entity-type", "users", "--entity-name", name]
    sha_256, sha_512 = "SCRAM-SHA-256=[iterations=8192,password=secret]", "SCRAM-SHA-512=[password=secret]"
    with pytest.raises(ToolFailed, match="cannot be altered twice in the same request"):
        run("ConfigCommand", "--alter", *user, "--add-config", f"{sha_256},{sha_512}")
    for mechanism in sha_256, sha_512:
        run("ConfigCommand", "--alter", *user, "--add-config", mechanism)
    described = run("ConfigCommand", "--describe", *user)
    assert "SCRAM-SHA-256=iterations=8192" in described and "SCRAM-SHA-512=iterations=4096" in described
    run("ConfigCommand", "--alter", *user, "--delete-config", "SCRAM-SHA-256")
    described = run("ConfigCommand", "--describe", *user)
    assert "SCRAM-SHA-256" not in described and "SCRAM-SHA-512" in described
    with pytest.raises(ToolFailed, match="does not exist"):
        run("ConfigCommand", "--alter", *user, "--delete-config", "SCRAM-SHA-256")
    run("ConfigCommand", "--alter", *user, "--delete-config", "SCRAM-SHA-512")


def test_an_election_is_not_needed(run, topic):
    wanted = topic()
    said = run("LeaderElectionCommand", "--election-type", "preferred", "--topic", wanted, "--partition", "0")
    assert f"Valid replica already elected for partitions {wanted}-0" in said


def test_a_partition_is_reassigned_to_where_it_is(run, topic, node, tmp_path):
    wanted = topic()
    plan = tmp_path / "plan.json"

    def write(replicas: list[int]) -> None:
        plan.write_text(json.dumps({"version": 1, "partitions": [{"topic": wanted, "partition": 0, "replicas": replicas}]}))

    write([int(node)])
    arguments = ["--reassignment-json-file", str(plan)]
    assert "Successfully started partition reassignment" in run("reassign.ReassignPartitionsCommand", *arguments, "--execute")
    assert "is completed" in run("reassign.ReassignPartitionsCommand", *arguments, "--verify")
    assert "No partition reassignments found" in run("reassign.ReassignPartitionsCommand", "--list")
    write([4711])
    with pytest.raises(ToolFailed, match="4711"):
        run("reassign.ReassignPartitionsCommand", *arguments, "--execute")


def test_the_quorum_is_this_node(run, node):
    status = run("MetadataQuorumCommand", "describe", "--status")
    assert re.search(rf"LeaderId:\s+{node}\b", status) and re.search(r"HighWatermark:\s+\d+", status)
    replication = run("MetadataQuorumCommand", "describe", "--replication")
    assert re.search(rf"^{node}\s.*Leader", replication, re.MULTILINE)


def test_a_broker_that_is_not_there_cannot_be_unregistered(broker):
    with pytest.raises(ToolFailed, match="not currently registered"):
        tool("ClusterTool", "unregister", "--bootstrap-server", broker.bootstrap, "--id", "4711")


def test_client_metrics_subscriptions_are_listed(run, name):
    run("ClientMetricsCommand", "--alter", "--name", name, "--metrics", "org.apache.kafka.producer.", "--interval", "60000")
    assert name in run("ClientMetricsCommand", "--list")
    assert "interval.ms=60000" in run("ClientMetricsCommand", "--describe", "--name", name)
    run("ClientMetricsCommand", "--delete", "--name", name)
    assert name not in run("ClientMetricsCommand", "--list")


def test_features_are_described_lowered_and_raised(own_broker):
    broker = own_broker()

    def features(*arguments: str) -> str:
        return tool("FeatureCommand", "--bootstrap-server", broker.bootstrap, *arguments)

    def level(feature: str) -> int:
        return int(re.search(rf"Feature: {feature}\s.*FinalizedVersionLevel: (\d+)", features("describe"))[1])

    assert re.search(r"Feature: transaction.version\s+SupportedMinVersion: 0\s+SupportedMaxVersion: 2\s", features("describe"))
    lower = ["downgrade", "--feature", "transaction.version=1"]
    assert "transaction.version can be downgraded to 1." in features(*lower, "--dry-run")
    assert level("transaction.version") == 2
    assert "transaction.version was downgraded to 1." in features(*lower)
    assert level("transaction.version") == 1
    assert "transaction.version was upgraded to 2." in features("upgrade", "--feature", "transaction.version=2")
    assert level("transaction.version") == 2
    for wrong, said in {
        "transaction.version=1": "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.",
        "transaction.version=9": r"Local controller \d+ only supports versions 0-2",
        "unheard.of=1": r"Local controller \d+ does not support this feature.",
    }.items():
        feature, wanted = wrong.split("=")
        with pytest.raises(ToolFailed, match=f"Invalid update version {wanted} for feature {feature}. {said}"):
            features("upgrade", "--feature", wrong)
    with pytest.raises(ToolFailed, match="Invalid update version 0 for feature unheard.of. Feature unheard.of not found."):
        features("disable", "--feature", "unheard.of")
    assert "share.version was disabled." in features("disable", "--feature", "share.version")
    assert "group.version was disabled." in features("disable", "--feature", "group.version")
    assert level("group.version") == 0


def test_features_of_a_release(own_broker, against):
    """Kafka takes its own release; msgloop, like an older Kafka, refuses one with features that it lacks, and changes nothing."""
    broker = own_broker()

    def features(*arguments: str) -> str:
        return tool("FeatureCommand", "--bootstrap-server", broker.bootstrap, *arguments)

    def levels() -> dict[str, str]:
        return dict(re.findall(r"Feature: (\S+) .*FinalizedVersionLevel: (\S+)", features("describe", "--node-id", "1")))

    before = levels()
    assert {"group.version": "1", "streams.version": "1", "transaction.version": "2"}.items() <= before.items()
    features("downgrade", "--feature", "transaction.version=1")
    if against == "kafka":
        assert "transaction.version was upgraded to 2." in features("upgrade", "--release-version", "4.3")
        assert levels() == before
    else:
        with pytest.raises(ToolFailed, match="Local controller 1 does not support this feature.") as refused:
            features("upgrade", "--release-version", "4.3")
        assert "7 out of 7 operation(s) failed." in refused.value.output
        assert levels() == {**before, "transaction.version": "1"}
    with pytest.raises(ToolFailed, match="7 out of 7 operation"):
        features("downgrade", "--release-version", "4.0")
    with pytest.raises(ToolFailed, match="Unknown metadata.version '9.9'"):
        features("upgrade", "--release-version", "9.9")


UNSUPPORTED_VERSION, GROUP_ID_NOT_FOUND = 35, 69
FIND_COORDINATOR, CONSUMER_GROUP_DESCRIBE = 10, 69


def test_consumer_groups_are_neither_joined_nor_described_while_their_feature_is_off(own_broker):
    broker = own_broker()

    def described(port: int, *groups: str) -> list[int]:
        with Connection(port) as connection:
            answer = flexible.ask(connection, CONSUMER_GROUP_DESCRIBE, 0, flexible.items(list(groups), flexible.text) + b"\0\0")
            answer.take("i")
            codes = []
            for _ in range(answer.unsigned() - 1):
                codes.append(answer.take("h"))
                answer.text(), answer.text(), answer.text(), answer.take("i"), answer.take("i"), answer.text()
                assert answer.items(lambda _: pytest.fail("no member is there")) == []
                answer.take("i"), answer.unsigned()
            return codes

    def feature(level: int) -> None:
        direction = "upgrade" if level else "downgrade"
        tool("FeatureCommand", "--bootstrap-server", broker.bootstrap, direction, "--feature", f"group.version={level}")

    member = Member(broker.port, "g")
    # Whoever asks for the first coordinator has the topic made in which it keeps its groups.
    flexible.ask(member.connection, FIND_COORDINATOR, 3, flexible.text("g") + b"\0\0")
    wait_until(lambda: member.join("m")[0] == 0, 20, "the coordinator takes members")
    assert member.beat("m", -1)[0] == 0
    assert described(broker.port, "g", "absent") == [0, GROUP_ID_NOT_FOUND]
    feature(0)
    wait_until(lambda: described(broker.port, "g", "absent") == [UNSUPPORTED_VERSION] * 2, 10, "the feature is off")
    assert member.join("m")[0] == UNSUPPORTED_VERSION
    feature(1)
    wait_until(lambda: described(broker.port, "g", "absent") == [0, GROUP_ID_NOT_FOUND], 10, "the feature is on again")
    assert member.join("m")[0] == 0


def test_loggers_are_made_louder_and_quiet_again(run, broker, node):
    logger = {"kafka": "kafka.server.KafkaApis", "msgloop": "broker.net"}[broker.kind]
    loggers = ["--entity-type", "broker-loggers", "--entity-name", node]

    def level() -> str | None:
        found = re.search(rf"^\s*{re.escape(logger)}=(\w+)", run("ConfigCommand", "--describe", *loggers), re.MULTILINE)
        return found and found[1]

    run("ConfigCommand", "--alter", *loggers, "--add-config", f"{logger}=TRACE")
    assert level() == "TRACE"
    run("ConfigCommand", "--alter", *loggers, "--delete-config", logger)
    assert level() != "TRACE"
    with pytest.raises(ToolFailed, match="is not a supported log level"):
        run("ConfigCommand", "--alter", *loggers, "--add-config", f"{logger}=LOUD")
