//! Group coordination and committed offsets.

use crate::config::definition::Check::{Any, AtLeast, NonEmptyList, NonEmptyListOf, OneOfIgnoringCase};
use crate::config::definition::{Config, boolean, int, list, long, short, string};
use crate::config::reasons::{CORES, GROUP_COMMIT};

pub(super) const CONFIGS: &[Config] = &[
    int(
        "group.initial.rebalance.delay.ms",
        Some("3000"),
        Any,
        "How long a new group waits for more members before its first rebalance.",
    ),
    int("group.min.session.timeout.ms", Some("6000"), Any, "Shortest session timeout a member may ask for."),
    int("group.max.session.timeout.ms", Some("1800000"), Any, "Longest session timeout a member may ask for."),
    int("group.max.size", Some("2147483647"), AtLeast(1), "Most members of a classic group."),
    list(
        "group.coordinator.rebalance.protocols",
        Some("classic,consumer,streams"),
        NonEmptyListOf(&["consumer", "classic", "share", "streams"]),
        "Group protocols that members may speak; classic is always served.",
    ),
    int("group.coordinator.threads", Some("4"), AtLeast(1), "Threads of the group coordinator.").ignored(CORES),
    int("group.coordinator.background.threads", Some("2"), AtLeast(1), "Background threads of the group coordinator.")
        .ignored(CORES),
    int(
        "group.coordinator.append.linger.ms",
        Some("-1"),
        AtLeast(-1),
        "How long coordinator records gather before they are written.",
    )
    .ignored(GROUP_COMMIT),
    int(
        "group.coordinator.cached.buffer.max.bytes",
        Some("1048588"),
        AtLeast(524288),
        "Largest buffer kept for coordinator records.",
    )
    .cluster_wide()
    .ignored(GROUP_COMMIT),
    int("offset.metadata.max.bytes", Some("4096"), Any, "Longest text a client may store with a committed offset."),
    int(
        "offsets.topic.num.partitions",
        Some("50"),
        AtLeast(1),
        "Partitions of __consumer_offsets; fixed once the topic exists.",
    ),
    short(
        "offsets.topic.replication.factor",
        Some("3"),
        AtLeast(1),
        "Replicas of __consumer_offsets; never more than there are brokers.",
    ),
    int("offsets.topic.segment.bytes", Some("104857600"), AtLeast(1), "Segment size of __consumer_offsets."),
    int("offsets.topic.compression.codec", Some("0"), Any, "Codec of __consumer_offsets.")
        .ignored("coordinator records are stored uncompressed"),
    int(
        "offsets.load.buffer.size",
        Some("5242880"),
        AtLeast(1),
        "Bytes read at a time while committed offsets are loaded.",
    ),
    int(
        "offsets.retention.minutes",
        Some("10080"),
        AtLeast(1),
        "How long committed offsets outlive the group that used them.",
    ),
    long(
        "offsets.retention.check.interval.ms",
        Some("600000"),
        AtLeast(1),
        "How often expired offsets are looked for.",
    ),
    int("offsets.commit.timeout.ms", Some("5000"), AtLeast(1), "How long a commit may take before it fails."),
    list(
        "group.consumer.assignors",
        Some("uniform,range"),
        NonEmptyList,
        "Assignors offered to consumer groups, the first is the default.",
    ),
    int("group.consumer.heartbeat.interval.ms", Some("5000"), AtLeast(1), "Heartbeat interval of consumer groups."),
    int(
        "group.consumer.min.heartbeat.interval.ms",
        Some("5000"),
        AtLeast(1),
        "Smallest heartbeat interval a group may set.",
    ),
    int(
        "group.consumer.max.heartbeat.interval.ms",
        Some("15000"),
        AtLeast(1),
        "Largest heartbeat interval a group may set.",
    ),
    int("group.consumer.session.timeout.ms", Some("45000"), AtLeast(1), "Session timeout of consumer groups."),
    int(
        "group.consumer.min.session.timeout.ms",
        Some("45000"),
        AtLeast(1),
        "Smallest session timeout a group may set.",
    ),
    int("group.consumer.max.session.timeout.ms", Some("60000"), AtLeast(1), "Largest session timeout a group may set."),
    int("group.consumer.max.size", Some("2147483647"), AtLeast(1), "Most members of a consumer group."),
    string(
        "group.consumer.migration.policy",
        Some("bidirectional"),
        OneOfIgnoringCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]),
        "Which way groups may change between the classic and the consumer protocol.",
    ),
    int(
        "group.consumer.regex.refresh.interval.ms",
        Some("600000"),
        AtLeast(10000),
        "How often subscriptions by pattern are evaluated again.",
    )
    .internal(),
    int(
        "group.consumer.assignment.interval.ms",
        Some("1000"),
        AtLeast(0),
        "Shortest time between two assignments of a group.",
    )
    .cluster_wide(),
    int(
        "group.consumer.min.assignment.interval.ms",
        Some("0"),
        AtLeast(0),
        "Smallest assignment interval a group may set.",
    ),
    int(
        "group.consumer.max.assignment.interval.ms",
        Some("15000"),
        AtLeast(0),
        "Largest assignment interval a group may set.",
    ),
    boolean(
        "group.consumer.assignor.offload.enable",
        Some("true"),
        Any,
        "Whether assignors run outside the coordinator's thread.",
    )
    .cluster_wide()
    .ignored(CORES),
];
