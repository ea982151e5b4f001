//! How far a log can be read, as other threads may see it.

use std::sync::atomic::{AtomicI64, Ordering};

/// Kept up to date by the log; outlives it without harm.
#[derive(Debug, Default)]
pub struct VisibleOffsets {
    start: AtomicI64,
    stable: AtomicI64,
    high: AtomicI64,
}

impl VisibleOffsets {
    pub(super) fn new(start: i64, stable: i64, high: i64) -> VisibleOffsets {
        let offsets = VisibleOffsets::default();
        offsets.set(start, stable, high);
        offsets
    }

    /// In this order readers find start <= stable <= high as long as they ask in the opposite one.
    pub(super) fn set(&self, start: i64, stable: i64, high: i64) {
        self.high.store(high, Ordering::SeqCst);
        self.stable.store(stable, Ordering::SeqCst);
        self.start.store(start, Ordering::SeqCst);
    }

    /// First offset there is, last stable offset, high watermark.
    pub fn get(&self) -> (i64, i64, i64) {
        let start = self.start.load(Ordering::SeqCst);
        let stable = self.stable.load(Ordering::SeqCst);
        (start, stable, self.high.load(Ordering::SeqCst))
    }
}
