//! One partition's log: append, read, look up by time and epoch, delete from the front.

pub(crate) mod aborted;
mod append;
mod delete;
mod lookup;
pub(crate) mod read;
pub(crate) mod report;
mod rope;
mod segment_writer;
pub(crate) mod state;
mod visible;
pub(crate) mod write_back;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use bytes::Bytes;
use protocol::records::Compression;
use tokio::sync::Notify;

use crate::compaction::CompactionConfig;
use crate::error::StorageError;
use crate::ids::{LeaderEpoch, LogId, Offset};
use crate::producer_state::{FirstBatch, ProducerEntry, Verification, VerificationGuard};
use crate::tail::Tail;
use crate::volume::Volume;
use crate::wal::Committed;
use state::State;
pub use visible::VisibleOffsets;

/// A topic's settings as they apply to the log; names, units and defaults are Kafka's (LogConfig.java).
#[derive(Debug, Clone, PartialEq)]
pub struct LogConfig {
    /// A segment is rolled before it grows beyond this.
    pub segment_bytes: u64,
    /// A segment is rolled once its first record is this old.
    pub segment_ms: i64,
    /// Up to this much is taken off `segment_ms`, by chance.
    pub segment_jitter_ms: i64,
    /// Bound of an index file; a full one rolls the segment.
    pub segment_index_bytes: u64,
    /// Bytes of log between two index entries.
    pub index_interval_bytes: u64,
    /// -1: unlimited.
    pub retention_ms: i64,
    /// Negative: unlimited.
    pub retention_bytes: i64,
    /// `cleanup.policy` has `delete`.
    pub cleanup_delete: bool,
    /// `cleanup.policy` has `compact`.
    pub cleanup_compact: bool,
    /// Bound of a whole batch, header included.
    pub max_message_bytes: usize,
    /// From a segment's removal to the unlinking of its files.
    pub file_delete_delay_ms: i64,
    /// How far a CreateTime timestamp may lie in the past.
    pub message_timestamp_before_max_ms: i64,
    /// How far it may lie in the future.
    pub message_timestamp_after_max_ms: i64,
    /// `message.timestamp.type=LogAppendTime`.
    pub log_append_time: bool,
    /// `compression.type`; `None` is `producer`.
    pub compression: Option<Compression>,
    /// `msgloop.durability=os`: ack after the write completed, before it is synced.
    pub durability_os: bool,
    /// `msgloop.batch.validation=records`: decode compressed batches too.
    pub validate_records: bool,
    /// Idle time after which a producer's state is forgotten.
    pub producer_id_expiration_ms: i64,
    /// What concerns compaction.
    pub compaction: CompactionConfig,
}

/// Kafka's defaults.
impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3_600_000,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention_ms: 7 * 24 * 3_600_000,
            retention_bytes: -1,
            cleanup_delete: true,
            cleanup_compact: false,
            max_message_bytes: 1_048_588,
            file_delete_delay_ms: 60_000,
            message_timestamp_before_max_ms: i64::MAX,
            message_timestamp_after_max_ms: 3_600_000,
            log_append_time: false,
            compression: None,
            durability_os: false,
            validate_records: false,
            producer_id_expiration_ms: 86_400_000,
            compaction: CompactionConfig::default(),
        }
    }
}

impl LogConfig {
    /// After how long a segment is rolled; a compacted one soon enough to be cleaned in time (`LogConfig.maxSegmentMs`).
    pub(crate) fn roll_ms(&self) -> i64 {
        match self.compaction.max_lag_ms {
            max_lag_ms @ 1.. if self.cleanup_compact => self.segment_ms.min(max_lag_ms),
            _ => self.segment_ms,
        }
    }
}

/// Who appends (AppendOrigin.java).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A client: all rules are checked.
    Client,
    /// A coordinator of this broker: may write control batches.
    Coordinator,
}

/// How to append.
#[derive(Debug, Clone, Copy)]
pub struct AppendOptions {
    /// Stamped on the batch.
    pub leader_epoch: LeaderEpoch,
    /// Decides which rules apply.
    pub origin: Origin,
    /// Version of the Produce request (zstd needs 7); `i16::MAX` for a coordinator.
    pub produce_version: i16,
    /// For the first batch of a transaction.
    pub verification: Verification,
    /// For a marker: the version of the transaction protocol that its transaction was under.
    pub transaction_version: i16,
    /// Its commit is not to wait for company: somebody waits for a chain of commits of which this is one.
    pub in_hurry: bool,
}

impl AppendOptions {
    /// Of a client, outside a transaction or in one that is open.
    pub fn client(leader_epoch: LeaderEpoch, produce_version: i16) -> AppendOptions {
        let (origin, verification) = (Origin::Client, Verification::None);
        AppendOptions { leader_epoch, origin, produce_version, verification, transaction_version: 0, in_hurry: false }
    }

    /// Of a coordinator.
    pub fn coordinator(leader_epoch: LeaderEpoch) -> AppendOptions {
        AppendOptions { origin: Origin::Coordinator, ..AppendOptions::client(leader_epoch, i16::MAX) }
    }
}

/// A batch that has its offsets.
pub struct Appended {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Offset of the last record.
    pub last_offset: Offset,
    /// Set under LogAppendTime.
    pub log_append_time_ms: Option<i64>,
    /// First offset there is.
    pub log_start_offset: Offset,
    /// The batch was there already; offsets are the original's.
    pub duplicate: bool,
    /// Completes when the batch (for a duplicate: the original) is durable and the high watermark has passed it.
    pub durable: DurableFuture,
}

/// See [`Appended::durable`].
pub type DurableFuture = std::pin::Pin<Box<dyn Future<Output = Result<(), StorageError>> + 'static>>;

/// How far a reader may see (FetchIsolation.java).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadLimit {
    /// What is committed.
    HighWatermark,
    /// What is committed and decided: below every open transaction.
    LastStableOffset,
    /// Everything appended (replicas).
    LogEnd,
}

/// What to read.
#[derive(Debug, Clone, Copy)]
pub struct ReadOptions {
    /// First offset wanted; the batch that holds it is returned whole.
    pub offset: Offset,
    /// Bound of what is returned, in bytes of whole batches.
    pub bytes_max: usize,
    /// Return the first batch even if it is larger than `bytes_max` (KIP-74).
    pub at_least_one_batch: bool,
    /// How far the reader may see.
    pub limit: ReadLimit,
}

/// An aborted transaction that overlaps what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Whose.
    pub producer_id: i64,
    /// Its first record.
    pub first_offset: Offset,
}

/// Whole batches, the first one holding `ReadOptions::offset`.
#[derive(Debug, Default)]
pub struct LogRead {
    /// The bytes, in order, by reference; a batch may be split between two parts.
    pub records: Vec<Bytes>,
    /// Their length in all.
    pub bytes: usize,
    /// Only filled for `ReadLimit::LastStableOffset`.
    pub aborted_transactions: Vec<AbortedTransaction>,
}

/// Result of a look-up by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampOffset {
    /// The record's timestamp.
    pub timestamp_ms: i64,
    /// The record's offset.
    pub offset: Offset,
    /// The epoch it was written under, if known.
    pub leader_epoch: Option<LeaderEpoch>,
}

/// Why a read has no bytes to give.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// Below the log start offset or beyond the log end (OFFSET_OUT_OF_RANGE).
    #[error("offset is out of range")]
    OffsetOutOfRange,
    /// The disk.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// One partition's log on its core.
pub struct Log {
    id: LogId,
    /// `<topic>-<partition>`, the name of its directory.
    name: String,
    path: PathBuf,
    volume: Rc<Volume>,
    /// Itself, for commits to tell.
    this: Weak<Log>,
    start: Cell<i64>,
    stable: Cell<i64>,
    high: Cell<i64>,
    end: Cell<i64>,
    visible: Arc<VisibleOffsets>,
    closed: Cell<bool>,
    waiters: RefCell<Vec<Weak<Notify>>>,
    state: RefCell<State>,
}

impl Log {
    /// A log with what a start found of it.
    pub(crate) fn new(id: LogId, name: String, volume: Rc<Volume>, state: State, start: i64, end: i64) -> Rc<Log> {
        let path = volume.path().join(&name);
        let stable = state.stable_offset(end).max(start);
        Rc::new_cyclic(|this| Log {
            id,
            name,
            path,
            volume,
            this: this.clone(),
            start: Cell::new(start),
            stable: Cell::new(stable),
            high: Cell::new(end),
            end: Cell::new(end),
            visible: Arc::new(VisibleOffsets::new(start, stable, end)),
            closed: Cell::new(false),
            waiters: RefCell::default(),
            state: RefCell::new(state),
        })
    }

    /// Which partition this is.
    pub fn id(&self) -> LogId {
        self.id
    }

    /// `<topic>-<partition>`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first offset that may be read.
    pub fn log_start_offset(&self) -> Offset {
        Offset(self.start.get())
    }

    /// All below is durable; consumers see no further.
    pub fn high_watermark(&self) -> Offset {
        Offset(self.high.get())
    }

    /// All below is durable and of a decided transaction, or of none.
    pub fn last_stable_offset(&self) -> Offset {
        Offset(self.stable.get())
    }

    /// The offset the next record gets.
    pub fn log_end_offset(&self) -> Offset {
        Offset(self.end.get())
    }

    /// Bytes of the log, tail included (DescribeLogDirs).
    pub fn bytes(&self) -> u64 {
        self.state.borrow().bytes()
    }

    /// Before the coordinator of a transaction is asked whether it includes this partition; `None` if the transaction is
    /// open here already. What the coordinator confirms goes with the append as [`Verification::Confirmed`].
    pub fn begin_verification(&self, first: FirstBatch) -> Option<VerificationGuard> {
        let now_ms = self.volume.runtime.wall_clock_ms();
        self.state.borrow_mut().producers.begin_verification(first, now_ms)
    }

    /// The producers that wrote here and are remembered (DescribeProducers).
    pub fn producers(&self) -> Vec<ProducerEntry> {
        self.state.borrow().producers.producers().copied().collect()
    }

    /// Whether its directory refuses appends for want of space.
    pub fn is_full(&self) -> bool {
        self.volume.health.is_full()
    }

    /// Applies changed settings of the topic; what is on disk stays as it is.
    pub fn set_config(&self, config: LogConfig) {
        self.state.borrow_mut().config = config;
    }

    /// How far it can be read, for other threads.
    pub fn visible_offsets(&self) -> &Arc<VisibleOffsets> {
        &self.visible
    }

    /// Registers `waiter`, to be woken once when the high watermark or last stable offset moves or the log closes.
    pub fn wait_for_progress(&self, waiter: &Rc<Notify>) {
        let mut waiters = self.waiters.borrow_mut();
        if waiters.len() == waiters.capacity() {
            // Waiters that gave up on a quiet partition.
            waiters.retain(|waiter| waiter.strong_count() > 0);
        }
        let waiter = Rc::downgrade(waiter);
        if !waiters.iter().any(|known| known.ptr_eq(&waiter)) {
            waiters.push(waiter);
        }
    }

    /// The only place where offsets move. Start, last stable offset, high watermark and end never go back and never
    /// pass each other.
    pub(crate) fn move_offsets(&self, start: i64, high: i64, end: i64) {
        let stable = self.state.borrow().stable_offset(high).max(start).max(self.stable.get());
        assert!(start >= self.start.get() && high >= self.high.get() && end >= self.end.get(), "offsets never go back");
        assert!(start <= stable && stable <= high && high <= end, "{start} <= {stable} <= {high} <= {end}");
        let visible = high != self.high.get() || stable != self.stable.get();
        if visible || start != self.start.get() {
            self.visible.set(start, stable, high);
        }
        self.start.set(start);
        self.stable.set(stable);
        self.high.set(high);
        self.end.set(end);
        if visible {
            self.wake_waiters();
        }
    }

    fn wake_waiters(&self) {
        for waiter in self.waiters.take() {
            if let Some(waiter) = waiter.upgrade() {
                waiter.notify_one();
            }
        }
    }

    /// Drops the batches below `next_offset` from memory if they are written back.
    pub(crate) fn drop_cached(&self, next_offset: i64) -> bool {
        let mut state = self.state.borrow_mut();
        let written = self.closed.get() || next_offset <= state.files.next_offset;
        if written {
            state.tail.drop_below(next_offset);
        }
        written
    }

    /// Its directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn volume(&self) -> &Rc<Volume> {
        &self.volume
    }

    pub(crate) fn state_mut(&self) -> std::cell::RefMut<'_, State> {
        self.state.borrow_mut()
    }

    pub(crate) fn state(&self) -> std::cell::Ref<'_, State> {
        self.state.borrow()
    }

    /// Refuses appends and reads from now on: deleted, or the engine closes.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        // Whoever still holds the log must not hold the memory.
        self.state.borrow_mut().tail = Tail::default();
        self.wake_waiters();
    }

    pub(crate) fn check_open(&self) -> Result<(), StorageError> {
        if self.closed.get() { Err(StorageError::Closed) } else { Ok(()) }
    }
}

impl Committed for Log {
    fn committed(&self, next_offset: i64) {
        self.state.borrow_mut().committed(next_offset, self.high.get());
        self.move_offsets(self.start.get(), next_offset.max(self.high.get()), self.end.get());
    }
}
