//! Share groups (queues) and their coordinator.

use crate::config::definition::Check::{Any, AtLeast, Between, NonEmptyList};
use crate::config::definition::{Config, boolean, int, list, short, string};
use crate::config::reasons::{CORES, JAVA_CLASS, NO_SHARE_GROUPS};

pub(super) const CONFIGS: &[Config] = &[
    list("group.share.assignors", Some("simple"), NonEmptyList, "Assignors offered to share groups.")
        .ignored(NO_SHARE_GROUPS),
    int("group.share.heartbeat.interval.ms", Some("5000"), AtLeast(1), "Heartbeat interval of share groups.")
        .ignored(NO_SHARE_GROUPS),
    int(
        "group.share.min.heartbeat.interval.ms",
        Some("5000"),
        AtLeast(1),
        "Smallest heartbeat interval a group may set.",
    )
    .ignored(NO_SHARE_GROUPS),
    int(
        "group.share.max.heartbeat.interval.ms",
        Some("15000"),
        AtLeast(1),
        "Largest heartbeat interval a group may set.",
    )
    .ignored(NO_SHARE_GROUPS),
    int("group.share.session.timeout.ms", Some("45000"), AtLeast(1), "Session timeout of share groups.")
        .ignored(NO_SHARE_GROUPS),
    int("group.share.min.session.timeout.ms", Some("45000"), AtLeast(1), "Smallest session timeout a group may set.")
        .ignored(NO_SHARE_GROUPS),
    int("group.share.max.session.timeout.ms", Some("60000"), AtLeast(1), "Largest session timeout a group may set.")
        .ignored(NO_SHARE_GROUPS),
    int("group.share.max.size", Some("200"), Between(1, 1000), "Most members of a share group.")
        .ignored(NO_SHARE_GROUPS),
    int("group.share.max.share.sessions", Some("2000"), AtLeast(1), "Most share sessions kept by this node.")
        .ignored(NO_SHARE_GROUPS),
    int(
        "group.share.delivery.count.limit",
        Some("5"),
        Between(2, 10),
        "Times a record is delivered before it is given up.",
    )
    .ignored(NO_SHARE_GROUPS),
    int("group.share.min.delivery.count.limit", Some("2"), Between(2, 5), "Smallest delivery limit a group may set.")
        .ignored(NO_SHARE_GROUPS),
    int("group.share.max.delivery.count.limit", Some("10"), Between(5, 25), "Largest delivery limit a group may set.")
        .ignored(NO_SHARE_GROUPS),
    int(
        "group.share.record.lock.duration.ms",
        Some("30000"),
        Between(1000, 3600000),
        "How long a delivered record stays locked for its consumer.",
    )
    .ignored(NO_SHARE_GROUPS),
    int(
        "group.share.min.record.lock.duration.ms",
        Some("15000"),
        Between(1000, 30000),
        "Shortest lock a group may set.",
    )
    .ignored(NO_SHARE_GROUPS),
    int(
        "group.share.max.record.lock.duration.ms",
        Some("60000"),
        Between(30000, 3600000),
        "Longest lock a group may set.",
    )
    .ignored(NO_SHARE_GROUPS),
    int(
        "group.share.partition.max.record.locks",
        Some("2000"),
        Between(100, 10000),
        "Most locked records of a share partition.",
    )
    .ignored(NO_SHARE_GROUPS),
    int(
        "group.share.min.partition.max.record.locks",
        Some("100"),
        Between(100, 2000),
        "Smallest such bound a group may set.",
    )
    .ignored(NO_SHARE_GROUPS),
    int(
        "group.share.max.partition.max.record.locks",
        Some("4000"),
        Between(2000, 10000),
        "Largest such bound a group may set.",
    )
    .ignored(NO_SHARE_GROUPS),
    int(
        "group.share.assignment.interval.ms",
        Some("1000"),
        AtLeast(0),
        "Shortest time between two assignments of a share group.",
    )
    .cluster_wide()
    .ignored(NO_SHARE_GROUPS),
    int(
        "group.share.min.assignment.interval.ms",
        Some("0"),
        AtLeast(0),
        "Smallest assignment interval a group may set.",
    )
    .ignored(NO_SHARE_GROUPS),
    int(
        "group.share.max.assignment.interval.ms",
        Some("15000"),
        AtLeast(0),
        "Largest assignment interval a group may set.",
    )
    .ignored(NO_SHARE_GROUPS),
    boolean(
        "group.share.assignor.offload.enable",
        Some("true"),
        Any,
        "Whether assignors run outside the coordinator's thread.",
    )
    .cluster_wide()
    .ignored(NO_SHARE_GROUPS),
    int(
        "group.share.initialize.retry.interval.ms",
        Some("30000"),
        AtLeast(1),
        "Pause before initialising share state is tried again.",
    )
    .internal()
    .ignored(NO_SHARE_GROUPS),
    string(
        "group.share.persister.class.name",
        Some("org.apache.kafka.server.share.persister.DefaultStatePersister"),
        Any,
        "Class that stores share state.",
    )
    .internal()
    .ignored(JAVA_CLASS),
    string(
        "group.share.dlq.manager.class.name",
        Some("org.apache.kafka.server.share.dlq.DefaultShareGroupDLQManager"),
        Any,
        "Class that writes to dead-letter topics.",
    )
    .internal()
    .ignored(JAVA_CLASS),
    boolean(
        "errors.deadletterqueue.auto.create.topics.enable",
        Some("false"),
        Any,
        "Whether missing dead-letter topics are created.",
    )
    .cluster_wide()
    .ignored(NO_SHARE_GROUPS),
    string(
        "errors.deadletterqueue.topic.name.prefix",
        Some("dlq."),
        Any,
        "What the name of a dead-letter topic must begin with.",
    )
    .cluster_wide()
    .ignored(NO_SHARE_GROUPS),
    int(
        "share.coordinator.append.linger.ms",
        Some("-1"),
        AtLeast(-1),
        "How long share coordinator records gather before they are written.",
    )
    .ignored(NO_SHARE_GROUPS),
    int(
        "share.coordinator.cached.buffer.max.bytes",
        Some("1048588"),
        AtLeast(524288),
        "Largest buffer kept for share coordinator records.",
    )
    .cluster_wide()
    .ignored(NO_SHARE_GROUPS),
    int(
        "share.coordinator.cold.partition.snapshot.interval.ms",
        Some("300000"),
        AtLeast(1),
        "How often idle share partitions are written again.",
    )
    .internal()
    .ignored(NO_SHARE_GROUPS),
    int(
        "share.coordinator.load.buffer.size",
        Some("5242880"),
        AtLeast(1),
        "Bytes read at a time while share state is loaded.",
    )
    .ignored(NO_SHARE_GROUPS),
    int(
        "share.coordinator.snapshot.update.records.per.snapshot",
        Some("500"),
        Between(0, 500),
        "Updates between two snapshots of a share partition.",
    )
    .ignored(NO_SHARE_GROUPS),
    int("share.coordinator.state.topic.compression.codec", Some("0"), Any, "Codec of __share_group_state.")
        .ignored(NO_SHARE_GROUPS),
    short(
        "share.coordinator.state.topic.min.isr",
        Some("2"),
        AtLeast(1),
        "min.insync.replicas of __share_group_state.",
    )
    .ignored(NO_SHARE_GROUPS),
    int("share.coordinator.state.topic.num.partitions", Some("50"), AtLeast(1), "Partitions of __share_group_state.")
        .ignored(NO_SHARE_GROUPS),
    int(
        "share.coordinator.state.topic.prune.interval.ms",
        Some("300000"),
        AtLeast(1),
        "How often __share_group_state is pruned.",
    )
    .internal()
    .ignored(NO_SHARE_GROUPS),
    short(
        "share.coordinator.state.topic.replication.factor",
        Some("3"),
        AtLeast(1),
        "Replicas of __share_group_state.",
    )
    .ignored(NO_SHARE_GROUPS),
    int(
        "share.coordinator.state.topic.segment.bytes",
        Some("104857600"),
        AtLeast(1),
        "Segment size of __share_group_state.",
    )
    .ignored(NO_SHARE_GROUPS),
    int("share.coordinator.threads", Some("1"), AtLeast(1), "Threads of the share coordinator.").ignored(CORES),
    int("share.coordinator.write.timeout.ms", Some("5000"), AtLeast(1), "How long a write of share state may take.")
        .ignored(NO_SHARE_GROUPS),
];
