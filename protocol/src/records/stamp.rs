//! What a broker writes into a batch that a client sent.

use super::error::BatchError;
use super::header::{Attributes, BatchHeader, BatchView, CRC_COVER};

/// A batch that may be written to. Base offset and leader epoch are outside the checksum; the rest renews it.
#[derive(Debug)]
pub struct BatchMut<'a> {
    bytes: &'a mut [u8],
}

impl<'a> BatchMut<'a> {
    /// The batch that `bytes` begin with.
    pub fn parse(bytes: &'a mut [u8]) -> Result<BatchMut<'a>, BatchError> {
        let size_bytes = BatchView::parse(bytes)?.bytes().len();
        Ok(BatchMut { bytes: &mut bytes[..size_bytes] })
    }

    /// Offset of the first record.
    pub fn set_base_offset(&mut self, base_offset: i64) {
        self.bytes[0..8].copy_from_slice(&base_offset.to_be_bytes());
    }

    /// Epoch of the leader that appends it.
    pub fn set_partition_leader_epoch(&mut self, epoch: i32) {
        self.bytes[12..16].copy_from_slice(&epoch.to_be_bytes());
    }

    /// `message.timestamp.type=LogAppendTime`: all records are of this moment. Renews the checksum.
    pub fn set_log_append_time(&mut self, now_ms: i64) {
        self.set_timestamps(true, now_ms);
    }

    /// The records' true maximum where the producer stated another, as Kafka corrects it. Renews the checksum.
    pub fn set_max_timestamp(&mut self, max_timestamp_ms: i64) {
        self.set_timestamps(false, max_timestamp_ms);
    }

    fn set_timestamps(&mut self, log_append_time: bool, max_timestamp_ms: i64) {
        let attributes = i16::from_be_bytes([self.bytes[21], self.bytes[22]]);
        let attributes = Attributes(attributes).with(Attributes::LOG_APPEND_TIME, log_append_time);
        self.bytes[21..23].copy_from_slice(&attributes.0.to_be_bytes());
        self.bytes[35..43].copy_from_slice(&max_timestamp_ms.to_be_bytes());
        let crc = crc32c::crc32c(&self.bytes[CRC_COVER..]);
        self.bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }

    /// The fields as they are now.
    pub fn header(&self) -> Result<BatchHeader, BatchError> {
        BatchHeader::parse(self.bytes)
    }
}
