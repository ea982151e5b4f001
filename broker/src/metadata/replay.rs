//! From records to batches and back to an image. One change is one batch: the batch's checksum makes it all or nothing.

use bytes::Bytes;
use protocol::records::{BatchBuilder, BatchError, BatchHeader, BatchView, Batches, Compression, NewRecord};
use storage::Offset;
use thiserror::Error;

use crate::metadata::image::{ApplyError, MetadataImage};
use crate::metadata::record::{MetadataRecord, RecordError};

/// Largest batch of metadata records, in bytes: about 150,000 partitions in one change.
pub const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Records of a snapshot are cut into batches of about this many bytes.
const SNAPSHOT_BATCH_BYTES: usize = 256 * 1024;

/// The metadata log does not make sense. The start fails on it: nothing may be guessed about metadata.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// No sound batch.
    #[error("metadata log at offset {offset}: {error}", offset = .offset.0)]
    Batch {
        /// Where.
        offset: Offset,
        /// What is wrong with it.
        error: BatchError,
    },
    /// No sound record.
    #[error("metadata log at offset {offset}: {error}", offset = .offset.0)]
    Record {
        /// Where.
        offset: Offset,
        /// What is wrong with it.
        error: RecordError,
    },
    /// A record that does not fit those before it.
    #[error("metadata log at offset {offset}: {error}", offset = .offset.0)]
    Apply {
        /// Where.
        offset: Offset,
        /// What does not fit.
        error: ApplyError,
    },
}

/// One change as one batch.
pub fn encode_batch(records: &[MetadataRecord], timestamp_ms: i64) -> Result<Bytes, BatchError> {
    let mut builder = BatchBuilder::new(BatchHeader::default(), Compression::None);
    for record in records {
        let value = record.encode();
        builder.append(NewRecord { timestamp_ms, value: Some(&value), ..NewRecord::default() })?;
    }
    builder.build()
}

/// The image as batches that replace everything before them. A reader takes them in once the last one is there.
pub fn encode_snapshot(image: &MetadataImage, timestamp_ms: i64) -> Result<Vec<Bytes>, BatchError> {
    let records = std::iter::once(MetadataRecord::SnapshotBegin)
        .chain(image.to_records())
        .chain(std::iter::once(MetadataRecord::SnapshotEnd));
    let mut batches = Vec::new();
    let mut builder = BatchBuilder::new(BatchHeader::default(), Compression::None);
    for record in records {
        let value = record.encode();
        if builder.count() > 0 && builder.size_bytes() + value.len() > SNAPSHOT_BATCH_BYTES {
            let full = std::mem::replace(&mut builder, BatchBuilder::new(BatchHeader::default(), Compression::None));
            batches.push(full.build()?);
        }
        builder.append(NewRecord { timestamp_ms, value: Some(&value), ..NewRecord::default() })?;
    }
    batches.push(builder.build()?);
    Ok(batches)
}

/// Builds an image out of the log, batch by batch.
#[derive(Debug, Default)]
pub struct Replay {
    image: MetadataImage,
    /// The image of a snapshot that has begun and not ended. A crash in the middle of writing one leaves it unfinished;
    /// the records before it are all still there then, and it is left aside.
    snapshot: Option<MetadataImage>,
}

impl Replay {
    /// Takes in whole batches.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), ReplayError> {
        for batch in Batches::new(bytes) {
            let offset = self.image.next_offset;
            let batch = batch.map_err(|error| ReplayError::Batch { offset, error })?;
            batch.verify_crc().map_err(|error| ReplayError::Batch { offset, error })?;
            self.read_batch(&batch)?;
        }
        Ok(())
    }

    /// Takes in one batch whose checksum was verified.
    pub fn read_batch(&mut self, batch: &BatchView<'_>) -> Result<(), ReplayError> {
        let offset = Offset(batch.header.base_offset);
        let at = |error| ReplayError::Batch { offset, error };
        let body = batch.body(BATCH_BYTES_MAX).map_err(at)?;
        for record in batch.records(&body) {
            let record = record.map_err(at)?;
            self.read_record(Offset(record.offset), record.value.unwrap_or_default())?;
        }
        self.image.next_offset = Offset(batch.header.last_offset()).plus(1);
        Ok(())
    }

    fn read_record(&mut self, offset: Offset, value: &[u8]) -> Result<(), ReplayError> {
        let record = MetadataRecord::decode(value).map_err(|error| ReplayError::Record { offset, error })?;
        let applied = match (&record, &mut self.snapshot) {
            (MetadataRecord::SnapshotBegin, _) => {
                self.snapshot = Some(MetadataImage::default());
                Ok(())
            }
            (MetadataRecord::SnapshotEnd, Some(_)) => {
                self.image = self.snapshot.take().unwrap_or_default();
                Ok(())
            }
            // An unfinished snapshot is followed by another SnapshotBegin: the writer does not go on without one.
            (record, Some(snapshot)) => snapshot.apply(record),
            (record, None) => self.image.apply(record),
        };
        applied.map_err(|error| ReplayError::Apply { offset, error })
    }

    /// Offset of the next batch.
    pub fn next_offset(&self) -> Offset {
        self.image.next_offset
    }

    /// Tells where the log begins, before the first batch.
    pub fn start_at(&mut self, offset: Offset) {
        self.image.next_offset = offset;
    }

    /// The image after everything that was read, and whether an unfinished snapshot stands at the end: a new one must be
    /// written then before any other record.
    pub fn finish(self) -> (MetadataImage, bool) {
        (self.image, self.snapshot.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::record::ResourceId;
    use protocol::Uuid;
    use protocol::records::BatchMut;

    fn set(name: &str, value: &str) -> MetadataRecord {
        MetadataRecord::ConfigChanged {
            resource: ResourceId::all_brokers(),
            name: name.to_owned(),
            value: Some(value.to_owned()),
        }
    }

    /// Batches laid end to end with their offsets, as the log has them.
    fn log(batches: Vec<Bytes>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut offset = 0;
        for batch in batches {
            let mut batch = batch.to_vec();
            let header = BatchHeader::parse(&batch).expect("sound");
            BatchMut::parse(&mut batch).expect("sound").set_base_offset(offset);
            offset += i64::from(header.last_offset_delta) + 1;
            bytes.extend(batch);
        }
        bytes
    }

    fn replay(bytes: &[u8]) -> Result<(MetadataImage, bool), ReplayError> {
        let mut replay = Replay::default();
        replay.read(bytes)?;
        Ok(replay.finish())
    }

    #[test]
    fn a_finished_snapshot_replaces_and_an_unfinished_one_is_left_aside() {
        let before = vec![encode_batch(&[set("a", "1"), set("b", "2")], 5).expect("small")];
        let (image, _) = replay(&log(before.clone())).expect("sound");
        assert_eq!(image.next_offset, Offset(2));
        assert_eq!(image.config(&ResourceId::all_brokers()).len(), 2);

        let mut other = MetadataImage::default();
        for index in 0..5000 {
            other
                .apply(&MetadataRecord::TopicCreated {
                    name: format!("topic-{index}"),
                    id: Uuid::from_random(1, index),
                })
                .expect("new");
        }
        let snapshot = encode_snapshot(&other, 6).expect("small");
        assert!(snapshot.len() > 1, "cut into several batches");
        let mut whole = before.clone();
        whole.extend(snapshot.clone());
        whole.push(encode_batch(&[set("c", "3")], 7).expect("small"));
        let (image, unfinished) = replay(&log(whole)).expect("sound");
        assert!(!unfinished);
        assert_eq!(image.topics().count(), 5000);
        assert_eq!(image.config(&ResourceId::all_brokers()).len(), 1, "what was before the snapshot is gone");

        let mut partial = before;
        partial.extend(snapshot[..snapshot.len() - 1].to_vec());
        let (image, unfinished) = replay(&log(partial)).expect("sound");
        assert!(unfinished);
        assert_eq!((image.topics().count(), image.config(&ResourceId::all_brokers()).len()), (0, 2));
    }

    #[test]
    fn damage_is_an_error_and_never_a_shorter_image() {
        let mut bytes = log(vec![encode_batch(&[set("a", "1")], 5).expect("small")]);
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert!(matches!(replay(&bytes), Err(ReplayError::Batch { .. })));
        assert!(matches!(replay(&bytes[..last]), Err(ReplayError::Batch { .. })));
        let stray = log(vec![encode_batch(&[MetadataRecord::SnapshotEnd], 5).expect("small")]);
        assert!(matches!(replay(&stray), Err(ReplayError::Apply { .. })));
    }
}
