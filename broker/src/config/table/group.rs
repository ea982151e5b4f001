//! Settings of a group (resource type 32); each falls back to a broker setting.

use crate::config::definition::Check::{Any, AtLeast, AutoOffsetReset, Distinct, OneOf};
use crate::config::definition::{Config, boolean, int, list, long, same, string};
use crate::config::reasons::{CORES, NO_SHARE_GROUPS, NO_WARMUP_TASKS, ONE_ASSIGNOR};

pub(super) const CONFIGS: &[Config] = &[
    int(
        "consumer.assignment.interval.ms",
        Some("1000"),
        AtLeast(0),
        "Shortest time between two assignments of the group.",
    )
    .synonyms(&[same("group.consumer.assignment.interval.ms")]),
    boolean(
        "consumer.assignor.offload.enable",
        Some("true"),
        Any,
        "Whether assignors run outside the coordinator's thread.",
    )
    .synonyms(&[same("group.consumer.assignor.offload.enable")])
    .ignored(CORES),
    int("consumer.heartbeat.interval.ms", Some("5000"), AtLeast(1), "Heartbeat interval of the group.")
        .synonyms(&[same("group.consumer.heartbeat.interval.ms")]),
    int("consumer.session.timeout.ms", Some("45000"), AtLeast(1), "Session timeout of the group.")
        .synonyms(&[same("group.consumer.session.timeout.ms")]),
    boolean(
        "errors.deadletterqueue.copy.record.enable",
        Some("false"),
        Any,
        "Whether key and value are copied into the dead letter.",
    )
    .ignored(NO_SHARE_GROUPS),
    string(
        "errors.deadletterqueue.topic.name",
        Some(""),
        Any,
        "Topic that takes records the group gave up; empty for none.",
    )
    .ignored(NO_SHARE_GROUPS),
    int(
        "share.assignment.interval.ms",
        Some("1000"),
        AtLeast(0),
        "Shortest time between two assignments of the group.",
    )
    .synonyms(&[same("group.share.assignment.interval.ms")])
    .ignored(NO_SHARE_GROUPS),
    boolean(
        "share.assignor.offload.enable",
        Some("true"),
        Any,
        "Whether assignors run outside the coordinator's thread.",
    )
    .synonyms(&[same("group.share.assignor.offload.enable")])
    .ignored(NO_SHARE_GROUPS),
    string(
        "share.auto.offset.reset",
        Some("latest"),
        AutoOffsetReset,
        "Where a new group begins: latest, earliest, or by_duration: and an ISO-8601 duration.",
    )
    .ignored(NO_SHARE_GROUPS),
    int("share.delivery.count.limit", Some("5"), AtLeast(2), "Times a record is delivered before it is given up.")
        .synonyms(&[same("group.share.delivery.count.limit")])
        .ignored(NO_SHARE_GROUPS),
    int("share.heartbeat.interval.ms", Some("5000"), AtLeast(1), "Heartbeat interval of the group.")
        .synonyms(&[same("group.share.heartbeat.interval.ms")])
        .ignored(NO_SHARE_GROUPS),
    string(
        "share.isolation.level",
        Some("read_uncommitted"),
        OneOf(&["read_committed", "read_uncommitted"]),
        "Whether undecided transactional records are delivered.",
    )
    .ignored(NO_SHARE_GROUPS),
    int("share.partition.max.record.locks", Some("2000"), AtLeast(100), "Most locked records of a share partition.")
        .synonyms(&[same("group.share.partition.max.record.locks")])
        .ignored(NO_SHARE_GROUPS),
    int(
        "share.record.lock.duration.ms",
        Some("30000"),
        AtLeast(1000),
        "How long a delivered record stays locked for its consumer.",
    )
    .synonyms(&[same("group.share.record.lock.duration.ms")])
    .ignored(NO_SHARE_GROUPS),
    boolean("share.renew.acknowledge.enable", Some("true"), Any, "Whether consumers may renew their locks.")
        .ignored(NO_SHARE_GROUPS),
    int("share.session.timeout.ms", Some("45000"), AtLeast(1), "Session timeout of the group.")
        .synonyms(&[same("group.share.session.timeout.ms")])
        .ignored(NO_SHARE_GROUPS),
    long("streams.acceptable.recovery.lag", Some("10000"), AtLeast(0), "Lag below which a task counts as caught up.")
        .synonyms(&[same("group.streams.acceptable.recovery.lag")]),
    int(
        "streams.assignment.interval.ms",
        Some("1000"),
        AtLeast(0),
        "Shortest time between two assignments of the group.",
    )
    .synonyms(&[same("group.streams.assignment.interval.ms")]),
    string("streams.assignor.name", None, Any, "Assignor of the group.")
        .synonyms(&[same("group.streams.assignors")])
        .ignored(ONE_ASSIGNOR),
    boolean(
        "streams.assignor.offload.enable",
        Some("true"),
        Any,
        "Whether assignors run outside the coordinator's thread.",
    )
    .synonyms(&[same("group.streams.assignor.offload.enable")])
    .ignored(CORES),
    int("streams.heartbeat.interval.ms", Some("5000"), AtLeast(1), "Heartbeat interval of the group.")
        .synonyms(&[same("group.streams.heartbeat.interval.ms")]),
    int("streams.initial.rebalance.delay.ms", Some("3000"), AtLeast(0), "How long a new group waits for more members.")
        .synonyms(&[same("group.streams.initial.rebalance.delay.ms")]),
    int("streams.num.standby.replicas", Some("0"), AtLeast(0), "Standby copies of each stateful task.")
        .synonyms(&[same("group.streams.num.standby.replicas")]),
    int("streams.num.warmup.replicas", Some("2"), AtLeast(0), "Tasks that may warm up at a time.")
        .synonyms(&[same("group.streams.num.warmup.replicas")])
        .ignored(NO_WARMUP_TASKS),
    list("streams.rack.aware.assignment.tags", Some(""), Distinct, "Client tags used to spread standby tasks.")
        .synonyms(&[same("group.streams.rack.aware.assignment.tags")]),
    int("streams.session.timeout.ms", Some("45000"), AtLeast(1), "Session timeout of the group.")
        .synonyms(&[same("group.streams.session.timeout.ms")]),
    int(
        "streams.task.offset.interval.ms",
        Some("60000"),
        AtLeast(1),
        "How often members report the offsets of their tasks.",
    )
    .synonyms(&[same("group.streams.task.offset.interval.ms")]),
];
