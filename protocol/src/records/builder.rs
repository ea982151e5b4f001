//! Making batches: for coordinators, stream tasks, tests; and the same batch under another codec.

use bytes::Bytes;

use super::codecs::{Compression, compress};
use super::error::BatchError;
use super::header::{BatchHeader, BatchView, CRC_COVER, HEADER_BYTES, LOG_OVERHEAD, NO_TIMESTAMP};
use super::record::{Header, Record};
use super::varint;

/// A record to be written.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewRecord<'a> {
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// `None` is null.
    pub key: Option<&'a [u8]>,
    /// `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// In order; keys may repeat.
    pub headers: &'a [Header<'a>],
}

/// Collects records into one batch.
#[derive(Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    compression: Compression,
    body: Vec<u8>,
}

impl BatchBuilder {
    /// Takes base offset, leader epoch, producer fields and flags from `header`; count, timestamps, lengths, codec bits
    /// and checksum are worked out. With LogAppendTime set, `header.max_timestamp` is kept; with a delete horizon,
    /// `header.base_timestamp`. A `header.last_offset_delta` larger than the last record's is kept (compaction).
    #[must_use]
    pub fn new(header: BatchHeader, compression: Compression) -> BatchBuilder {
        let attributes = header.attributes.with_compression_type(compression.compression_type());
        let header = BatchHeader { attributes, records_count: 0, ..header };
        BatchBuilder { header, compression, body: Vec::new() }
    }

    /// Appends a record at the next offset.
    pub fn append(&mut self, record: NewRecord<'_>) -> Result<(), BatchError> {
        self.append_at(self.header.records_count, record)
    }

    /// Appends a record at a given distance from the base offset; distances must grow.
    pub fn append_at(&mut self, offset_delta: i32, record: NewRecord<'_>) -> Result<(), BatchError> {
        let first = self.header.records_count == 0;
        if first && self.header.delete_horizon_ms().is_none() {
            self.header.base_timestamp = record.timestamp_ms;
        }
        if !self.header.is_log_append_time() {
            let before = if first { NO_TIMESTAMP } else { self.header.max_timestamp };
            self.header.max_timestamp = before.max(record.timestamp_ms);
        }
        let timestamp_delta = record.timestamp_ms.wrapping_sub(self.header.base_timestamp);
        let size = fields_size(offset_delta, timestamp_delta, &record);
        if self.body.len() + size > i32::MAX as usize - HEADER_BYTES - 16 {
            return Err(BatchError::TooLarge);
        }
        varint::put(&mut self.body, size as i64);
        put_fields(&mut self.body, offset_delta, timestamp_delta, &record);
        self.header.records_count += 1;
        self.header.last_offset_delta = self.header.last_offset_delta.max(offset_delta);
        Ok(())
    }

    /// Appends a record of another batch as it is encoded there. Right only if both batches have the same base offset
    /// and base timestamp; so no record may be appended otherwise.
    pub fn append_encoded(&mut self, record: &Record<'_>) -> Result<(), BatchError> {
        if !self.header.is_log_append_time() {
            let before = if self.header.records_count == 0 { NO_TIMESTAMP } else { self.header.max_timestamp };
            self.header.max_timestamp = before.max(record.timestamp_ms);
        }
        if self.body.len() + record.encoded.len() > i32::MAX as usize - HEADER_BYTES {
            return Err(BatchError::TooLarge);
        }
        self.body.extend_from_slice(record.encoded);
        self.header.records_count += 1;
        self.header.last_offset_delta = self.header.last_offset_delta.max(record.offset_delta);
        Ok(())
    }

    /// How many records are in.
    #[must_use]
    pub fn count(&self) -> i32 {
        self.header.records_count
    }

    /// Bytes of the batch so far, before compression.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        HEADER_BYTES + self.body.len()
    }

    /// The finished batch. Without records it is the empty batch that compaction leaves.
    pub fn build(self) -> Result<Bytes, BatchError> {
        if self.header.records_count == 0 {
            let attributes = self.header.attributes.with_compression_type(Compression::None.compression_type());
            return assemble(BatchHeader { attributes, ..self.header }, &[]);
        }
        assemble(self.header, &compress(self.compression, &self.body)?)
    }
}

/// The same records under another codec, at most `bytes_max` of them when unfolded. Everything else in the header is
/// kept, the checksum renewed.
pub fn recompress(batch: &BatchView<'_>, compression: Compression, bytes_max: usize) -> Result<Bytes, BatchError> {
    let body = batch.body(bytes_max)?;
    let attributes = batch.header.attributes.with_compression_type(compression.compression_type());
    assemble(BatchHeader { attributes, ..batch.header }, &compress(compression, &body)?)
}

fn assemble(mut header: BatchHeader, payload: &[u8]) -> Result<Bytes, BatchError> {
    let size_bytes = HEADER_BYTES + payload.len();
    header.batch_length = i32::try_from(size_bytes - LOG_OVERHEAD).map_err(|_| BatchError::TooLarge)?;
    let mut batch = Vec::with_capacity(size_bytes);
    batch.extend_from_slice(&header.to_bytes());
    batch.extend_from_slice(payload);
    let crc = crc32c::crc32c(&batch[CRC_COVER..]);
    batch[CRC_COVER - 4..CRC_COVER].copy_from_slice(&crc.to_be_bytes());
    Ok(batch.into())
}

fn fields_size(offset_delta: i32, timestamp_delta: i64, record: &NewRecord<'_>) -> usize {
    let headers: usize =
        record.headers.iter().map(|header| bytes_size(Some(header.key)) + bytes_size(header.value)).sum();
    1 + varint::size(timestamp_delta)
        + varint::size(offset_delta.into())
        + bytes_size(record.key)
        + bytes_size(record.value)
        + varint::size(record.headers.len() as i64)
        + headers
}

fn put_fields(output: &mut Vec<u8>, offset_delta: i32, timestamp_delta: i64, record: &NewRecord<'_>) {
    output.push(0);
    varint::put(output, timestamp_delta);
    varint::put(output, offset_delta.into());
    put_bytes(output, record.key);
    put_bytes(output, record.value);
    varint::put(output, record.headers.len() as i64);
    for header in record.headers {
        put_bytes(output, Some(header.key));
        put_bytes(output, header.value);
    }
}

fn bytes_size(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint::size(bytes.len() as i64) + bytes.len())
}

fn put_bytes(output: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => varint::put(output, -1),
        Some(bytes) => {
            varint::put(output, bytes.len() as i64);
            output.extend_from_slice(bytes);
        }
    }
}
