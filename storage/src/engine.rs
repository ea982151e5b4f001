//! One core's logs and the write-ahead logs they share.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use protocol::Uuid;

use crate::compaction::CleanerConfig;
use crate::compaction::run::{Tools, run};
use crate::error::StorageError;
use crate::health::Health;
use crate::ids::LogId;
use crate::log::{Log, LogConfig};
use crate::memory::Memory;
pub use crate::memory::Reservation;
use crate::open;
use crate::opened::Opened;
use crate::quarantine;
use crate::recovery::{self, Recovered};
use crate::retention;
use crate::runtime::Runtime;
use crate::statistics::Statistics;
use crate::volume::Volume;
use crate::wal::ring::Ring;
use crate::wal::scan::scan;
use crate::wal::{Turns, Wal};
use crate::write_back;

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

/// One core's logs.
#[derive(Clone)]
pub struct Engine {
    inner: Rc<Inner>,
}

struct Inner {
    memory: Rc<Memory>,
    volumes: Vec<Rc<Volume>>,
    report: RefCell<RecoveryReport>,
    retention_interval: Rc<Cell<Duration>>,
    cleaner: Rc<Tools>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A log holds its volume, and that its logs: an engine that was not closed would never be freed.
        self.volumes.iter().for_each(|volume| drop(volume.logs.take()));
    }
}

impl Engine {
    /// Reads this core's rings and keeps what they hold until [`Engine::open_log`] claims it.
    pub async fn open(runtime: Runtime, options: EngineOptions) -> Result<Engine, StorageError> {
        let memory = Memory::new(runtime.clone(), options.tail_bytes_max);
        let (mut volumes, mut report) = (Vec::new(), RecoveryReport::default());
        for directory in &options.directories {
            let (volume, bytes) = open_volume(&runtime, &options, directory, &memory).await?;
            report.wal_bytes_replayed += bytes;
            volumes.push(volume);
        }
        let retention_interval = Rc::new(Cell::new(retention::INTERVAL));
        Ok(Engine {
            inner: Rc::new(Inner {
                memory,
                volumes,
                report: RefCell::new(report),
                retention_interval,
                cleaner: Rc::default(),
            }),
        })
    }

    /// Opens or creates a partition's log. A creation is durable before this returns.
    pub async fn open_log(&self, spec: LogSpec) -> Result<Rc<Log>, StorageError> {
        let volume = self.volume(spec.directory)?;
        let (log, replayed) = open::open_log(volume, spec).await?;
        self.inner.report.borrow_mut().batches_replayed += replayed;
        Ok(log)
    }

    fn volume(&self, directory: Uuid) -> Result<&Rc<Volume>, StorageError> {
        let found = self.inner.volumes.iter().find(|volume| volume.directory.id == directory);
        found.ok_or_else(|| StorageError::Refused(format!("log directory {directory} is not one of log.dirs")))
    }

    /// All partitions the metadata knows are open: quarantine the rest, allow trimming, start write-back and retention.
    pub async fn finish_recovery(&self) -> Result<RecoveryReport, StorageError> {
        for volume in &self.inner.volumes {
            let quarantined = quarantine::settle_unclaimed(volume).await?;
            self.inner.report.borrow_mut().quarantined.extend(quarantined);
            volume.ready.set(true);
            let runtime = volume.runtime.clone();
            runtime.spawn(write_back::run(volume.clone()));
            runtime.spawn(retention::run(Rc::downgrade(volume), self.inner.retention_interval.clone()));
        }
        if let Some(first) = self.inner.volumes.first() {
            let volumes = self.inner.volumes.iter().map(Rc::downgrade).collect();
            let runtime = first.runtime.clone();
            runtime.spawn(run(runtime.clone(), volumes, self.inner.cleaner.clone()));
        }
        Ok(self.inner.report.borrow().clone())
    }

    /// Partitions that the rings mention and nobody has opened yet.
    pub(crate) fn recovered_logs(&self) -> Vec<LogId> {
        let mut found = Vec::new();
        for volume in &self.inner.volumes {
            found.extend(volume.recovered.borrow().iter().filter(|(_, log)| !log.deleted).map(|(id, _)| *id));
        }
        found
    }

    /// How often retention looks at every log (`log.retention.check.interval.ms`); takes effect after the current wait.
    pub fn set_retention_interval(&self, interval: Duration) {
        self.inner.retention_interval.set(interval);
    }

    /// How many logs of each directory stay open for writing; beyond it the one appended to longest ago is closed.
    pub fn set_open_logs_max(&self, logs: usize) {
        self.inner.volumes.iter().for_each(|volume| volume.open_logs_max.set(logs));
    }

    /// Tells other threads from now on when this core's logs commit. Once.
    pub fn tell(&self, turns: &Arc<Turns>) {
        self.inner.volumes.iter().for_each(|volume| volume.wal.tell(turns.clone()));
    }

    /// How compaction works (`log.cleaner.*`); takes effect with the next piece it reads.
    pub fn set_cleaner(&self, config: CleanerConfig) {
        self.inner.cleaner.set_config(config);
    }

    /// An open log.
    pub fn log(&self, id: LogId) -> Option<Rc<Log>> {
        self.inner.volumes.iter().find_map(|volume| volume.logs.borrow().get(&id).cloned())
    }

    /// Deletes a partition's log; durable (it will not come back) before this returns. Readers that hold segments keep
    /// them until they are done.
    pub async fn delete_log(&self, id: LogId) -> Result<(), StorageError> {
        let volume = self.inner.volumes.iter().find(|volume| volume.logs.borrow().contains_key(&id));
        let volume = volume.ok_or(StorageError::Closed)?;
        // While it waits the log stays: what a start needs of it must not be trimmed before the deletion is written down.
        volume.room_for_deletion_in_the_end().await?;
        let log = volume.logs.borrow_mut().remove(&id).ok_or(StorageError::Closed)?;
        log.close();
        volume.delete(&log).await
    }

    /// Waits, first come first served, until `bytes` more may be appended. Nobody waits while all directories are full:
    /// the append is refused at once.
    pub async fn reserve(&self, bytes: usize) -> Result<Reservation, StorageError> {
        self.reserve_unless(bytes, || self.inner.volumes.iter().all(|volume| volume.health.check().is_err())).await
    }

    /// For an append that leads to space being freed: a full directory takes it as long as its spare room lasts.
    pub async fn reserve_spare(&self, bytes: usize) -> Result<Reservation, StorageError> {
        let full = || self.inner.volumes.iter().any(|volume| volume.health.is_full());
        Ok(self.reserve_unless(bytes, full).await?.into_spare())
    }

    async fn reserve_unless(&self, bytes: usize, passes: impl Fn() -> bool) -> Result<Reservation, StorageError> {
        let volumes = &self.inner.volumes;
        // Tails of a failed directory are never written back: with none left, nobody may wait.
        if let Some(error) = volumes.iter().map(|volume| volume.health.check_failed()).find(Result::is_err)
            && volumes.iter().all(|volume| volume.health.check_failed().is_err())
        {
            error?;
        }
        volumes.iter().for_each(|volume| volume.fit_ring_to_append(bytes));
        let admits = |reserved: usize| volumes.iter().all(|volume| volume.admits(reserved));
        let make_room = |reserved: usize| volumes.iter().for_each(|volume| volume.make_room(reserved));
        Ok(self.inner.memory.reserve(bytes, admits, make_room, passes).await)
    }

    /// Registers what to do when a log directory fails: called once for each, with its path and the reason.
    pub fn on_failure(&self, listener: impl Fn(&Path, &StorageError) + Clone + 'static) {
        for volume in &self.inner.volumes {
            let (listener, path) = (listener.clone(), volume.path().to_owned());
            volume.health.on_failure(Box::new(move |error| listener(&path, error)));
        }
    }

    /// Numbers for metrics; the samples are those since the last call.
    pub fn statistics(&self) -> Statistics {
        let mut statistics = Statistics {
            tail_bytes: self.inner.memory.used_bytes() as u64,
            tail_bytes_max: self.inner.memory.bytes_max() as u64,
            cleaner: *self.inner.cleaner.statistics.borrow(),
            reservations_waiting: self.inner.memory.waiting() as u64,
            ..Statistics::default()
        };
        for volume in &self.inner.volumes {
            let wal = &volume.wal;
            statistics.commits += wal.statistics.commits();
            statistics.commit_bytes += wal.statistics.bytes();
            statistics.commit_samples.extend(wal.statistics.take_samples());
            statistics.wal_bytes += wal.ring().bytes();
            statistics.wal_live_bytes += wal.live_bytes();
            statistics.write_back_bytes += volume.write_back_bytes.get();
            let logs = volume.logs.borrow();
            statistics.write_back_lag_bytes += logs.values().map(|log| log.state().unwritten_bytes).sum::<u64>();
        }
        statistics
    }

    /// Clean shutdown: commits, writes everything back, cuts segments to their length, marks the directory clean. The
    /// next start replays nothing.
    pub async fn close(&self) -> Result<(), StorageError> {
        let mut result = Ok(());
        for volume in &self.inner.volumes {
            let closed = volume.close().await;
            result = result.and(closed);
        }
        result
    }
}

async fn open_volume(
    runtime: &Runtime,
    options: &EngineOptions,
    directory: &LogDirectory,
    memory: &Rc<Memory>,
) -> Result<(Rc<Volume>, u64), StorageError> {
    let health = Rc::new(Health::new(&directory.path));
    let path = Volume::wal_path(&directory.path, options.core);
    let made = runtime.disk().create_directory_all(&path).await;
    made.map_err(|error| health.write_failed("making the write-ahead log's directory", &error))?;
    for parent in [path.parent(), Some(&*directory.path)].into_iter().flatten() {
        let synced = runtime.disk().sync_directory(parent).await;
        synced.map_err(|error| health.write_failed("syncing the log directory", &error))?;
    }
    let mut recovered = Recovered::new();
    let mut visit = |lsn, entry| {
        recovery::apply(&mut recovered, lsn, entry);
        Ok(())
    };
    let scan = scan(runtime, &path, options.wal_file_bytes, &mut visit).await?;
    let ring = Ring::new(runtime.clone(), health.clone(), scan.files, options.wal_bytes_max);
    let wal = Wal::new(runtime.clone(), ring, memory.clone(), health.clone(), scan.start);
    runtime.spawn(wal.clone().run());
    let opened = Opened::load(runtime, &directory.path, options.core).await;
    let opened = opened.map_err(|error| health.write_failed("reading which partitions were opened", &error))?;
    let volume = Volume::new(runtime.clone(), directory.clone(), memory.clone(), health, wal, opened, recovered);
    Ok((volume, scan.bytes))
}
