"""Requests to coordinators as whole frames, and what their answers say. Classic versions but where the newer transaction protocol
(KIP-890) needs flexible ones."""

import struct
import time

from bench.conversations import HEADER_FLEXIBLE, request
from harness.wire import Reader, array, batch, string

PRODUCE, OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT, SYNC_GROUP = 0, 8, 9, 10, 11, 12, 14
INIT_PRODUCER_ID, END_TXN = 22, 26
TRANSACTIONAL = 0x10


class Refused(Exception):
    """An answer with an error code."""


def expect_none(code: int, what: str) -> None:
    if code:
        raise Refused(f"{what}: error code {code}")


def blob(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


def find_coordinator(key: str, of_transactions: bool) -> bytes:
    return request(FIND_COORDINATOR, 1, string(key) + struct.pack(">b", of_transactions))


def find_coordinator_code(answer: bytes) -> int:
    return struct.unpack_from(">h", answer, 4)[0]


def offset_commit(group: str, topic: str, partitions: range, offset: int, generation: int = -1, member: str = "") -> bytes:
    """Without generation and member, by a client that assigns partitions by itself."""
    rows = [struct.pack(">iq", partition, offset) + string("") for partition in partitions]
    return request(OFFSET_COMMIT, 5, string(group) + struct.pack(">i", generation) + string(member) + array([string(topic) + array(rows)]))


def set_first_offset(frame: bytearray, partitions: int, offset: int) -> None:
    """Of an OffsetCommit that is made already: number, offset and no metadata of each partition are its last bytes."""
    struct.pack_into(">q", frame, len(frame) - partitions * (4 + 8 + 2) + 4, offset)


def offset_commit_code(answer: bytes) -> int:
    """Of the last partition; a group is refused as a whole."""
    return struct.unpack_from(">h", answer, len(answer) - 2)[0]


def offset_fetch(group: str, topic: str, partition: int) -> bytes:
    return request(OFFSET_FETCH, 3, string(group) + array([string(topic) + array([struct.pack(">i", partition)])]))


def offset_fetched(answer: bytes) -> tuple[int, int]:
    """(error code, offset) of the only partition; (error code, -1) if the group was refused."""
    reader = Reader(answer)
    reader.take("i")
    offset, partition_code = -1, 0
    for _ in range(reader.take("i")):
        reader.string()
        for _ in range(reader.take("i")):
            _, offset = reader.take("iq")
            reader.string()
            partition_code = reader.take("h")
    return reader.take("h") or partition_code, offset


def subscription(topic: str) -> bytes:
    """What a consumer says of itself when it joins (ConsumerProtocolSubscription, version 0): brokers read the topics."""
    return struct.pack(">h", 0) + array([string(topic)]) + struct.pack(">i", -1)


def assignment(topic: str, partition: int) -> bytes:
    """What it is told (ConsumerProtocolAssignment, version 0)."""
    return struct.pack(">h", 0) + array([string(topic) + array([struct.pack(">i", partition)])]) + struct.pack(">i", -1)


def join_group(group: str, member: str, metadata: bytes, session_ms: int, rebalance_ms: int) -> bytes:
    protocols = array([string("range") + blob(metadata)])
    body = string(group) + struct.pack(">ii", session_ms, rebalance_ms) + string(member) + string("consumer") + protocols
    return request(JOIN_GROUP, 3, body)


def joined(answer: bytes) -> tuple[int, int, str, str, list[str]]:
    """(error code, generation, leader, member id, member ids: none but for the leader)."""
    reader = Reader(answer)
    _, code, generation = reader.take("ihi")
    reader.string()
    leader, member = reader.string(), reader.string()
    members = []
    for _ in range(reader.take("i")):
        members.append(reader.string())
        metadata_bytes = reader.take("i")
        reader.at += metadata_bytes
    return code, generation, leader, member, members


def sync_group(group: str, generation: int, member: str, assignments: dict[str, bytes]) -> bytes:
    rows = array([string(one) + blob(assignment) for one, assignment in assignments.items()])
    return request(SYNC_GROUP, 2, string(group) + struct.pack(">i", generation) + string(member) + rows)


def heartbeat(group: str, generation: int, member: str) -> bytes:
    return request(HEARTBEAT, 2, string(group) + struct.pack(">i", generation) + string(member))


def code_after_throttle(answer: bytes) -> int:
    """Of SyncGroup and Heartbeat."""
    return struct.unpack_from(">h", answer, 4)[0]


def init_producer_id(transactional_id: str) -> bytes:
    return request(INIT_PRODUCER_ID, 1, string(transactional_id) + struct.pack(">i", 60_000))


def producer_id(answer: bytes) -> tuple[int, int, int]:
    """(error code, producer id, epoch)."""
    return struct.unpack_from(">hqh", answer, 4)


def compact(data: bytes) -> bytes:
    """A string, bytes or an array's length in flexible encoding."""
    return _unsigned(len(data) + 1) + data


def _unsigned(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def transactional_produce(transactional_id: str, topic: str, batches: dict[int, tuple[tuple[int, int, int], list[bytes]]]) -> bytes:
    """Produce version 12: the partitions need not be added before. By partition, a producer's id, epoch and sequence, and values."""
    rows = []
    for partition, (producer, values) in batches.items():
        records = batch(values, producer=producer, attributes=TRANSACTIONAL, timestamp=time.time_ns() // 10**6)
        rows.append(struct.pack(">i", partition) + compact(records) + b"\0")
    topics = _unsigned(2) + compact(topic.encode()) + _unsigned(len(rows) + 1) + b"".join(rows) + b"\0"
    body = compact(transactional_id.encode()) + struct.pack(">hi", -1, 30_000) + topics + b"\0"
    return request(PRODUCE, 12, body, HEADER_FLEXIBLE)


def transactional_produce_code(answer: bytes, topic: str) -> int:
    """Of the first partition: after the header's tags, two array lengths, the topic's name and the partition's number. A transaction
    that is refused is refused for all."""
    return struct.unpack_from(">h", answer, 1 + 1 + 1 + len(topic) + 1 + 4)[0]


def end_transaction(transactional_id: str, producer: tuple[int, int], commit: bool = True) -> bytes:
    """EndTxn version 5, whose answer has the epoch for the next transaction."""
    body = compact(transactional_id.encode()) + struct.pack(">qh?", *producer, commit) + b"\0"
    return request(END_TXN, 5, body, HEADER_FLEXIBLE)


def transaction_ended(answer: bytes) -> tuple[int, int, int]:
    """(error code, producer id, epoch)."""
    return struct.unpack_from(">hqh", answer, 1 + 4)
