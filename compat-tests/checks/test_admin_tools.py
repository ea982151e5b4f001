"""Administration of a cluster as Kafka's own tools do it: quotas, SCRAM users, elections, reassignments, the quorum."""

import json
import re

import pytest

from harness.jvm import ToolFailed, tool


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
    assert "group.version was disabled." in features("disable", "--feature", "group.version")
    assert level("group.version") == 0
