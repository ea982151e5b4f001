"""Producing, fetching and looking offsets up."""

import time

from harness import wire
from harness.wrong_use import COMPACTED, MISSING_TOPIC, TOPIC, TOPIC_RECORDS, Of, rows

GOOD = wire.batch([b"v"])
TOMORROW_MS = int((time.time() + 86_400) * 1000)
# The attribute bits of a batch.
LOG_APPEND_TIME, TRANSACTIONAL, CONTROL = 0x08, 0x10, 0x20
NO_SUCH_CODEC = 0x07


def produce(records: bytes | None = GOOD, topic: dict | None = None, partition: int = 0, acks: int = -1, transactional_id: str | None = None) -> dict:
    data = [{**(topic or {"name": TOPIC}), "partition_data": [{"index": partition, "records": records}]}]
    return {"transactional_id": transactional_id, "acks": acks, "timeout_ms": 5_000, "topic_data": data}


def by(producer_id, epoch: int, sequence: int, attributes: int = 0) -> bytes:
    return wire.batch([b"v"], producer=(producer_id, epoch, sequence), attributes=attributes)


def fetch(offset: int = 0, topic: dict | None = None, partition: int = 0, **said) -> dict:
    one = {"partition": partition, "fetch_offset": offset, "partition_max_bytes": 1 << 20, "current_leader_epoch": said.pop("epoch", -1)}
    return {"max_wait_ms": 100, "min_bytes": 1, "topics": [{**(topic or {"topic": TOPIC}), "partitions": [one]}], **said}


def offsets(timestamp: int = -1, topic: str = TOPIC, partition: int = 0, epoch: int = -1, times: int = 1) -> dict:
    one = {"partition_index": partition, "timestamp": timestamp, "current_leader_epoch": epoch}
    return {"topics": [{"name": topic, "partitions": [one] * times}]}


def epoch_end(topic: str = TOPIC, partition: int = 0, current: int = -1, epoch: int = 0) -> dict:
    return {"topics": [{"topic": topic, "partitions": [{"partition": partition, "current_leader_epoch": current, "leader_epoch": epoch}]}]}


ROWS = [
    *rows(
        "Produce",
        ((3, 9, 12), "a topic nobody knows", produce(topic={"name": MISSING_TOPIC}), "UNKNOWN_TOPIC_OR_PARTITION"),
        (13, "a topic id nobody knows", produce(topic={"topic_id": Of("missing_topic_id")}), "UNKNOWN_TOPIC_ID"),
        ((3, 12), "a partition beyond the last", produce(partition=2), "UNKNOWN_TOPIC_OR_PARTITION"),
        ((3, 12), "acks of 2", produce(acks=2), "INVALID_REQUIRED_ACKS"),
        ((3, 12), "a wrong checksum", produce(wire.batch([b"v"], crc=1)), "CORRUPT_MESSAGE"),
        ((3, 12), "no batch", produce(b""), "INVALID_RECORD"),
        ((3, 12), "two batches", produce(GOOD + GOOD), "INVALID_RECORD"),
        ((3, 12), "a control batch", produce(wire.batch([b"v"], attributes=CONTROL)), "INVALID_RECORD"),
        ((3, 12), "a codec nobody knows", produce(wire.batch([b"v"], attributes=NO_SUCH_CODEC)), "UNKNOWN_SERVER_ERROR"),
        ((3, 12), "a batch over max.message.bytes", produce(wire.batch([b"x" * 1_100_000])), "MESSAGE_TOO_LARGE"),
        ((3, 12), "a timestamp of tomorrow", produce(wire.batch([b"v"], timestamp=TOMORROW_MS)), "INVALID_TIMESTAMP"),
        ((3, 12), "a record without key to a compacted topic", produce(topic={"name": COMPACTED}), "INVALID_RECORD"),
        ((3, 12), "a producer id without sequence", produce(by(1 << 40, 0, -1)), "INVALID_RECORD"),
        ((3, 12), "a transactional batch without transactional id", produce(by(1 << 40, 0, 0, TRANSACTIONAL)), "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"),
    ),
    *rows(
        "Fetch",
        (4, "a topic nobody knows", fetch(topic={"topic": MISSING_TOPIC}), "UNKNOWN_TOPIC_OR_PARTITION"),
        ((7, 12), "a topic nobody knows", fetch(topic={"topic": MISSING_TOPIC}), "NONE UNKNOWN_TOPIC_OR_PARTITION"),
        ((13, 17), "a topic id nobody knows", fetch(topic={"topic_id": Of("missing_topic_id")}), "NONE UNKNOWN_TOPIC_ID"),
        (4, "a partition beyond the last", fetch(partition=2), "UNKNOWN_TOPIC_OR_PARTITION"),
        ((7, 12), "a partition beyond the last", fetch(partition=2), "NONE UNKNOWN_TOPIC_OR_PARTITION"),
        (4, "an offset beyond the end", fetch(TOPIC_RECORDS + 1), "OFFSET_OUT_OF_RANGE"),
        ((7, 12), "an offset beyond the end", fetch(TOPIC_RECORDS + 1), "NONE OFFSET_OUT_OF_RANGE"),
        (4, "an offset below zero", fetch(-1), "OFFSET_OUT_OF_RANGE"),
        ((7, 12), "an offset below zero", fetch(-1), "NONE OFFSET_OUT_OF_RANGE"),
        ((9, 12), "a leader epoch to come", fetch(epoch=99), "NONE UNKNOWN_LEADER_EPOCH"),
        ((7, 12), "a session nobody knows", fetch(session_id=12345, session_epoch=1), "FETCH_SESSION_ID_NOT_FOUND"),
    ),
    *rows(
        "ListOffsets",
        ((1, 7, 10), "a topic nobody knows", offsets(topic=MISSING_TOPIC), "UNKNOWN_TOPIC_OR_PARTITION"),
        ((1, 7, 10), "a partition beyond the last", offsets(partition=2), "UNKNOWN_TOPIC_OR_PARTITION"),
        ((1, 7, 10), "a partition twice", offsets(times=2), "INVALID_REQUEST"),
        (6, "the largest timestamp before version 7", offsets(-3), "UNSUPPORTED_VERSION"),
        (7, "the earliest local offset before version 8", offsets(-4), "UNSUPPORTED_VERSION"),
        (8, "the last tiered offset before version 9", offsets(-5), "UNSUPPORTED_VERSION"),
        (10, "a special timestamp nobody knows", offsets(-99), "UNSUPPORTED_VERSION"),
        ((4, 10), "a leader epoch to come", offsets(epoch=99), "UNKNOWN_LEADER_EPOCH"),
        ((1, 10), "a time after the last record", offsets(TOMORROW_MS), "NONE"),
    ),
    *rows(
        "OffsetForLeaderEpoch",
        ((2, 4), "a topic nobody knows", epoch_end(topic=MISSING_TOPIC), "UNKNOWN_TOPIC_OR_PARTITION"),
        ((2, 4), "a partition beyond the last", epoch_end(partition=2), "UNKNOWN_TOPIC_OR_PARTITION"),
        ((2, 4), "a leader epoch to come", epoch_end(current=99), "UNKNOWN_LEADER_EPOCH"),
        ((2, 4), "the end of an epoch to come", epoch_end(epoch=99), "NONE"),
    ),
]
