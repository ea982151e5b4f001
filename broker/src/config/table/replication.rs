//! Copies of partitions on other brokers.

use crate::config::definition::Check::{Any, AtLeast};
use crate::config::definition::{Config, boolean, class, int, long, string};
use crate::config::reasons::{ALWAYS_FLUSHED, JAVA_CLASS, NO_TIERING, ONE_REPLICA};

pub(super) const CONFIGS: &[Config] = &[
    int("num.replica.fetchers", Some("1"), AtLeast(1), "Fetchers for each source broker.")
        .cluster_wide()
        .ignored(ONE_REPLICA),
    int("replica.fetch.max.bytes", Some("1048576"), AtLeast(0), "Most bytes of one partition in a replica's fetch.")
        .ignored(ONE_REPLICA),
    int("replica.fetch.min.bytes", Some("1"), Any, "Fewest bytes a replica's fetch waits for.").ignored(ONE_REPLICA),
    int("replica.fetch.response.max.bytes", Some("10485760"), AtLeast(0), "Most bytes of a replica's fetch in all.")
        .ignored(ONE_REPLICA),
    int("replica.fetch.wait.max.ms", Some("500"), Any, "Longest wait of a replica's fetch.").ignored(ONE_REPLICA),
    int("replica.fetch.backoff.ms", Some("1000"), AtLeast(0), "Pause after a failed replica fetch.")
        .ignored(ONE_REPLICA),
    long("replica.lag.time.max.ms", Some("30000"), Any, "How long a replica may lag before it leaves the in-sync set.")
        .ignored(ONE_REPLICA),
    long(
        "replica.high.watermark.checkpoint.interval.ms",
        Some("5000"),
        Any,
        "How often high watermarks are written to disk.",
    )
    .ignored(ALWAYS_FLUSHED),
    string("replica.selector.class", None, Any, "Class that picks the replica a consumer reads from.")
        .ignored(JAVA_CLASS),
    int("replica.socket.receive.buffer.bytes", Some("65536"), Any, "SO_RCVBUF of connections to leaders.")
        .ignored(ONE_REPLICA),
    int("replica.socket.timeout.ms", Some("30000"), Any, "Timeout of requests to leaders.").ignored(ONE_REPLICA),
    boolean(
        "follower.fetch.last.tiered.offset.enable",
        Some("false"),
        Any,
        "Whether a new follower starts at the last tiered offset.",
    )
    .cluster_wide()
    .ignored(NO_TIERING),
    long(
        "leader.replication.throttled.rate",
        Some("9223372036854775807"),
        AtLeast(0),
        "Bytes per second a leader sends to throttled replicas.",
    )
    .cluster_wide()
    .unlisted()
    .ignored(ONE_REPLICA),
    long(
        "follower.replication.throttled.rate",
        Some("9223372036854775807"),
        AtLeast(0),
        "Bytes per second a follower takes for throttled replicas.",
    )
    .cluster_wide()
    .unlisted()
    .ignored(ONE_REPLICA),
    long(
        "replica.alter.log.dirs.io.max.bytes.per.second",
        Some("9223372036854775807"),
        AtLeast(0),
        "Bytes per second when replicas move between directories.",
    )
    .cluster_wide()
    .unlisted()
    .ignored(ONE_REPLICA),
    int("replication.quota.window.num", Some("11"), AtLeast(1), "Samples kept for replication quotas.")
        .ignored(ONE_REPLICA),
    int("replication.quota.window.size.seconds", Some("1"), AtLeast(1), "Length of such a sample.")
        .ignored(ONE_REPLICA),
    int(
        "alter.log.dirs.replication.quota.window.num",
        Some("11"),
        AtLeast(1),
        "Samples kept for the quota of moves between directories.",
    )
    .ignored(ONE_REPLICA),
    int("alter.log.dirs.replication.quota.window.size.seconds", Some("1"), AtLeast(1), "Length of such a sample.")
        .ignored(ONE_REPLICA),
    int("quota.window.num", Some("11"), AtLeast(1), "Samples kept for client quotas."),
    int("quota.window.size.seconds", Some("1"), AtLeast(1), "Length of such a sample."),
    int("controller.quota.window.num", Some("11"), AtLeast(1), "Samples kept for quotas on metadata changes."),
    int("controller.quota.window.size.seconds", Some("1"), AtLeast(1), "Length of such a sample."),
    class("client.quota.callback.class", None, Any, "Class that computes client quotas.").ignored(JAVA_CLASS),
];
