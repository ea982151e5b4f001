"""Groups and their offsets."""

from harness.wrong_use import (
    LIVE_GENERATION, LIVE_GROUP, MISSING_TOPIC, MODERN_GROUP, MODERN_MEMBER, OLD_GROUP, TOPIC, Of, rows,
)

NOBODY = "nobody"
NEW_GROUP = Of("new_group")  # Another one in each row.
MEMBER = Of("member")
MINUTE_MS = 60_000


def join(**said) -> dict:
    protocols = [{"name": "range", "metadata": b""}]
    return {
        "group_id": LIVE_GROUP, "session_timeout_ms": MINUTE_MS, "rebalance_timeout_ms": MINUTE_MS, "member_id": "",
        "protocol_type": "consumer", "protocols": protocols, **said,
    }


def sync(**said) -> dict:
    return {"group_id": LIVE_GROUP, "generation_id": LIVE_GENERATION, "member_id": MEMBER, "assignments": [], **said}


def beat(**said) -> dict:
    return {"group_id": LIVE_GROUP, "generation_id": LIVE_GENERATION, "member_id": MEMBER, **said}


def commit(partition: int = 0, topic: dict | None = None, offset: int = 1, metadata: str = "", **said) -> dict:
    topic = topic or {"name": TOPIC}
    partitions = [{"partition_index": partition, "committed_offset": offset, "committed_metadata": metadata}]
    return {"group_id": OLD_GROUP, "generation_id_or_member_epoch": -1, "member_id": "", "topics": [{**topic, "partitions": partitions}], **said}


def fetch(topic: dict | None = None, **said) -> dict:
    topics = [{**(topic or {"name": TOPIC}), "partition_indexes": [0]}]
    return {"groups": [{"group_id": OLD_GROUP, "member_id": None, "member_epoch": -1, "topics": topics, **said}]}


def delete_offsets(group: str, topic: str, partition: int = 0) -> dict:
    return {"group_id": group, "topics": [{"name": topic, "partitions": [{"partition_index": partition}]}]}


ROWS = [
    *rows(
        "JoinGroup",
        ((0, 9), "empty group id", join(group_id=""), "INVALID_GROUP_ID"),
        ((0, 9), "session timeout under the least", join(session_timeout_ms=999), "INVALID_SESSION_TIMEOUT"),
        ((0, 9), "session timeout over the most", join(session_timeout_ms=1_800_001), "INVALID_SESSION_TIMEOUT"),
        ((4, 9), "a first join without member id", join(), "MEMBER_ID_REQUIRED"),
        ((0, 9), "a member nobody knows", join(member_id=NOBODY), "UNKNOWN_MEMBER_ID"),
        ((0, 9), "a member id in a group nobody knows", join(group_id=NEW_GROUP, member_id=NOBODY), "UNKNOWN_MEMBER_ID"),
        ((0, 9), "another protocol type", join(protocol_type="connect"), "INCONSISTENT_GROUP_PROTOCOL"),
        ((0, 9), "no protocol in common", join(protocols=[{"name": "other", "metadata": b""}]), "INCONSISTENT_GROUP_PROTOCOL"),
        ((0, 9), "no protocol", join(protocols=[]), "INCONSISTENT_GROUP_PROTOCOL"),
        ((0, 9), "no protocol type in a new group", join(group_id=NEW_GROUP, protocol_type=""), "INCONSISTENT_GROUP_PROTOCOL"),
        ((5, 9), "an instance nobody knows under a member id", join(member_id=NOBODY, group_instance_id="i"), "UNKNOWN_MEMBER_ID"),
        ((0, 9), "a group of the consumer protocol, without its protocol in common", join(group_id=MODERN_GROUP, protocol_type="connect"), "INCONSISTENT_GROUP_PROTOCOL"),
    ),
    *rows(
        "SyncGroup",
        ((0, 4), "empty group id", sync(group_id=""), "INVALID_GROUP_ID"),
        ((0, 4), "a group nobody knows", sync(group_id=NEW_GROUP), "UNKNOWN_MEMBER_ID"),
        ((0, 4), "a member nobody knows", sync(member_id=NOBODY), "UNKNOWN_MEMBER_ID"),
        ((0, 4), "another generation", sync(generation_id=LIVE_GENERATION + 1), "ILLEGAL_GENERATION"),
        (5, "neither protocol type nor protocol", sync(member_id=NOBODY), "INCONSISTENT_GROUP_PROTOCOL"),
        (5, "a member nobody knows", sync(member_id=NOBODY, protocol_type="consumer", protocol_name="range"), "UNKNOWN_MEMBER_ID"),
        (5, "another generation", sync(generation_id=9, protocol_type="consumer", protocol_name="range"), "ILLEGAL_GENERATION"),
        (5, "another protocol type", sync(protocol_type="connect", protocol_name="range"), "INCONSISTENT_GROUP_PROTOCOL"),
        (5, "another protocol", sync(protocol_type="consumer", protocol_name="other"), "INCONSISTENT_GROUP_PROTOCOL"),
        ((3, 4), "an instance nobody knows", sync(group_instance_id="i"), "UNKNOWN_MEMBER_ID"),
    ),
    *rows(
        "Heartbeat",
        ((0, 4), "empty group id", beat(group_id=""), "INVALID_GROUP_ID"),
        ((0, 4), "a group nobody knows", beat(group_id=NEW_GROUP), "UNKNOWN_MEMBER_ID"),
        ((0, 4), "a member nobody knows", beat(member_id=NOBODY), "UNKNOWN_MEMBER_ID"),
        ((0, 4), "another generation", beat(generation_id=LIVE_GENERATION - 1), "ILLEGAL_GENERATION"),
        ((3, 4), "an instance nobody knows", beat(group_instance_id="i"), "UNKNOWN_MEMBER_ID"),
    ),
    *rows(
        "LeaveGroup",
        ((0, 2), "empty group id", {"group_id": "", "member_id": NOBODY}, "INVALID_GROUP_ID"),
        ((0, 2), "a group nobody knows", {"group_id": NEW_GROUP, "member_id": NOBODY}, "UNKNOWN_MEMBER_ID"),
        ((0, 2), "a member nobody knows", {"group_id": LIVE_GROUP, "member_id": NOBODY}, "UNKNOWN_MEMBER_ID"),
        ((3, 5), "empty group id", {"group_id": "", "members": [{"member_id": NOBODY}]}, "INVALID_GROUP_ID"),
        ((3, 5), "a group nobody knows", {"group_id": NEW_GROUP, "members": [{"member_id": NOBODY}]}, "NONE UNKNOWN_MEMBER_ID"),
        ((3, 5), "a member nobody knows", {"group_id": LIVE_GROUP, "members": [{"member_id": NOBODY}]}, "NONE UNKNOWN_MEMBER_ID"),
        ((3, 5), "an instance nobody knows", {"group_id": LIVE_GROUP, "members": [{"member_id": "", "group_instance_id": "i"}]}, "NONE UNKNOWN_MEMBER_ID"),
        ((3, 5), "no members", {"group_id": LIVE_GROUP, "members": []}, "NONE"),
    ),
    *rows(
        "OffsetCommit",
        ((2, 9), "empty group id, as old clients commit without a group", commit(group_id=""), "NONE"),
        ((2, 8), "a generation of a group nobody knows", commit(group_id=NEW_GROUP, generation_id_or_member_epoch=3, member_id=NOBODY), "ILLEGAL_GENERATION"),
        (9, "a generation of a group nobody knows", commit(group_id=NEW_GROUP, generation_id_or_member_epoch=3, member_id=NOBODY), "GROUP_ID_NOT_FOUND"),
        ((2, 9), "no member while the group has some", commit(group_id=LIVE_GROUP), "UNKNOWN_MEMBER_ID"),
        ((2, 9), "a member nobody knows", commit(group_id=LIVE_GROUP, member_id=NOBODY, generation_id_or_member_epoch=LIVE_GENERATION), "UNKNOWN_MEMBER_ID"),
        ((2, 9), "another generation", commit(group_id=LIVE_GROUP, member_id=MEMBER, generation_id_or_member_epoch=9), "ILLEGAL_GENERATION"),
        ((7, 9), "an instance nobody knows", commit(group_id=LIVE_GROUP, member_id=MEMBER, generation_id_or_member_epoch=LIVE_GENERATION, group_instance_id="i"), "UNKNOWN_MEMBER_ID"),
        ((2, 9), "a topic nobody knows", commit(topic={"name": MISSING_TOPIC}), "UNKNOWN_TOPIC_OR_PARTITION"),
        (10, "a topic id nobody knows", commit(topic={"topic_id": Of("missing_topic_id")}), "UNKNOWN_TOPIC_ID"),
        ((2, 9), "a partition beyond the last", commit(partition=2), "UNKNOWN_TOPIC_OR_PARTITION"),
        ((2, 9), "metadata over offset.metadata.max.bytes", commit(metadata="m" * 4097), "OFFSET_METADATA_TOO_LARGE"),
        ((8, 9), "a member epoch of a consumer group, without a member", commit(group_id=MODERN_GROUP), "UNKNOWN_MEMBER_ID"),
        (9, "an epoch ahead of the member's", commit(group_id=MODERN_GROUP, member_id=MODERN_MEMBER, generation_id_or_member_epoch=99), "STALE_MEMBER_EPOCH"),
        (8, "an epoch ahead of the member's, in a version without epochs", commit(group_id=MODERN_GROUP, member_id=MODERN_MEMBER, generation_id_or_member_epoch=99), "UNSUPPORTED_VERSION"),
    ),
    *rows(
        "OffsetFetch",
        (1, "a group nobody knows", {"group_id": NEW_GROUP, "topics": [{"name": TOPIC, "partition_indexes": [0]}]}, "NONE"),
        ((2, 7), "a group nobody knows", {"group_id": NEW_GROUP, "topics": [{"name": TOPIC, "partition_indexes": [0]}]}, "NONE NONE"),
        ((2, 7), "a topic nobody knows", {"group_id": OLD_GROUP, "topics": [{"name": MISSING_TOPIC, "partition_indexes": [0]}]}, "NONE NONE"),
        ((8, 9), "a group nobody knows", fetch(group_id=NEW_GROUP), "NONE NONE"),
        ((8, 9), "a topic nobody knows", fetch({"name": MISSING_TOPIC}), "NONE NONE"),
        (10, "a topic id nobody knows", fetch({"topic_id": Of("missing_topic_id")}), "NONE UNKNOWN_TOPIC_ID"),
        (9, "a member nobody knows in a group of the consumer protocol", fetch(group_id=MODERN_GROUP, member_id=NOBODY, member_epoch=1), "UNKNOWN_MEMBER_ID"),
        (9, "an epoch ahead of the member's", fetch(group_id=MODERN_GROUP, member_id=MODERN_MEMBER, member_epoch=99), "STALE_MEMBER_EPOCH"),
    ),
    *rows(
        "OffsetDelete",
        (0, "a group nobody knows", delete_offsets(NEW_GROUP, TOPIC), "GROUP_ID_NOT_FOUND"),
        (0, "a topic that a member reads", delete_offsets(MODERN_GROUP, TOPIC), "NONE GROUP_SUBSCRIBED_TO_TOPIC"),
        (0, "a topic nobody knows", delete_offsets(OLD_GROUP, MISSING_TOPIC), "NONE UNKNOWN_TOPIC_OR_PARTITION"),
        (0, "a partition beyond the last", delete_offsets(OLD_GROUP, TOPIC, 2), "NONE UNKNOWN_TOPIC_OR_PARTITION"),
        (0, "empty group id", delete_offsets("", TOPIC), "INVALID_GROUP_ID"),
    ),
    *rows(
        "DescribeGroups",
        ((0, 5), "a group nobody knows", {"groups": [NEW_GROUP]}, "NONE"),
        (6, "a group nobody knows", {"groups": [NEW_GROUP]}, "GROUP_ID_NOT_FOUND"),
        ((0, 6), "empty group id", {"groups": [""]}, "NONE"),
        (6, "a group of the consumer protocol", {"groups": [MODERN_GROUP]}, "GROUP_ID_NOT_FOUND"),
    ),
    *rows(
        "DeleteGroups",
        ((0, 2), "a group nobody knows", {"groups_names": [NEW_GROUP]}, "GROUP_ID_NOT_FOUND"),
        ((0, 2), "a group with members", {"groups_names": [LIVE_GROUP, MODERN_GROUP]}, "NON_EMPTY_GROUP NON_EMPTY_GROUP"),
    ),
    *rows(
        "ListGroups",
        ((4, 5), "a state nobody knows", {"states_filter": ["Sleepy"]}, "NONE"),
        (5, "a type nobody knows", {"types_filter": ["sleepy"]}, "NONE"),
    ),
    *rows(
        "FindCoordinator",
        ((1, 3), "a key type nobody knows", {"key": "k", "key_type": 9}, "INVALID_REQUEST"),
        ((4, 6), "a key type nobody knows", {"coordinator_keys": ["k"], "key_type": 9}, "INVALID_REQUEST"),
        ((0, 3), "empty group id", {"key": ""}, "NONE"),
    ),
]
