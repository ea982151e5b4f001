//! Control records: what the transaction coordinator writes into a partition to end a transaction there.

use bytes::Bytes;

use super::builder::{BatchBuilder, NewRecord};
use super::codecs::Compression;
use super::error::BatchError;
use super::header::{Attributes, BatchHeader};
use super::record::Record;

/// What a control record says; its key is a version and this, two bytes each (ControlRecordTypeSchema.json).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlRecordType {
    /// The transaction was aborted.
    Abort,
    /// The transaction was committed.
    Commit,
    /// Kafka's own quorum (2 to 6) or something newer: to be ignored.
    Other(i16),
}

impl ControlRecordType {
    /// Reads a control record's key; newer versions are read as the newest known. `None` when it is not one.
    #[must_use]
    pub fn parse(key: &[u8]) -> Option<ControlRecordType> {
        let [version_high, version_low, type_high, type_low] = *key.first_chunk::<4>()?;
        if i16::from_be_bytes([version_high, version_low]) < 0 {
            return None;
        }
        Some(match i16::from_be_bytes([type_high, type_low]) {
            0 => ControlRecordType::Abort,
            1 => ControlRecordType::Commit,
            other => ControlRecordType::Other(other),
        })
    }
}

/// The end of a producer's transaction in one partition (EndTxnMarker.json).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndTransactionMarker {
    /// Committed, else aborted.
    pub commit: bool,
    /// Epoch of the coordinator that wrote it; an older one is a zombie's.
    pub coordinator_epoch: i32,
}

impl EndTransactionMarker {
    /// Reads a control record; `None` when it does not end a transaction.
    #[must_use]
    pub fn parse(record: &Record<'_>) -> Option<EndTransactionMarker> {
        let commit = match ControlRecordType::parse(record.key?)? {
            ControlRecordType::Commit => true,
            ControlRecordType::Abort => false,
            ControlRecordType::Other(_) => return None,
        };
        let [version_high, version_low, epoch @ ..] = *record.value?.first_chunk::<6>()?;
        (i16::from_be_bytes([version_high, version_low]) >= 0)
            .then_some(EndTransactionMarker { commit, coordinator_epoch: i32::from_be_bytes(epoch) })
    }

    fn key(self) -> [u8; 4] {
        [0, 0, 0, u8::from(self.commit)]
    }

    fn value(self) -> [u8; 6] {
        let [a, b, c, d] = self.coordinator_epoch.to_be_bytes();
        [0, 0, a, b, c, d]
    }
}

/// A batch with nothing but this marker, as `MemoryRecords.withEndTransactionMarker` makes it.
pub fn end_transaction_batch(
    producer_id: i64,
    producer_epoch: i16,
    timestamp_ms: i64,
    marker: EndTransactionMarker,
) -> Result<Bytes, BatchError> {
    let attributes = Attributes(Attributes::TRANSACTIONAL | Attributes::CONTROL);
    let header = BatchHeader { producer_id, producer_epoch, attributes, ..BatchHeader::default() };
    let mut builder = BatchBuilder::new(header, Compression::None);
    let (key, value) = (marker.key(), marker.value());
    builder.append(NewRecord { timestamp_ms, key: Some(&key), value: Some(&value), headers: &[] })?;
    builder.build()
}
