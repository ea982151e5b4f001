//! A topic's settings in force, as its log and its leader need them.

use protocol::records::Compression;
use storage::CompactionConfig;
use storage::log::LogConfig;

use crate::config::settings::{Settings, Values};
use crate::config::table;

/// What is in force for a topic.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicConfig {
    /// What concerns the log.
    pub log: LogConfig,
    /// `min.insync.replicas`.
    pub min_insync_replicas: usize,
}

/// The settings of a topic on which `overrides` were set, on top of the broker's.
pub fn topic_config(overrides: &Values, settings: &Settings) -> TopicConfig {
    let values = Reader { overrides, settings };
    let min_insync_replicas = usize::try_from(values.number("min.insync.replicas")).unwrap_or(1);
    TopicConfig { log: topic_log_config(overrides, settings), min_insync_replicas }
}

/// The part of [`topic_config`] that concerns the log.
pub fn topic_log_config(overrides: &Values, settings: &Settings) -> LogConfig {
    let values = Reader { overrides, settings };
    let cleanup_policy = values.text("cleanup.policy");
    LogConfig {
        segment_bytes: values.bytes("segment.bytes"),
        segment_ms: values.number("segment.ms"),
        segment_jitter_ms: values.number("segment.jitter.ms"),
        segment_index_bytes: values.bytes("segment.index.bytes"),
        index_interval_bytes: values.bytes("index.interval.bytes"),
        retention_ms: values.number("retention.ms"),
        retention_bytes: values.number("retention.bytes"),
        cleanup_delete: cleanup_policy.split(',').any(|policy| policy == "delete"),
        cleanup_compact: cleanup_policy.split(',').any(|policy| policy == "compact"),
        max_message_bytes: usize::try_from(values.number("max.message.bytes")).unwrap_or_default(),
        file_delete_delay_ms: values.number("file.delete.delay.ms"),
        message_timestamp_before_max_ms: values.number("message.timestamp.before.max.ms"),
        message_timestamp_after_max_ms: values.number("message.timestamp.after.max.ms"),
        log_append_time: values.text("message.timestamp.type") == "LogAppendTime",
        compression: values.compression(),
        durability_os: values.text("msgloop.durability") == "os",
        validate_records: values.text("msgloop.batch.validation") == "records",
        producer_id_expiration_ms: settings.number("producer.id.expiration.ms"),
        compaction: CompactionConfig {
            min_dirty_ratio: values.text("min.cleanable.dirty.ratio").parse().unwrap_or_default(),
            delete_retention_ms: values.number("delete.retention.ms"),
            min_lag_ms: values.number("min.compaction.lag.ms"),
            max_lag_ms: values.number("max.compaction.lag.ms"),
        },
    }
}

struct Reader<'a> {
    overrides: &'a Values,
    settings: &'a Settings,
}

impl Reader<'_> {
    fn text(&self, name: &str) -> String {
        let config = table::topic_config(name).expect("configs are read by names of the table");
        self.settings.resolve(config, self.overrides).unwrap_or_default()
    }

    fn number(&self, name: &str) -> i64 {
        self.text(name).parse().unwrap_or_default()
    }

    fn bytes(&self, name: &str) -> u64 {
        u64::try_from(self.number(name)).unwrap_or_default()
    }

    fn level(&self, name: &str) -> i32 {
        i32::try_from(self.number(name)).unwrap_or_default()
    }

    /// `None` is `producer`: bytes are kept as they came.
    fn compression(&self) -> Option<Compression> {
        match self.text("compression.type").as_str() {
            "uncompressed" => Some(Compression::None),
            "gzip" => Some(Compression::Gzip(self.level("compression.gzip.level"))),
            "snappy" => Some(Compression::Snappy),
            "lz4" => Some(Compression::Lz4(self.level("compression.lz4.level"))),
            "zstd" => Some(Compression::Zstd(self.level("compression.zstd.level"))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(overrides: &[(&str, &str)]) -> TopicConfig {
        let values = overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        topic_config(&values, &Settings::default())
    }

    #[test]
    fn an_unset_topic_has_kafkas_defaults() {
        let config = config(&[]);
        assert_eq!(config.min_insync_replicas, 1);
        assert_eq!(config.log, LogConfig::default());
    }

    #[test]
    fn what_is_set_on_a_topic_reaches_its_log() {
        let config = config(&[
            ("cleanup.policy", "compact,delete"),
            ("compression.type", "gzip"),
            ("compression.gzip.level", "4"),
            ("message.timestamp.type", "LogAppendTime"),
            ("min.cleanable.dirty.ratio", "0.01"),
            ("delete.retention.ms", "7"),
            ("min.compaction.lag.ms", "8"),
            ("max.compaction.lag.ms", "9"),
            ("msgloop.durability", "os"),
        ]);
        assert!(config.log.cleanup_delete && config.log.cleanup_compact && config.log.durability_os);
        assert!(config.log.log_append_time);
        assert_eq!(config.log.compression, Some(Compression::Gzip(4)));
        let compaction =
            CompactionConfig { min_dirty_ratio: 0.01, delete_retention_ms: 7, min_lag_ms: 8, max_lag_ms: 9 };
        assert_eq!(config.log.compaction, compaction);
    }
}
