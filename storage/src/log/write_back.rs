//! Moving a log's tail into its segments. Whole blocks only; what does not fill one travels in the write-ahead log with
//! the entry that says how far the file is synced, so that such an entry covers every batch written before it.
//!
//! The order that makes a crash harmless: before a file is touched, an entry that says what of it counts is durable.
//! Then blocks are written and synced, then the next such entry follows, and only then is older history let go.

use std::io;
use std::rc::Rc;

use bytes::{Buf, Bytes, BytesMut};

use super::Log;
use super::state::{Head, Plan};
use crate::error::StorageError;
use crate::ids::Offset;
use crate::memory::{CHUNK_BYTES, aligned_zeros};
use crate::runtime::{BLOCK_BYTES, Durability, File, Lane, OpenOptions};
use crate::segment::{
    CHECKSUM_HEADER_BYTES, ChecksumHeader, FileKind, Indexer, checksum_position, encode_checksums, file_name,
};
use crate::segment_file::{Segment, replace_file};
use crate::volume::Volume;
use crate::wal::{Lsn, SegmentSynced};

/// Bytes written before the next sync.
const ROUND_BYTES_MAX: u64 = 8 << 20;
/// A larger producer snapshot goes to a file rather than into the write-ahead log.
const INLINE_SNAPSHOT_BYTES_MAX: usize = 16 * 1024;
/// Where a log start beyond the first segment's base is kept.
pub(crate) const LOG_START_FILE: &str = "log-start-offset";
/// Kafka's file of leader epochs.
pub(crate) const LEADER_EPOCH_FILE: &str = "leader-epoch-checkpoint";

/// How far a write-back goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All that is committed, except what does not fill a block.
    Blocks,
    /// Also the last block: afterwards the files say everything and the log needs nothing of the write-ahead log.
    Settle,
}

/// What a file's content will be once synced.
struct Progress {
    segment_base_offset: i64,
    position: u64,
    residue: Bytes,
    next_offset: i64,
}

impl Log {
    /// Writes back what is committed. Does nothing if somebody else is at it.
    pub(crate) async fn write_back(self: &Rc<Log>, extent: Extent) -> Result<(), StorageError> {
        if std::mem::replace(&mut self.state.borrow_mut().files.busy, true) {
            return Ok(());
        }
        let result = self.write_back_all(extent).await;
        self.state.borrow_mut().files.busy = false;
        result
    }

    /// Settles the log for good; whether the files say everything now.
    pub(crate) async fn settle_and_close(self: &Rc<Log>) -> Result<bool, StorageError> {
        self.wait_for_write_back().await;
        // What was appended and not committed yet.
        self.durable_up_to(self.end.get()).await?;
        self.write_back(Extent::Settle).await?;
        self.close();
        Ok(self.state.borrow().needed_lsn().is_none())
    }

    /// Waits until nobody writes the log's files.
    pub(crate) async fn wait_for_write_back(&self) {
        while self.state.borrow().files.busy {
            self.volume.runtime.sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    async fn write_back_all(self: &Rc<Log>, extent: Extent) -> Result<(), StorageError> {
        self.write_log_start().await?;
        let needed = self.state.borrow().needed_lsn().is_some();
        if !needed {
            return Ok(());
        }
        self.prepare().await?;
        let end = self.high.get();
        loop {
            self.check_open()?;
            let plan = self.state.borrow().plan(end, ROUND_BYTES_MAX);
            let Some(plan) = plan else { break };
            if plan.segment_base_offset != self.active() {
                self.roll(plan.segment_base_offset).await?;
            }
            self.write(plan).await?;
        }
        self.renew_report().await?;
        let covered = self.state.borrow().files.next_offset == self.end.get();
        if extent == Extent::Settle && covered { self.settle().await } else { Ok(()) }
    }

    /// Begins an empty segment at the log end, so that all others may be removed. `false` if somebody appends.
    pub(crate) async fn roll_empty(self: &Rc<Log>) -> Result<bool, StorageError> {
        if std::mem::replace(&mut self.state.borrow_mut().files.busy, true) {
            return Ok(false);
        }
        let result = self.roll_empty_busy().await;
        self.state.borrow_mut().files.busy = false;
        result
    }

    async fn roll_empty_busy(self: &Rc<Log>) -> Result<bool, StorageError> {
        self.prepare().await?;
        let end = self.end.get();
        {
            let mut state = self.state.borrow_mut();
            if state.files.next_offset != end || state.files.active == end {
                return Ok(false);
            }
            // From here on appends go to the new segment.
            let created_ms = self.volume.runtime.wall_clock_ms();
            state.head = Head { base_offset: end, created_ms, ..Head::default() };
        }
        self.roll(end).await?;
        Ok(true)
    }

    pub(crate) fn active(&self) -> i64 {
        self.state.borrow().files.active
    }

    /// A settled file is about to be written again: its last, partial block goes back into the write-ahead log first,
    /// because that block will be overwritten.
    async fn prepare(self: &Rc<Log>) -> Result<(), StorageError> {
        let (settled, position) = {
            let state = self.state.borrow();
            (state.files.synced_lsn.is_none(), state.files.position)
        };
        if !settled {
            return Ok(());
        }
        let whole = position / BLOCK_BYTES as u64 * BLOCK_BYTES as u64;
        if whole != position {
            let read = self.read_block(whole, (position - whole) as usize).await;
            let residue = read.map_err(|error| self.volume.health.read_failed(&self.name, &error))?;
            let mut state = self.state.borrow_mut();
            state.files.position = whole;
            state.files.residue = residue;
            state.files.sync_segment_bytes();
        }
        let progress = self.progress();
        self.report(progress).await
    }

    async fn read_block(&self, position: u64, length: usize) -> io::Result<Bytes> {
        let path = self.path.join(file_name(Offset(self.active()), FileKind::Log));
        let disk = self.volume.runtime.disk();
        let file = disk.open(&path, OpenOptions::default()).await?;
        let bytes = disk.read(&file, position, length).await?;
        if bytes.len() == length { Ok(bytes.freeze()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn progress(&self) -> Progress {
        let state = self.state.borrow();
        Progress {
            segment_base_offset: state.files.active,
            position: state.files.position,
            residue: state.files.residue.clone(),
            next_offset: state.files.next_offset,
        }
    }

    /// Says durably what of the files counts, then believes it. Epochs and producers up to there are durable as well.
    async fn report(self: &Rc<Log>, progress: Progress) -> Result<(), StorageError> {
        self.write_epochs().await?;
        let producers = self.producers_snapshot().await?;
        self.check_open()?;
        let producers_offset = self.state.borrow().producers.end_offset().0;
        let entry = SegmentSynced {
            segment_base_offset: progress.segment_base_offset,
            synced_bytes: progress.position,
            next_offset: progress.next_offset,
            residue: progress.residue.clone(),
            producers_offset,
            producers,
        };
        let entry = entry.encode(self.id);
        self.check_spare_room(entry.len())?;
        let position = self.volume.wal.append(&entry, &[], None, None);
        position.group.wait().await?;
        self.apply(progress, Some(position.lsn));
        Ok(())
    }

    /// Many partitions written back on a full disk must not use up what a deletion needs.
    fn check_spare_room(&self, entry_bytes: usize) -> Result<(), StorageError> {
        let Volume { health, wal, .. } = &*self.volume;
        let refused = health.is_full() && !wal.has_spare_room(entry_bytes, wal.ring().spare_bytes() / 8);
        if refused { Err(health.full_error()) } else { Ok(()) }
    }

    fn apply(&self, progress: Progress, synced_lsn: Option<Lsn>) {
        let mut state = self.state.borrow_mut();
        assert!(progress.next_offset >= state.files.next_offset, "what is in files does not shrink");
        state.files.active = progress.segment_base_offset;
        state.files.position = progress.position;
        state.files.residue = progress.residue;
        state.files.next_offset = progress.next_offset;
        state.files.synced_lsn = synced_lsn;
        state.files.sync_segment_bytes();
        let now = self.volume.runtime.now();
        let uncovered = state.tail.from(progress.next_offset).next().is_some();
        state.dirty_since = uncovered.then_some(now);
    }

    /// An entry that is needed and getting old is written again, so that the write-ahead log can be trimmed.
    async fn renew_report(self: &Rc<Log>) -> Result<(), StorageError> {
        let old = self.state.borrow().files.synced_lsn.is_some_and(|lsn| lsn < self.volume.trim_goal());
        if old { self.report(self.progress()).await } else { Ok(()) }
    }

    /// Writes the whole blocks of a plan; what is left becomes the residue.
    async fn write(self: &Rc<Log>, plan: Plan) -> Result<(), StorageError> {
        let (position, residue) = {
            let state = self.state.borrow();
            (state.files.position, state.files.residue.clone())
        };
        let total = residue.len() + plan.bytes as usize;
        let whole = total / BLOCK_BYTES * BLOCK_BYTES;
        let mut rope = Rope::new(std::iter::once(residue).chain(plan.rope));
        if whole > 0 {
            let written = self.write_blocks(&mut rope, position, whole).await;
            written.map_err(|error| self.write_failed(&error))?;
        }
        // Of exact size: it may stay for long.
        let residue = Bytes::copy_from_slice(&rope.take(total - whole, aligned_zeros(BLOCK_BYTES)));
        self.observe_indexed(&plan.indexed);
        self.flush_indexes(false).await.map_err(|error| self.write_failed(&error))?;
        let position = position + whole as u64;
        self.volume.write_back_bytes.set(self.volume.write_back_bytes.get() + whole as u64);
        self.report(Progress {
            segment_base_offset: plan.segment_base_offset,
            position,
            residue,
            next_offset: plan.next_offset,
        })
        .await?;
        let mut state = self.state.borrow_mut();
        state.unwritten_bytes -= plan.bytes;
        Ok(())
    }

    fn write_failed(&self, error: &io::Error) -> StorageError {
        if self.closed.get() && error.kind() == io::ErrorKind::NotFound {
            // Deleted meanwhile, with its directory.
            return StorageError::Closed;
        }
        self.volume.health.write_failed(&format!("writing {}", self.path.display()), error)
    }

    fn observe_indexed(&self, batches: &[crate::segment::IndexedBatch]) {
        let mut state = self.state.borrow_mut();
        let last = state.files.indexer.last_observed();
        for batch in batches.iter().filter(|batch| last.is_none_or(|last| batch.last_offset > last)) {
            state.files.indexer.observe(*batch);
        }
        let max_timestamp = state.files.indexer.max_timestamp().timestamp_ms;
        let active = state.files.active;
        if let Some(segment) = state.files.segments.get(&active) {
            segment.max_timestamp.set(max_timestamp);
        }
    }

    /// Writes `length` bytes of the rope at `position`, both multiples of a block, and syncs them.
    async fn write_blocks(self: &Rc<Log>, rope: &mut Rope, position: u64, length: usize) -> io::Result<()> {
        let file = self.writable().await?;
        let disk = self.volume.runtime.disk();
        let mut done = 0;
        while done < length {
            // A chunk of the pool is the aligned copy: fresh memory costs more than the copy.
            let mut chunk = self.volume.memory.take_chunk();
            let part = rope.take(CHUNK_BYTES.min(length - done), chunk.split_off(0)).freeze();
            let at = position + done as u64;
            done += part.len();
            let checksums = self.write_checksums(at, &part).await;
            let written = disk.write(&file, vec![part], at, Durability::Buffered, Lane::Background).await;
            self.volume.memory.retire(chunk);
            checksums.and(written)?;
        }
        disk.sync_data(&file, Lane::Background).await
    }

    /// The active segment, open for writing; made if it is not there, durably.
    async fn writable(self: &Rc<Log>) -> io::Result<File> {
        let (known, active) = {
            let state = self.state.borrow();
            (state.files.file.clone(), state.files.active)
        };
        if let Some(file) = known {
            return Ok(file);
        }
        let disk = self.volume.runtime.disk();
        let path = self.path.join(file_name(Offset(active), FileKind::Log));
        let options = OpenOptions { write: true, create: true, direct: true, ..Default::default() };
        let file = disk.open(&path, options).await?;
        let is_new = !self.state.borrow().files.segments.contains_key(&active);
        if is_new {
            disk.sync_directory(&self.path).await?;
            let segment = Segment::new(Rc::new(self.path.clone()), active, 0, -1);
            self.state.borrow_mut().files.segments.insert(active, segment);
        }
        self.state.borrow_mut().files.file = Some(file.clone());
        Ok(file)
    }

    /// The sidecar's entries for some blocks. Not synced: what the log does not cover says nothing.
    async fn write_checksums(&self, position: u64, blocks: &[u8]) -> io::Result<()> {
        let first = position / BLOCK_BYTES as u64;
        let entries = Bytes::from(encode_checksums(blocks));
        let file = self.companion(FileKind::Checksums).await?;
        let disk = self.volume.runtime.disk();
        if first == 0 {
            let header = ChecksumHeader { log: self.id, base_offset: Offset(self.active()) }.to_bytes();
            let whole = vec![Bytes::copy_from_slice(&header), entries];
            debug_assert_eq!(header.len(), CHECKSUM_HEADER_BYTES);
            return disk.write(&file, whole, 0, Durability::Buffered, Lane::Background).await;
        }
        disk.write(&file, vec![entries], checksum_position(first), Durability::Buffered, Lane::Background).await
    }

    async fn companion(&self, kind: FileKind) -> io::Result<File> {
        let path = self.path.join(file_name(Offset(self.active()), kind));
        let options = OpenOptions { write: true, create: true, ..Default::default() };
        self.volume.runtime.disk().open(&path, options).await
    }

    /// Writes the index entries made since the last time. They can be made again from the log, so they are synced only
    /// when the segment is closed.
    async fn flush_indexes(&self, sync: bool) -> io::Result<()> {
        let disk = self.volume.runtime.disk();
        for kind in [FileKind::OffsetIndex, FileKind::TimeIndex] {
            let (at, bytes) = {
                let files = &self.state.borrow().files;
                let (all, flushed) = match kind {
                    FileKind::OffsetIndex => (files.indexer.offsets.bytes(), files.flushed.0),
                    _ => (files.indexer.times.bytes(), files.flushed.1),
                };
                (flushed, Bytes::copy_from_slice(&all[flushed..]))
            };
            if bytes.len() < BLOCK_BYTES && !sync {
                continue;
            }
            let file = self.companion(kind).await?;
            let end = at + bytes.len();
            disk.write(&file, vec![bytes], at as u64, Durability::Buffered, Lane::Background).await?;
            // An earlier, longer life of the file.
            disk.set_len(&file, end as u64).await?;
            if sync {
                disk.sync_data(&file, Lane::Background).await?;
            }
            let files = &mut self.state.borrow_mut().files;
            match kind {
                FileKind::OffsetIndex => files.flushed.0 = end,
                _ => files.flushed.1 = end,
            }
        }
        Ok(())
    }

    /// Writes the last, partial block and cuts the file to its exact length. Returns that length.
    async fn write_last_block(self: &Rc<Log>) -> io::Result<u64> {
        let (position, residue) = {
            let files = &self.state.borrow().files;
            (files.position, files.residue.clone())
        };
        let bytes = position + residue.len() as u64;
        let disk = self.volume.runtime.disk();
        let file = self.writable().await?;
        if !residue.is_empty() {
            let mut block = aligned_zeros(BLOCK_BYTES);
            block[..residue.len()].copy_from_slice(&residue);
            self.write_checksums(position, &residue).await?;
            disk.write(&file, vec![block.freeze()], position, Durability::Buffered, Lane::Background).await?;
            disk.set_len(&file, bytes).await?;
        }
        self.flush_indexes(true).await?;
        disk.sync_data(&self.companion(FileKind::Checksums).await?, Lane::Background).await?;
        disk.sync_data(&file, Lane::Background).await?;
        disk.sync_directory(&self.path).await?;
        Ok(bytes)
    }

    /// Closes the active segment and goes on with the next.
    async fn roll(self: &Rc<Log>, base_offset: i64) -> Result<(), StorageError> {
        self.state.borrow_mut().files.indexer.finish();
        let bytes = self.write_last_block().await.map_err(|error| self.write_failed(&error))?;
        let progress =
            Progress { segment_base_offset: base_offset, position: 0, residue: Bytes::new(), next_offset: base_offset };
        let closed = self.active();
        self.report(progress).await?;
        let mut state = self.state.borrow_mut();
        if let Some(segment) = state.files.segments.get(&closed) {
            segment.bytes.set(bytes);
        }
        let interval = state.config.index_interval_bytes;
        state.files.indexer = Indexer::new(Offset(base_offset), interval);
        state.files.flushed = (0, 0);
        state.files.file = None;
        Ok(())
    }

    /// Makes the files say everything, and lets go of buffers and open files.
    async fn settle(self: &Rc<Log>) -> Result<(), StorageError> {
        let bytes = self.write_last_block().await.map_err(|error| self.write_failed(&error))?;
        let producers_offset = self.state.borrow().producers.end_offset();
        let snapshot = self.state.borrow().producers.to_snapshot();
        if !self.state.borrow().producers.is_empty() {
            let path = self.path.join(file_name(producers_offset, FileKind::ProducerSnapshot));
            let written = replace_file(&self.volume.runtime, &path, Bytes::from(snapshot)).await;
            written.map_err(|error| self.write_failed(&error))?;
        }
        let before = self.progress();
        let progress = Progress { position: bytes, residue: Bytes::new(), ..before };
        let end = progress.next_offset;
        self.report(progress).await?;
        let mut state = self.state.borrow_mut();
        state.files.file = None;
        // Whoever appended meanwhile is not covered, but the file is settled all the same.
        if state.files.next_offset == end {
            state.files.synced_lsn = None;
        }
        Ok(())
    }

    /// Producer state for an entry: its bytes, or empty after they went to a file.
    async fn producers_snapshot(&self) -> Result<Bytes, StorageError> {
        let (snapshot, offset) = {
            let state = self.state.borrow();
            if state.producers.is_empty() {
                return Ok(Bytes::new());
            }
            (Bytes::from(state.producers.to_snapshot()), state.producers.end_offset())
        };
        if snapshot.len() <= INLINE_SNAPSHOT_BYTES_MAX {
            return Ok(snapshot);
        }
        let path = self.path.join(file_name(offset, FileKind::ProducerSnapshot));
        let written = replace_file(&self.volume.runtime, &path, snapshot).await;
        written.map_err(|error| self.write_failed(&error))?;
        Ok(Bytes::new())
    }

    async fn write_epochs(&self) -> Result<(), StorageError> {
        if !std::mem::replace(&mut self.state.borrow_mut().epochs_dirty, false) {
            return Ok(());
        }
        let content = Bytes::from(self.state.borrow().epochs.to_checkpoint());
        let written = replace_file(&self.volume.runtime, &self.path.join(LEADER_EPOCH_FILE), content).await;
        written.map_err(|error| {
            self.state.borrow_mut().epochs_dirty = true;
            self.write_failed(&error)
        })
    }

    /// Puts the log start into a file, so that its entry is not needed any more.
    pub(crate) async fn write_log_start(&self) -> Result<(), StorageError> {
        let Some(lsn) = self.state.borrow().log_start_lsn else { return Ok(()) };
        let content = Bytes::from(format!("0\n{}\n", self.start.get()));
        let written = replace_file(&self.volume.runtime, &self.path.join(LOG_START_FILE), content).await;
        written.map_err(|error| self.write_failed(&error))?;
        let mut state = self.state.borrow_mut();
        if state.log_start_lsn == Some(lsn) {
            state.log_start_lsn = None;
        }
        Ok(())
    }
}

/// Bytes in pieces, taken off the front into aligned memory.
struct Rope {
    parts: std::collections::VecDeque<Bytes>,
}

impl Rope {
    fn new(parts: impl Iterator<Item = Bytes>) -> Rope {
        Rope { parts: parts.filter(|part| !part.is_empty()).collect() }
    }

    /// The next `length` bytes, copied into `buffer`; the rope holds at least that many.
    fn take(&mut self, length: usize, mut buffer: BytesMut) -> BytesMut {
        buffer.clear();
        while buffer.len() < length {
            let Some(part) = self.parts.front_mut() else { break };
            let now = part.len().min(length - buffer.len());
            buffer.extend_from_slice(&part[..now]);
            part.advance(now);
            if part.is_empty() {
                self.parts.pop_front();
            }
        }
        assert_eq!(buffer.len(), length, "a plan holds the bytes it counts");
        buffer
    }
}
