"""Topics, partitions and where they are."""

from harness.wrong_use import COMPACTED, MISSING_TOPIC, TOPIC, TOPIC_PARTITIONS, Of, rows

WRONG_NAMES = {"empty": "", "a blank": "with blank", "a slash": "sl/ash", "two dots": "..", "250 characters": "x" * 250, "an umlaut": "ü"}
NO_BROKER = 77


def create(name: str = "wrong-use-new", partitions: int = 1, replicas: int = 1, more: list | None = None, **said) -> dict:
    one = {"name": name, "num_partitions": partitions, "replication_factor": replicas, "assignments": [], "configs": [], **said}
    return {"topics": [one, *(more or [])], "timeout_ms": 10_000, "validate_only": False}


def assigned(*brokers_of: tuple[int, list[int]], **said) -> dict:
    assignments = [{"partition_index": index, "broker_ids": brokers} for index, brokers in brokers_of]
    return create(**{"partitions": -1, "replicas": -1, "assignments": assignments, **said})


def config(name: str, value: str | None) -> dict:
    return create(configs=[{"name": name, "value": value}])


def grow(name: str, count: int, assignments: list | None = None, twice: bool = False) -> dict:
    one = {"name": name, "count": count, "assignments": assignments and [{"broker_ids": brokers} for brokers in assignments]}
    return {"topics": [one, one] if twice else [one], "timeout_ms": 10_000, "validate_only": False}


def delete_records(topic: str, partition: int, offset: int) -> dict:
    return {"topics": [{"name": topic, "partitions": [{"partition_index": partition, "offset": offset}]}], "timeout_ms": 10_000}


def reassign(topic: str, partition: int, replicas: list[int] | None) -> dict:
    return {"timeout_ms": 10_000, "topics": [{"name": topic, "partitions": [{"partition_index": partition, "replicas": replicas}]}]}


BROKER = Of("broker_id")

ROWS = [
    *rows(
        "CreateTopics",
        *(((2, 7), f"a name with {what}", create(name), "INVALID_TOPIC_EXCEPTION") for what, name in WRONG_NAMES.items()),
        ((2, 7), "a name that is taken", create(TOPIC), "TOPIC_ALREADY_EXISTS"),
        ((2, 7), "a name that collides once . and _ are one", create("wrong.use_colliding"), "INVALID_TOPIC_EXCEPTION"),
        ((2, 7), "no partition", create(partitions=0), "INVALID_PARTITIONS"),
        ((2, 7), "a negative number of partitions", create(partitions=-2), "INVALID_PARTITIONS"),
        ((2, 7), "no replica", create(replicas=0), "INVALID_REPLICATION_FACTOR"),
        ((2, 7), "more replicas than brokers", create(replicas=2), "INVALID_REPLICATION_FACTOR"),
        ((2, 7), "an assignment and a number of partitions", assigned((0, [BROKER]), partitions=1), "INVALID_REQUEST"),
        ((2, 7), "an assignment and a replication factor", assigned((0, [BROKER]), replicas=1), "INVALID_REQUEST"),
        ((2, 7), "an assignment to no broker of the cluster", assigned((0, [NO_BROKER])), "INVALID_REPLICA_ASSIGNMENT"),
        ((2, 7), "an assignment of one broker twice", assigned((0, [BROKER, BROKER])), "INVALID_REPLICA_ASSIGNMENT"),
        ((2, 7), "an assignment of no broker", assigned((0, [])), "INVALID_REPLICA_ASSIGNMENT"),
        ((2, 7), "an assignment with a gap", assigned((0, [BROKER]), (2, [BROKER])), "INVALID_REPLICA_ASSIGNMENT"),
        ((2, 7), "an assignment of a partition twice", assigned((0, [BROKER]), (0, [BROKER])), "INVALID_REPLICA_ASSIGNMENT"),
        ((2, 7), "a config nobody knows", config("no.such.config", "1"), "INVALID_CONFIG"),
        ((2, 7), "a config with a wrong value", config("retention.ms", "soon"), "INVALID_CONFIG"),
        ((2, 7), "a config out of its range", config("segment.bytes", "1"), "INVALID_CONFIG"),
        ((2, 7), "a config without value", config("retention.ms", None), "INVALID_CONFIG"),
        ((2, 7), "one topic twice", create(more=create()["topics"]), "INVALID_REQUEST"),
    ),
    *rows(
        "DeleteTopics",
        ((1, 5), "a topic nobody knows", {"topic_names": [MISSING_TOPIC], "timeout_ms": 10_000}, "UNKNOWN_TOPIC_OR_PARTITION"),
        (6, "a topic nobody knows", {"topics": [{"name": MISSING_TOPIC}], "timeout_ms": 10_000}, "UNKNOWN_TOPIC_OR_PARTITION"),
        (6, "a topic id nobody knows", {"topics": [{"name": None, "topic_id": Of("missing_topic_id")}], "timeout_ms": 10_000}, "UNKNOWN_TOPIC_ID"),
        (6, "a topic by name and by id", {"topics": [{"name": TOPIC, "topic_id": Of("topic_id")}], "timeout_ms": 10_000}, "INVALID_REQUEST"),
        (6, "neither name nor id", {"topics": [{"name": None}], "timeout_ms": 10_000}, "INVALID_REQUEST"),
        (6, "one topic nobody knows twice", {"topics": [{"name": MISSING_TOPIC}] * 2, "timeout_ms": 10_000}, "INVALID_REQUEST"),
    ),
    *rows(
        "CreatePartitions",
        ((0, 3), "a topic nobody knows", grow(MISSING_TOPIC, 3), "UNKNOWN_TOPIC_OR_PARTITION"),
        ((0, 3), "as many as there are", grow(TOPIC, TOPIC_PARTITIONS), "INVALID_PARTITIONS"),
        ((0, 3), "fewer than there are", grow(TOPIC, 1), "INVALID_PARTITIONS"),
        ((0, 3), "a negative number", grow(TOPIC, -1), "INVALID_PARTITIONS"),
        ((0, 3), "an assignment for too few", grow(TOPIC, TOPIC_PARTITIONS + 2, [[BROKER]]), "INVALID_REPLICA_ASSIGNMENT"),
        ((0, 3), "an assignment to no broker of the cluster", grow(TOPIC, TOPIC_PARTITIONS + 1, [[NO_BROKER]]), "INVALID_REPLICA_ASSIGNMENT"),
        ((0, 3), "an assignment of two brokers where others have one", grow(TOPIC, TOPIC_PARTITIONS + 1, [[BROKER, NO_BROKER]]), "INVALID_REPLICA_ASSIGNMENT"),
        ((0, 3), "an assignment of no broker", grow(TOPIC, TOPIC_PARTITIONS + 1, [[]]), "INVALID_REPLICA_ASSIGNMENT"),
        ((0, 3), "one topic twice", grow(TOPIC, TOPIC_PARTITIONS + 1, twice=True), "INVALID_REQUEST"),
    ),
    *rows(
        "DeleteRecords",
        ((0, 2), "a topic nobody knows", delete_records(MISSING_TOPIC, 0, 0), "UNKNOWN_TOPIC_OR_PARTITION"),
        ((0, 2), "a partition beyond the last", delete_records(TOPIC, 2, 0), "UNKNOWN_TOPIC_OR_PARTITION"),
        ((0, 2), "an offset beyond the high watermark", delete_records(TOPIC, 0, 4), "OFFSET_OUT_OF_RANGE"),
        ((0, 2), "an offset below -1", delete_records(TOPIC, 0, -2), "OFFSET_OUT_OF_RANGE"),
        ((0, 2), "a compacted topic", delete_records(COMPACTED, 0, 0), "POLICY_VIOLATION"),
    ),
    *rows(
        "Metadata",
        *(((4, 9, 12), f"a name with {what}", {"topics": [{"name": name}], "allow_auto_topic_creation": False}, "INVALID_TOPIC_EXCEPTION") for what, name in WRONG_NAMES.items()),
        ((4, 12), "a topic nobody knows", {"topics": [{"name": MISSING_TOPIC}], "allow_auto_topic_creation": False}, "UNKNOWN_TOPIC_OR_PARTITION"),
        (12, "a topic id nobody knows", {"topics": [{"name": None, "topic_id": Of("missing_topic_id")}]}, "UNKNOWN_TOPIC_ID"),
        (13, "a topic id nobody knows", {"topics": [{"name": None, "topic_id": Of("missing_topic_id")}]}, "NONE UNKNOWN_TOPIC_ID"),
    ),
    *rows(
        "DescribeTopicPartitions",
        (0, "a topic nobody knows", {"topics": [{"name": MISSING_TOPIC}]}, "UNKNOWN_TOPIC_OR_PARTITION"),
        (0, "a wrong name", {"topics": [{"name": "sl/ash"}]}, "INVALID_TOPIC_EXCEPTION"),
        (0, "a cursor in a topic that is not asked for", {"topics": [{"name": TOPIC}], "cursor": {"topic_name": "zzz", "partition_index": 0}}, "INVALID_REQUEST"),
    ),
    *rows(
        "ElectLeaders",
        (0, "a topic nobody knows", {"topic_partitions": [{"topic": MISSING_TOPIC, "partitions": [0]}]}, "UNKNOWN_TOPIC_OR_PARTITION"),
        ((1, 2), "a topic nobody knows", {"topic_partitions": [{"topic": MISSING_TOPIC, "partitions": [0]}]}, "NONE UNKNOWN_TOPIC_OR_PARTITION"),
        (0, "a partition beyond the last", {"topic_partitions": [{"topic": TOPIC, "partitions": [9]}]}, "UNKNOWN_TOPIC_OR_PARTITION"),
        ((1, 2), "a partition beyond the last", {"topic_partitions": [{"topic": TOPIC, "partitions": [9]}]}, "NONE UNKNOWN_TOPIC_OR_PARTITION"),
        (0, "a leader that is the preferred one", {"topic_partitions": [{"topic": TOPIC, "partitions": [0]}]}, "ELECTION_NOT_NEEDED"),
        ((1, 2), "a leader that is the preferred one", {"topic_partitions": [{"topic": TOPIC, "partitions": [0]}]}, "NONE ELECTION_NOT_NEEDED"),
        (2, "an unclean election with a leader alive", {"election_type": 1, "topic_partitions": [{"topic": TOPIC, "partitions": [0]}]}, "NONE ELECTION_NOT_NEEDED"),
        (2, "a kind of election nobody knows", {"election_type": 9, "topic_partitions": [{"topic": TOPIC, "partitions": [0]}]}, "INVALID_REQUEST INVALID_REQUEST"),
    ),
    *rows(
        "AlterPartitionReassignments",
        ((0, 1), "a topic nobody knows", reassign(MISSING_TOPIC, 0, [BROKER]), "NONE UNKNOWN_TOPIC_OR_PARTITION"),
        ((0, 1), "a partition beyond the last", reassign(TOPIC, 9, [BROKER]), "NONE UNKNOWN_TOPIC_OR_PARTITION"),
        ((0, 1), "to no broker of the cluster", reassign(TOPIC, 0, [NO_BROKER]), "NONE INVALID_REPLICA_ASSIGNMENT"),
        ((0, 1), "to a negative broker", reassign(TOPIC, 0, [-1]), "NONE INVALID_REPLICA_ASSIGNMENT"),
        ((0, 1), "to one broker twice", reassign(TOPIC, 0, [BROKER, BROKER]), "NONE INVALID_REPLICA_ASSIGNMENT"),
        ((0, 1), "to nobody", reassign(TOPIC, 0, []), "NONE INVALID_REPLICA_ASSIGNMENT"),
        ((0, 1), "a cancellation of none", reassign(TOPIC, 0, None), "NONE NO_REASSIGNMENT_IN_PROGRESS"),
        ((0, 1), "to where it is", reassign(TOPIC, 0, [BROKER]), "NONE NONE"),
    ),
    *rows(
        "ListPartitionReassignments",
        (0, "a topic nobody knows", {"topics": [{"name": MISSING_TOPIC, "partition_indexes": [0]}]}, "NONE"),
    ),
    *rows(
        "DescribeLogDirs",
        (1, "a topic nobody knows", {"topics": [{"topic": MISSING_TOPIC, "partitions": [0]}]}, "NONE"),
        ((3, 5), "a topic nobody knows", {"topics": [{"topic": MISSING_TOPIC, "partitions": [0]}]}, "NONE NONE"),
    ),
    *rows(
        "DescribeProducers",
        (0, "a topic nobody knows", {"topics": [{"name": MISSING_TOPIC, "partition_indexes": [0]}]}, "UNKNOWN_TOPIC_OR_PARTITION"),
        (0, "a partition beyond the last", {"topics": [{"name": TOPIC, "partition_indexes": [9]}]}, "UNKNOWN_TOPIC_OR_PARTITION"),
        (0, "a wrong name", {"topics": [{"name": "sl/ash", "partition_indexes": [0]}]}, "INVALID_TOPIC_EXCEPTION"),
    ),
]
