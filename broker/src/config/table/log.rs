//! Partitions on disk: directories, segments, retention, timestamps, flushing.

use crate::config::definition::Check::{Any, AtLeast, Distinct, ListOf, NonEmptyList, OneOf};
use crate::config::definition::{Config, boolean, int, list, long, string};
use crate::config::reasons::{ALWAYS_FLUSHED, CORES, ONE_REPLICA, START};

pub(super) const CONFIGS: &[Config] = &[
    list("log.dir", Some("./msgloop-data"), NonEmptyList, "Directory for data; used when log.dirs is not set."),
    list("log.dirs", None, Distinct, "Directories for data, separated by commas."),
    list("cordoned.log.dirs", Some(""), Distinct, "Data directories that get no new partitions.")
        .per_broker()
        .ignored("new partitions go to the directory with the fewest; none can be closed to them yet"),
    long(
        "log.dir.failure.timeout.ms",
        Some("30000"),
        AtLeast(1),
        "How long to keep running when a directory's failure cannot be told to the controller.",
    )
    .ignored(ONE_REPLICA),
    int(
        "log.segment.bytes",
        Some("1073741824"),
        AtLeast(1048576),
        "Size at which a segment is closed and the next one begun.",
    )
    .cluster_wide(),
    long("log.roll.ms", None, Any, "Age at which a segment is closed even if it is not full.").cluster_wide(),
    int("log.roll.hours", Some("168"), AtLeast(1), "Same in hours; used when log.roll.ms is not set."),
    long("log.roll.jitter.ms", None, Any, "Random part taken off the age, so that segments do not roll all at once.")
        .cluster_wide(),
    int("log.roll.jitter.hours", Some("0"), AtLeast(0), "Same in hours; used when log.roll.jitter.ms is not set."),
    long("log.retention.ms", None, Any, "How long records are kept; -1 keeps them for ever.").cluster_wide(),
    int("log.retention.minutes", None, Any, "Same in minutes; used when log.retention.ms is not set."),
    int(
        "log.retention.hours",
        Some("168"),
        Any,
        "Same in hours; used when neither log.retention.ms nor log.retention.minutes is set.",
    ),
    long(
        "log.retention.bytes",
        Some("-1"),
        Any,
        "Size of a partition above which old segments are deleted; -1 for no bound.",
    )
    .cluster_wide(),
    long(
        "log.retention.check.interval.ms",
        Some("300000"),
        AtLeast(1),
        "How often retention looks for segments to delete.",
    ),
    list(
        "log.cleanup.policy",
        Some("delete"),
        ListOf(&["compact", "delete"]),
        "What happens to old records: delete, compact, both, or nothing when empty.",
    )
    .cluster_wide(),
    int(
        "log.index.size.max.bytes",
        Some("10485760"),
        AtLeast(4),
        "Largest offset index; a full one closes its segment.",
    )
    .cluster_wide(),
    int(
        "log.index.interval.bytes",
        Some("4096"),
        AtLeast(0),
        "Bytes of records between two entries of the offset index.",
    )
    .cluster_wide(),
    long(
        "log.segment.delete.delay.ms",
        Some("60000"),
        AtLeast(0),
        "How long the files of a deleted segment stay on disk.",
    )
    .cluster_wide(),
    string(
        "log.message.timestamp.type",
        Some("CreateTime"),
        OneOf(&["CreateTime", "LogAppendTime"]),
        "Whether a record keeps its own timestamp or takes the time of the append.",
    )
    .cluster_wide(),
    long(
        "log.message.timestamp.before.max.ms",
        Some("9223372036854775807"),
        AtLeast(0),
        "How far a record's timestamp may lie in the past.",
    )
    .cluster_wide(),
    long(
        "log.message.timestamp.after.max.ms",
        Some("3600000"),
        AtLeast(0),
        "How far a record's timestamp may lie in the future.",
    )
    .cluster_wide(),
    boolean("log.preallocate", Some("false"), Any, "Whether a new segment's file gets its full size at once.")
        .cluster_wide()
        .ignored("segments are written in aligned blocks and need no room reserved"),
    long(
        "log.flush.interval.messages",
        Some("9223372036854775807"),
        AtLeast(1),
        "Records after which a log is flushed.",
    )
    .cluster_wide()
    .ignored(ALWAYS_FLUSHED),
    long("log.flush.interval.ms", None, Any, "Time after which a log is flushed.")
        .cluster_wide()
        .ignored(ALWAYS_FLUSHED),
    long(
        "log.flush.scheduler.interval.ms",
        Some("9223372036854775807"),
        Any,
        "How often logs due for a flush are looked for.",
    )
    .ignored(ALWAYS_FLUSHED),
    int("log.flush.offset.checkpoint.interval.ms", Some("60000"), AtLeast(0), "How often recovery points are written.")
        .ignored(ALWAYS_FLUSHED),
    int(
        "log.flush.start.offset.checkpoint.interval.ms",
        Some("60000"),
        AtLeast(0),
        "How often log start offsets are written.",
    )
    .ignored(ALWAYS_FLUSHED),
    long("log.initial.task.delay.ms", Some("30000"), AtLeast(0), "Delay of the first housekeeping after a start.")
        .internal()
        .ignored(START),
    int("num.recovery.threads.per.data.dir", Some("2"), AtLeast(1), "Threads that recover a directory at start.")
        .cluster_wide()
        .ignored(CORES),
    int("num.replica.alter.log.dirs.threads", None, Any, "Threads that move replicas between directories.")
        .ignored(ONE_REPLICA),
];
