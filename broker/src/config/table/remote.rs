//! Tiered storage.

use crate::config::definition::Check::{Any, AtLeast, NonEmpty, Ratio};
use crate::config::definition::{Config, boolean, double, int, long, string};
use crate::config::reasons::NO_TIERING;

pub(super) const CONFIGS: &[Config] = &[
    boolean(
        "remote.log.storage.system.enable",
        Some("false"),
        Any,
        "Whether closed segments are moved to remote storage.",
    )
    .ignored(NO_TIERING),
    string("remote.log.storage.manager.class.name", None, NonEmpty, "Class that talks to the remote storage.")
        .ignored(NO_TIERING),
    string("remote.log.storage.manager.class.path", None, Any, "Where that class is found.").ignored(NO_TIERING),
    string(
        "remote.log.storage.manager.impl.prefix",
        Some("rsm.config."),
        NonEmpty,
        "Prefix of the settings handed to that class.",
    )
    .ignored(NO_TIERING),
    string(
        "remote.log.metadata.manager.class.name",
        Some("org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager"),
        NonEmpty,
        "Class that keeps the list of remote segments.",
    )
    .ignored(NO_TIERING),
    string("remote.log.metadata.manager.class.path", None, Any, "Where that class is found.").ignored(NO_TIERING),
    string(
        "remote.log.metadata.manager.impl.prefix",
        Some("rlmm.config."),
        NonEmpty,
        "Prefix of the settings handed to that class.",
    )
    .ignored(NO_TIERING),
    string("remote.log.metadata.manager.listener.name", None, NonEmpty, "Listener that class connects to.")
        .ignored(NO_TIERING),
    int(
        "remote.log.metadata.custom.metadata.max.bytes",
        Some("128"),
        AtLeast(0),
        "Most custom bytes kept with a remote segment.",
    )
    .ignored(NO_TIERING),
    long(
        "remote.log.index.file.cache.total.size.bytes",
        Some("1073741824"),
        AtLeast(1),
        "Disk space for cached remote indexes.",
    )
    .cluster_wide()
    .ignored(NO_TIERING),
    long("remote.log.index.file.cache.ttl.ms", Some("900000"), AtLeast(-1), "How long a remote index stays cached.")
        .internal()
        .ignored(NO_TIERING),
    int("remote.log.manager.thread.pool.size", Some("2"), AtLeast(1), "Threads of the remote log manager.")
        .ignored(NO_TIERING),
    int("remote.log.manager.copier.thread.pool.size", Some("10"), AtLeast(1), "Threads that copy segments out.")
        .cluster_wide()
        .ignored(NO_TIERING),
    int(
        "remote.log.manager.expiration.thread.pool.size",
        Some("10"),
        AtLeast(1),
        "Threads that delete expired remote segments.",
    )
    .cluster_wide()
    .ignored(NO_TIERING),
    int(
        "remote.log.manager.follower.thread.pool.size",
        Some("2"),
        AtLeast(1),
        "Threads that prepare followers of remote logs.",
    )
    .cluster_wide()
    .ignored(NO_TIERING),
    long(
        "remote.log.manager.task.interval.ms",
        Some("30000"),
        AtLeast(1),
        "How often work for remote storage is looked for.",
    )
    .ignored(NO_TIERING),
    long(
        "remote.log.manager.task.retry.backoff.ms",
        Some("500"),
        AtLeast(1),
        "Pause before failed work is tried again.",
    )
    .internal()
    .ignored(NO_TIERING),
    long("remote.log.manager.task.retry.backoff.max.ms", Some("30000"), AtLeast(1), "Upper bound of that pause.")
        .internal()
        .ignored(NO_TIERING),
    double("remote.log.manager.task.retry.jitter", Some("0.2"), Ratio(0.0, 0.5), "Random part of that pause.")
        .internal()
        .ignored(NO_TIERING),
    long(
        "remote.log.manager.copy.max.bytes.per.second",
        Some("9223372036854775807"),
        AtLeast(1),
        "Bytes per second copied out.",
    )
    .cluster_wide()
    .ignored(NO_TIERING),
    int("remote.log.manager.copy.quota.window.num", Some("11"), AtLeast(1), "Samples kept for that quota.")
        .ignored(NO_TIERING),
    int("remote.log.manager.copy.quota.window.size.seconds", Some("1"), AtLeast(1), "Length of such a sample.")
        .ignored(NO_TIERING),
    long(
        "remote.log.manager.fetch.max.bytes.per.second",
        Some("9223372036854775807"),
        AtLeast(1),
        "Bytes per second read back.",
    )
    .cluster_wide()
    .ignored(NO_TIERING),
    int("remote.log.manager.fetch.quota.window.num", Some("11"), AtLeast(1), "Samples kept for that quota.")
        .ignored(NO_TIERING),
    int("remote.log.manager.fetch.quota.window.size.seconds", Some("1"), AtLeast(1), "Length of such a sample.")
        .ignored(NO_TIERING),
    int("remote.log.reader.threads", Some("10"), AtLeast(1), "Threads that read remote segments.")
        .cluster_wide()
        .ignored(NO_TIERING),
    int("remote.log.reader.max.pending.tasks", Some("100"), AtLeast(1), "Reads of remote segments that may wait.")
        .ignored(NO_TIERING),
    int("remote.fetch.max.wait.ms", Some("500"), AtLeast(1), "Longest wait of a fetch for remote data.")
        .cluster_wide()
        .ignored(NO_TIERING),
    long(
        "remote.list.offsets.request.timeout.ms",
        Some("30000"),
        AtLeast(1),
        "Longest wait of ListOffsets for remote data.",
    )
    .cluster_wide()
    .ignored(NO_TIERING),
    long(
        "log.local.retention.ms",
        Some("-2"),
        AtLeast(-2),
        "How long tiered segments also stay on local disk; -2 takes retention.ms.",
    )
    .cluster_wide()
    .ignored(NO_TIERING),
    long(
        "log.local.retention.bytes",
        Some("-2"),
        AtLeast(-2),
        "Size kept on local disk of a tiered partition; -2 takes retention.bytes.",
    )
    .cluster_wide()
    .ignored(NO_TIERING),
    long("log.remote.copy.lag.ms", Some("0"), AtLeast(-1), "Age at which a closed segment must have been copied out.")
        .cluster_wide()
        .ignored(NO_TIERING),
    long(
        "log.remote.copy.lag.bytes",
        Some("-1"),
        AtLeast(-1),
        "Size at which closed segments must have been copied out.",
    )
    .cluster_wide()
    .ignored(NO_TIERING),
];
