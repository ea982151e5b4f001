//! Finding offsets by time and by leader epoch.

use bytes::Bytes;
use protocol::records::{BatchView, Batches, NO_TIMESTAMP};

use super::{Log, ReadLimit, TimestampOffset};
use crate::error::StorageError;
use crate::ids::{LeaderEpoch, Offset};

/// The most that one compressed batch may unfold to for a look-up.
const BODY_BYTES_MAX: usize = 512 << 20;
/// How much is read at once while looking for a batch.
const SCAN_BYTES: usize = 256 << 10;

impl Log {
    /// First record at or after `timestamp_ms`, record-exact, below `limit` (ListOffsets by time).
    pub async fn offset_for_timestamp(
        &self,
        timestamp_ms: i64,
        limit: ReadLimit,
    ) -> Result<Option<TimestampOffset>, StorageError> {
        let limit = self.limit(limit);
        let mut offset = self.scan_start(timestamp_ms).await?.max(self.start.get());
        while offset < limit {
            let bytes = self.read_any(offset, limit, SCAN_BYTES).await?;
            for batch in Batches::new(&bytes) {
                let batch = batch.map_err(|error| self.corrupt(0, error.to_string()))?;
                offset = batch.header.last_offset() + 1;
                if batch.header.max_timestamp < timestamp_ms {
                    continue;
                }
                let found = first_record_at(&batch, timestamp_ms, self.start.get());
                if let Some(found) = found.map_err(|reason| self.corrupt(0, reason))? {
                    return Ok(Some(found));
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        Ok(None)
    }

    /// Where to begin looking: no batch before it has a record at or after the time.
    async fn scan_start(&self, timestamp_ms: i64) -> Result<i64, StorageError> {
        let candidate = {
            let files = &self.state.borrow().files;
            match files.segments.values().find(|segment| segment.max_timestamp.get() >= timestamp_ms) {
                // Nothing in files is that late.
                None if files.indexer.max_timestamp().timestamp_ms < timestamp_ms => return Ok(files.next_offset),
                Some(segment) if segment.base_offset != files.active => segment.clone(),
                _ => {
                    let entry = files.indexer.times.lookup(timestamp_ms);
                    return Ok(entry.map_or(files.active, |entry| entry.offset.0));
                }
            }
        };
        let index = candidate.time_index(&self.volume.runtime).await;
        let index = index.map_err(|error| self.volume.health.read_failed(self.name(), &error))?;
        let entry = index.and_then(|index| index.lookup(timestamp_ms));
        Ok(entry.map_or(candidate.base_offset, |entry| entry.offset.0.max(candidate.base_offset)))
    }

    /// Whole batches from memory or from a segment, one at least.
    async fn read_any(&self, offset: i64, limit: i64, bytes_max: usize) -> Result<Bytes, StorageError> {
        let cached = {
            let state = self.state.borrow();
            let covers = state.tail.first_offset().is_some_and(|first| first <= offset);
            covers.then(|| state.tail.read(offset, limit, bytes_max, true).0)
        };
        match cached {
            Some(rope) => Ok(Bytes::from(rope.concat())),
            None => self.read_segment(offset, limit, bytes_max, true).await,
        }
    }

    /// The record with the largest timestamp (ListOffsets -3).
    pub async fn offset_of_max_timestamp(&self) -> Result<Option<TimestampOffset>, StorageError> {
        let largest = {
            let (state, high) = (self.state.borrow(), self.high.get());
            let unwritten = state.tail.from(state.files.next_offset).take_while(|batch| batch.next_offset <= high);
            let in_segments = state.files.segments.values().map(|segment| segment.max_timestamp.get());
            let newest = state.files.indexer.max_timestamp().timestamp_ms;
            unwritten.map(|batch| batch.max_timestamp).chain(in_segments).chain([newest]).max()
        };
        match largest {
            Some(timestamp_ms) if timestamp_ms > NO_TIMESTAMP => {
                self.offset_for_timestamp(timestamp_ms, ReadLimit::HighWatermark).await
            }
            _ => Ok(None),
        }
    }

    /// KIP-101: epoch and end offset for a requested epoch (LeaderEpochFileCache.endOffsetFor); `None` if unknown.
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.state.borrow().epochs.end_offset_for(epoch, self.log_end_offset())
    }

    /// The epoch a given offset was written under.
    pub fn epoch_for_offset(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.state.borrow().epochs.epoch_for_offset(offset)
    }

    pub(crate) fn corrupt(&self, position: u64, reason: String) -> StorageError {
        StorageError::Corrupt { file: self.path.display().to_string(), position, reason }
    }
}

/// The first record of a batch that is at or after a time and not below `from`.
fn first_record_at(batch: &BatchView<'_>, timestamp_ms: i64, from: i64) -> Result<Option<TimestampOffset>, String> {
    let epoch = batch.header.partition_leader_epoch;
    let leader_epoch = (epoch >= 0).then_some(LeaderEpoch(epoch));
    let dense = batch.header.records_count == batch.header.last_offset_delta.saturating_add(1);
    if batch.header.is_log_append_time() && dense {
        // All records are of the batch's time.
        let offset = Offset(batch.header.base_offset.max(from));
        return Ok(Some(TimestampOffset { timestamp_ms: batch.header.max_timestamp, offset, leader_epoch }));
    }
    let body = batch.body(BODY_BYTES_MAX).map_err(|error| error.to_string())?;
    for record in batch.records(&body) {
        let record = record.map_err(|error| error.to_string())?;
        if record.timestamp_ms >= timestamp_ms && record.offset >= from {
            let offset = Offset(record.offset);
            return Ok(Some(TimestampOffset { timestamp_ms: record.timestamp_ms, offset, leader_epoch }));
        }
    }
    Ok(None)
}
