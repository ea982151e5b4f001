//! Plain counters that the broker reads for its metrics; nothing here costs more than an addition.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use crate::compaction::CleanerStatistics;

/// The most samples kept between two readings; later ones are dropped, the sums stay right.
const SAMPLES_MAX: usize = 4096;

/// Of one write-ahead log.
#[derive(Default)]
pub struct WalStatistics {
    commits: Cell<u64>,
    bytes: Cell<u64>,
    samples: RefCell<Vec<CommitSample>>,
}

/// One commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitSample {
    /// From the start of its write to durable.
    pub latency: Duration,
    /// Bytes written, headers and padding included.
    pub bytes: u64,
}

impl WalStatistics {
    /// Counts a commit.
    pub fn commit(&self, latency: Duration, bytes: u64) {
        self.commits.set(self.commits.get() + 1);
        self.bytes.set(self.bytes.get() + bytes);
        let mut samples = self.samples.borrow_mut();
        if samples.len() < SAMPLES_MAX {
            samples.push(CommitSample { latency, bytes });
        }
    }

    /// Commits so far.
    pub fn commits(&self) -> u64 {
        self.commits.get()
    }

    /// Bytes committed so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// Hands over the commits since the last call.
    pub fn take_samples(&self) -> Vec<CommitSample> {
        self.samples.take()
    }
}

/// What an engine holds and has done, for metrics.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    /// Commits since the start, all directories.
    pub commits: u64,
    /// Bytes committed since the start.
    pub commit_bytes: u64,
    /// Commits since the last call.
    pub commit_samples: Vec<CommitSample>,
    /// Size of the rings' files.
    pub wal_bytes: u64,
    /// Bytes a start would have to read.
    pub wal_live_bytes: u64,
    /// Memory behind tails, cached tails and responses that pin them, reservations included.
    pub tail_bytes: u64,
    /// Its bound.
    pub tail_bytes_max: u64,
    /// Appends that wait for memory or for the ring.
    pub reservations_waiting: u64,
    /// Bytes that are in the write-ahead log only.
    pub write_back_lag_bytes: u64,
    /// Bytes written to segments since the start.
    pub write_back_bytes: u64,
    /// What compaction did.
    pub cleaner: CleanerStatistics,
}
