//! One log directory as one core sees it: its write-ahead log and the logs in it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::engine::LogDirectory;
use crate::error::StorageError;
use crate::health::Health;
use crate::ids::LogId;
use crate::log::Log;
use crate::memory::Memory;
use crate::recovery::Recovered;
use crate::runtime::Runtime;
use crate::wal::Wal;
use crate::wal::format::encode_log_deleted;

/// A log directory on one core.
pub(crate) struct Volume {
    pub runtime: Runtime,
    pub directory: LogDirectory,
    pub memory: Rc<Memory>,
    pub health: Rc<Health>,
    pub wal: Rc<Wal>,
    pub logs: RefCell<BTreeMap<LogId, Rc<Log>>>,
    /// What the write-ahead log holds of partitions that have not been opened yet.
    pub recovered: RefCell<Recovered>,
    /// Every partition has been opened: trimming may begin.
    pub ready: Cell<bool>,
}

impl Volume {
    pub fn new(
        runtime: Runtime,
        directory: LogDirectory,
        memory: Rc<Memory>,
        health: Rc<Health>,
        wal: Rc<Wal>,
        recovered: Recovered,
    ) -> Rc<Volume> {
        Rc::new(Volume {
            runtime,
            directory,
            memory,
            health,
            wal,
            logs: RefCell::default(),
            recovered: RefCell::new(recovered),
            ready: Cell::new(false),
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

    /// Whether the ring has room for so many bytes of reservations.
    pub fn admits(&self, reserved: usize) -> bool {
        let ring = self.wal.ring();
        // Headers and padding, entries that are moved forward, and the file that is being filled.
        let kept_free = 2 * ring.file_bytes();
        self.health.check().is_err() || self.wal.live_bytes() + reserved as u64 + kept_free <= ring.bytes_max()
    }

    /// Somebody waits for memory or for the ring.
    pub fn make_room(&self) {}

    /// Writes the deletion down, then removes the files.
    pub async fn delete(&self, log: &Log) -> Result<(), StorageError> {
        self.health.check_failed()?;
        self.wal.append(&encode_log_deleted(log.id()), &[], None, None).group.wait().await?;
        log.remove_files().await
    }

    /// Commits what was appended and stops.
    pub async fn close(&self) -> Result<(), StorageError> {
        for log in std::mem::take(&mut *self.logs.borrow_mut()).into_values() {
            log.close();
        }
        self.health.check_failed()?;
        self.wal.close(false).await
    }
}
