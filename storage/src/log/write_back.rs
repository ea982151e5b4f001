//! Moving a log's tail into its segments. Whole blocks only; what does not fill one travels in the write-ahead log with
//! the entry that says how far the file is synced, so that such an entry covers every batch written before it.
//!
//! The order that makes a crash harmless: before a file is touched, an entry that says what of it counts is durable.
//! Then blocks are written and synced, then the next such entry follows, and only then is older history let go.

use std::io;
use std::rc::Rc;

use bytes::Bytes;

use super::Log;
use super::report::Progress;
use super::rope::Rope;
use super::state::Plan;
use crate::error::StorageError;
use crate::ids::Offset;
use crate::runtime::{BLOCK_BYTES, OpenOptions};
use crate::segment::{FileKind, IndexStatement, Indexer, file_name};

/// Bytes written before the next sync.
const ROUND_BYTES_MAX: u64 = 8 << 20;

/// How far a write-back goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All that is committed, except what does not fill a block.
    Blocks,
    /// Also the last block: afterwards the files say everything and the log needs nothing of the write-ahead log.
    Settle,
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

    fn is_busy(&self) -> bool {
        let state = self.state.borrow();
        state.files.busy || state.cleaning.busy
    }

    /// Waits until nobody writes the log's files.
    pub(crate) async fn wait_for_write_back(&self) {
        while self.is_busy() {
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
            state.begin_segment(end, created_ms);
            self.volume.unwritten_rolls.set(self.volume.unwritten_rolls.get() + 1);
        }
        self.roll(end).await?;
        Ok(true)
    }

    /// Closes the files that are open for writing, unless they are being written.
    pub(crate) fn close_files(&self) {
        let mut state = self.state.borrow_mut();
        if !state.files.busy {
            state.files.close();
        }
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

    /// Writes the whole blocks of a plan; what is left becomes the residue.
    async fn write(self: &Rc<Log>, plan: Plan) -> Result<(), StorageError> {
        let (position, residue) = {
            let state = self.state.borrow();
            (state.files.position, state.files.residue.clone())
        };
        let total = residue.len() + plan.bytes as usize;
        let whole = total / BLOCK_BYTES * BLOCK_BYTES;
        let mut rope = Rope::new(residue, plan.rope);
        if whole > 0 {
            let written = self.write_blocks(&mut rope, position, whole).await;
            written.map_err(|error| self.write_failed(&error))?;
        }
        // Of exact size: it may stay for long.
        let residue = rope.copy_rest();
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

    pub(super) fn write_failed(&self, error: &io::Error) -> StorageError {
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

    /// Closes the active segment and goes on with the next.
    async fn roll(self: &Rc<Log>, base_offset: i64) -> Result<(), StorageError> {
        self.state.borrow_mut().files.indexer.finish();
        let bytes = self.write_last_block().await.map_err(|error| self.write_failed(&error))?;
        let progress =
            Progress { segment_base_offset: base_offset, position: 0, residue: Bytes::new(), next_offset: base_offset };
        let closed = self.active();
        self.report(progress).await?;
        let cut = self.close_transaction_index(closed, base_offset).await;
        cut.map_err(|error| self.write_failed(&error))?;
        let mut state = self.state.borrow_mut();
        if let Some(segment) = state.files.segments.get(&closed) {
            segment.bytes.set(bytes);
        }
        let interval = state.config.index_interval_bytes;
        state.files.indexer = Indexer::new(Offset(base_offset), interval);
        state.files.stated = IndexStatement::default();
        state.files.close();
        // None are left of a log that was deleted meanwhile.
        if state.unwritten_rolls > 0 {
            state.unwritten_rolls -= 1;
            self.volume.unwritten_rolls.set(self.volume.unwritten_rolls.get() - 1);
        }
        Ok(())
    }

    /// Makes the files say everything, and lets go of buffers and open files.
    async fn settle(self: &Rc<Log>) -> Result<(), StorageError> {
        let bytes = self.write_last_block().await.map_err(|error| self.write_failed(&error))?;
        let snapshot = {
            let state = self.state.borrow();
            // An empty one takes the place of an older one, whose producers are gone.
            let wanted = !state.files.snapshots.is_empty() || !state.producers.is_empty();
            wanted.then(|| (state.producers.end_offset(), Bytes::from(state.producers.to_snapshot())))
        };
        if let Some((offset, snapshot)) = snapshot {
            self.write_snapshot(offset, snapshot).await?;
        }
        let before = self.progress();
        let progress = Progress { position: bytes, residue: Bytes::new(), ..before };
        let end = progress.next_offset;
        self.report(progress).await?;
        let mut state = self.state.borrow_mut();
        state.files.close();
        // Whoever appended meanwhile is not covered, but the file is settled all the same.
        if state.files.next_offset == end {
            state.files.synced_lsn = None;
        }
        Ok(())
    }
}
