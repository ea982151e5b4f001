//! What a log knows of itself; borrowed for moments, never across an await.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use bytes::Bytes;
use protocol::records::BatchView;

use super::LogConfig;
use super::aborted::Aborted;
use super::rope::Part;
use crate::compaction::clean::CleaningState;
use crate::ids::{LeaderEpoch, Offset};
use crate::leader_epochs::LeaderEpochs;
use crate::producer_state::{ProducerBatch, ProducerState};
use crate::runtime::{File, Monotonic};
use crate::segment::{IndexStatement, IndexedBatch, Indexer};
use crate::segment_file::Segment;
use crate::tail::{Tail, TailBatch};
use crate::wal::{BatchMemory, Group, Lsn};

/// The segment that appends go to, as it will be once written back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Head {
    /// Its first offset and name.
    pub base_offset: i64,
    /// Its bytes, those only in memory included.
    pub bytes: u64,
    /// Bytes since the last index entry.
    pub bytes_since_index: u64,
    /// Entries of its offset index.
    pub index_entries: u64,
    /// Largest timestamp of its first batch: what `segment.ms` counts from; `None` before the first.
    pub first_timestamp: Option<i64>,
    /// When it was begun, by the wall clock.
    pub created_ms: i64,
}

/// What of the log is in files, as far as it is safe to forget the write-ahead log.
pub(crate) struct Files {
    /// Every segment with a file, and the one being written.
    pub segments: BTreeMap<i64, Rc<Segment>>,
    /// The segment being written.
    pub active: i64,
    /// Bytes of it that are synced: whole blocks, or the exact length when nothing is being written.
    pub position: u64,
    /// Bytes behind `position` that do not fill a block: they are in the newest [`SegmentSynced`] entry.
    pub residue: Bytes,
    /// All below is in segments or in `residue`.
    pub next_offset: i64,
    /// Where that [`SegmentSynced`] entry is. `None`: files say it all, and have not been touched since.
    pub synced_lsn: Option<Lsn>,
    /// Indexes of the segment being written.
    pub indexer: Indexer,
    /// What of them is in their files, durably and stated in the sidecar.
    pub stated: IndexStatement,
    /// Producer snapshots that have a file, by offset.
    pub snapshots: BTreeSet<i64>,
    /// It, open for writing.
    pub file: Option<File>,
    /// Its sidecar, open for writing.
    pub sidecar: Option<File>,
    /// Somebody is writing back.
    pub busy: bool,
}

impl Files {
    /// Files of a log whose newest segment begins at `base_offset` and is empty.
    pub fn new(base_offset: i64, index_interval_bytes: u64) -> Files {
        Files {
            segments: BTreeMap::new(),
            active: base_offset,
            position: 0,
            residue: Bytes::new(),
            next_offset: base_offset,
            synced_lsn: None,
            indexer: Indexer::new(Offset(base_offset), index_interval_bytes),
            stated: IndexStatement::default(),
            snapshots: BTreeSet::new(),
            file: None,
            sidecar: None,
            busy: false,
        }
    }

    /// The segment being written counts as far as it is synced.
    pub fn sync_segment_bytes(&self) {
        if let Some(segment) = self.segments.get(&self.active) {
            segment.bytes.set(self.position);
        }
    }

    /// Closes what is open for writing.
    pub fn close(&mut self) {
        self.file = None;
        self.sidecar = None;
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.bytes.get()).sum::<u64>() + self.residue.len() as u64
    }
}

/// What one round of write-back writes.
pub(crate) struct Plan {
    pub segment_base_offset: i64,
    /// The offset after its last batch.
    pub next_offset: i64,
    pub bytes: u64,
    pub rope: Vec<Part>,
    pub indexed: Vec<IndexedBatch>,
}

pub(crate) struct State {
    pub config: LogConfig,
    pub head: Head,
    pub tail: Tail,
    /// Bytes of the tail that are in the write-ahead log only.
    pub unwritten_bytes: u64,
    /// Segments that were begun and that write-back has not come to.
    pub unwritten_rolls: u64,
    pub files: Files,
    pub producers: ProducerState,
    /// Transactions that were aborted, as far as no closed segment's index has them.
    pub aborted: Aborted,
    pub epochs: LeaderEpochs,
    /// The epochs changed since their file was written.
    pub epochs_dirty: bool,
    /// Entries of the write-ahead log that move the log start, and where to, until a file says so. The newest may still be on
    /// their way.
    pub log_starts: VecDeque<(Lsn, i64)>,
    /// Since when there is something that is not in files.
    pub dirty_since: Option<Monotonic>,
    pub last_append: Monotonic,
    /// Where compaction stands.
    pub cleaning: CleaningState,
    /// Commits on their way: the end offset each makes durable.
    pub uncommitted: VecDeque<(i64, Rc<Group>)>,
}

impl State {
    pub fn new(config: LogConfig, head: Head, files: Files) -> State {
        State {
            config,
            head,
            tail: Tail::default(),
            unwritten_bytes: 0,
            unwritten_rolls: 0,
            producers: ProducerState::new(Offset(files.next_offset)),
            aborted: Aborted::default(),
            files,
            epochs: LeaderEpochs::default(),
            epochs_dirty: false,
            log_starts: VecDeque::new(),
            dirty_since: None,
            last_append: Monotonic::default(),
            cleaning: CleaningState::default(),
            uncommitted: VecDeque::new(),
        }
    }

    /// How far decided data goes, given the high watermark.
    pub fn stable_offset(&self, high_watermark: i64) -> i64 {
        self.producers.first_unstable_offset().map_or(high_watermark, |first| first.0.min(high_watermark))
    }

    /// Bytes of the log, those only in memory included.
    pub fn bytes(&self) -> u64 {
        self.files.bytes() + self.unwritten_bytes
    }

    /// The oldest entry of the write-ahead log that this log still needs.
    pub fn needed_lsn(&self) -> Option<Lsn> {
        let log_start = self.log_starts.front().map(|(lsn, _)| *lsn);
        [self.unwritten_lsn(), self.files.synced_lsn, log_start].into_iter().flatten().min()
    }

    /// The entry of the oldest batch that is in the write-ahead log only.
    pub fn unwritten_lsn(&self) -> Option<Lsn> {
        self.tail.from(self.files.next_offset).next().map(|batch| batch.lsn)
    }

    /// Batches for one round of write-back: committed, of one segment, about `bytes_max`.
    pub fn plan(&self, high_watermark: i64, bytes_max: u64) -> Option<Plan> {
        let mut batches = self.tail.from(self.files.next_offset).peekable();
        let segment_base_offset = batches.peek()?.segment_base_offset;
        let mut plan =
            Plan { segment_base_offset, next_offset: self.files.next_offset, bytes: 0, rope: vec![], indexed: vec![] };
        for batch in batches {
            let fits = plan.bytes == 0 || plan.bytes + u64::from(batch.bytes) <= bytes_max;
            if !fits || batch.segment_base_offset != segment_base_offset || batch.next_offset > high_watermark {
                break;
            }
            plan.rope.extend(parts_of(&batch.memory));
            plan.bytes += u64::from(batch.bytes);
            plan.next_offset = batch.next_offset;
            plan.indexed.push(IndexedBatch {
                position: batch.position as u32,
                bytes: batch.bytes,
                last_offset: Offset(batch.next_offset - 1),
                max_timestamp_ms: batch.max_timestamp,
            });
        }
        (plan.bytes > 0).then_some(plan)
    }

    /// All below `next_offset` is durable.
    pub fn committed(&mut self, next_offset: i64, high_watermark: i64) {
        self.producers.on_high_watermark(Offset(next_offset.max(high_watermark)));
        while self.uncommitted.front().is_some_and(|(end, _)| *end <= next_offset) {
            self.uncommitted.pop_front();
        }
    }

    /// The commit that makes everything below `next_offset` durable; `None` if it is.
    pub fn commit_of(&self, next_offset: i64) -> Option<Rc<Group>> {
        self.uncommitted.iter().find(|(end, _)| *end >= next_offset).map(|(_, group)| group.clone())
    }

    /// Notes the commit that the batch before `next_offset` is part of.
    pub fn add_uncommitted(&mut self, next_offset: i64, group: Rc<Group>) {
        match self.uncommitted.back_mut() {
            Some((end, last)) if Rc::ptr_eq(last, &group) => *end = next_offset,
            _ => self.uncommitted.push_back((next_offset, group)),
        }
    }
}

/// The slices of a batch, in order.
fn parts_of(batch: &Rc<BatchMemory>) -> impl Iterator<Item = Part> {
    batch.parts().into_iter().scan(0, |at, bytes| {
        let part = Part { at: *at, batch: batch.clone(), bytes };
        *at += part.bytes.len();
        Some(part)
    })
}

/// Kafka keeps offsets relative to the segment's in 32 bits.
const RELATIVE_OFFSET_MAX: i64 = i32::MAX as i64;
/// Size of an entry of the offset index; `segment.index.bytes` counts in these.
const INDEX_ENTRY_BYTES: u64 = 8;

impl Head {
    /// Adds a batch: its segment and its position there. Counts index entries as [`Indexer`] will make them.
    pub fn place(&mut self, bytes: u64, max_timestamp: i64, index_interval_bytes: u64) -> (i64, u64) {
        let position = self.bytes;
        if self.bytes_since_index > index_interval_bytes {
            self.index_entries += 1;
            self.bytes_since_index = 0;
        }
        self.bytes += bytes;
        self.bytes_since_index += bytes;
        self.first_timestamp.get_or_insert(max_timestamp);
        (self.base_offset, position)
    }
}

impl State {
    /// Appends go to a new segment from here on.
    pub fn begin_segment(&mut self, base_offset: i64, created_ms: i64) {
        self.head = Head { base_offset, created_ms, ..Head::default() };
        self.unwritten_rolls += 1;
    }

    /// Whether a batch of `bytes` begins a new segment (LogSegment.shouldRoll: size, time of the records, index full,
    /// relative offset too large).
    pub fn must_roll(&self, bytes: u64, last_offset: i64, max_timestamp: i64, now_ms: i64) -> bool {
        let (head, config) = (&self.head, &self.config);
        if last_offset - head.base_offset > RELATIVE_OFFSET_MAX {
            return true;
        }
        head.bytes > 0
            && (head.bytes > config.segment_bytes.saturating_sub(bytes)
                || self.waited_ms(max_timestamp, now_ms) > config.roll_ms().saturating_sub(config.segment_jitter_ms)
                || head.index_entries >= config.segment_index_bytes / INDEX_ENTRY_BYTES
                || self.aborted.fills_index(head.base_offset, config.segment_index_bytes))
    }

    /// How old the segment is, in records' time if they have any (LogSegment.timeWaitedForRoll).
    fn waited_ms(&self, max_timestamp: i64, now_ms: i64) -> i64 {
        match self.head.first_timestamp {
            Some(first) if first >= 0 => max_timestamp.saturating_sub(first),
            _ => now_ms.saturating_sub(self.head.created_ms),
        }
    }
}

impl State {
    /// Puts a batch back that a start found in the write-ahead log. Returns the offset after it.
    pub fn replay_batch(&mut self, batch: &BatchView<'_>, lsn: Lsn, bytes: Bytes) -> i64 {
        let header = &batch.header;
        let next_offset = header.last_offset() + 1;
        let length = bytes.len() as u64;
        // The wall clock is of no use here: when the batch was appended, it rolled by its own time or size.
        if self.must_roll(length, header.last_offset(), header.max_timestamp, self.head.created_ms) {
            self.begin_segment(header.base_offset, self.head.created_ms);
        }
        let interval = self.config.index_interval_bytes;
        let (segment_base_offset, position) = self.head.place(length, header.max_timestamp, interval);
        self.observe(batch);
        self.unwritten_bytes += length;
        self.tail.push(TailBatch {
            base_offset: header.base_offset,
            next_offset,
            bytes: length as u32,
            max_timestamp: header.max_timestamp,
            segment_base_offset,
            position,
            lsn,
            memory: BatchMemory::new(vec![bytes]),
        });
        next_offset
    }

    /// Takes note of producer and leader epoch of a batch that is in the log already.
    pub fn observe(&mut self, batch: &BatchView<'_>) {
        let header = &batch.header;
        self.assign_epoch(header.partition_leader_epoch, header.base_offset);
        if header.base_offset < self.producers.end_offset().0 {
            return;
        }
        match ProducerBatch::new(batch, Offset(header.base_offset), header.max_timestamp) {
            Some(producer) => {
                if let Some(aborted) = self.producers.replay(&producer) {
                    self.aborted.push(aborted);
                }
            }
            None => self.producers.set_end_offset(Offset(header.last_offset() + 1)),
        }
    }

    /// A batch of this epoch begins at `base_offset`.
    pub fn assign_epoch(&mut self, epoch: i32, base_offset: i64) {
        if epoch >= 0 && self.epochs.assign(LeaderEpoch(epoch), Offset(base_offset)) {
            self.epochs_dirty = true;
        }
    }
}
