//! Saying durably what of a log's files counts: the entry in the write-ahead log, and the small files beside the segments.

use std::rc::Rc;

use bytes::Bytes;

use super::Log;
use super::state::State;
use crate::error::StorageError;
use crate::ids::Offset;
use crate::segment::{FileKind, file_name};
use crate::segment_file::replace_file;
use crate::volume::Volume;
use crate::wal::{Body, Lsn, SegmentSynced};

/// Producer snapshots that stay.
const SNAPSHOTS_KEPT: usize = 2;
/// Where a log start beyond the first segment's base is kept.
pub(crate) const LOG_START_FILE: &str = "log-start-offset";
/// Kafka's file of leader epochs.
pub(crate) const LEADER_EPOCH_FILE: &str = "leader-epoch-checkpoint";

/// What a file's content will be once synced.
pub(super) struct Progress {
    pub segment_base_offset: i64,
    pub position: u64,
    pub residue: Bytes,
    pub next_offset: i64,
}

impl Log {
    pub(super) fn progress(&self) -> Progress {
        let state = self.state.borrow();
        Progress {
            segment_base_offset: state.files.active,
            position: state.files.position,
            residue: state.files.residue.clone(),
            next_offset: state.files.next_offset,
        }
    }

    /// Says durably what of the files counts, then believes it. Epochs and producers up to there are durable as well.
    pub(super) async fn report(self: &Rc<Log>, progress: Progress) -> Result<(), StorageError> {
        self.write_epochs().await?;
        let (producers_offset, producers) = self.producers_snapshot(progress.segment_base_offset).await?;
        let transactions = {
            let aborted = &self.state.borrow().aborted;
            let goes_on = progress.segment_base_offset == self.active();
            if goes_on { aborted.stated() } else { aborted.stated_of_next() }
        };
        self.check_open()?;
        let entry = SegmentSynced {
            segment_base_offset: progress.segment_base_offset,
            synced_bytes: progress.position,
            next_offset: progress.next_offset,
            residue: progress.residue.clone(),
            producers_offset,
            producers,
            transactions: Some(transactions),
        };
        let entry = entry.encode(self.id);
        self.check_spare_room(entry.len())?;
        let position = self.volume.wal.append(&entry, Body::default(), None, None);
        position.group.wait().await?;
        self.apply(progress, Some(position.lsn));
        self.remove_old_snapshots().await
    }

    /// Many partitions written back on a full disk must not use up what a deletion needs.
    fn check_spare_room(&self, entry_bytes: usize) -> Result<(), StorageError> {
        let Volume { health, wal, .. } = &*self.volume;
        let refused = health.is_full() && !wal.has_spare_room(entry_bytes, wal.ring().spare_bytes() / 8);
        if refused {
            // There may be space for another file by now, and nobody else asks for one while appends are refused.
            wal.ring().make_room();
            return Err(health.full_error());
        }
        Ok(())
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
    pub(super) async fn renew_report(self: &Rc<Log>) -> Result<(), StorageError> {
        let old = self.state.borrow().files.synced_lsn.is_some_and(|lsn| lsn < self.volume.trim_goal());
        if old { self.report(self.progress()).await } else { Ok(()) }
    }

    /// Producer state for an entry, with its offset: its bytes, or empty after they went to a file. Aborted transactions
    /// up to there are in the index of the segment that is being written from now on.
    async fn producers_snapshot(&self, segment_base_offset: i64) -> Result<(i64, Bytes), StorageError> {
        let (snapshot, offset) = {
            let state = self.state.borrow();
            (Bytes::from(state.producers.to_snapshot()), state.producers.end_offset())
        };
        let aborted = match segment_base_offset == self.active() {
            true => self.write_aborted(offset.0).await,
            false => self.write_aborted_of_next(segment_base_offset, offset.0).await,
        };
        aborted.map_err(|error| self.write_failed(&error))?;
        if snapshot.len() as u64 <= self.volume.inline_snapshot_bytes_max() {
            return Ok((offset.0, snapshot));
        }
        self.write_snapshot(offset, snapshot).await?;
        Ok((offset.0, Bytes::new()))
    }

    /// Producer state as a file of its own.
    pub(super) async fn write_snapshot(&self, offset: Offset, snapshot: Bytes) -> Result<(), StorageError> {
        let path = self.path.join(file_name(offset, FileKind::ProducerSnapshot));
        let written = replace_file(&self.volume.runtime, &path, snapshot).await;
        written.map_err(|error| self.write_failed(&error))?;
        self.state.borrow_mut().files.snapshots.insert(offset.0);
        Ok(())
    }

    /// A start needs the newest snapshot, or the one before if the newest was not reported yet.
    async fn remove_old_snapshots(&self) -> Result<(), StorageError> {
        loop {
            let oldest = {
                let snapshots = &mut self.state.borrow_mut().files.snapshots;
                if snapshots.len() > SNAPSHOTS_KEPT { snapshots.pop_first() } else { None }
            };
            let Some(oldest) = oldest else { return Ok(()) };
            let path = self.path.join(file_name(Offset(oldest), FileKind::ProducerSnapshot));
            match self.volume.runtime.disk().remove_file(&path).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(self.write_failed(&error)),
                _ => {}
            }
        }
    }

    pub(super) async fn write_epochs(&self) -> Result<(), StorageError> {
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

    /// Whether the log start moved to where no file says yet.
    pub(crate) fn has_unwritten_start(&self, state: &State) -> bool {
        state.log_starts.iter().any(|(_, offset)| *offset <= self.start.get())
    }

    /// Puts the log start into a file, so that the entries up to it are not needed any more. For write-back alone: two at
    /// once would take the file from each other.
    pub(super) async fn write_log_start(&self) -> Result<(), StorageError> {
        if !self.has_unwritten_start(&self.state.borrow()) {
            return Ok(());
        }
        let start = self.start.get();
        let content = Bytes::from(format!("0\n{start}\n"));
        let written = replace_file(&self.volume.runtime, &self.path.join(LOG_START_FILE), content).await;
        written.map_err(|error| self.write_failed(&error))?;
        self.state.borrow_mut().log_starts.retain(|(_, offset)| *offset > start);
        Ok(())
    }
}
