//! Group commit: while one commit is on its way to the disk the next gathers.

use std::cell::{Cell, OnceCell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

use super::building::{BatchMemory, Building, Sealed, WalStart};
use super::format::{COMMIT_ALIGNMENT, CommitHeader, Lsn};
use super::group::{Committed, Group};
use super::pace::{Gathered, Pace};
use super::ring::Ring;
use super::turns::Turns;
use super::unwritten::{Body, PLACED_BYTES_MIN, Unwritten};
use crate::error::StorageError;
use crate::health::Health;
use crate::memory::Memory;
use crate::runtime::{Durability, Lane, LocalFuture, Monotonic, Runtime};
use crate::statistics::WalStatistics;

/// The most that one write hands to the disk; a larger group takes several.
const WRITE_BYTES_MAX: usize = 4 << 20;
/// How long the log is idle before the durable watermark is written on its own.
const WATERMARK_DELAY: Duration = Duration::from_millis(100);

/// The most that batches of so many bytes take in the log: headers of entries and fragments, fillers, and padding.
fn padded(batch_bytes: usize) -> u64 {
    let fillers = batch_bytes / PLACED_BYTES_MIN * COMMIT_ALIGNMENT;
    (batch_bytes + batch_bytes / 64 + fillers + 2 * COMMIT_ALIGNMENT) as u64
}

/// The write-ahead log of one core in one directory.
pub struct Wal {
    runtime: Runtime,
    pub(super) ring: Rc<Ring>,
    pub(super) memory: Rc<Memory>,
    health: Rc<Health>,
    building: RefCell<Building>,
    pub(super) durable: Cell<Lsn>,
    /// What the newest durable commit says is durable.
    watermark: Cell<Lsn>,
    pub(super) trim: Cell<Lsn>,
    /// The trim point of the newest durable commit.
    published: Cell<Lsn>,
    /// There is something to commit, or the log is to close.
    wake: Notify,
    /// The commit that waits for company has enough.
    enough: Notify,
    is_gathering: Cell<bool>,
    closing: Cell<bool>,
    /// Of an idle moment, perhaps an earlier one: see [`Wal::is_idle_until`].
    timer: RefCell<Option<LocalFuture<()>>>,
    pace: RefCell<Pace>,
    turns: OnceCell<Arc<Turns>>,
    is_at_rest: Cell<bool>,
    /// Numbers for the broker's metrics.
    pub statistics: WalStatistics,
}

/// Where an entry went.
pub struct Position {
    /// Its commit (the first one, if it spans several).
    pub lsn: Lsn,
    /// Completes when it is durable.
    pub group: Rc<Group>,
}

impl Wal {
    /// A log that goes on at `start`; the caller spawns [`Wal::run`].
    pub fn new(runtime: Runtime, ring: Rc<Ring>, memory: Rc<Memory>, health: Rc<Health>, start: WalStart) -> Rc<Wal> {
        Rc::new(Wal {
            runtime,
            ring,
            memory,
            health,
            building: RefCell::new(Building::new(start)),
            durable: Cell::new(start.next),
            // Recovery made everything it kept durable; the first idle moment writes that down.
            watermark: Cell::new(start.trim),
            trim: Cell::new(start.trim),
            published: Cell::new(start.trim),
            wake: Notify::new(),
            enough: Notify::new(),
            is_gathering: Cell::new(false),
            closing: Cell::new(false),
            timer: RefCell::default(),
            pace: RefCell::default(),
            turns: OnceCell::new(),
            is_at_rest: Cell::new(true),
            statistics: WalStatistics::default(),
        })
    }

    /// Tells other threads of this log's commits from now on. Once.
    pub fn tell(&self, turns: Arc<Turns>) {
        turns.join();
        if !self.is_at_rest.get() {
            turns.leave_rest();
        }
        assert!(self.turns.set(turns).is_ok(), "a log tells its core's threads once");
    }

    /// Adds an entry to the commit that gathers. `memory` is given the body's bytes, `header`'s are not kept; `log` is
    /// told `token` once the entry is durable.
    pub fn append(
        &self,
        header: &[u8],
        body: Body<'_>,
        memory: Option<&Rc<BatchMemory>>,
        log: Option<(&Rc<dyn Committed>, i64)>,
    ) -> Position {
        let mut building = self.building.borrow_mut();
        if building.is_empty() {
            self.wake.notify_one();
        }
        let lsn = building.add(self, Unwritten::new(header, body), memory);
        if let Some((log, token)) = log {
            building.group.touch(log, token);
        }
        if self.is_gathering.get() && building.gathered.is_enough() {
            self.enough.notify_one();
        }
        Position { lsn, group: building.group.clone() }
    }

    /// The commit that gathers goes as soon as it can: see [`super::pace`].
    pub fn hurry(&self) {
        self.building.borrow_mut().gathered.in_hurry = true;
        if self.is_gathering.get() {
            self.enough.notify_one();
        }
    }

    /// Waits until everything appended so far is durable.
    pub async fn flush(&self) -> Result<(), StorageError> {
        let group = self.building.borrow().group.clone();
        self.building.borrow_mut().force(self);
        self.wake.notify_one();
        group.wait().await
    }

    /// Everything below is durable.
    pub fn durable(&self) -> Lsn {
        self.durable.get()
    }

    /// Where the next commit goes.
    pub fn next(&self) -> Lsn {
        self.building.borrow().start.next
    }

    /// Nothing below is needed.
    pub fn trimmed(&self) -> Lsn {
        self.trim.get()
    }

    /// Nothing below `lsn` is needed any more; files are reused once a commit that says so is durable.
    pub fn set_trim(&self, lsn: Lsn) {
        assert!(lsn >= self.trim.get() && lsn <= self.next(), "the trim point moves forward and stays behind the end");
        self.trim.set(lsn);
    }

    /// Gives the chunk that commits are built in back: nothing was appended for a while.
    pub fn release_chunk(&self) {
        let mut building = self.building.borrow_mut();
        if building.is_empty() {
            building.retire_chunk(self);
        }
    }

    /// The files.
    pub fn ring(&self) -> &Rc<Ring> {
        &self.ring
    }

    /// Whether so many bytes of batches fit into files that exist and leave their spare room free. Appends that were
    /// let through never wait for the disk to have space: what frees some would wait behind them.
    pub fn has_room(&self, batch_bytes: usize) -> bool {
        self.room_bytes() >= padded(batch_bytes) + self.ring.spare_bytes()
    }

    /// Whether so many bytes fit into the spare room and leave `kept_bytes` of it.
    pub fn has_spare_room(&self, bytes: usize, kept_bytes: u64) -> bool {
        self.room_bytes() >= padded(bytes) + kept_bytes
    }

    fn room_bytes(&self) -> u64 {
        let used = self.next().0 + self.building.borrow().chunk.as_ref().map_or(0, BytesMut::len) as u64;
        self.ring.allocated_end(self.next()).0.saturating_sub(used)
    }

    /// Writes down how far the log is trimmed if files wait for that to be used again.
    pub fn publish_trim(&self) {
        if self.trim.get().0 / self.ring.file_bytes() > self.published.get().0 / self.ring.file_bytes() {
            self.building.borrow_mut().force(self);
            self.wake.notify_one();
        }
    }

    /// Bytes a start would have to read.
    pub fn live_bytes(&self) -> u64 {
        self.next().0 - self.trim.get().0
    }

    /// Stops committing; what was appended before is still written. Waits for it.
    pub async fn close(&self, clean: bool) -> Result<(), StorageError> {
        self.flush().await?;
        if clean {
            // The last commit says that nothing below itself is needed.
            self.trim.set(self.next());
            self.building.borrow_mut().force_clean(self);
            self.flush().await?;
        }
        self.closing.set(true);
        self.wake.notify_one();
        Ok(())
    }

    /// Commits until the log is closed or its directory fails.
    pub async fn run(self: Rc<Wal>) {
        while self.wait_for_work().await {
            self.gather().await;
            let (sealed, group) = self.take();
            if sealed.is_empty() {
                continue;
            }
            #[cfg(feature = "acknowledge-before-commit")]
            super::early::acknowledge(&self.runtime, &group).await;
            let result = self.commit(&sealed).await;
            group.complete(&result);
            self.memory.wake_first();
            if let Err(error) = result {
                self.fail_rest(&error);
                self.set_rest(true);
                return;
            }
        }
    }

    /// Waits for an append; `false` when the log is to close and has written everything. Idle for a moment, the log writes
    /// its watermark.
    async fn wait_for_work(&self) -> bool {
        while self.building.borrow().is_empty() {
            self.set_rest(true);
            if self.closing.get() {
                return false;
            }
            if self.watermark.get() == self.durable.get() {
                self.wake.notified().await;
            } else if self.is_idle_until(self.runtime.now().plus(WATERMARK_DELAY)).await {
                self.building.borrow_mut().force(self);
            }
        }
        self.set_rest(false);
        true
    }

    /// Waits for an append; `true` when none came before `due`. The timer is left running for the next idle moment, which
    /// sets it anew when it is up too early: to set one for each commit, the first of all to be due as often as not, has
    /// the core's reactor wake itself.
    async fn is_idle_until(&self, due: Monotonic) -> bool {
        let mut woken = pin!(self.wake.notified());
        loop {
            let timer = self.timer.take();
            let mut timer = timer.unwrap_or_else(|| self.runtime.sleep_until(due));
            tokio::select! {
                biased;
                () = &mut woken => {
                    self.timer.replace(Some(timer));
                    return false;
                }
                () = &mut timer => if self.runtime.now() >= due { return true },
            }
        }
    }

    fn set_rest(&self, is_at_rest: bool) {
        let was_at_rest = self.is_at_rest.replace(is_at_rest);
        match self.turns.get() {
            Some(turns) if is_at_rest && !was_at_rest => turns.come_to_rest(),
            Some(turns) if was_at_rest && !is_at_rest => turns.leave_rest(),
            _ => {}
        }
    }

    /// Lets the commit find company, where that has paid lately; see [`Pace`].
    async fn gather(&self) {
        self.let_others_append().await;
        let first = self.gathered();
        let until = self.pace.borrow_mut().wait_until(self.runtime.now(), first);
        if let Some(until) = until {
            self.is_gathering.set(true);
            let left = until.since(self.runtime.now());
            self.runtime.timeout(left, self.enough.notified()).await;
            self.is_gathering.set(false);
            self.let_others_append().await;
            self.pace.borrow_mut().waited(self.gathered().entries > first.entries);
        }
        self.pace.borrow_mut().begin(self.runtime.now());
    }

    /// What this turn of the core still has to append goes along in any case, and what other cores left for it.
    async fn let_others_append(&self) {
        if let Some(turns) = self.turns.get() {
            turns.wake();
        }
        self.runtime.yield_now().await;
    }

    fn gathered(&self) -> Gathered {
        self.building.borrow().gathered
    }

    fn take(&self) -> (Vec<Sealed>, Rc<Group>) {
        let mut building = self.building.borrow_mut();
        building.seal(self, false);
        let sealed = std::mem::take(&mut building.sealed);
        building.gathered = Gathered::default();
        if sealed.is_empty() {
            return (sealed, building.group.clone());
        }
        (sealed, std::mem::replace(&mut building.group, Group::new()))
    }

    /// Writes sealed commits: neighbours in one file with one write.
    async fn commit(&self, mut sealed: &[Sealed]) -> Result<(), StorageError> {
        let started = self.runtime.now();
        let mut bytes = 0;
        while let Some(first) = sealed.first() {
            let count = self.joined(sealed);
            let buffers: Vec<Bytes> = sealed[..count].iter().map(|commit| commit.bytes.clone()).collect();
            let write_bytes: u64 = buffers.iter().map(|buffer| buffer.len() as u64).sum();
            let file = self.ring.file_for(first.lsn).await?;
            let position = first.lsn.0 % self.ring.file_bytes();
            let write = self.runtime.disk().write(&file, buffers, position, Durability::Durable, Lane::Commit);
            write.await.map_err(|error| self.commit_failed(first.lsn, &error))?;
            self.committed(&sealed[..count]);
            bytes += write_bytes;
            sealed = &sealed[count..];
        }
        self.statistics.commit(self.runtime.now().since(started), bytes);
        Ok(())
    }

    /// How many of the commits can be written at once.
    fn joined(&self, sealed: &[Sealed]) -> usize {
        let file_of = |commit: &Sealed| commit.lsn.0 / self.ring.file_bytes();
        let mut bytes = 0;
        let fitting = sealed.iter().take_while(|commit| {
            bytes += commit.bytes.len();
            file_of(commit) == file_of(&sealed[0]) && bytes <= WRITE_BYTES_MAX
        });
        fitting.count().max(1)
    }

    fn committed(&self, commits: &[Sealed]) {
        let Some(last) = commits.last() else { return };
        let Ok(header) = CommitHeader::decode(&last.bytes) else { return };
        let end = header.next_lsn();
        assert!(end > self.durable.get(), "commits complete in order");
        // A commit of nothing but the watermark needs no watermark of its own.
        self.watermark.set(if header.payload_bytes == 0 { end } else { header.durable });
        self.durable.set(end);
        self.published.set(header.trim);
        self.ring.release(header.trim);
    }

    /// A commit has nowhere else to go: no space inside an allocated file is as bad as an I/O error.
    fn commit_failed(&self, lsn: Lsn, error: &std::io::Error) -> StorageError {
        self.health.fail(format!("writing the write-ahead log at {}: {error}", lsn.0))
    }

    fn fail_rest(&self, error: &StorageError) {
        let group = self.building.borrow().group.clone();
        group.complete(&Err(error.clone()));
    }
}
