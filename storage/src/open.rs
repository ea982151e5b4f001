//! Opening a partition's log: its directory, its segments, and what the write-ahead log adds to them.

mod directory;
mod newest_segment;
mod transactions;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;
use protocol::records::BatchView;

use crate::compaction::swap::{self, SWAP_FILE};
use crate::engine::LogSpec;
use crate::error::StorageError;
use crate::ids::{LogId, Offset};
use crate::leader_epochs::LeaderEpochs;
use crate::log::report::{LEADER_EPOCH_FILE, LOG_START_FILE};
use crate::log::state::{Files, Head, State};
use crate::log::{Log, LogConfig};
use crate::memory::CHUNK_BYTES;
use crate::producer_state::ProducerState;
use crate::recovery::RecoveredLog;
use crate::runtime::{BLOCK_BYTES, Lane, OpenOptions};
use crate::segment::{CLEANED_SUFFIX, DELETED_SUFFIX, FileKind, file_name, parse_file_name};
use crate::segment_file::{Segment, read_whole, segment_bases};
use crate::segment_index::read_header;
use crate::volume::Volume;
use crate::wal::SegmentSynced;
use directory::{check_is_there, check_topic_id, create};

pub use directory::PARTITION_METADATA;
pub(crate) use directory::read_topic_id;

/// Opens the log; also tells how many batches the write-ahead log added.
pub(crate) async fn open_log(volume: &Rc<Volume>, spec: LogSpec) -> Result<(Rc<Log>, u64), StorageError> {
    let name = format!("{}-{}", spec.topic, spec.id.partition);
    let path = volume.path().join(&name);
    if volume.opened.contains(spec.id) {
        check_is_there(&volume.runtime, &path).await?;
    }
    if spec.create {
        let made = create(&volume.runtime, volume.path(), &path, spec.id.topic_id).await;
        made.map_err(|error| volume.health.write_failed(&format!("creating {}", path.display()), &error))?;
    }
    check_topic_id(&volume.runtime, &path, spec.id.topic_id).await?;
    let recovered = volume.recovered.borrow_mut().remove(&spec.id).unwrap_or_default();
    let opening = Opening { volume, id: spec.id, path: &path, config: spec.config };
    let (state, start, end) = match opening.open(&recovered).await {
        Ok(opened) => opened,
        Err(error) => {
            // What only the write-ahead log has of it is kept aside before that is trimmed.
            volume.recovered.borrow_mut().insert(spec.id, recovered);
            return Err(error);
        }
    };
    let marked = volume.opened.add(&volume.runtime, spec.id).await;
    marked.map_err(|error| volume.health.write_failed(&format!("marking {name} as opened"), &error))?;
    let replayed = recovered.batches.len() as u64;
    let log = Log::new(spec.id, name, volume.clone(), state, start, end);
    volume.logs.borrow_mut().insert(spec.id, log.clone());
    volume.fit_ring_to_logs();
    volume.unwritten_rolls.set(volume.unwritten_rolls.get() + log.state().unwritten_rolls);
    if replayed > 0 {
        // They are a piece of their own, however large.
        volume.note_append(&Rc::downgrade(&log), end, CHUNK_BYTES);
    }
    Ok((log, replayed))
}

struct Opening<'a> {
    volume: &'a Rc<Volume>,
    id: LogId,
    path: &'a Path,
    config: LogConfig,
}

impl Opening<'_> {
    fn failed(&self, error: &io::Error) -> StorageError {
        self.volume.health.read_failed(&format!("opening {}", self.path.display()), error)
    }

    fn corrupt(&self, name: &str, position: u64, reason: String) -> StorageError {
        StorageError::Corrupt { file: self.path.join(name).display().to_string(), position, reason }
    }

    /// The state, log start and log end.
    async fn open(&self, recovered: &RecoveredLog) -> Result<(State, i64, i64), StorageError> {
        let synced = recovered.synced.as_ref();
        let files = self.files(synced.map(|(_, synced)| synced)).await?;
        let mut state = self.state(files, recovered).await?;
        if let Some((lsn, synced)) = synced
            && !is_settled(synced)
        {
            state.files.synced_lsn = Some(*lsn);
        }
        let end = self.replay(&mut state, recovered)?;
        // All of it is durable, so every marker counts.
        state.producers.on_high_watermark(Offset(end));
        state.epochs.truncate_from_end(Offset(end));
        if state.unwritten_bytes > 0 {
            state.dirty_since = Some(self.volume.runtime.now());
        }
        let start = self.log_start(&mut state, recovered, end).await?;
        Ok((state, start, end))
    }

    /// The segments, cut to what counts.
    async fn files(&self, synced: Option<&SegmentSynced>) -> Result<Files, StorageError> {
        let disk = self.volume.runtime.disk();
        let mut names = disk.list(self.path).await.map_err(|error| self.failed(&error))?;
        if names.iter().any(|name| name == SWAP_FILE) {
            self.finish_swap().await?;
            names = disk.list(self.path).await.map_err(|error| self.failed(&error))?;
        }
        let newest = synced.map(|synced| synced.segment_base_offset);
        for name in &names {
            if [DELETED_SUFFIX, CLEANED_SUFFIX, ".tmp"].iter().any(|suffix| name.ends_with(suffix)) {
                // On its way out, or never finished, when the process ended.
                disk.remove_file(&self.path.join(name)).await.map_err(|error| self.failed(&error))?;
            }
            if let (Some((base, kind)), Some(newest)) = (parse_file_name(name), newest)
                && base.0 > newest
                && kind != FileKind::ProducerSnapshot
            {
                // Begun, and not mentioned by anything durable: what was in it is in the write-ahead log.
                disk.remove_file(&self.path.join(name)).await.map_err(|error| self.failed(&error))?;
            }
        }
        let snapshots = names.iter().filter_map(|name| parse_file_name(name));
        let snapshots = snapshots.filter(|(_, kind)| *kind == FileKind::ProducerSnapshot).map(|(offset, _)| offset.0);
        let bases: Vec<i64> =
            segment_bases(&names).into_iter().filter(|base| newest.is_none_or(|newest| *base <= newest)).collect();
        let active = newest.or(bases.last().copied()).unwrap_or(0);
        let mut files = Files::new(active, self.config.index_interval_bytes);
        files.snapshots = snapshots.collect();
        let directory = Rc::new(self.path.to_owned());
        for base in bases {
            let log = self.path.join(file_name(Offset(base), FileKind::Log));
            let bytes = disk.stat(&log).await.map_err(|error| self.failed(&error))?.bytes;
            let segment = Segment::new(directory.clone(), base, bytes, -1);
            segment.has_aborted.set(names.contains(&file_name(Offset(base), FileKind::TransactionIndex)));
            files.segments.insert(base, segment);
        }
        files.position = files.segments.get(&active).map_or(0, |segment| segment.bytes.get());
        if let Some(synced) = synced {
            self.cut(&mut files, synced).await?;
        }
        Ok(files)
    }

    /// Compaction had decided what replaces what when the process ended: the rest is done now.
    async fn finish_swap(&self) -> Result<(), StorageError> {
        let runtime = &self.volume.runtime;
        let swap = swap::pending(runtime, self.path).await.map_err(|error| self.failed(&error))?;
        let Some(swap) = swap else { return Ok(()) };
        let swap = swap.map_err(|error| error.in_file(self.path.join(SWAP_FILE).display().to_string()))?;
        let finished = swap::finish(runtime, self.path, &swap).await;
        finished.map_err(|error| self.volume.health.write_failed("replacing compacted segments", &error))
    }

    /// Cuts the newest segment to what the write-ahead log says is synced.
    async fn cut(&self, files: &mut Files, synced: &SegmentSynced) -> Result<(), StorageError> {
        let name = file_name(Offset(files.active), FileKind::Log);
        if files.position < synced.synced_bytes {
            let reason = format!("the file ends here; {} bytes of it were synced", synced.synced_bytes);
            return Err(self.corrupt(&name, files.position, reason));
        }
        if files.position > synced.synced_bytes {
            let disk = self.volume.runtime.disk();
            let options = OpenOptions { write: true, ..Default::default() };
            let cut = async {
                let file = disk.open(&self.path.join(&name), options).await?;
                disk.set_len(&file, synced.synced_bytes).await?;
                disk.sync_data(&file, Lane::Background).await
            };
            cut.await.map_err(|error| self.volume.health.write_failed(&format!("cutting {name}"), &error))?;
        }
        files.position = synced.synced_bytes;
        files.residue = Bytes::copy_from_slice(&synced.residue);
        files.sync_segment_bytes();
        Ok(())
    }

    /// Indexes, epochs and producers, from their files and from the end of the newest segment.
    async fn state(&self, mut files: Files, recovered: &RecoveredLog) -> Result<State, StorageError> {
        let settled = recovered.synced.as_ref().is_none_or(|(_, synced)| is_settled(synced));
        let runtime = &self.volume.runtime;
        let known =
            read_header(runtime, self.path, self.id, files.active).await.map_err(|error| self.failed(&error))?;
        let producers = self.producers(recovered, &files.snapshots).await?;
        let aborted = self.transactions(&files, recovered, known.as_ref(), producers.end_offset().0).await?;
        let stated = settled.then_some(aborted.stated());
        let loaded = self.load_indexes(&mut files, settled, known, stated).await;
        let from = loaded.map_err(|error| self.failed(&error))?;
        let now_ms = runtime.wall_clock_ms();
        let head = Head { base_offset: files.active, created_ms: now_ms, ..Head::default() };
        files.next_offset = files.active;
        let mut state = State::new(self.config.clone(), head, files);
        (state.epochs, state.producers, state.aborted) = (self.epochs().await?, producers, aborted);
        state.head.first_timestamp = self.first_timestamp(&state.files).await.map_err(|error| self.failed(&error))?;
        self.scan_end(&mut state, from).await?;
        if settled && from == 0 {
            self.store_indexes(&mut state.files, stated).await.map_err(|error| self.failed(&error))?;
        }
        let expected = recovered.synced.as_ref().map(|(_, synced)| synced.next_offset);
        if let Some(expected) = expected.filter(|expected| *expected != state.files.next_offset) {
            let name = file_name(Offset(state.files.active), FileKind::Log);
            let reason = format!("the file ends at offset {}, {expected} was synced", state.files.next_offset);
            return Err(self.corrupt(&name, state.files.position, reason));
        }
        Ok(state)
    }

    async fn epochs(&self) -> Result<LeaderEpochs, StorageError> {
        let path = self.path.join(LEADER_EPOCH_FILE);
        let bytes = read_whole(&self.volume.runtime, &path).await.map_err(|error| self.failed(&error))?;
        if bytes.is_empty() {
            return Ok(LeaderEpochs::default());
        }
        let parsed = LeaderEpochs::parse_checkpoint(&String::from_utf8_lossy(&bytes));
        parsed.map_err(|error| error.in_file(path.display().to_string()))
    }

    /// Producer state from the write-ahead log's entry, or from the newest snapshot file.
    async fn producers(
        &self,
        recovered: &RecoveredLog,
        snapshots: &BTreeSet<i64>,
    ) -> Result<ProducerState, StorageError> {
        let synced = recovered.synced.as_ref().map(|(_, synced)| synced);
        let (now_ms, expiration_ms) = (self.volume.runtime.wall_clock_ms(), self.config.producer_id_expiration_ms);
        if let Some(synced) = synced.filter(|synced| !synced.producers.is_empty()) {
            let offset = Offset(synced.producers_offset);
            let state = ProducerState::from_snapshot(&synced.producers, offset, now_ms, expiration_ms);
            return state.map_err(|error| error.in_file("the write-ahead log"));
        }
        let below = synced.map_or(i64::MAX, |synced| synced.producers_offset);
        let newest = snapshots.range(..=below).next_back().map(|offset| Offset(*offset));
        let Some(offset) = newest else { return Ok(ProducerState::new(Offset(0))) };
        let path = self.path.join(file_name(offset, FileKind::ProducerSnapshot));
        let bytes = read_whole(&self.volume.runtime, &path).await.map_err(|error| self.failed(&error))?;
        let state = ProducerState::from_snapshot(&bytes, offset, now_ms, expiration_ms);
        state.map_err(|error| error.in_file(path.display().to_string()))
    }

    /// Puts what the write-ahead log holds beyond the segments back into the tail. Returns the log end.
    fn replay(&self, state: &mut State, recovered: &RecoveredLog) -> Result<i64, StorageError> {
        let mut next_offset = state.files.next_offset;
        for (&base_offset, (lsn, parts)) in &recovered.batches {
            if base_offset < next_offset {
                continue;
            }
            if base_offset != next_offset {
                let reason = format!("the write-ahead log goes on at offset {base_offset}, expected {next_offset}");
                return Err(self.corrupt("", lsn.0, reason));
            }
            let whole = Bytes::from(parts.concat());
            let damaged = |reason| self.corrupt("", lsn.0, format!("a batch in the write-ahead log: {reason}"));
            let batch = BatchView::parse(&whole).map_err(|error| damaged(error.to_string()))?;
            next_offset = state.replay_batch(&batch, *lsn, whole.clone());
        }
        Ok(next_offset)
    }

    /// The first offset: of the oldest segment, or further if records were deleted.
    async fn log_start(&self, state: &mut State, recovered: &RecoveredLog, end: i64) -> Result<i64, StorageError> {
        let path = self.path.join(LOG_START_FILE);
        let bytes = read_whole(&self.volume.runtime, &path).await.map_err(|error| self.failed(&error))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let in_file = text.lines().nth(1).and_then(|line| line.trim().parse::<i64>().ok());
        if in_file.is_none() && !bytes.is_empty() {
            return Err(self.corrupt(LOG_START_FILE, 0, "not a log start offset".to_owned()));
        }
        let first = state.files.segments.keys().next().copied().unwrap_or(state.files.active);
        state.log_starts.extend(recovered.log_start);
        let start = first.max(in_file.unwrap_or(0)).max(recovered.log_start.map_or(0, |(_, offset)| offset));
        if start > end {
            return Err(self.corrupt("", 0, format!("the log ends at {end}, before its start {start}")));
        }
        state.producers.on_log_start(Offset(start));
        Ok(start)
    }
}

/// The entry was written after the last block was: the file has its exact length and nothing is carried.
fn is_settled(synced: &SegmentSynced) -> bool {
    synced.residue.is_empty() && !synced.synced_bytes.is_multiple_of(BLOCK_BYTES as u64)
}
