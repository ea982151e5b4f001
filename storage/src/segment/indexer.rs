//! When a batch gets index entries (`LogSegment.append`): the same rule while writing, in recovery and in `check`.

use super::{IndexDigest, IndexStatement, OffsetIndex, OffsetPosition, TimeIndex, TimestampPosition};
use crate::ids::Offset;

/// A batch as the indexes see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexedBatch {
    /// Where it starts in the `.log` file.
    pub position: u32,
    /// Its size.
    pub bytes: u32,
    /// Its last offset.
    pub last_offset: Offset,
    /// Its largest timestamp, -1 without any.
    pub max_timestamp_ms: i64,
}

/// Builds both indexes of one segment from its batches in order.
#[derive(Debug, Clone)]
pub struct Indexer {
    /// The offset index so far.
    pub offsets: OffsetIndex,
    /// The time index so far.
    pub times: TimeIndex,
    interval_bytes: u64,
    bytes_since_entry: u64,
    max: TimestampPosition,
    last: Option<Offset>,
    covered_bytes: u64,
}

impl Indexer {
    /// For a segment without batches; `interval_bytes` is `index.interval.bytes`.
    #[must_use]
    pub fn new(base_offset: Offset, interval_bytes: u64) -> Indexer {
        let max = TimestampPosition { timestamp_ms: -1, offset: base_offset };
        let (offsets, times) = (OffsetIndex::new(base_offset), TimeIndex::new(base_offset));
        Indexer { offsets, times, interval_bytes, bytes_since_entry: 0, max, last: None, covered_bytes: 0 }
    }

    /// Goes on with indexes read from disk; the next batch to observe is the last one that has an entry (the first of
    /// the segment, if none has).
    #[must_use]
    pub fn resume(offsets: OffsetIndex, times: TimeIndex, base_offset: Offset, interval_bytes: u64) -> Indexer {
        let max = times.last().unwrap_or(TimestampPosition { timestamp_ms: -1, offset: base_offset });
        Indexer { offsets, times, interval_bytes, bytes_since_entry: 0, max, last: None, covered_bytes: 0 }
    }

    /// Takes note of the next batch.
    pub fn observe(&mut self, batch: IndexedBatch) {
        if batch.max_timestamp_ms > self.max.timestamp_ms {
            self.max = TimestampPosition { timestamp_ms: batch.max_timestamp_ms, offset: batch.last_offset };
        }
        if self.bytes_since_entry > self.interval_bytes {
            self.offsets.append(OffsetPosition { offset: batch.last_offset, position: batch.position });
            self.times.maybe_append(self.max);
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += u64::from(batch.bytes);
        self.last = Some(batch.last_offset);
        self.covered_bytes = u64::from(batch.position) + u64::from(batch.bytes);
    }

    /// Last offset of the batch observed last.
    #[must_use]
    pub fn last_observed(&self) -> Option<Offset> {
        self.last
    }

    /// Bytes of the log up to the end of the batch observed last.
    #[must_use]
    pub fn covered_bytes(&self) -> u64 {
        self.covered_bytes
    }

    /// What there is to state of the indexes once all of them is in files.
    #[must_use]
    pub fn statement(&self) -> IndexStatement {
        IndexStatement {
            covered_bytes: self.covered_bytes,
            offsets: IndexDigest::of(self.offsets.bytes()),
            times: IndexDigest::of(self.times.bytes()),
            max_timestamp_ms: self.max.timestamp_ms,
        }
    }

    /// The segment is rolled or closed: its largest timestamp is the time index's last entry.
    pub fn finish(&mut self) {
        self.times.maybe_append(self.max);
    }

    /// The largest timestamp so far and the last offset of the batch that has it; -1 without any.
    #[must_use]
    pub fn max_timestamp(&self) -> TimestampPosition {
        self.max
    }

    /// Bytes of the larger index: the segment rolls before it exceeds `segment.index.bytes`.
    #[must_use]
    pub fn index_bytes(&self) -> usize {
        self.offsets.bytes().len().max(self.times.bytes().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_follows_each_interval_and_the_maximum_comes_last() {
        let mut indexer = Indexer::new(Offset(100), 200);
        for (position, last_offset, max_timestamp_ms) in
            [(0, 100, 5), (100, 101, 9), (200, 102, 3), (300, 103, 4), (400, 104, 20), (500, 105, 6), (600, 110, 7)]
        {
            let last_offset = Offset(last_offset);
            indexer.observe(IndexedBatch { position, bytes: 100, last_offset, max_timestamp_ms });
        }
        indexer.finish();
        let offsets: Vec<_> = indexer.offsets.entries().map(|entry| (entry.offset.0, entry.position)).collect();
        let times: Vec<_> = indexer.times.entries().map(|entry| (entry.timestamp_ms, entry.offset.0)).collect();
        assert_eq!(offsets, [(103, 300), (110, 600)]);
        assert_eq!(times, [(9, 101), (20, 104)]);
        assert_eq!(indexer.index_bytes(), 24);
    }

    #[test]
    fn a_segment_without_timestamps_has_no_time_index() {
        let mut indexer = Indexer::new(Offset(0), 0);
        indexer.observe(IndexedBatch { position: 0, bytes: 9, last_offset: Offset(0), max_timestamp_ms: -1 });
        indexer.observe(IndexedBatch { position: 9, bytes: 9, last_offset: Offset(1), max_timestamp_ms: -1 });
        indexer.finish();
        assert_eq!((indexer.offsets.len(), indexer.times.len()), (1, 0));
    }
}
