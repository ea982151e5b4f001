//! The thread-per-core storage engine: runtime seam, write-ahead log, partition logs.
//!
//! Start with [`runtime`] (the seam to the world), then [`engine`] (one core's logs and their write-ahead log) and
//! [`log`] (one partition).

pub mod check;
pub mod compaction;
pub mod crc;
pub mod directory;
pub mod engine;
pub mod error;
pub mod health;
pub mod ids;
pub mod leader_epochs;
pub mod log;
pub mod memory;
mod merge;
mod open;
mod opened;
pub mod producer_state;
mod quarantine;
mod recovery;
mod retention;
mod room;
pub mod runtime;
pub mod segment;
mod segment_file;
mod segment_index;
mod segment_transactions;
pub mod statistics;
mod tail;
pub mod validate;
mod volume;
pub mod wal;
mod write_back;

pub use compaction::{CleanerConfig, CleanerStatistics, CompactionConfig};
pub use engine::{Engine, EngineOptions, LogDirectory, LogSpec, RecoveryReport, Reservation};
pub use error::{AppendError, FormatError, StorageError};
pub use ids::{LeaderEpoch, LogId, Offset};
pub use log::{AppendOptions, Appended, Log, LogConfig, LogRead, Origin, ReadLimit, ReadOptions};
pub use merge::merge_rings;
pub use open::PARTITION_METADATA;
pub use statistics::Statistics;
