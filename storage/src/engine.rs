//! One core's logs and the write-ahead logs they share.

use std::path::PathBuf;
use std::rc::Rc;

use protocol::Uuid;

use crate::error::StorageError;
use crate::ids::LogId;
use crate::log::{Log, LogConfig};
use crate::runtime::Runtime;

/// One of the broker's `log.dirs`, already locked and checked to be ours (see `storage::directory`).
#[derive(Debug, Clone)]
pub struct LogDirectory {
    /// Written into the directory when it was made.
    pub id: Uuid,
    /// Where it is.
    pub path: PathBuf,
}

/// What one core's engine may use.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Number of this core, from zero.
    pub core: usize,
    /// How many cores there are; [`Engine::open`] expects rings of exactly this many (see `storage::recovery`).
    pub cores: usize,
    /// Every log directory of the broker.
    pub directories: Vec<LogDirectory>,
    /// Bound of this core's write-ahead log, all directories together.
    pub wal_bytes_max: u64,
    /// Size of one file of the ring.
    pub wal_file_bytes: u64,
    /// Bound of the memory behind tails, cached tails and responses that pin them.
    pub tail_bytes_max: usize,
}

/// A partition to open.
#[derive(Debug, Clone)]
pub struct LogSpec {
    /// Which partition.
    pub id: LogId,
    /// The topic's name; the partition's directory is `<topic>-<partition>` as in Kafka.
    pub topic: String,
    /// Where its directory is.
    pub directory: Uuid,
    /// The topic's settings as they apply to the log.
    pub config: LogConfig,
    /// The partition was just created: its directory must not exist yet.
    pub create: bool,
}

/// What a start found.
#[derive(Debug, Clone, Default)]
pub struct RecoveryReport {
    /// Bytes of write-ahead log read.
    pub wal_bytes_replayed: u64,
    /// Batches put back into tails.
    pub batches_replayed: u64,
    /// Partitions found on disk or in the write-ahead log that no metadata names: kept aside, never removed.
    pub quarantined: Vec<LogId>,
}

/// Room for one append, counted against `tail_bytes_max`; given back when dropped or spent.
pub struct Reservation {
    _private: (),
}

/// One core's logs.
#[derive(Clone)]
pub struct Engine {
    _inner: Rc<()>,
}

impl Engine {
    /// Reads this core's rings and keeps what they hold until [`Engine::open_log`] claims it.
    pub async fn open(runtime: Runtime, options: EngineOptions) -> Result<Engine, StorageError> {
        let _ = (runtime, options);
        unimplemented!()
    }

    /// Opens or creates a partition's log. A creation is durable before this returns.
    pub async fn open_log(&self, spec: LogSpec) -> Result<Rc<Log>, StorageError> {
        let _ = spec;
        unimplemented!()
    }

    /// All partitions the metadata knows are open: quarantine the rest, allow trimming, start write-back and retention.
    pub async fn finish_recovery(&self) -> Result<RecoveryReport, StorageError> {
        unimplemented!()
    }

    /// Deletes a partition's log; durable (it will not come back) before this returns. Readers that hold segments keep
    /// them until they are done.
    pub async fn delete_log(&self, id: LogId) -> Result<(), StorageError> {
        let _ = id;
        unimplemented!()
    }

    /// Waits, first come first served, until `bytes` more may be appended.
    pub async fn reserve(&self, bytes: usize) -> Result<Reservation, StorageError> {
        let _ = bytes;
        unimplemented!()
    }

    /// Clean shutdown: commits, writes everything back, cuts segments to their length, marks the directory clean. The
    /// next start replays nothing.
    pub async fn close(&self) -> Result<(), StorageError> {
        unimplemented!()
    }
}
