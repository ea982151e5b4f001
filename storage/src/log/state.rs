//! What a log knows of itself; borrowed for moments, never across an await.

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use protocol::records::BatchHeader;

use super::LogConfig;
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

pub(crate) struct State {
    pub config: LogConfig,
    pub head: Head,
    pub tail: Tail,
    /// Commits on their way: the end offset each makes durable.
    pub uncommitted: VecDeque<(i64, Rc<Group>)>,
}

impl State {
    pub fn new(config: LogConfig, head: Head) -> State {
        State { config, head, tail: Tail::default(), uncommitted: VecDeque::new() }
    }

    /// How far decided data goes, given the high watermark.
    pub fn stable_offset(&self, high_watermark: i64) -> i64 {
        high_watermark
    }

    pub fn bytes(&self) -> u64 {
        self.tail.bytes()
    }

    pub fn committed(&mut self, next_offset: i64) {
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

/// Kafka keeps offsets relative to the segment's in 32 bits.
const RELATIVE_OFFSET_MAX: i64 = i32::MAX as i64;
/// Size of an entry of the offset index; `segment.index.bytes` counts in these.
const INDEX_ENTRY_BYTES: u64 = 8;

impl Head {
    /// Adds a batch: its segment, its position there, and whether an index entry is due for it.
    pub fn place(&mut self, bytes: u64, max_timestamp: i64, index_interval_bytes: u64) -> (i64, u64, bool) {
        let position = self.bytes;
        let indexed = self.bytes_since_index > index_interval_bytes;
        if indexed {
            self.index_entries += 1;
            self.bytes_since_index = 0;
        }
        self.bytes += bytes;
        self.bytes_since_index += bytes;
        self.first_timestamp.get_or_insert(max_timestamp);
        (self.base_offset, position, indexed)
    }
}

impl State {
    /// Whether a batch of `bytes` begins a new segment (LogSegment.shouldRoll: size, time of the records, index full,
    /// relative offset too large).
    pub fn must_roll(&self, bytes: u64, last_offset: i64, max_timestamp: i64, now_ms: i64) -> bool {
        let (head, config) = (&self.head, &self.config);
        if last_offset - head.base_offset > RELATIVE_OFFSET_MAX {
            return true;
        }
        head.bytes > 0
            && (head.bytes > config.segment_bytes.saturating_sub(bytes)
                || self.waited_ms(max_timestamp, now_ms) > config.segment_ms.saturating_sub(config.segment_jitter_ms)
                || head.index_entries >= config.segment_index_bytes / INDEX_ENTRY_BYTES)
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
    pub fn replay_batch(&mut self, header: &BatchHeader, lsn: Lsn, bytes: Bytes) -> i64 {
        let next_offset = header.last_offset() + 1;
        let length = bytes.len() as u64;
        // The wall clock is of no use here: when the batch was appended, it rolled by its own time or size.
        if self.must_roll(length, header.last_offset(), header.max_timestamp, self.head.created_ms) {
            self.head = Head { base_offset: header.base_offset, created_ms: self.head.created_ms, ..Head::default() };
        }
        let interval = self.config.index_interval_bytes;
        let (segment_base_offset, position, indexed) = self.head.place(length, header.max_timestamp, interval);
        self.tail.push(TailBatch {
            base_offset: header.base_offset,
            next_offset,
            bytes: length as u32,
            max_timestamp: header.max_timestamp,
            segment_base_offset,
            position,
            indexed,
            lsn,
            memory: BatchMemory::new(vec![bytes]),
        });
        next_offset
    }
}
