//! Log compaction.

use crate::config::definition::Check::{Any, AtLeast, Ratio};
use crate::config::definition::{Config, boolean, double, int, long};

pub(super) const CONFIGS: &[Config] = &[
    boolean("log.cleaner.enable", Some("true"), Any, "Whether compaction runs."),
    int("log.cleaner.threads", Some("1"), AtLeast(0), "0 stops the cleaner; else each core has one.").cluster_wide(),
    double(
        "log.cleaner.io.max.bytes.per.second",
        Some("1.7976931348623157E308"),
        Any,
        "Bytes per second the cleaner may read and write.",
    )
    .cluster_wide(),
    long("log.cleaner.dedupe.buffer.size", Some("134217728"), Any, "Memory for the key table of the cleaner.")
        .cluster_wide(),
    int("log.cleaner.io.buffer.size", Some("524288"), AtLeast(0), "Memory for reading and writing.").cluster_wide(),
    double("log.cleaner.io.buffer.load.factor", Some("0.9"), Any, "How full the key table may get.").cluster_wide(),
    long("log.cleaner.backoff.ms", Some("15000"), AtLeast(0), "Pause when there is nothing to clean.").cluster_wide(),
    double(
        "log.cleaner.min.cleanable.ratio",
        Some("0.5"),
        Ratio(0.0, 1.0),
        "Share of a log that must be dirty before it is cleaned.",
    )
    .cluster_wide(),
    long("log.cleaner.delete.retention.ms", Some("86400000"), AtLeast(0), "How long a tombstone stays visible.")
        .cluster_wide(),
    long(
        "log.cleaner.min.compaction.lag.ms",
        Some("0"),
        AtLeast(0),
        "Youngest age at which a record may be compacted.",
    )
    .cluster_wide(),
    long(
        "log.cleaner.max.compaction.lag.ms",
        Some("9223372036854775807"),
        AtLeast(1),
        "Oldest age a record may reach before compaction is forced.",
    )
    .cluster_wide(),
];
