//! When logs are cleaned: one task a core picks the dirtiest, again and again, and rests when none is dirty enough.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::clean::Cleaning;
use super::plan::Dirt;
use crate::error::StorageError;
use crate::log::Log;
use crate::runtime::{Monotonic, Runtime};
use crate::volume::Volume;

/// How long a log is left alone that could not be cleaned.
const RETRY: Duration = Duration::from_secs(60);
/// How long the cleaner sleeps at most before it looks whether it has to stop.
const NAP_MAX: Duration = Duration::from_millis(200);
/// The least that is read at once.
const PIECE_BYTES_MIN: usize = 64 << 10;

/// The broker's settings of `log.cleaner.*`, for one core.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CleanerConfig {
    /// Whether it works at all (`log.cleaner.threads` above 0).
    pub enabled: bool,
    /// Bytes a second read and written (`log.cleaner.io.max.bytes.per.second`, this core's share).
    pub io_bytes_per_second: f64,
    /// Memory for the keys of one pass (`log.cleaner.dedupe.buffer.size`, this core's share).
    pub dedupe_buffer_bytes: usize,
    /// How full it may get (`log.cleaner.io.buffer.load.factor`).
    pub load_factor: f64,
    /// Memory for reading and writing (`log.cleaner.io.buffer.size`, this core's share).
    pub io_buffer_bytes: usize,
    /// The pause when nothing is dirty (`log.cleaner.backoff.ms`).
    pub backoff: Duration,
    /// A cleaned segment may not become larger: Kafka's tools read positions in 32 bits. For tests.
    pub segment_bytes_max: u64,
}

impl Default for CleanerConfig {
    fn default() -> CleanerConfig {
        CleanerConfig {
            enabled: true,
            io_bytes_per_second: f64::MAX,
            dedupe_buffer_bytes: 128 << 20,
            load_factor: 0.9,
            io_buffer_bytes: 512 << 10,
            backoff: Duration::from_secs(15),
            segment_bytes_max: i32::MAX as u64,
        }
    }
}

/// What one core's cleaner has done, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CleanerStatistics {
    /// Passes that ended well.
    pub runs: u64,
    /// Bytes read since the start, for keys and for filtering.
    pub bytes_read: u64,
    /// Bytes written since the start.
    pub bytes_written: u64,
    /// Dirty share of the dirtiest log when it was last looked, from 0 to 1.
    pub max_dirty_ratio: f64,
    /// When it last looked; zero: never.
    pub last_looked: Monotonic,
    /// How long the last pass took.
    pub last_duration: Duration,
    /// Bytes written by the last pass for each byte it filtered.
    pub last_recopy_ratio: f64,
    /// How full the key map was in the last pass, from 0 to 1.
    pub last_utilization: f64,
    /// Logs that are left alone because they are damaged.
    pub uncleanable: u64,
}

/// What cleaning needs beside the log.
#[derive(Default)]
pub(crate) struct Tools {
    config: Cell<CleanerConfig>,
    /// Until then what was read and written is paid for.
    paid_until: Cell<Monotonic>,
    pub statistics: RefCell<CleanerStatistics>,
}

impl Tools {
    pub fn config(&self) -> CleanerConfig {
        self.config.get()
    }

    pub fn set_config(&self, config: CleanerConfig) {
        self.config.set(config);
    }

    pub fn key_bytes_max(&self) -> usize {
        self.config().dedupe_buffer_bytes
    }

    /// Half for reading, half for writing, as Kafka shares it out.
    pub fn piece_bytes(&self) -> usize {
        (self.config().io_buffer_bytes / 2).max(PIECE_BYTES_MIN)
    }

    /// Waits until `bytes` more may have been read or written, or until cleaning has to `stop`.
    pub async fn throttle(&self, runtime: &Runtime, bytes: u64, stop: impl Fn() -> bool) {
        let (now, rate) = (runtime.now(), self.config().io_bytes_per_second);
        let seconds = if rate > 0.0 { (bytes as f64 / rate).min(3600.0) } else { 0.0 };
        let until = self.paid_until.get().max(now).plus(Duration::from_secs_f64(seconds));
        self.paid_until.set(until);
        runtime.yield_now().await;
        let soon = Duration::from_millis(1);
        while until > runtime.now().plus(soon) && !stop() {
            runtime.sleep_until(until.min(runtime.now().plus(NAP_MAX))).await;
        }
    }
}

/// Cleans until the volumes close.
pub(crate) async fn run(runtime: Runtime, volumes: Vec<Weak<Volume>>, tools: Rc<Tools>) {
    loop {
        let backoff = tools.config().backoff.max(Duration::from_millis(1));
        runtime.sleep(backoff).await;
        while let Some(true) = round(&runtime, &volumes, &tools).await {}
        let closing = |volume: &Weak<Volume>| volume.upgrade().is_none_or(|volume| volume.closing.get());
        if volumes.iter().all(closing) {
            return;
        }
    }
}

/// Cleans the dirtiest log; whether there was one.
async fn round(runtime: &Runtime, volumes: &[Weak<Volume>], tools: &Rc<Tools>) -> Option<bool> {
    if !tools.config().enabled {
        return None;
    }
    let (log, dirt) = dirtiest(runtime, volumes, tools).await?;
    let start = runtime.now();
    match log.clean(dirt, tools).await {
        Ok(done) => {
            let duration = runtime.now().since(start);
            tracing::info!(
                log = log.name(),
                from = dirt.from,
                to = done.clean,
                records = done.records.0,
                kept = done.records.1,
                bytes = done.bytes_read,
                bytes_kept = done.bytes_written,
                ?duration,
                "compacted"
            );
            tools.statistics.borrow_mut().count(done, duration);
            Some(true)
        }
        Err(error) => {
            let cleaning = &mut log.state_mut().cleaning;
            cleaning.retry_at = runtime.now().plus(RETRY);
            match error {
                StorageError::Closed => {}
                StorageError::Corrupt { .. } => {
                    tracing::error!(log = log.name(), %error, "not compacted until the next start");
                    cleaning.uncleanable = true;
                }
                _ => tracing::warn!(log = log.name(), %error, "not compacted for now"),
            }
            Some(true)
        }
    }
}

/// The log with the largest dirty share of those that are dirty enough.
async fn dirtiest(runtime: &Runtime, volumes: &[Weak<Volume>], tools: &Tools) -> Option<(Rc<Log>, Dirt)> {
    let volumes = volumes.iter().filter_map(Weak::upgrade).filter(|volume| !volume.closing.get());
    let logs: Vec<Rc<Log>> = volumes.flat_map(|volume| volume.compacted_logs()).collect();
    let (mut ratio_max, mut best): (f64, Option<(f64, Rc<Log>, Dirt)>) = (0.0, None);
    let mut uncleanable = 0;
    for log in logs {
        uncleanable += u64::from(log.state().cleaning.uncleanable);
        let (dirt, overdue) = match log.dirt().await {
            Ok(Some(found)) => found,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(log = log.name(), %error, "how dirty it is cannot be told");
                continue;
            }
        };
        let ratio = dirt.ratio();
        ratio_max = ratio_max.max(ratio);
        let enough = dirt.dirty_bytes > 0 && (overdue || ratio > log.state().config.compaction.min_dirty_ratio);
        if enough && best.as_ref().is_none_or(|(most, ..)| ratio > *most) {
            best = Some((ratio, log, dirt));
        }
    }
    let mut statistics = tools.statistics.borrow_mut();
    statistics.max_dirty_ratio = ratio_max;
    statistics.last_looked = runtime.now();
    statistics.uncleanable = uncleanable;
    best.map(|(_, log, dirt)| (log, dirt))
}

impl CleanerStatistics {
    fn count(&mut self, done: Cleaning, duration: Duration) {
        self.runs += 1;
        self.bytes_read += done.bytes_indexed + done.bytes_read;
        self.bytes_written += done.bytes_written;
        self.last_duration = duration;
        self.last_recopy_ratio = done.bytes_written as f64 / done.bytes_read.max(1) as f64;
        self.last_utilization = done.utilization;
    }
}
