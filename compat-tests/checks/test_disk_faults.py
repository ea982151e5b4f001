"""A disk that fills up and is freed again; a disk that fails: writes stop with an error, nothing acknowledged is lost."""

import time

import pytest
from confluent_kafka import KafkaError, Producer

from harness import admin
from harness.loopfs import LoopDisk, reason_to_skip
from harness.process import wait_until
from harness.verifier import Writer, read_all, verify

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(reason_to_skip() is not None, reason=reason_to_skip() or ""),
    pytest.mark.msgloop_only("Apache Kafka stops for good when its disk is full or fails"),
]
STORAGE_ERROR = KafkaError.KAFKA_STORAGE_ERROR
# The smallest ring there is, so that a small disk fills with segments and not with the ring alone.
SMALL = {"msgloop.wal.bytes": str(128 << 20)}


def produce_until_refused(broker, topic: str) -> tuple[int, object]:
    """(records acknowledged, first error) of a producer that does not retry."""
    acknowledged, errors = [], []
    producer = Producer({"bootstrap.servers": broker.bootstrap, "acks": "all", "message.timeout.ms": 10_000, "retries": 0, "log_level": 2})
    deadline = time.monotonic() + 120
    while not errors and time.monotonic() < deadline:
        producer.produce(topic, b"f" * 100_000, on_delivery=lambda error, m: errors.append(error) if error else acknowledged.append(m.offset()))
        producer.poll(0.001)
        while len(producer) > 100:
            producer.poll(0.05)
    producer.flush(20)
    assert errors, "the disk never filled"
    return len(acknowledged), errors[0]


@pytest.mark.smoke
def test_full_disk_refuses_writes_and_recovers_by_itself(tmp_path, own_broker):
    with LoopDisk(tmp_path, "ext4", 640) as disk:
        broker = own_broker(SMALL, log_dirs=[disk.mount_point / "data"])
        admin.create_topic(broker.bootstrap, "kept", 3)
        admin.create_topic(broker.bootstrap, "filler", 1, {"segment.bytes": "8388608"})
        writer = Writer(broker.bootstrap, "kept", "w", 3)
        writer.start()
        wait_until(lambda: len(writer.acknowledged) > 500, 30, "acknowledged before the disk is full")
        count, error = produce_until_refused(broker, "filler")
        assert error.code() == STORAGE_ERROR, f"{error} after {count} records"
        assert broker.alive(), broker.tail()
        assert len(read_all(broker.bootstrap, "kept", 3)[0]) > 100, "reads go on"
        client = admin.client(broker.bootstrap)
        client.delete_topics(["filler"])["filler"].result(20)
        before = len(writer.acknowledged)
        wait_until(lambda: len(writer.acknowledged) > before + 500, 60, "writes resume by themselves once the topic is deleted")
        assert writer.finish(60) == 0
        report = verify([writer], read_all(broker.bootstrap, "kept", 3))
        assert report.ok(), str(report)
        broker.restart()
        report = verify([writer], read_all(broker.bootstrap, "kept", 3))
        assert report.ok(), str(report)
        broker.kill()


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_io_error_fences_and_ends_with_a_clear_sentence(tmp_path, own_broker, kind):
    """The first failed write or sync closes the directory; it was the only one, so the process ends, and says why."""
    with LoopDisk(tmp_path, kind) as disk:
        broker = own_broker(log_dirs=[disk.mount_point / "data"])
        admin.create_topic(broker.bootstrap, "kept", 3)
        writer = Writer(broker.bootstrap, "kept", "w", 3)
        writer.start()
        wait_until(lambda: len(writer.acknowledged) > 500, 30, "acknowledged before the fault")
        # Nothing may be on its way while the file system shuts down: see test_power.py.
        broker.freeze()
        time.sleep(0.1)
        disk.cut_power()
        broker.thaw()
        code = broker.wait(30, "end after an I/O error")
        assert code not in (0, -6, 101), f"exit code {code}: a definite failure, neither a success nor a panic"
        said = broker.tail()
        assert "panicked" not in said
        assert any(str(disk.mount_point) in line and "rror" in line for line in said.splitlines()), said
        disk.come_back()
        broker.start()
        assert writer.finish(60) == 0
        report = verify([writer], read_all(broker.bootstrap, "kept", 3))
        assert report.ok(), str(report)
        broker.kill()
