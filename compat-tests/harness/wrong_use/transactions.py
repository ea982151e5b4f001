"""Producer ids and transactions."""

from harness.wrong_use import FRESH, LIVE_GROUP, MISSING_TOPIC, ONGOING, TOPIC, Of, rows

NOBODY = "wrong-use-nobody"
FRESH_ID, FRESH_EPOCH, ONGOING_ID, ONGOING_EPOCH = Of("fresh_id"), Of("fresh_epoch"), Of("ongoing_id"), Of("ongoing_epoch")
A_MINUTE_MS, TOO_LONG_MS = 60_000, 900_001
NO_EPOCH = 999


def init(transactional_id: str | None = NOBODY, timeout_ms: int = A_MINUTE_MS, producer_id=-1, epoch=-1) -> dict:
    return {"transactional_id": transactional_id, "transaction_timeout_ms": timeout_ms, "producer_id": producer_id, "producer_epoch": epoch}


def add(transactional_id: str = FRESH, producer_id=FRESH_ID, epoch=FRESH_EPOCH, *topics: str) -> dict:
    wanted = [{"name": name, "partitions": [0]} for name in topics or (TOPIC,)]
    said = {"transactional_id": transactional_id, "producer_id": producer_id, "producer_epoch": epoch, "topics": wanted}
    return {f"v3_and_below_{name}": value for name, value in said.items()}


def add_offsets(transactional_id: str = FRESH, producer_id=FRESH_ID, epoch=FRESH_EPOCH, group: str = "wrong-use-group") -> dict:
    return {"transactional_id": transactional_id, "producer_id": producer_id, "producer_epoch": epoch, "group_id": group}


def end(transactional_id: str = FRESH, producer_id=FRESH_ID, epoch=FRESH_EPOCH, committed: bool = True) -> dict:
    return {"transactional_id": transactional_id, "producer_id": producer_id, "producer_epoch": epoch, "committed": committed}


def commit(topic: str = TOPIC, partition: int = 0, metadata: str = "", **said) -> dict:
    partitions = [{"partition_index": partition, "committed_offset": 1, "committed_metadata": metadata}]
    return {
        "transactional_id": ONGOING, "group_id": "wrong-use-group", "producer_id": ONGOING_ID, "producer_epoch": ONGOING_EPOCH,
        "topics": [{"name": topic, "partitions": partitions}], **said,
    }


def marker(topic: str, partition: int = 0, producer_id=1 << 41, coordinator_epoch: int = 0) -> dict:
    return {"markers": [{
        "producer_id": producer_id, "producer_epoch": 0, "transaction_result": True, "coordinator_epoch": coordinator_epoch,
        "topics": [{"name": topic, "partition_indexes": [partition]}],
    }]}


ROWS = [
    *rows(
        "InitProducerId",
        ((0, 5), "empty transactional id", init(""), "INVALID_REQUEST"),
        ((0, 5), "no timeout", init(timeout_ms=0), "INVALID_TRANSACTION_TIMEOUT"),
        ((0, 5), "a timeout over transaction.max.timeout.ms", init(timeout_ms=TOO_LONG_MS), "INVALID_TRANSACTION_TIMEOUT"),
        ((3, 5), "a producer id without epoch", init(producer_id=1), "INVALID_REQUEST"),
        ((3, 5), "an epoch without producer id", init(epoch=1), "INVALID_REQUEST"),
        (3, "a producer id that is another's", init(FRESH, producer_id=1 << 41, epoch=0), "INVALID_PRODUCER_EPOCH"),
        ((4, 5), "a producer id that is another's", init(FRESH, producer_id=1 << 41, epoch=0), "PRODUCER_FENCED"),
        (3, "an epoch to come", init(FRESH, producer_id=FRESH_ID, epoch=NO_EPOCH), "INVALID_PRODUCER_EPOCH"),
        ((4, 5), "an epoch to come", init(FRESH, producer_id=FRESH_ID, epoch=NO_EPOCH), "PRODUCER_FENCED"),
    ),
    *rows(
        "AddPartitionsToTxn",
        ((0, 3), "empty transactional id", add(""), "INVALID_REQUEST"),
        ((0, 3), "a transactional id nobody knows", add(NOBODY), "INVALID_PRODUCER_ID_MAPPING"),
        ((0, 3), "a producer id that is another's", add(FRESH, 1 << 41), "INVALID_PRODUCER_ID_MAPPING"),
        ((0, 1), "an epoch to come", add(FRESH, FRESH_ID, NO_EPOCH), "INVALID_PRODUCER_EPOCH"),
        ((2, 3), "an epoch to come", add(FRESH, FRESH_ID, NO_EPOCH), "PRODUCER_FENCED"),
        ((0, 3), "a topic nobody knows", add(FRESH, FRESH_ID, FRESH_EPOCH, MISSING_TOPIC), "UNKNOWN_TOPIC_OR_PARTITION"),
    ),
    *rows(
        "AddOffsetsToTxn",
        ((0, 4), "empty transactional id", add_offsets(""), "INVALID_REQUEST"),
        ((0, 4), "a transactional id nobody knows", add_offsets(NOBODY), "INVALID_PRODUCER_ID_MAPPING"),
        ((0, 4), "a producer id that is another's", add_offsets(FRESH, 1 << 41), "INVALID_PRODUCER_ID_MAPPING"),
        ((0, 1), "an epoch to come", add_offsets(FRESH, FRESH_ID, NO_EPOCH), "INVALID_PRODUCER_EPOCH"),
        ((2, 4), "an epoch to come", add_offsets(FRESH, FRESH_ID, NO_EPOCH), "PRODUCER_FENCED"),
    ),
    *rows(
        "EndTxn",
        ((0, 4), "empty transactional id", end(""), "INVALID_REQUEST"),
        ((0, 5), "a transactional id nobody knows", end(NOBODY), "INVALID_PRODUCER_ID_MAPPING"),
        ((0, 5), "a producer id that is another's", end(FRESH, 1 << 41), "INVALID_PRODUCER_ID_MAPPING"),
        ((0, 1), "an epoch to come", end(FRESH, FRESH_ID, NO_EPOCH), "INVALID_PRODUCER_EPOCH"),
        ((2, 4), "an epoch to come", end(FRESH, FRESH_ID, NO_EPOCH), "PRODUCER_FENCED"),
        ((0, 4), "a commit without transaction", end(), "INVALID_TXN_STATE"),
        ((0, 4), "an abort without transaction", end(committed=False), "INVALID_TXN_STATE"),
        (5, "a commit without transaction", end(), "INVALID_TXN_STATE"),
    ),
    *rows(
        "TxnOffsetCommit",
        ((0, 5), "empty group id", commit(group_id=""), "INVALID_GROUP_ID"),
        ((0, 5), "a topic nobody knows", commit(MISSING_TOPIC), "UNKNOWN_TOPIC_OR_PARTITION"),
        ((0, 5), "a partition beyond the last", commit(partition=2), "UNKNOWN_TOPIC_OR_PARTITION"),
        ((3, 4), "metadata over offset.metadata.max.bytes", commit(metadata="m" * 4097), "OFFSET_METADATA_TOO_LARGE"),
        ((3, 4), "a member nobody knows", commit(generation_id=3, member_id=NOBODY), "UNKNOWN_MEMBER_ID"),
        (3, "a member nobody knows, of a group that is not in the transaction", commit(group_id=LIVE_GROUP, generation_id=1, member_id=NOBODY), "INVALID_TXN_STATE"),
        (4, "a member nobody knows, of a group that is not in the transaction", commit(group_id=LIVE_GROUP, generation_id=1, member_id=NOBODY), "TRANSACTION_ABORTABLE"),
        ((3, 4), "a producer id that is another's", commit(producer_id=1 << 41), "INVALID_PRODUCER_ID_MAPPING"),
    ),
    *rows(
        "WriteTxnMarkers",
        (1, "a topic nobody knows", marker(MISSING_TOPIC), "UNKNOWN_TOPIC_OR_PARTITION"),
        (1, "a partition beyond the last", marker(TOPIC, 9), "UNKNOWN_TOPIC_OR_PARTITION"),
    ),
    *rows(
        "DescribeTransactions",
        (0, "a transactional id nobody knows", {"transactional_ids": [NOBODY]}, "TRANSACTIONAL_ID_NOT_FOUND"),
        (0, "empty transactional id", {"transactional_ids": [""]}, "INVALID_REQUEST"),
    ),
    *rows(
        "ListTransactions",
        ((0, 2), "a state nobody knows", {"state_filters": ["Sleepy"]}, "NONE"),
        (2, "a pattern that is none", {"transactional_id_pattern": "(open"}, "INVALID_REGULAR_EXPRESSION"),
    ),
]
