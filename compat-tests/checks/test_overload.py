"""Overload: more is offered than the disk takes. Producers are slowed, memory stays under its ceiling, nothing fails."""

import threading
import time

import pytest

from harness import admin
from harness.process import wait_until
from harness.verifier import Writer, read_all, verify

CEILING_BYTES = 700 << 20
# A flood ends here on a fast disk: it has to fit beside everything else there is, and the check holds it in memory to compare.
FLOOD_BYTES_MAX = 4 << 30
RECORD_BYTES = 50_000
PARTITIONS = 6


class PeakMemory(threading.Thread):
    """Samples resident memory until told to stop."""

    def __init__(self, broker):
        super().__init__(daemon=True)
        self.broker, self.peak, self.ending = broker, 0, threading.Event()

    def run(self) -> None:
        while not self.ending.wait(0.05) and self.broker.alive():
            self.peak = max(self.peak, self.broker.rss_bytes())

    def stop(self) -> int:
        self.ending.set()
        self.join()
        return self.peak


def acknowledged_bytes(writers: list[Writer]) -> int:
    return RECORD_BYTES * sum(len(writer.acknowledged) for writer in writers)


@pytest.mark.msgloop_only("a JVM's ceiling is its heap")
def test_producers_are_slowed_and_memory_is_bounded(own_broker, full):
    seconds = 60 if full else 15
    broker = own_broker()
    admin.create_topic(broker.bootstrap, "flood", PARTITIONS)
    memory = PeakMemory(broker)
    memory.start()
    writers = [Writer(broker.bootstrap, "flood", f"w{i}", PARTITIONS, size=RECORD_BYTES, per_second=4000, **{"message.max.bytes": 900_000}) for i in range(3)]
    for writer in writers:
        writer.start()
    ends = time.monotonic() + seconds
    wait_until(lambda: acknowledged_bytes(writers) >= FLOOD_BYTES_MAX or time.monotonic() > ends, seconds + 10, "the flood is over", pause=0.1)
    unanswered = sum(writer.finish(120) for writer in writers)
    peak = memory.stop()
    assert broker.alive(), broker.tail()
    assert [w.fatal for w in writers] == [None] * 3
    assert [len(w.failed) for w in writers] == [0] * 3, next(iter(writers[0].failed.values()), "")
    assert unanswered == 0, "everything that was sent is acknowledged in the end"
    assert peak < CEILING_BYTES, f"peak resident memory {peak >> 20} MiB"
    report = verify(writers, read_all(broker.bootstrap, "flood", PARTITIONS))
    assert report.ok(), str(report)


@pytest.mark.msgloop_only("a JVM's ceiling is its heap")
def test_many_idle_connections_are_cheap(own_broker):
    from harness import wire

    broker = own_broker()
    before = broker.rss_bytes()
    connections = [wire.Connection(broker.port) for _ in range(500)]
    for connection in connections:
        connection.ask(wire.API_VERSIONS, 0, b"")
    assert (broker.rss_bytes() - before) / len(connections) < 64 << 10, "at most 64 KiB a connection"
    for connection in connections:
        connection.socket.close()
