//! Opening a partition's log: its directory, its segments, and what the write-ahead log adds to them.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;
use protocol::Uuid;
use protocol::records::{BatchHeader, BatchView, HEADER_BYTES};

use crate::compaction::swap::{self, SWAP_FILE};
use crate::engine::LogSpec;
use crate::error::StorageError;
use crate::ids::{LogId, Offset};
use crate::leader_epochs::LeaderEpochs;
use crate::log::aborted::Aborted;
use crate::log::report::{LEADER_EPOCH_FILE, LOG_START_FILE};
use crate::log::state::{Files, Head, State};
use crate::log::{Log, LogConfig};
use crate::producer_state::ProducerState;
use crate::recovery::RecoveredLog;
use crate::runtime::{BLOCK_BYTES, Durability, Lane, OpenOptions, Runtime};
use crate::segment::{
    AbortedTxn, CLEANED_SUFFIX, ChecksumHeader, DELETED_SUFFIX, FileKind, IndexDigest, IndexStatement, IndexedBatch,
    Indexer, file_name, parse_file_name,
};
use crate::segment_file::{Segment, read_whole, segment_bases};
use crate::segment_index::{self, open_closed, read_header, write_header};
use crate::segment_transactions::{self, Stated};
use crate::volume::Volume;
use crate::wal::SegmentSynced;

/// Kafka's file that says which incarnation of a topic a directory belongs to.
pub const PARTITION_METADATA: &str = "partition.metadata";
/// How much of a segment is read at once.
const SCAN_BYTES: usize = 1 << 20;

/// Opens the log; also tells how many batches the write-ahead log added.
pub(crate) async fn open_log(volume: &Rc<Volume>, spec: LogSpec) -> Result<(Rc<Log>, u64), StorageError> {
    let name = format!("{}-{}", spec.topic, spec.id.partition);
    let path = volume.path().join(&name);
    if volume.opened.contains(spec.id) {
        check_is_there(&volume.runtime, &path).await?;
    }
    if spec.create {
        let made = create_directory(&volume.runtime, volume.path(), &path, spec.id.topic_id).await;
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
        volume.note_append(&Rc::downgrade(&log), end);
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

    /// What was aborted, as the transaction indexes say; made again from the batches where they are not what was stated.
    /// Also gets to know the closed segments. `end` is where the producer state begins.
    async fn transactions(
        &self,
        files: &Files,
        recovered: &RecoveredLog,
        known: Option<&ChecksumHeader>,
        end: i64,
    ) -> Result<Aborted, StorageError> {
        let (runtime, active) = (&self.volume.runtime, files.active);
        let failed = |error| self.failed(&error);
        let mut lost = BTreeSet::new();
        for segment in files.segments.values().filter(|segment| segment.base_offset != active) {
            if !segment_transactions::look_at_closed(runtime, segment, self.id).await.map_err(failed)? {
                lost.insert(segment.base_offset);
            }
        }
        let (stated, end) = match (&recovered.synced, known) {
            (Some((_, synced)), _) => (synced.transactions.map_or(Stated::Unsaid, Stated::As), end),
            // Settled: what was stated then is in the log, whatever became of its producers.
            (None, Some(header)) => (header.transactions.map_or(Stated::Unsaid, Stated::As), i64::MAX),
            (None, None) if files.segments.contains_key(&active) => (Stated::Lost, i64::MAX),
            (None, None) => (Stated::Unsaid, end),
        };
        let loaded = segment_transactions::load_active(runtime, self.path, active, stated).await.map_err(failed)?;
        let made_again = match &loaded {
            Some(_) if lost.is_empty() => Vec::new(),
            _ => self.made_again(files, recovered, &lost, loaded.is_none()).await?,
        };
        for segment in files.segments.values().filter(|segment| segment.base_offset != active) {
            let opened = open_closed(runtime, segment, self.id, self.config.index_interval_bytes).await;
            opened.map_err(failed)?;
            if lost.contains(&segment.base_offset) {
                segment_transactions::state_closed(runtime, segment, self.id).await.map_err(failed)?;
            }
        }
        if let Some(index) = loaded {
            return Ok(Aborted::from_file(&index, end));
        }
        let at = |offset| made_again.partition_point(|entry| entry.last_offset.0 < offset);
        let own = &made_again[at(active)..at(end.max(active))];
        let index = segment_transactions::store_active(runtime, self.path, active, own).await.map_err(failed)?;
        let aborted = Aborted::from_file(&index, end);
        if let (None, Some(header)) = (&recovered.synced, known) {
            // The segment is settled, and only its sidecar says what there has to be.
            let header = ChecksumHeader { transactions: Some(aborted.stated()), ..*header };
            write_header(runtime, self.path, &header, None).await.map_err(failed)?;
        }
        Ok(aborted)
    }

    /// Walks over the batches, and puts what was aborted into the indexes of the `lost` segments.
    async fn made_again(
        &self,
        files: &Files,
        recovered: &RecoveredLog,
        lost: &BTreeSet<i64>,
        active_lost: bool,
    ) -> Result<Vec<AbortedTxn>, StorageError> {
        let (runtime, failed) = (&self.volume.runtime, |error| self.failed(&error));
        let segments: Vec<i64> = lost.iter().copied().chain(active_lost.then_some(files.active)).collect();
        tracing::warn!(
            partition = %self.path.display(), ?segments,
            "a transaction index is lost or differs from its checksum: made again from the log"
        );
        let walked = segment_transactions::aborted_by_batches(runtime, self.path, files, recovered).await;
        let found = walked.map_err(failed)?;
        if active_lost && let Err(reason) = found {
            let name = file_name(Offset(files.active), FileKind::TransactionIndex);
            return Err(self.corrupt(&name, 0, format!("it is lost and cannot be made again: {reason}")));
        }
        for segment in lost.iter().filter_map(|base| files.segments.get(base)) {
            let next = files.segments.range(segment.base_offset + 1..).next().map_or(files.active, |(base, _)| *base);
            let own = found.as_ref().ok().map(|found| {
                let at = |offset| found.partition_point(|entry| entry.last_offset.0 < offset);
                &found[at(segment.base_offset)..at(next)]
            });
            segment_transactions::store_closed(runtime, segment, own).await.map_err(failed)?;
        }
        Ok(found.unwrap_or_default())
    }

    /// Loads the newest segment's indexes as far as they are stated, and tells from where batches have to be read. After
    /// an unclean end the sidecar begins anew where that is: which of its later entries reached the disk is unknown.
    async fn load_indexes(
        &self,
        files: &mut Files,
        settled: bool,
        known: Option<ChecksumHeader>,
        transactions: Option<IndexDigest>,
    ) -> io::Result<u64> {
        let (base, runtime) = (Offset(files.active), &self.volume.runtime);
        let loaded = match &known {
            Some(header) => segment_index::load(runtime, self.path, header, files.position).await?,
            None => None,
        };
        let from = loaded.as_ref().and_then(|(offsets, _)| offsets.last()).map_or(0, |last| u64::from(last.position));
        if let Some((offsets, times)) = loaded {
            files.stated = IndexStatement {
                covered_bytes: from,
                offsets: IndexDigest::of(offsets.bytes()),
                times: IndexDigest::of(times.bytes()),
                max_timestamp_ms: times.last().map_or(-1, |last| last.timestamp_ms),
            };
            files.indexer = Indexer::resume(offsets, times, base, self.config.index_interval_bytes);
        }
        if files.segments.contains_key(&files.active) && (!settled || known.is_none()) {
            let header = ChecksumHeader { transactions, ..ChecksumHeader::new(self.id, base, files.stated) };
            let blocks = Some(from / BLOCK_BYTES as u64);
            write_header(runtime, self.path, &header, blocks).await?;
        }
        Ok(from)
    }

    /// The indexes of a settled segment were made again: nothing would write them before the next append.
    async fn store_indexes(&self, files: &mut Files, transactions: Option<IndexDigest>) -> io::Result<()> {
        if files.indexer.covered_bytes() <= self.config.index_interval_bytes {
            return Ok(());
        }
        files.stated = files.indexer.statement();
        let header = ChecksumHeader::new(self.id, Offset(files.active), files.stated);
        let header = ChecksumHeader { transactions, ..header };
        segment_index::store(&self.volume.runtime, self.path, &files.indexer, &header).await
    }

    /// What `segment.ms` counts from: the largest timestamp of the newest segment's first batch, if it is in the file.
    async fn first_timestamp(&self, files: &Files) -> io::Result<Option<i64>> {
        if files.position < HEADER_BYTES as u64 {
            return Ok(None);
        }
        let path = self.path.join(file_name(Offset(files.active), FileKind::Log));
        let disk = self.volume.runtime.disk();
        let file = disk.open(&path, OpenOptions::default()).await?;
        let bytes = disk.read(&file, 0, HEADER_BYTES).await?;
        Ok(BatchHeader::parse(&bytes).ok().map(|header| header.max_timestamp))
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

    /// Reads the newest segment from `position` to its end: every batch is checked, indexed and observed.
    async fn scan_end(&self, state: &mut State, mut position: u64) -> Result<(), StorageError> {
        let active = state.files.active;
        let name = file_name(Offset(active), FileKind::Log);
        let (end, residue) = (state.files.position, state.files.residue.clone());
        let total = end + residue.len() as u64;
        let runtime = &self.volume.runtime;
        let file = match end {
            0 => None,
            _ => {
                let open = runtime.disk().open(&self.path.join(&name), OpenOptions::default());
                Some(open.await.map_err(|error| self.failed(&error))?)
            }
        };
        let mut wanted = SCAN_BYTES;
        while position < total {
            let in_file = end.saturating_sub(position).min(wanted as u64) as usize;
            let mut bytes = match &file {
                Some(file) if in_file > 0 => {
                    runtime.disk().read(file, position, in_file).await.map_err(|error| self.failed(&error))?
                }
                _ => bytes::BytesMut::new(),
            };
            if position + in_file as u64 >= end {
                let skip = (position + in_file as u64 - end) as usize;
                bytes.extend_from_slice(&residue[skip.min(residue.len())..]);
            }
            let consumed = self.scan_piece(state, &name, position, &bytes)?;
            let at_end = position + bytes.len() as u64 >= total;
            if at_end && consumed < bytes.len() {
                let reason = "the last batch is not whole".to_owned();
                return Err(self.corrupt(&name, position + consumed as u64, reason));
            }
            wanted = if consumed == 0 { wanted * 2 } else { SCAN_BYTES };
            position += consumed as u64;
        }
        Ok(())
    }

    fn scan_piece(&self, state: &mut State, name: &str, position: u64, bytes: &[u8]) -> Result<usize, StorageError> {
        let mut at = 0;
        while at + HEADER_BYTES <= bytes.len() {
            let damaged = |reason: String| self.corrupt(name, position + at as u64, reason);
            BatchHeader::parse(&bytes[at..]).map_err(|error| damaged(error.to_string()))?;
            let Ok(batch) = BatchView::parse(&bytes[at..]) else { break };
            batch.verify_crc().map_err(|error| damaged(error.to_string()))?;
            let header = &batch.header;
            state.files.indexer.observe(IndexedBatch {
                position: (position + at as u64) as u32,
                bytes: header.size_bytes() as u32,
                last_offset: Offset(header.last_offset()),
                max_timestamp_ms: header.max_timestamp,
            });
            state.observe(&batch);
            state.head.first_timestamp.get_or_insert(header.max_timestamp);
            state.files.next_offset = header.last_offset() + 1;
            at += header.size_bytes();
        }
        let files = &state.files;
        state.head.bytes = files.position + files.residue.len() as u64;
        state.head.index_entries = files.indexer.offsets.len() as u64;
        if let Some(segment) = files.segments.get(&files.active) {
            segment.max_timestamp.set(files.indexer.max_timestamp().timestamp_ms);
        }
        Ok(at)
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

/// Makes a partition's directory, durably.
async fn create_directory(runtime: &Runtime, root: &Path, path: &Path, topic_id: Uuid) -> io::Result<()> {
    let disk = runtime.disk();
    disk.create_directory_all(path).await?;
    let file = path.join(PARTITION_METADATA);
    let options = OpenOptions { write: true, create: true, ..Default::default() };
    let file = disk.open(&file, options).await?;
    let content = Bytes::from(format!("version: 0\ntopic_id: {topic_id}\n"));
    disk.write(&file, vec![content], 0, Durability::Buffered, Lane::Background).await?;
    disk.sync_data(&file, Lane::Background).await?;
    disk.sync_directory(path).await?;
    disk.sync_directory(root).await
}

/// The topic id in a partition's directory; `None` if it does not say.
pub(crate) async fn read_topic_id(runtime: &Runtime, path: &Path) -> io::Result<Option<Uuid>> {
    let bytes = read_whole(runtime, &path.join(PARTITION_METADATA)).await?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(text.lines().find_map(|line| line.strip_prefix("topic_id:")).and_then(|id| Uuid::parse(id.trim())))
}

/// A partition that was opened before has its directory, unless somebody took it away.
async fn check_is_there(runtime: &Runtime, path: &Path) -> Result<(), StorageError> {
    let found = runtime.disk().stat(&path.join(PARTITION_METADATA)).await;
    match found {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StorageError::Refused(format!("{} cannot be read: {error}", path.display())))
        }
        Ok(found) if found.bytes > 0 => Ok(()),
        _ => Err(StorageError::Refused(format!(
            "{} was in use and is missing or without its {PARTITION_METADATA}: put it back, or delete the topic",
            path.display()
        ))),
    }
}

/// A directory of another incarnation of the topic must not be mistaken for this one.
async fn check_topic_id(runtime: &Runtime, path: &Path, expected: Uuid) -> Result<(), StorageError> {
    let file = path.join(PARTITION_METADATA).display().to_string();
    let found = read_topic_id(runtime, path).await;
    let found = found.map_err(|error| StorageError::Refused(format!("{file} cannot be read: {error}")))?;
    if found == Some(expected) {
        return Ok(());
    }
    let found = found.map_or("nothing".to_owned(), |id| id.to_string());
    Err(StorageError::Refused(format!("{file} names topic id {found}, the metadata says {expected}")))
}
