//! Streams groups.

use crate::config::definition::Check::{Any, AtLeast, Distinct, NonEmptyList};
use crate::config::definition::{Config, boolean, class, int, list, long};
use crate::config::reasons::{CORES, JAVA_CLASS, NO_WARMUP_TASKS, ONE_ASSIGNOR};

pub(super) const CONFIGS: &[Config] = &[
    int("group.streams.heartbeat.interval.ms", Some("5000"), AtLeast(1), "Heartbeat interval of streams groups."),
    int(
        "group.streams.min.heartbeat.interval.ms",
        Some("5000"),
        AtLeast(1),
        "Smallest heartbeat interval a group may set.",
    ),
    int(
        "group.streams.max.heartbeat.interval.ms",
        Some("15000"),
        AtLeast(1),
        "Largest heartbeat interval a group may set.",
    ),
    int("group.streams.session.timeout.ms", Some("45000"), AtLeast(1), "Session timeout of streams groups."),
    int("group.streams.min.session.timeout.ms", Some("45000"), AtLeast(1), "Smallest session timeout a group may set."),
    int("group.streams.max.session.timeout.ms", Some("60000"), AtLeast(1), "Largest session timeout a group may set."),
    int("group.streams.max.size", Some("2147483647"), AtLeast(1), "Most members of a streams group."),
    int(
        "group.streams.initial.rebalance.delay.ms",
        Some("3000"),
        AtLeast(0),
        "How long a new streams group waits for more members.",
    ),
    int("group.streams.num.standby.replicas", Some("0"), AtLeast(0), "Standby copies of each stateful task."),
    int("group.streams.max.standby.replicas", Some("2"), AtLeast(0), "Most standby copies a group may set."),
    int("group.streams.num.warmup.replicas", Some("2"), AtLeast(0), "Tasks that may warm up at a time.")
        .ignored(NO_WARMUP_TASKS),
    int("group.streams.max.warmup.replicas", Some("20"), AtLeast(0), "Most warm-up tasks a group may set.")
        .ignored(NO_WARMUP_TASKS),
    long(
        "group.streams.acceptable.recovery.lag",
        Some("10000"),
        AtLeast(0),
        "Lag below which a task counts as caught up.",
    ),
    int(
        "group.streams.assignment.interval.ms",
        Some("1000"),
        AtLeast(0),
        "Shortest time between two assignments of a streams group.",
    )
    .cluster_wide(),
    int(
        "group.streams.min.assignment.interval.ms",
        Some("0"),
        AtLeast(0),
        "Smallest assignment interval a group may set.",
    ),
    int(
        "group.streams.max.assignment.interval.ms",
        Some("15000"),
        AtLeast(0),
        "Largest assignment interval a group may set.",
    ),
    boolean(
        "group.streams.assignor.offload.enable",
        Some("true"),
        Any,
        "Whether assignors run outside the coordinator's thread.",
    )
    .cluster_wide()
    .ignored(CORES),
    list("group.streams.assignors", Some("sticky"), NonEmptyList, "Assignors offered to streams groups.")
        .ignored(ONE_ASSIGNOR),
    int(
        "group.streams.task.offset.interval.ms",
        Some("60000"),
        AtLeast(1),
        "How often members report the offsets of their tasks.",
    ),
    int(
        "group.streams.min.task.offset.interval.ms",
        Some("15000"),
        AtLeast(1),
        "Smallest such interval a group may set.",
    ),
    list("group.streams.rack.aware.assignment.tags", Some(""), Distinct, "Client tags used to spread standby tasks."),
    class(
        "group.streams.topology.description.plugin.class",
        None,
        Any,
        "Class that receives descriptions of topologies.",
    )
    .ignored(JAVA_CLASS),
];
