"""Consumers of one group that come and go while they read: between them they must read everything."""

import threading

from confluent_kafka import Consumer

POLL_RECORDS = 1000


class Member(threading.Thread):
    """One member: reads, commits what it read before it reads on, and leaves when told. `records` is shared by the group."""

    def __init__(self, bootstrap: str, group: str, topic: str, records: dict, strategy: str):
        super().__init__(daemon=True)
        self.records, self.ending, self.failure = records, threading.Event(), None
        self.consumer = Consumer({
            "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False,
            "partition.assignment.strategy": strategy, "heartbeat.interval.ms": 200, "session.timeout.ms": 10_000, "check.crcs": True,
            "topic.metadata.refresh.interval.ms": 1000, "log_level": 2,
        })
        self.consumer.subscribe([topic])

    def run(self) -> None:
        try:
            while not self.ending.is_set():
                self._step()
        except Exception as failure:  # Reported by the group: a thread has nobody to raise to.
            self.failure = failure
        finally:
            self.consumer.close()

    def _step(self) -> None:
        found = self.consumer.consume(POLL_RECORDS, timeout=0.1)
        for message in found:
            assert message.error() is None, message.error()
            self.records.setdefault((message.partition(), message.offset()), []).append((message.key() or b"", message.value()))
        if found:
            try:
                self.consumer.commit(asynchronous=False)
            except Exception as refused:  # The partitions moved on meanwhile: their new owner reads these again.
                if not _rebalance(refused):
                    raise
        self.ending.wait(0.005)

    def leave(self) -> None:
        self.ending.set()
        self.join(30)
        if self.failure:
            raise self.failure


def _rebalance(failure: Exception) -> bool:
    return getattr(failure.args[0], "name", lambda: "")() in ("ILLEGAL_GENERATION", "REBALANCE_IN_PROGRESS", "UNKNOWN_MEMBER_ID", "_NO_OFFSET")
