//! Who the node is, how topics come and go, and what watches over it.

use crate::config::definition::Check::{Any, AtLeast, Between, Distinct, GzipLevel, OneOf};
use crate::config::definition::{Config, boolean, class, int, list, long, string};
use crate::config::reasons::{FEATURES, JAVA_CLASS, ONE_REPLICA, OWN_METRICS, START};

pub(super) const CONFIGS: &[Config] = &[
    int("node.id", Some("1"), AtLeast(0), "Number of this node, unique within the cluster."),
    int("broker.id", Some("-1"), Any, "Older name of node.id; used when node.id is not set."),
    string("broker.rack", None, Any, "Rack this node stands in, told to clients that prefer replicas near them."),
    int("num.partitions", Some("1"), AtLeast(1), "Partitions of a topic created without a number."),
    int("default.replication.factor", Some("1"), Any, "Replicas of a partition of a topic created without a number."),
    boolean(
        "auto.create.topics.enable",
        Some("true"),
        Any,
        "Whether asking for the metadata of a missing topic creates it.",
    ),
    boolean("delete.topic.enable", Some("true"), Any, "Whether topics may be deleted."),
    int(
        "min.insync.replicas",
        Some("1"),
        AtLeast(1),
        "Replicas that must have a record on disk before acks=all is answered.",
    )
    .cluster_wide(),
    boolean(
        "unclean.leader.election.enable",
        Some("false"),
        Any,
        "Whether a replica outside the in-sync set may become leader, losing records.",
    )
    .cluster_wide()
    .ignored(ONE_REPLICA),
    boolean(
        "auto.leader.rebalance.enable",
        Some("true"),
        Any,
        "Whether leadership is moved back to preferred replicas.",
    )
    .ignored(ONE_REPLICA),
    long(
        "leader.imbalance.check.interval.seconds",
        Some("300"),
        AtLeast(1),
        "How often leadership is compared with the preferred replicas.",
    )
    .ignored(ONE_REPLICA),
    boolean(
        "controlled.shutdown.enable",
        Some("true"),
        Any,
        "Whether leadership is handed over before the node stops.",
    )
    .ignored(ONE_REPLICA),
    class("create.topic.policy.class.name", None, Any, "Class that decides whether a topic may be created.")
        .ignored(JAVA_CLASS),
    class("alter.config.policy.class.name", None, Any, "Class that decides whether a config may be changed.")
        .ignored(JAVA_CLASS),
    list("config.providers", Some(""), Distinct, "Names of providers that fill in placeholders of config values.")
        .cluster_wide()
        .ignored(JAVA_CLASS),
    string(
        "compression.type",
        Some("producer"),
        OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
        "Codec of records at rest; producer keeps what the producer chose.",
    )
    .cluster_wide(),
    int(
        "compression.gzip.level",
        Some("-1"),
        GzipLevel,
        "gzip level when compression.type is gzip; -1 is the codec's default.",
    )
    .cluster_wide(),
    int("compression.lz4.level", Some("9"), Between(1, 17), "lz4 level when compression.type is lz4.").cluster_wide(),
    int("compression.zstd.level", Some("3"), Between(-131072, 22), "zstd level when compression.type is zstd.")
        .cluster_wide(),
    int("message.max.bytes", Some("1048588"), AtLeast(0), "Largest record batch in bytes, after compression.")
        .cluster_wide(),
    list("kafka.metrics.reporters", Some(""), Distinct, "Classes that report Yammer metrics.").ignored(JAVA_CLASS),
    int("kafka.metrics.polling.interval.secs", Some("10"), AtLeast(1), "How often those reporters read the metrics.")
        .ignored(JAVA_CLASS),
    list(
        "metric.reporters",
        Some("org.apache.kafka.common.metrics.JmxReporter"),
        Distinct,
        "Classes that report metrics. Metrics are served by HTTP, see msgloop.admin.listener.",
    )
    .cluster_wide()
    .ignored(JAVA_CLASS),
    int("metrics.num.samples", Some("2"), AtLeast(1), "Samples kept to compute a metric.").ignored(OWN_METRICS),
    string("metrics.recording.level", Some("INFO"), Any, "Highest detail that is recorded.").ignored(OWN_METRICS),
    long("metrics.sample.window.ms", Some("30000"), AtLeast(1), "Length of a sample.").ignored(OWN_METRICS),
    int(
        "telemetry.max.bytes",
        Some("1048576"),
        AtLeast(1),
        "Largest metrics push accepted from a client, as it comes and as it unfolds.",
    ),
    long("server.max.startup.time.ms", Some("9223372036854775807"), AtLeast(0), "Longest time a start may take.")
        .internal()
        .ignored(START),
    boolean(
        "unstable.api.versions.enable",
        Some("false"),
        Any,
        "Whether versions still under development are advertised.",
    )
    .internal()
    .ignored("versions under development are not served"),
    boolean(
        "unstable.feature.versions.enable",
        Some("false"),
        Any,
        "Whether feature versions still under development may be used.",
    )
    .internal()
    .ignored(FEATURES),
];
