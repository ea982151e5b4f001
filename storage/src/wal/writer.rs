//! Group commit: while one commit is on its way to the disk the next gathers. No timers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

use super::format::{
    COMMIT_ALIGNMENT, COMMIT_HEADER_BYTES, CommitHeader, FRAGMENT_HEADER_BYTES, Fragment, Lsn, header_crc,
};
use super::group::{Committed, Group};
use super::ring::Ring;
use crate::error::StorageError;
use crate::health::Health;
use crate::memory::{CHUNK_BYTES, Memory};
use crate::runtime::{Durability, Lane, Runtime};
use crate::statistics::WalStatistics;

/// The most that one write hands to the disk; a larger group takes several.
const WRITE_BYTES_MAX: usize = 4 << 20;
/// How long the log is idle before the durable watermark is written on its own.
const WATERMARK_DELAY: Duration = Duration::from_millis(100);

/// The most that batches of so many bytes take in the log: headers of entries and fragments, and padding.
fn padded(batch_bytes: usize) -> u64 {
    (batch_bytes + batch_bytes / 64 + 2 * COMMIT_ALIGNMENT) as u64
}

/// The memory of one batch: slices of the chunks its commits were built in, filled in when these are sealed.
#[derive(Default)]
pub struct BatchMemory {
    parts: RefCell<Vec<Bytes>>,
}

impl BatchMemory {
    /// Memory that exists already.
    pub fn new(parts: Vec<Bytes>) -> Rc<BatchMemory> {
        Rc::new(BatchMemory { parts: RefCell::new(parts) })
    }

    /// The slices, in order.
    pub fn parts(&self) -> Vec<Bytes> {
        self.parts.borrow().clone()
    }

    /// Adds the slices to `rope`.
    pub fn append_to(&self, rope: &mut Vec<Bytes>) {
        rope.extend(self.parts.borrow().iter().cloned());
    }

    /// Moves the bytes out of their chunks into memory of their own, so that the chunks can be used again.
    pub fn detach(&self) {
        let mut parts = self.parts.borrow_mut();
        let copy = Bytes::from(parts.concat());
        *parts = vec![copy];
    }
}

/// Where a log's own history goes on.
#[derive(Debug, Clone, Copy, Default)]
pub struct WalStart {
    /// See [`CommitHeader::ring_id`].
    pub ring_id: u64,
    /// Number of this opening.
    pub incarnation: u32,
    /// Header checksum of the last commit kept.
    pub previous_crc: u32,
    /// Where the next commit goes.
    pub next: Lsn,
    /// Nothing below is needed.
    pub trim: Lsn,
}

struct Sealed {
    lsn: Lsn,
    bytes: Bytes,
}

/// A batch, and the piece of the open commit that holds some of it.
type Fill = (Rc<BatchMemory>, usize, usize);

struct Building {
    start: WalStart,
    /// The chunk; its filled part is the open commit. `None` before the first append and when idle.
    chunk: Option<BytesMut>,
    /// How long the open commit may get.
    limit: usize,
    sealed: Vec<Sealed>,
    /// Batches with a piece in the open commit, and where in it.
    fills: Vec<Fill>,
    group: Rc<Group>,
}

/// The write-ahead log of one core in one directory.
pub struct Wal {
    runtime: Runtime,
    ring: Rc<Ring>,
    memory: Rc<Memory>,
    health: Rc<Health>,
    building: RefCell<Building>,
    durable: Cell<Lsn>,
    /// What the newest durable commit says is durable.
    watermark: Cell<Lsn>,
    trim: Cell<Lsn>,
    /// The trim point of the newest durable commit.
    published: Cell<Lsn>,
    wake: Notify,
    closing: Cell<bool>,
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
            building: RefCell::new(Building {
                start,
                chunk: None,
                limit: 0,
                sealed: Vec::new(),
                fills: Vec::new(),
                group: Group::new(),
            }),
            durable: Cell::new(start.next),
            // Recovery made everything it kept durable; the first idle moment writes that down.
            watermark: Cell::new(start.trim),
            trim: Cell::new(start.trim),
            published: Cell::new(start.trim),
            wake: Notify::new(),
            closing: Cell::new(false),
            statistics: WalStatistics::default(),
        })
    }

    /// Adds an entry to the commit that gathers. `memory` is given the body's bytes, `header`'s are not kept; `log` is
    /// told `token` once the entry is durable.
    pub fn append(
        &self,
        header: &[u8],
        body: &[&[u8]],
        memory: Option<&Rc<BatchMemory>>,
        log: Option<(&Rc<dyn Committed>, i64)>,
    ) -> Position {
        let mut building = self.building.borrow_mut();
        let mut rest_bytes = header.len() + body.iter().map(|part| part.len()).sum::<usize>();
        let mut slices = std::iter::once(header).chain(body.iter().copied());
        let mut slice: &[u8] = slices.next().unwrap_or(&[]);
        let mut unkept = header.len();
        let mut lsn = None;
        while rest_bytes > 0 {
            let room = self.room(&mut building);
            let take = room.min(rest_bytes);
            let fragment = Fragment { first: lsn.is_none(), last: take == rest_bytes, bytes: take as u32 };
            lsn.get_or_insert(building.start.next);
            let (chunk, fills) = building.open_parts();
            chunk.extend_from_slice(&fragment.encode());
            let start = chunk.len() + unkept.min(take);
            unkept -= unkept.min(take);
            let mut copied = 0;
            while copied < take {
                if slice.is_empty() {
                    slice = slices.next().unwrap_or(&[]);
                    continue;
                }
                let (now, later) = slice.split_at(slice.len().min(take - copied));
                chunk.extend_from_slice(now);
                copied += now.len();
                slice = later;
            }
            if let Some(memory) = memory
                && start < chunk.len()
            {
                fills.push((memory.clone(), start, chunk.len()));
            }
            rest_bytes -= take;
        }
        if let Some((log, token)) = log {
            building.group.touch(log, token);
        }
        self.wake.notify_one();
        Position { lsn: lsn.unwrap_or(building.start.next), group: building.group.clone() }
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
        loop {
            if self.building.borrow().is_empty() {
                if self.closing.get() {
                    return;
                }
                self.wait_for_work().await;
            }
            let (sealed, group) = self.take();
            if sealed.is_empty() {
                continue;
            }
            let result = self.commit(&sealed).await;
            group.complete(&result);
            self.memory.wake_first();
            if let Err(error) = result {
                self.fail_rest(&error);
                return;
            }
        }
    }

    /// Waits for an append. Idle for a moment, the log writes its watermark.
    async fn wait_for_work(&self) {
        if self.watermark.get() == self.durable.get() {
            return self.wake.notified().await;
        }
        if self.runtime.timeout(WATERMARK_DELAY, self.wake.notified()).await.is_none() {
            self.building.borrow_mut().force(self);
        }
    }

    fn take(&self) -> (Vec<Sealed>, Rc<Group>) {
        let mut building = self.building.borrow_mut();
        building.seal(self, false);
        let sealed = std::mem::take(&mut building.sealed);
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

impl Wal {
    /// Bytes that the open commit takes yet; opens one if need be.
    fn room(&self, building: &mut Building) -> usize {
        let used = building.chunk.as_ref().map_or(0, BytesMut::len);
        if used > 0 && used + FRAGMENT_HEADER_BYTES < building.limit {
            return building.limit - used - FRAGMENT_HEADER_BYTES;
        }
        building.seal(self, false);
        building.open(self);
        building.limit - COMMIT_HEADER_BYTES - FRAGMENT_HEADER_BYTES
    }
}

impl Building {
    fn is_empty(&self) -> bool {
        self.sealed.is_empty() && self.chunk.as_ref().is_none_or(BytesMut::is_empty)
    }

    fn open_parts(&mut self) -> (&mut BytesMut, &mut Vec<Fill>) {
        (self.chunk.as_mut().expect("a commit is open: room() was called"), &mut self.fills)
    }

    fn retire_chunk(&mut self, wal: &Wal) {
        if let Some(remainder) = self.chunk.take() {
            wal.memory.retire(remainder);
        }
    }

    /// Begins a commit: as long as the chunk's rest, the file's rest and the format allow.
    fn open(&mut self, wal: &Wal) {
        if self.chunk.as_ref().is_none_or(|chunk| chunk.capacity() < COMMIT_ALIGNMENT) {
            self.retire_chunk(wal);
            self.chunk = Some(wal.memory.take_chunk());
        }
        let chunk = self.chunk.as_mut().expect("just set");
        let file_rest = wal.ring.file_bytes() - self.start.next.0 % wal.ring.file_bytes();
        let chunk_rest = chunk.capacity() / COMMIT_ALIGNMENT * COMMIT_ALIGNMENT;
        self.limit = chunk_rest.min(CHUNK_BYTES).min(usize::try_from(file_rest).unwrap_or(usize::MAX));
        chunk.extend_from_slice(&[0; COMMIT_HEADER_BYTES]);
    }

    /// Makes sure that the next commit is written even if it holds nothing.
    fn force(&mut self, wal: &Wal) {
        if self.is_empty() {
            self.open(wal);
        }
    }

    fn force_clean(&mut self, wal: &Wal) {
        self.force(wal);
        self.seal(wal, true);
    }

    /// Ends the open commit: header, padding, and the memory of its batches.
    fn seal(&mut self, wal: &Wal, clean: bool) {
        let Some(chunk) = self.chunk.as_mut().filter(|chunk| !chunk.is_empty()) else { return };
        let mut commit_bytes = chunk.len();
        chunk.resize(commit_bytes.next_multiple_of(COMMIT_ALIGNMENT), 0);
        let mut commit = chunk.split();
        let payload = &commit[COMMIT_HEADER_BYTES..commit_bytes];
        let header = CommitHeader {
            clean,
            ring_id: self.start.ring_id,
            incarnation: self.start.incarnation,
            previous_crc: self.start.previous_crc,
            lsn: self.start.next,
            payload_bytes: payload.len() as u32,
            payload_crc: crc32c::crc32c(payload),
            durable: wal.durable.get(),
            trim: wal.trim.get(),
            file_bytes: wal.ring.file_bytes(),
        };
        let encoded = header.encode();
        commit[..COMMIT_HEADER_BYTES].copy_from_slice(&encoded);
        commit_bytes = commit.len();
        let bytes = commit.freeze();
        for (memory, start, end) in self.fills.drain(..) {
            memory.parts.borrow_mut().push(bytes.slice(start..end));
        }
        self.sealed.push(Sealed { lsn: self.start.next, bytes });
        self.start.previous_crc = header_crc(&encoded);
        self.start.next = Lsn(self.start.next.0 + commit_bytes as u64);
    }
}
