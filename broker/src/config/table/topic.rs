//! Settings of a topic; each falls back to the broker settings named as its synonyms.

use crate::config::definition::Check::{Any, AtLeast, Between, GzipLevel, ListOf, OneOf, Ratio, ThrottledReplicas};
use crate::config::definition::{Config, boolean, double, hours, int, list, long, minutes, same, string};
use crate::config::reasons::{ALWAYS_FLUSHED, NO_SHARE_GROUPS, NO_TIERING, ONE_REPLICA};

pub(super) const CONFIGS: &[Config] = &[
    list(
        "cleanup.policy",
        Some("delete"),
        ListOf(&["compact", "delete"]),
        "What happens to old records: delete, compact, both, or nothing when empty.",
    )
    .synonyms(&[same("log.cleanup.policy")]),
    int(
        "compression.gzip.level",
        Some("-1"),
        GzipLevel,
        "gzip level when compression.type is gzip; -1 is the codec's default.",
    )
    .synonyms(&[same("compression.gzip.level")]),
    int("compression.lz4.level", Some("9"), Between(1, 17), "lz4 level when compression.type is lz4.")
        .synonyms(&[same("compression.lz4.level")]),
    string(
        "compression.type",
        Some("producer"),
        OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
        "Codec of records at rest; producer keeps what the producer chose.",
    )
    .synonyms(&[same("compression.type")]),
    int("compression.zstd.level", Some("3"), Between(-131072, 22), "zstd level when compression.type is zstd.")
        .synonyms(&[same("compression.zstd.level")]),
    long(
        "delete.retention.ms",
        Some("86400000"),
        AtLeast(0),
        "How long a tombstone stays visible in a compacted topic.",
    )
    .synonyms(&[same("log.cleaner.delete.retention.ms")]),
    boolean(
        "errors.deadletterqueue.group.enable",
        Some("false"),
        Any,
        "Whether share groups may use this topic for dead letters.",
    )
    .ignored(NO_SHARE_GROUPS),
    long("file.delete.delay.ms", Some("60000"), AtLeast(0), "How long the files of a deleted segment stay on disk.")
        .synonyms(&[same("log.segment.delete.delay.ms")]),
    long("flush.messages", Some("9223372036854775807"), AtLeast(1), "Records after which the log is flushed.")
        .synonyms(&[same("log.flush.interval.messages")])
        .ignored(ALWAYS_FLUSHED),
    long("flush.ms", Some("9223372036854775807"), AtLeast(0), "Time after which the log is flushed.")
        .synonyms(&[same("log.flush.interval.ms"), same("log.flush.scheduler.interval.ms")])
        .ignored(ALWAYS_FLUSHED),
    list(
        "follower.replication.throttled.replicas",
        Some(""),
        ThrottledReplicas,
        "Replicas throttled on the follower's side, as partition:broker or *.",
    )
    .ignored(ONE_REPLICA),
    int("index.interval.bytes", Some("4096"), AtLeast(0), "Bytes of records between two entries of the offset index.")
        .synonyms(&[same("log.index.interval.bytes")]),
    list(
        "leader.replication.throttled.replicas",
        Some(""),
        ThrottledReplicas,
        "Replicas throttled on the leader's side, as partition:broker or *.",
    )
    .ignored(ONE_REPLICA),
    long(
        "local.retention.bytes",
        Some("-2"),
        AtLeast(-2),
        "Size kept on local disk of a tiered partition; -2 takes retention.bytes.",
    )
    .synonyms(&[same("log.local.retention.bytes")])
    .ignored(NO_TIERING),
    long(
        "local.retention.ms",
        Some("-2"),
        AtLeast(-2),
        "How long tiered segments also stay on local disk; -2 takes retention.ms.",
    )
    .synonyms(&[same("log.local.retention.ms")])
    .ignored(NO_TIERING),
    long(
        "max.compaction.lag.ms",
        Some("9223372036854775807"),
        AtLeast(1),
        "Oldest age a record may reach before compaction is forced.",
    )
    .synonyms(&[same("log.cleaner.max.compaction.lag.ms")]),
    int("max.message.bytes", Some("1048588"), AtLeast(0), "Largest record batch in bytes, after compression.")
        .synonyms(&[same("message.max.bytes")]),
    long(
        "message.timestamp.after.max.ms",
        Some("3600000"),
        AtLeast(0),
        "How far a record's timestamp may lie in the future.",
    )
    .synonyms(&[same("log.message.timestamp.after.max.ms")]),
    long(
        "message.timestamp.before.max.ms",
        Some("9223372036854775807"),
        AtLeast(0),
        "How far a record's timestamp may lie in the past.",
    )
    .synonyms(&[same("log.message.timestamp.before.max.ms")]),
    string(
        "message.timestamp.type",
        Some("CreateTime"),
        OneOf(&["CreateTime", "LogAppendTime"]),
        "Whether a record keeps its own timestamp (CreateTime) or takes the time of the append (LogAppendTime).",
    )
    .synonyms(&[same("log.message.timestamp.type")]),
    double(
        "min.cleanable.dirty.ratio",
        Some("0.5"),
        Ratio(0.0, 1.0),
        "Share of a log that must be dirty before it is compacted.",
    )
    .synonyms(&[same("log.cleaner.min.cleanable.ratio")]),
    long("min.compaction.lag.ms", Some("0"), AtLeast(0), "Youngest age at which a record may be compacted.")
        .synonyms(&[same("log.cleaner.min.compaction.lag.ms")]),
    int(
        "min.insync.replicas",
        Some("1"),
        AtLeast(1),
        "Replicas that must have a record on disk before acks=all is answered.",
    )
    .synonyms(&[same("min.insync.replicas")]),
    boolean("preallocate", Some("false"), Any, "Whether a new segment's file gets its full size at once.")
        .synonyms(&[same("log.preallocate")])
        .ignored("segments are written in aligned blocks and need no room reserved"),
    long(
        "remote.copy.lag.bytes",
        Some("-1"),
        AtLeast(-1),
        "Size at which closed segments must have been copied out; -1 derives it from local retention.",
    )
    .synonyms(&[same("log.remote.copy.lag.bytes")])
    .ignored(NO_TIERING),
    long("remote.copy.lag.ms", Some("0"), AtLeast(-1), "Age at which a closed segment must have been copied out.")
        .synonyms(&[same("log.remote.copy.lag.ms")])
        .ignored(NO_TIERING),
    boolean("remote.log.copy.disable", Some("false"), Any, "Whether a tiered topic stops copying to remote storage.")
        .ignored(NO_TIERING),
    boolean(
        "remote.log.delete.on.disable",
        Some("false"),
        Any,
        "Whether remote data is deleted when tiering is switched off.",
    )
    .ignored(NO_TIERING),
    boolean("remote.storage.enable", Some("false"), Any, "Whether closed segments are moved to remote storage.")
        .ignored(NO_TIERING),
    long(
        "retention.bytes",
        Some("-1"),
        Any,
        "Size of a partition above which old segments are deleted; -1 for no bound.",
    )
    .synonyms(&[same("log.retention.bytes")]),
    long("retention.ms", Some("604800000"), AtLeast(-1), "How long records are kept; -1 keeps them for ever.")
        .synonyms(&[same("log.retention.ms"), minutes("log.retention.minutes"), hours("log.retention.hours")]),
    int(
        "segment.bytes",
        Some("1073741824"),
        AtLeast(1048576),
        "Size at which a segment is closed and the next one begun.",
    )
    .synonyms(&[same("log.segment.bytes")]),
    int("segment.index.bytes", Some("10485760"), AtLeast(4), "Largest offset index; a full one closes its segment.")
        .synonyms(&[same("log.index.size.max.bytes")]),
    long(
        "segment.jitter.ms",
        Some("0"),
        AtLeast(0),
        "Random part taken off segment.ms, so that segments do not roll all at once.",
    )
    .synonyms(&[same("log.roll.jitter.ms"), hours("log.roll.jitter.hours")]),
    long("segment.ms", Some("604800000"), AtLeast(1), "Age at which a segment is closed even if it is not full.")
        .synonyms(&[same("log.roll.ms"), hours("log.roll.hours")]),
    boolean(
        "unclean.leader.election.enable",
        Some("false"),
        Any,
        "Whether a replica outside the in-sync set may become leader, losing records.",
    )
    .synonyms(&[same("unclean.leader.election.enable")])
    .ignored(ONE_REPLICA),
];
