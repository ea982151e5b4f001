//! Log compaction: of every key the newest record stays (kafka.md 3.9).
//!
//! One task a core ([`run`]) looks for the log with the largest dirty share and cleans it: [`clean`] collects the keys of
//! the dirty part ([`key_map`]), walks the log from its start through [`retain`], writes what stays into new segments
//! ([`write`]) and puts them in the place of the old ones ([`swap`]). Which part that is says [`plan`]. Unfolding, hashing
//! and folding happen on the thread aside; the core only moves bytes, and no more of them than
//! `log.cleaner.io.max.bytes.per.second` allows.

pub(crate) mod clean;
mod key_map;
mod plan;
mod retain;
pub(crate) mod run;
mod sip_hash;
mod source;
pub(crate) mod swap;
mod transactions;
mod write;

pub use run::{CleanerConfig, CleanerStatistics};

/// A topic's settings for compaction; names, units and defaults are Kafka's (LogConfig.java).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompactionConfig {
    /// `min.cleanable.dirty.ratio`: a log is cleaned once a larger share of it is dirty.
    pub min_dirty_ratio: f64,
    /// `delete.retention.ms`: how long a tombstone stays after it has taken effect.
    pub delete_retention_ms: i64,
    /// `min.compaction.lag.ms`: younger records wait.
    pub min_lag_ms: i64,
    /// `max.compaction.lag.ms`: older records do not wait for the ratio.
    pub max_lag_ms: i64,
}

impl Default for CompactionConfig {
    fn default() -> CompactionConfig {
        CompactionConfig { min_dirty_ratio: 0.5, delete_retention_ms: 86_400_000, min_lag_ms: 0, max_lag_ms: i64::MAX }
    }
}
