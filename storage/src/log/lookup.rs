//! Finding offsets by time and by leader epoch.

use protocol::records::{BatchView, NO_TIMESTAMP};

use super::{Log, ReadLimit, TimestampOffset};
use crate::error::StorageError;
use crate::ids::{LeaderEpoch, Offset};

/// The most that one compressed batch may unfold to for a look-up.
const BODY_BYTES_MAX: usize = 512 << 20;

impl Log {
    /// First record at or after `timestamp_ms`, record-exact, below `limit` (ListOffsets by time).
    pub async fn offset_for_timestamp(
        &self,
        timestamp_ms: i64,
        limit: ReadLimit,
    ) -> Result<Option<TimestampOffset>, StorageError> {
        let limit = self.limit(limit);
        let candidate = {
            let state = self.state.borrow();
            let mut batches = state.tail.from(self.start.get()).take_while(|batch| batch.next_offset <= limit);
            batches.find(|batch| batch.max_timestamp >= timestamp_ms).map(|batch| batch.memory.parts().concat())
        };
        let found = candidate.map(|bytes| first_record_at(&bytes, timestamp_ms, self.start.get())).transpose();
        found.map(Option::flatten).map_err(|reason| self.corrupt(0, reason))
    }

    /// The record with the largest timestamp (ListOffsets -3).
    pub async fn offset_of_max_timestamp(&self) -> Result<Option<TimestampOffset>, StorageError> {
        let largest = {
            let state = self.state.borrow();
            let high = self.high.get();
            let batches = state.tail.from(self.start.get()).take_while(|batch| batch.next_offset <= high);
            batches.map(|batch| batch.max_timestamp).max()
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
fn first_record_at(bytes: &[u8], timestamp_ms: i64, from: i64) -> Result<Option<TimestampOffset>, String> {
    let batch = BatchView::parse(bytes).map_err(|error| error.to_string())?;
    let epoch = batch.header.partition_leader_epoch;
    let leader_epoch = (epoch >= 0).then_some(LeaderEpoch(epoch));
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
