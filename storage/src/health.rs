//! Whether a log directory may be written: it fails for good with the first I/O error, and it may be full for a while.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::sync::Notify;

use crate::error::StorageError;
use crate::runtime::Runtime;

/// Called once, with the reason, when a directory fails.
pub type FailureListener = Box<dyn Fn(&StorageError)>;

/// Who found the disk full; space for one is not space for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// Making a file of the ring.
    Ring,
    /// Writing segments and what belongs to them.
    Segments,
}

/// The state of one log directory on one core.
pub struct Health {
    directory: String,
    failed: RefCell<Option<StorageError>>,
    full: [Cell<bool>; 2],
    listeners: RefCell<Vec<FailureListener>>,
    changed: Notify,
}

impl Health {
    /// A healthy directory.
    pub fn new(directory: &Path) -> Health {
        Health {
            directory: directory.display().to_string(),
            failed: RefCell::new(None),
            full: [Cell::new(false), Cell::new(false)],
            listeners: RefCell::default(),
            changed: Notify::new(),
        }
    }

    /// The error an append gets at once, if the directory has failed or is full.
    pub fn check(&self) -> Result<(), StorageError> {
        self.check_failed()?;
        if self.is_full() { Err(self.full_error()) } else { Ok(()) }
    }

    /// The error everything gets once the directory has failed.
    pub fn check_failed(&self) -> Result<(), StorageError> {
        self.failed.borrow().clone().map_or(Ok(()), Err)
    }

    /// Whether the ring cannot be made larger.
    pub fn is_ring_full(&self) -> bool {
        self.full[Writer::Ring as usize].get()
    }

    /// Whether writes are refused for want of space.
    pub fn is_full(&self) -> bool {
        self.full.iter().any(Cell::get)
    }

    /// There is space again, or there is none any more.
    pub fn set_full(&self, writer: Writer, full: bool) {
        let before = self.is_full();
        self.full[writer as usize].set(full);
        if self.is_full() != before {
            if full {
                tracing::warn!(directory = %self.directory, "log directory is full: writes are refused until space is free");
            } else {
                tracing::info!(directory = %self.directory, "log directory has space again: writes resume");
            }
            self.changed.notify_waiters();
        }
    }

    /// Registers what to do when the directory fails; called at once if it has failed already.
    pub fn on_failure(&self, listener: FailureListener) {
        let failed = self.failed.borrow().clone();
        match failed {
            Some(error) => listener(&error),
            None => self.listeners.borrow_mut().push(listener),
        }
    }

    /// Judges a failed write or sync: a full disk passes, anything else closes the directory for the life of the
    /// process, because what the kernel kept of the data is unknown (reliability: fsyncgate).
    pub fn write_failed(&self, what: &str, error: &io::Error) -> StorageError {
        if is_no_space(error) {
            self.set_full(Writer::Segments, true);
            return self.full_error();
        }
        self.fail(format!("{what}: {error}"))
    }

    /// Closes the directory.
    pub fn fail(&self, reason: String) -> StorageError {
        if let Some(error) = self.failed.borrow().clone() {
            return error;
        }
        let error = StorageError::DirectoryFailed { directory: self.directory.clone(), reason };
        tracing::error!(%error, "log directory closed");
        *self.failed.borrow_mut() = Some(error.clone());
        let listeners = self.listeners.take();
        for listener in &listeners {
            listener(&error);
        }
        self.changed.notify_waiters();
        error
    }

    /// A failed read: the reader is told, the directory stays open.
    pub fn read_failed(&self, what: &str, error: &io::Error) -> StorageError {
        StorageError::DirectoryFailed { directory: self.directory.clone(), reason: format!("{what}: {error}") }
    }

    /// Completes when the directory fails, fills up or has space again.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Waits so long, or until the directory is full or has failed.
    pub async fn sleep_unless_full(&self, runtime: &Runtime, duration: Duration) {
        let deadline = runtime.now().0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
        loop {
            let changed = self.changed.notified();
            let left = Duration::from_nanos(deadline.saturating_sub(runtime.now().0));
            if self.is_full() || self.check_failed().is_err() || runtime.timeout(left, changed).await.is_none() {
                return;
            }
        }
    }

    /// What an append gets that finds no room.
    pub fn full_error(&self) -> StorageError {
        StorageError::Full { directory: self.directory.clone() }
    }
}

/// ENOSPC and EDQUOT: no space, or none left for us.
pub fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
