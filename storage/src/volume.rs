//! One log directory as one core sees it: its write-ahead log and the logs in it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};

use tokio::sync::{Mutex, Notify};

use crate::engine::LogDirectory;
use crate::error::StorageError;
use crate::health::Health;
use crate::ids::LogId;
use crate::log::Log;
use crate::memory::{CHUNK_BYTES, Memory};
use crate::opened::Opened;
use crate::recovery::Recovered;
use crate::runtime::{Monotonic, Runtime};
use crate::segment_file::OpenSegments;
use crate::wal::format::encode_log_deleted;
use crate::wal::{Body, Lsn, Wal};

/// A log directory on one core.
pub(crate) struct Volume {
    pub runtime: Runtime,
    pub directory: LogDirectory,
    pub memory: Rc<Memory>,
    pub health: Rc<Health>,
    pub wal: Rc<Wal>,
    /// Which partitions were ever opened here.
    pub opened: Opened,
    pub logs: RefCell<BTreeMap<LogId, Rc<Log>>>,
    /// What the write-ahead log holds of partitions that have not been opened yet.
    pub recovered: RefCell<Recovered>,
    /// Every partition has been opened: trimming may begin.
    pub ready: Cell<bool>,
    pub closing: Cell<bool>,
    /// There is something to do for write-back.
    pub wake: Notify,
    /// Batches in memory in the order of the write-ahead log: whose, and the offset after them.
    pub order: RefCell<VecDeque<(Weak<Log>, i64)>>,
    /// Size of the last of `order`.
    pub newest_bytes: Cell<usize>,
    /// Entries that must stay although no log needs them.
    pub holds: RefCell<Vec<Lsn>>,
    pub open_segments: OpenSegments,
    pub last_append: Cell<Monotonic>,
    /// Logs that stay open for writing.
    pub open_logs_max: Cell<usize>,
    pub write_back_bytes: Cell<u64>,
    /// Segments that appends have ended and write-back has not, in all logs.
    pub unwritten_rolls: Cell<u64>,
    /// What an append waits to have room for in the ring.
    pub wanted: Cell<u64>,
    /// The queue of deletions for room in the ring.
    pub deletions: Mutex<()>,
}

impl Volume {
    pub fn new(
        runtime: Runtime,
        directory: LogDirectory,
        memory: Rc<Memory>,
        health: Rc<Health>,
        wal: Rc<Wal>,
        opened: Opened,
        recovered: Recovered,
    ) -> Rc<Volume> {
        Rc::new(Volume {
            runtime,
            directory,
            memory,
            health,
            wal,
            opened,
            logs: RefCell::default(),
            recovered: RefCell::new(recovered),
            ready: Cell::new(false),
            closing: Cell::new(false),
            wake: Notify::new(),
            order: RefCell::default(),
            newest_bytes: Cell::new(0),
            holds: RefCell::default(),
            open_segments: OpenSegments::default(),
            last_append: Cell::default(),
            open_logs_max: Cell::new(usize::MAX),
            write_back_bytes: Cell::new(0),
            unwritten_rolls: Cell::new(0),
            wanted: Cell::new(0),
            deletions: Mutex::default(),
        })
    }

    /// Where the partitions' directories are.
    pub fn path(&self) -> &Path {
        &self.directory.path
    }

    /// Where a core's ring is.
    pub fn wal_path(directory: &Path, core: usize) -> PathBuf {
        directory.join("wal").join(core.to_string())
    }

    /// Batches of so many bytes are in memory. Neighbours of one log share an entry as long as that is small: what is
    /// dropped at a time must not be all that a log has, the last of which is not written back while it grows. A core with
    /// one busy log would else fill its memory and then stand still until the last batch is old.
    pub fn note_append(&self, log: &Weak<Log>, next_offset: i64, bytes: usize) {
        let mut order = self.order.borrow_mut();
        if order.is_empty() {
            // Write-back may be asleep for want of anything to do.
            self.wake.notify_one();
        }
        match order.back_mut() {
            Some((last, end)) if last.ptr_eq(log) && self.newest_bytes.get() + bytes <= CHUNK_BYTES => {
                *end = next_offset;
                self.newest_bytes.set(self.newest_bytes.get() + bytes);
            }
            _ => {
                order.push_back((log.clone(), next_offset));
                self.newest_bytes.set(bytes);
            }
        }
        self.last_append.set(self.runtime.now());
    }

    /// The logs that are compacted.
    pub fn compacted_logs(&self) -> Vec<Rc<Log>> {
        self.logs.borrow().values().filter(|log| log.state().config.cleanup_compact).cloned().collect()
    }

    /// Writes the deletion down, then removes the files.
    pub async fn delete(&self, log: &Log) -> Result<(), StorageError> {
        self.health.check_failed()?;
        let position = self.wal.append(&encode_log_deleted(log.id()), Body::default(), None, None);
        // Until the files are gone, a start has to find this entry.
        self.holds.borrow_mut().push(position.lsn);
        let committed = position.group.wait().await;
        // A topic made again has the same directory: a write-back that is under way must not meet it.
        log.wait_for_write_back().await;
        self.forget_rolls(log);
        let removed = match committed {
            Ok(()) => log.remove_files().await,
            Err(error) => Err(error),
        };
        if removed.is_ok() {
            self.release(position.lsn);
        }
        if removed.is_ok()
            && let Err(error) = self.opened.remove(&self.runtime, log.id()).await
        {
            tracing::warn!(log = log.name(), %error, "a deleted partition stays marked as opened");
        }
        removed
    }

    /// An entry that nothing needs any more.
    fn release(&self, lsn: Lsn) {
        let mut holds = self.holds.borrow_mut();
        if let Some(at) = holds.iter().position(|held| *held == lsn) {
            holds.swap_remove(at);
        }
    }

    /// The segments of a log that write-back will never end.
    fn forget_rolls(&self, log: &Log) {
        let rolls = std::mem::take(&mut log.state_mut().unwritten_rolls);
        self.unwritten_rolls.set(self.unwritten_rolls.get() - rolls);
    }

    /// Writes everything back, commits, stops.
    pub async fn close(&self) -> Result<(), StorageError> {
        self.health.check_failed()?;
        self.closing.set(true);
        self.wake.notify_one();
        let logs: Vec<Rc<Log>> = self.logs.borrow().values().cloned().collect();
        let mut settled = self.ready.get() && self.recovered.borrow().is_empty() && self.holds.borrow().is_empty();
        for log in &logs {
            settled &= log.settle_and_close().await?;
        }
        self.logs.borrow_mut().clear();
        self.open_segments.close_all();
        self.wal.close(settled).await
    }
}
