"""Did the broker keep its word? Producers note what was acknowledged; afterwards an independent client reads everything.

Every record carries a unique id `PRODUCER-NUMBER` and a checksum of its padding. What can be wrong has a name:

lost            acknowledged, and not there
duplicate       one id at two offsets
wrong-offset    acknowledged with another offset than it is read at
gap             an offset between the first and the last is missing
disorder        an idempotent producer's ids are not in the order in which they were sent
foreign         an id nobody sent, or a payload that is not what was sent
moved           a record read before a crash is read differently after it
"""

import hashlib
import threading
import time
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition

from harness.process import wait_until

NAMES = ["lost", "duplicate", "wrong-offset", "gap", "disorder", "foreign", "moved"]
# A producer retries through crashes and restarts up to this long before a record counts as not acknowledged.
DELIVERY_MS = 600_000

# A reader that gets nothing for so long is stuck.
STUCK_SECONDS = 60


def payload(producer: str, number: int, size: int) -> bytes:
    """A unique id, padded with bytes that only this id has."""
    head = f"{producer}-{number} ".encode()
    filler = hashlib.blake2b(head, digest_size=32).hexdigest().encode()
    return head + (filler * (size // len(filler) + 1))[: max(0, size - len(head))]


def parse(value: bytes) -> tuple[str, int] | None:
    """(producer, number) of a payload, or nothing when a single byte of it is not what was sent."""
    try:
        head = value.split(b" ", 1)[0].decode()
        producer, number = head.rsplit("-", 1)
        whole = payload(producer, int(number), len(value))
    except ValueError:
        return None
    return (producer, int(number)) if whole == value else None


class Writer(threading.Thread):
    """One idempotent producer that sends numbered records until told to stop, and notes each acknowledgement."""

    def __init__(self, bootstrap: str, topic: str, name: str, partitions: int, size: int = 200, per_second: int = 2000, **settings):
        super().__init__(daemon=True)
        self.topic, self.name_, self.partitions, self.size, self.per_second = topic, name, partitions, size, per_second
        self.acknowledged: dict[int, tuple[int, int]] = {}
        self.failed: dict[int, str] = {}
        self.sent = 0
        self.ending = threading.Event()
        self.fatal: str | None = None
        self.producer = Producer({
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 5,
            "delivery.timeout.ms": DELIVERY_MS,
            "retry.backoff.ms": 50,
            "retry.backoff.max.ms": 200,
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 100,
            "socket.timeout.ms": 10_000,
            "log_level": 2,
            "error_cb": self._note_error,
            **settings,
        })

    def _note_error(self, error) -> None:
        if error.fatal():
            self.fatal = str(error)

    def _note(self, number: int):
        def delivered(error, message):
            if error is None:
                self.acknowledged[number] = (message.partition(), message.offset())
            else:
                self.failed[number] = str(error)

        return delivered

    def run(self) -> None:
        try:
            self._send_until_told()
        except KafkaException as given_up:
            self.fatal = str(given_up)

    def _send_until_told(self) -> None:
        began = time.monotonic()
        while not self.ending.is_set() and self.fatal is None:
            due = int((time.monotonic() - began) * self.per_second)
            # More may be due than can ever be sent.
            while self.sent < due and len(self.producer) < 50_000 and not self.ending.is_set():
                self._send()
            self.producer.poll(0.01)

    def _send(self) -> None:
        number = self.sent
        self.sent += 1
        try:
            self.producer.produce(self.topic, payload(self.name_, number, self.size), partition=number % self.partitions, on_delivery=self._note(number))
        except BufferError:
            self.sent -= 1
            self.producer.poll(0.05)

    def finish(self, seconds: float) -> int:
        """Stops sending, waits for the outstanding acknowledgements; returns how many records have none."""
        self.ending.set()
        self.join()
        try:
            self.producer.flush(seconds)
        except KafkaException as given_up:
            self.fatal = str(given_up)
        return self.sent - len(self.acknowledged)


@dataclass
class Report:
    """What was found, by anomaly name; `count` says how much was looked at, so that an empty run cannot pass for a good one."""

    count: int = 0
    acknowledged: int = 0
    anomalies: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in NAMES})

    def note(self, name: str, text: str) -> None:
        self.anomalies[name].append(text)

    def ok(self) -> bool:
        return not any(self.anomalies.values())

    def __str__(self) -> str:
        found = {name: (len(texts), texts[:5]) for name, texts in self.anomalies.items() if texts}
        return f"{self.count} records read, {self.acknowledged} acknowledged: {found or 'no anomaly'}"


Log = dict[int, list[tuple[int, bytes]]]


def read_all(bootstrap: str, topic: str, partitions: int) -> Log:
    """{partition: [(offset, value)]} from the first to the high watermark, by a fresh consumer that checks each CRC."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "verifier", "enable.auto.commit": False, "check.crcs": True, "log_level": 2})
    ends = {p: _watermarks(consumer, TopicPartition(topic, p)) for p in range(partitions)}
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(partitions)])
    log: Log = {p: [] for p in range(partitions)}
    wanting = {p for p, (low, high) in ends.items() if high > low}
    deadline = time.monotonic() + STUCK_SECONDS
    while wanting:
        assert time.monotonic() < deadline, f"partitions {wanting} not read to their end {ends}: stopped at { {p: len(r) for p, r in log.items()} }"
        for message in consumer.consume(10_000, timeout=1):
            deadline = time.monotonic() + STUCK_SECONDS
            assert message.error() is None, message.error()
            log[message.partition()].append((message.offset(), message.value()))
            if message.offset() + 1 >= ends[message.partition()][1]:
                wanting.discard(message.partition())
    consumer.close()
    return log


def _watermarks(consumer: Consumer, at: TopicPartition) -> tuple[int, int]:
    """First offset and high watermark, asked again while a broker just started does not lead the partition yet."""

    def ask():
        try:
            return consumer.get_watermark_offsets(at, timeout=10)
        except KafkaException:
            return None

    return wait_until(ask, 60, f"{at.topic}-{at.partition} has a leader", pause=0.2)


def verify(writers: list[Writer], log: Log, before: Log | None = None) -> Report:
    """Holds what was read against what was acknowledged, and against what was read `before`."""
    report = Report(sum(map(len, log.values())), sum(len(w.acknowledged) for w in writers))
    places = _places(log, report)
    for writer in writers:
        _check_writer(writer, places.pop(writer.name_, {}), report)
    for name, numbers in places.items():
        report.note("foreign", f"{len(numbers)} records of {name}")
    for partition, records in (before or {}).items():
        kept = dict(log.get(partition, []))
        for offset, value in records:
            if kept.get(offset) != value:
                report.note("moved", f"partition {partition} offset {offset}")
    return report


def _places(log: Log, report: Report) -> dict[str, dict[int, tuple[int, int]]]:
    """{producer: {number: (partition, offset)}}; notes gaps, duplicates, foreign payloads and disorder on the way."""
    places: dict[str, dict[int, tuple[int, int]]] = {}
    for partition, records in log.items():
        latest: dict[str, int] = {}
        for at, (offset, value) in enumerate(records):
            if offset != records[0][0] + at:
                report.note("gap", f"partition {partition}: {offset} at place {at}")
                break
        for offset, value in records:
            found = parse(value)
            if found is None:
                report.note("foreign", f"partition {partition} offset {offset}: {value[:40]!r}")
                continue
            producer, number = found
            mine = places.setdefault(producer, {})
            if number in mine:
                report.note("duplicate", f"{producer}-{number} at {mine[number]} and {(partition, offset)}")
            elif number < latest.get(producer, -1):
                report.note("disorder", f"{producer}-{number} after {latest[producer]}, partition {partition} offset {offset}")
            mine[number] = (partition, offset)
            latest[producer] = number
    return places


def _check_writer(writer: Writer, found: dict[int, tuple[int, int]], report: Report) -> None:
    for number, place in writer.acknowledged.items():
        if number not in found:
            report.note("lost", f"{writer.name_}-{number}, acknowledged at {place}")
        # librdkafka gives offset -1 when the broker said that the batch was a duplicate.
        elif place[1] >= 0 and found[number] != place:
            report.note("wrong-offset", f"{writer.name_}-{number}: acknowledged at {place}, read at {found[number]}")
    for number in found:
        if number >= writer.sent:
            report.note("foreign", f"{writer.name_}-{number} was never sent")
