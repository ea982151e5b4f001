"""ApiVersions and topic configs beside the real Apache Kafka: every difference is listed with its reason."""

import re

import pytest
from confluent_kafka.admin import ConfigResource, ResourceType

from harness import admin, differences, paths, wire
from harness.jvm import tool
from harness.kafka import Kafka

TABLE = paths.REPOSITORY / "docs" / "differences.md"
pytestmark = pytest.mark.msgloop_only("compares msgloop with Apache Kafka")


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    with Kafka(tmp_path_factory.mktemp("kafka")) as started:
        yield started.start()


def api_names(kafka) -> dict[int, str]:
    """Kafka's own names of the API keys, as its tool prints them."""
    printed = tool("BrokerApiVersionsCommand", "--bootstrap-server", kafka.bootstrap)
    return {int(key): name for name, key in re.findall(r"(\w+)\((\d+)\):", printed)}


def test_api_versions(kafka, broker):
    names = api_names(kafka)

    def ranges(port: int) -> dict[str, str]:
        return {names.get(key, str(key)): f"{low}-{high}" for key, (low, high) in wire.api_versions(port).items()}

    differences.check(TABLE, "API", ranges(kafka.port), ranges(broker.port))


@pytest.fixture(scope="module")
def configs(kafka, shared_broker):
    """The topic configs of a new topic: Kafka's and ours."""
    return topic_configs(kafka.bootstrap), topic_configs(shared_broker.bootstrap)


def topic_configs(bootstrap: str) -> dict:
    admin.create_topic(bootstrap, "described")
    client = admin.client(bootstrap)
    resource = ConfigResource(ResourceType.TOPIC, "described")
    return next(iter(client.describe_configs([resource]).values())).result(20)


def test_topic_configs(configs):
    theirs, ours = ({name: config.value or "empty" for name, config in side.items()} for side in configs)
    differences.check(TABLE, "topic config", theirs, ours)


def test_topic_configs_say_where_they_come_from(configs):
    """Source, read-only and sensitive agree for every config both know."""
    theirs, ours = ({name: (c.source, c.is_read_only, c.is_sensitive) for name, c in side.items()} for side in configs)
    wrong = {n: (theirs[n], ours[n]) for n in theirs if n in ours and theirs[n] != ours[n]}
    wrong.pop("min.insync.replicas", None)  # Kafka writes it as a cluster-wide default when it is formatted.
    assert wrong == {}
