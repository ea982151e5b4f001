"""kill -9 at random moments under three idempotent producers: nothing acknowledged is lost, nothing is there twice."""

import shutil

import pytest

from harness import admin, campaign
from harness.verifier import Writer, read_all, verify


def kill(broker) -> None:
    broker.kill()
    broker.start()


@pytest.mark.campaign
@pytest.mark.smoke
def test_kill_9_under_idempotent_producers(own_broker, full, against):
    rounds = 100 if full else 10
    broker = own_broker()
    report = campaign.run(broker, rounds if against == "msgloop" else rounds // 3, kill)
    assert report.ok(), str(report)
    assert report.acknowledged > rounds * 20, "the campaign did write"


def test_clean_restart_keeps_everything(own_broker):
    broker = own_broker()
    report = campaign.run(broker, 3, lambda b: b.restart())
    assert report.ok(), str(report)


def test_topics_configs_and_group_offsets_outlive_a_kill(own_broker):
    from confluent_kafka import Consumer, TopicPartition
    from confluent_kafka.admin import ConfigResource, ResourceType

    broker = own_broker()
    admin.create_topic(broker.bootstrap, "kept", 3, {"retention.ms": "123456789"})
    committer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "kept", "enable.auto.commit": False})
    committer.commit(offsets=[TopicPartition("kept", 1, 42, metadata="m")], asynchronous=False)
    committer.close()
    kill(broker)
    client = admin.client(broker.bootstrap)
    assert len(client.list_topics("kept", timeout=10).topics["kept"].partitions) == 3
    found = next(iter(client.describe_configs([ConfigResource(ResourceType.TOPIC, "kept")]).values())).result(20)
    assert found["retention.ms"].value == "123456789"
    reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "kept"})
    (position,) = reader.committed([TopicPartition("kept", 1)], timeout=20)
    assert (position.offset, position.metadata) == (42, "m")
    reader.close()


def test_deleted_topic_stays_deleted_after_a_kill(own_broker):
    broker = own_broker()
    admin.create_topic(broker.bootstrap, "gone", 1)
    writer = Writer(broker.bootstrap, "gone", "w", 1)
    writer.start()
    campaign._progress([writer], broker, 0)
    assert writer.finish(30) == 0
    client = admin.client(broker.bootstrap)
    client.delete_topics(["gone"])["gone"].result(20)
    kill(broker)
    client = admin.client(broker.bootstrap)
    assert "gone" not in client.list_topics(timeout=10).topics
    admin.create_topic(broker.bootstrap, "gone", 1)
    assert read_all(broker.bootstrap, "gone", 1) == {0: []}, "a new topic of the same name is empty"


@pytest.mark.msgloop_only("Apache Kafka notes the new log start once a minute, and forgets it when killed")
def test_deleted_records_stay_deleted_after_a_kill(own_broker):
    from confluent_kafka import TopicPartition

    broker = own_broker()
    admin.create_topic(broker.bootstrap, "cut", 1)
    writer = Writer(broker.bootstrap, "cut", "w", 1)
    writer.start()
    campaign._progress([writer], broker, 0)
    assert writer.finish(30) == 0
    client = admin.client(broker.bootstrap)
    at = TopicPartition("cut", 0, 10)
    assert client.delete_records([at])[at].result(20).low_watermark == 10
    kill(broker)
    log = read_all(broker.bootstrap, "cut", 1)
    assert log[0][0][0] == 10
    writer.acknowledged = {n: place for n, place in writer.acknowledged.items() if place[1] >= 10}
    report = verify([writer], log)
    assert report.ok(), str(report)


@pytest.mark.msgloop_only("Apache Kafka's properties name its directory")
def test_directory_of_a_killed_broker_starts_elsewhere(own_broker, new_broker, tmp_path):
    """A copy of a killed broker's directory is as good as the original: nothing is kept outside of it."""
    broker = own_broker()
    admin.create_topic(broker.bootstrap, "copied", 2)
    writer = Writer(broker.bootstrap, "copied", "w", 2)
    writer.start()
    campaign._progress([writer], broker, 0)
    assert writer.finish(30) == 0
    broker.kill()
    shutil.copytree(broker.log_dirs[0], tmp_path / "data")
    with new_broker(tmp_path) as copy:
        report = verify([writer], read_all(copy.start().bootstrap, "copied", 2))
    assert report.ok(), str(report)
