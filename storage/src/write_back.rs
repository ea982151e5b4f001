//! When tails are written back, when the write-ahead log is trimmed, and when memory is given back: the housekeeping of
//! one log directory on one core.

use std::rc::Rc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::error::StorageError;
use crate::health::Writer;
use crate::log::Log;
use crate::log::write_back::Extent;
use crate::memory::CHUNK_BYTES;
use crate::runtime::Monotonic;
use crate::volume::Volume;
use crate::wal::Lsn;

/// A partition with so much to write is written back at once. Every write-back pays for a sync and an entry of the
/// write-ahead log; this much, and what comes meanwhile, is still one write.
pub(crate) const WRITE_BACK_BYTES: u64 = CHUNK_BYTES as u64 / 4 * 3;
/// A partition that has had something to write for so long is written back however little it is.
const WRITE_BACK_AGE: Duration = Duration::from_secs(10);
/// A partition that nothing was appended to for so long is settled: its last block is written.
const SETTLE_AGE: Duration = Duration::from_secs(30);
/// Without an append for so long, cached tails and free memory are given back.
const IDLE_AGE: Duration = Duration::from_secs(10);
/// So much of the write-ahead log a start may have to read, as far as write-back keeps up.
const REPLAY_BYTES: u64 = 32 << 20;
/// More of it with many partitions: each writes its report, up to 8 KiB, again once per so much, which is to stay a
/// small part.
const REPLAY_BYTES_PER_LOG: u64 = 128 << 10;
/// How often ages are looked at while there is something to write.
const TICK: Duration = Duration::from_millis(200);
/// How many partitions are written back at a time: few, so that commits keep their latency, ...
const AT_A_TIME_MIN: usize = 4;
/// ... but more and more as memory gets short: each mostly waits, and appends must not.
const AT_A_TIME_MAX: usize = 32;
/// Tidying looks at every log: not after each few.
const LOGS_PER_TIDYING: usize = 32;
/// How long a full disk is left alone before the next attempt.
const RETRY_FULL: Duration = Duration::from_secs(1);

/// Works until the volume closes or fails.
pub(crate) async fn run(volume: Rc<Volume>) {
    while !volume.closing.get() && volume.health.check_failed().is_ok() {
        if volume.is_quiet() {
            volume.wake.notified().await;
        } else {
            let _ = volume.runtime.timeout(TICK, volume.wake.notified()).await;
        }
        match pass(&volume).await {
            Ok(()) => {}
            Err(StorageError::Full { .. }) => volume.runtime.sleep(RETRY_FULL).await,
            Err(error) => tracing::warn!(%error, "write-back"),
        }
    }
}

/// One round: write back what is due, trim, give memory back.
async fn pass(volume: &Rc<Volume>) -> Result<(), StorageError> {
    let mut result = Ok(());
    let (mut waiting, mut running) = (due(volume).into_iter(), FuturesUnordered::new());
    for number in 1.. {
        while running.len() < volume.write_backs_max()
            && !volume.closing.get()
            && let Some((log, extent)) = waiting.next()
        {
            running.push(async move { log.write_back(extent).await });
        }
        match running.next().await {
            Some(Ok(()) | Err(StorageError::Closed)) => {}
            Some(Err(error)) => result = Err(error),
            None => break,
        }
        if number % LOGS_PER_TIDYING == 0 {
            volume.tidy();
        }
    }
    if volume.closing.get() {
        return result;
    }
    if result.is_ok() {
        volume.health.set_full(Writer::Segments, false);
    }
    volume.tidy();
    volume.wanted.set(0);
    result
}

/// Logs to write back, the oldest first.
fn due(volume: &Rc<Volume>) -> Vec<(Rc<Log>, Extent)> {
    let (now, goal, memory_goal) = (volume.runtime.now(), volume.trim_goal(), volume.memory_goal());
    let mut due: Vec<(Lsn, Rc<Log>, Extent)> = Vec::new();
    for log in volume.logs.borrow().values() {
        if let Some((lsn, extent)) = log.due(now, goal, memory_goal) {
            due.push((lsn, log.clone(), extent));
        }
    }
    due.sort_by_key(|(lsn, ..)| *lsn);
    due.into_iter().map(|(_, log, extent)| (log, extent)).collect()
}

impl Log {
    /// Whether and how this log is to be written back now.
    fn due(&self, now: Monotonic, goal: Lsn, memory_goal: Lsn) -> Option<(Lsn, Extent)> {
        let state = self.state();
        let needed = state.needed_lsn()?;
        let age = state.dirty_since.map_or(Duration::ZERO, |since| now.since(since));
        if now.since(state.last_append) >= SETTLE_AGE {
            return Some((needed, Extent::Settle));
        }
        let due = state.unwritten_bytes >= WRITE_BACK_BYTES
            || age >= WRITE_BACK_AGE
            || needed < goal
            || state.unwritten_lsn().is_some_and(|lsn| lsn < memory_goal)
            || self.has_unwritten_start(&state);
        due.then_some((needed, Extent::Blocks))
    }
}

impl Volume {
    /// Nothing will become due by waiting.
    fn is_quiet(&self) -> bool {
        !self.ready.get()
            || (self.logs.borrow().values().all(|log| log.state().needed_lsn().is_none()) && !self.has_cache())
    }

    fn has_cache(&self) -> bool {
        !self.order.borrow().is_empty()
    }

    /// The write-ahead log should not be needed below this: what a start reads quickly, at most half of the ring,
    /// less where an append waits for room.
    pub fn trim_goal(&self) -> Lsn {
        let quick = REPLAY_BYTES.max(self.logs.borrow().len() as u64 * REPLAY_BYTES_PER_LOG);
        Lsn(self.wal.next().0.saturating_sub(quick.min(self.keep_bytes_max())))
    }

    /// Nothing below this should be in memory only. What is written back already counts for nothing here, because it can
    /// be dropped at any time: many partitions would be written back in small pieces for it.
    fn memory_goal(&self) -> Lsn {
        let keep = kept_in_memory(self.memory.used_bytes(), self.memory.bytes_max());
        Lsn(self.wal.next().0.saturating_sub(keep as u64))
    }

    /// How many partitions are written back at a time now.
    fn write_backs_max(&self) -> usize {
        at_a_time(self.memory.used_bytes(), self.memory.bytes_max())
    }

    /// Trims, closes files and gives memory back.
    fn tidy(&self) {
        self.trim();
        self.close_files();
        self.give_memory_back();
    }

    /// Lets go of what no log needs.
    pub fn trim(&self) {
        if !self.ready.get() {
            return;
        }
        let needed = self.logs.borrow().values().filter_map(|log| log.state().needed_lsn()).min();
        let held = self.holds.borrow().iter().copied().min();
        let trim = [needed, held, Some(self.wal.durable())].into_iter().flatten().min().unwrap_or_default();
        if trim > self.wal.trimmed() {
            self.wal.set_trim(trim);
            self.memory.wake_first();
        }
        if self.health.is_ring_full() {
            self.wal.publish_trim();
        }
    }

    /// Closes files of logs beyond the bound, those appended to longest ago first. Write-back opens them again.
    pub fn close_files(&self) {
        let logs = self.logs.borrow();
        if logs.len() <= self.open_logs_max.get() {
            return;
        }
        let mut open: Vec<_> = logs.values().filter(|log| log.state().files.file.is_some()).collect();
        let excess = open.len().saturating_sub(self.open_logs_max.get());
        if excess > 0 {
            open.sort_by_key(|log| log.state().last_append);
            open.iter().take(excess).for_each(|log| log.close_files());
        }
    }

    /// Drops cached tails when memory is short, and everything when nobody appends.
    fn give_memory_back(&self) {
        let before = self.memory.used_bytes();
        let idle = self.runtime.now().since(self.last_append.get()) >= IDLE_AGE;
        self.evict(if idle { 0 } else { self.memory.bytes_max() / 2 });
        if idle && self.order.borrow().is_empty() {
            self.open_segments.close_all();
            self.wal.release_chunk();
            self.memory.release_free();
        }
        // Only for a reason: a waiter that is woken in vain wakes write-back in turn.
        if self.memory.used_bytes() < before {
            self.memory.wake_first();
        }
    }

    /// Drops written-back batches, the oldest first, until at most `target` bytes are in use.
    pub fn evict(&self, target: usize) {
        self.memory.reclaim();
        while target == 0 || self.memory.used_bytes() > target {
            let Some((log, next_offset)) = self.order.borrow_mut().pop_front() else { return };
            let Some(log) = log.upgrade() else { continue };
            if !log.drop_cached(next_offset) {
                self.order.borrow_mut().push_front((Rc::downgrade(&log), next_offset));
                return;
            }
            self.memory.reclaim();
        }
    }

    /// Somebody waits for memory or for the ring.
    pub fn make_room(&self, reserved: usize) {
        if !self.admits(reserved) {
            self.wanted.set(reserved as u64);
        }
        if !self.wal.has_room(reserved) {
            self.wal.ring().make_room();
            self.wal.publish_trim();
        }
        self.evict(self.memory.bytes_max() / 2);
        self.wake.notify_one();
    }
}

/// How much of the log may be in memory only, of so much in use: half of the bound, less when it is short.
fn kept_in_memory(used_bytes: usize, bytes_max: usize) -> usize {
    if used_bytes > bytes_max / 4 * 3 { bytes_max / 4 } else { bytes_max / 2 }
}

/// Doubles with each eighth of the bound in use from the fifth on: half of it may be cache.
fn at_a_time(used_bytes: usize, bytes_max: usize) -> usize {
    let eighths = used_bytes.saturating_mul(8) / bytes_max.max(1);
    let doubled = eighths.saturating_sub(4).min(8) as u32;
    (AT_A_TIME_MIN << doubled).min(AT_A_TIME_MAX)
}

#[cfg(test)]
mod tests;
