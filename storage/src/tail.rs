//! The newest batches of a partition, in memory: what is not in a segment yet, and a cache of what is.

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;

use crate::wal::{BatchMemory, Lsn};

/// A batch in memory.
pub struct TailBatch {
    /// Offset of its first record.
    pub base_offset: i64,
    /// Offset after its last record.
    pub next_offset: i64,
    /// Size.
    pub bytes: u32,
    /// Largest timestamp of its records.
    pub max_timestamp: i64,
    /// The segment it belongs to, by base offset.
    pub segment_base_offset: i64,
    /// Where in that segment it begins.
    pub position: u64,
    /// Its entry in the write-ahead log.
    pub lsn: Lsn,
    /// Its bytes.
    pub memory: Rc<BatchMemory>,
}

/// Batches without a gap, up to the log end.
#[derive(Default)]
pub struct Tail {
    batches: VecDeque<TailBatch>,
}

impl Tail {
    /// Adds the newest batch.
    pub fn push(&mut self, batch: TailBatch) {
        if let Some(last) = self.batches.back() {
            assert_eq!(last.next_offset, batch.base_offset, "a tail has no gaps");
        }
        self.batches.push_back(batch);
    }

    /// The offset of the oldest batch.
    pub fn first_offset(&self) -> Option<i64> {
        self.batches.front().map(|batch| batch.base_offset)
    }

    /// The batches from the one that holds `offset` on.
    pub fn from(&self, offset: i64) -> impl Iterator<Item = &TailBatch> {
        let first = self.batches.partition_point(|batch| batch.next_offset <= offset);
        self.batches.range(first..)
    }

    /// Whole batches from the one that holds `offset`, below `limit`; the first one even if it is larger than
    /// `bytes_max` when `at_least_one` is set.
    pub fn read(&self, offset: i64, limit: i64, bytes_max: usize, at_least_one: bool) -> (Vec<Bytes>, usize) {
        let (mut rope, mut bytes) = (Vec::new(), 0);
        for batch in self.from(offset).take_while(|batch| batch.next_offset <= limit) {
            let fits = bytes + batch.bytes as usize <= bytes_max || (bytes == 0 && at_least_one);
            if !fits {
                break;
            }
            batch.memory.append_to(&mut rope);
            bytes += batch.bytes as usize;
        }
        (rope, bytes)
    }

    /// Drops batches that end at or below `offset`.
    pub fn drop_below(&mut self, offset: i64) {
        while self.batches.front().is_some_and(|batch| batch.next_offset <= offset) {
            self.batches.pop_front();
        }
    }
}
