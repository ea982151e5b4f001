//! Kafka's rules for a batch that is produced: pure, of bytes and settings (kafka.md 3.6).
//!
//! Checked always: exactly one batch, format, size, CRC, counts, who may write what; the records of an uncompressed
//! batch one by one. A compressed body is unfolded only where something depends on it: a compacted topic (keys), a
//! topic with a codec of its own, or `msgloop.batch.validation=records`; otherwise its timestamps are the header's.
//! The order of the checks is Kafka's, it decides which error a client sees: `ProduceRequest.validateRecords`,
//! `UnifiedLog.analyzeAndValidateRecords`, `LogValidator.java`. One rule is stricter: offset deltas must count 0, 1, 2,
//! ... where Kafka would rewrite them, or store them as they are.

mod records;

use bytes::Bytes;
use protocol::records::{
    Attributes, BatchError, BatchHeader, BatchMut, BatchView, CRC_COVER, Compression, CompressionType, recompress,
};

use crate::crc::BatchCrc;
use crate::error::AppendError;
use crate::ids::{LeaderEpoch, Offset};
use crate::log::{LogConfig, Origin};

/// Bound of the records of one compressed batch when unfolded. A core unfolds one batch at a time.
pub const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;

/// What the broker writes into a batch's timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampStamp {
    /// Nothing: they are right.
    Keep,
    /// The largest timestamp of the records is another than the header says; renews the CRC.
    Max(i64),
    /// `message.timestamp.type=LogAppendTime`: the time of the append; renews the CRC.
    LogAppendTime(i64),
}

/// A batch that may be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validated {
    /// The one batch: a slice of what came in, or its new encoding.
    pub bytes: Bytes,
    /// The header of `bytes`, before stamping.
    pub header: BatchHeader,
    /// The checksum in `header`.
    pub crc: BatchCrc,
    /// What [`Validated::stamp`] does about time.
    pub timestamps: TimestampStamp,
    /// The largest timestamp once stamped; -1 without any.
    pub max_timestamp_ms: i64,
    /// Distance from the base offset of the first record that has it; `None` if the body was not looked into.
    pub max_timestamp_offset_delta: Option<i32>,
}

impl Validated {
    /// Stamps a copy of `bytes` in place with what the leader decides.
    pub fn stamp(&self, copy: &mut [u8], base_offset: Offset, leader_epoch: LeaderEpoch) -> Result<(), BatchError> {
        let mut batch = BatchMut::parse(copy)?;
        batch.set_base_offset(base_offset.0);
        batch.set_partition_leader_epoch(leader_epoch.0);
        match self.timestamps {
            TimestampStamp::Keep => {}
            TimestampStamp::Max(max_timestamp_ms) => batch.set_max_timestamp(max_timestamp_ms),
            TimestampStamp::LogAppendTime(now_ms) => batch.set_log_append_time(now_ms),
        }
        Ok(())
    }
}

/// Who sent the batch, when, and how.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// Coordinators may write control batches.
    pub origin: Origin,
    /// Version of the Produce request; `i16::MAX` for a coordinator.
    pub produce_version: i16,
    /// The time now.
    pub now_ms: i64,
    /// Where in its segment the batch would begin.
    pub position: u64,
}

/// Checks the record bytes of one partition in a Produce request.
pub fn validate(records: &Bytes, config: &LogConfig, source: Source) -> Result<Validated, AppendError> {
    let batch = single_batch(records)?;
    let codec = batch.header.attributes.compression_type().map_err(refused)?;
    if codec == CompressionType::Zstd && source.produce_version < 7 {
        return Err(AppendError::UnsupportedCompressionType("zstd needs version 7 of the Produce request".into()));
    }
    let crc = check_header(&batch, config, source)?;
    let target = target_codec(codec, &batch, config);
    let decoded =
        codec == CompressionType::None || target.is_some() || config.cleanup_compact || config.validate_records;
    let facts = match decoded {
        true => records::check_records(&batch, config, source.now_ms)?,
        false => records::check_header_times(&batch.header, config, source.now_ms)?,
    };
    let (bytes, crc) = match target {
        None => (records.slice(..batch.bytes().len()), Some(crc)),
        Some(target) => (recoded(&batch, target, config)?, None),
    };
    if bytes.len() as u64 > config.segment_bytes {
        return Err(AppendError::RecordListTooLarge { batch_bytes: bytes.len(), segment_bytes: config.segment_bytes });
    }
    finish(bytes, crc, facts, config, source.now_ms)
}

/// The first batch, if it is the only one. What follows it and is not a whole batch is ignored, as Kafka does.
fn single_batch(records: &Bytes) -> Result<BatchView<'_>, AppendError> {
    let Some(first) = whole_batch(records)? else {
        return Err(invalid("there must be exactly one record batch, and there is none"));
    };
    match first[16] {
        2 => {}
        magic => return Err(invalid(format!("record batches must have magic 2, this one has {magic}"))),
    }
    let batch = BatchView::parse(first).map_err(|error| AppendError::CorruptMessage(error.to_string()))?;
    match whole_batch(&records[first.len()..])? {
        None => Ok(batch),
        Some(_) => Err(invalid("there must be exactly one record batch, and there are more")),
    }
}

/// The bytes of the next batch of any format (`ByteBufferLogInputStream.nextBatch`); `None` at the end or if it is cut.
fn whole_batch(bytes: &[u8]) -> Result<Option<&[u8]>, AppendError> {
    const OLD_BATCH_BYTES_MIN: i32 = 14;
    let Some([.., l0, l1, l2, l3]) = bytes.first_chunk::<12>() else { return Ok(None) };
    let length = i32::from_be_bytes([*l0, *l1, *l2, *l3]);
    if length < OLD_BATCH_BYTES_MIN {
        return Err(AppendError::CorruptMessage(format!("the batch length {length} is too small")));
    }
    match bytes.get(16) {
        Some(magic) if *magic > 2 => Err(AppendError::CorruptMessage(format!("magic {magic} is unknown"))),
        Some(_) => Ok(bytes.get(..12 + length as usize)),
        None => Ok(None),
    }
}

fn check_header(batch: &BatchView<'_>, config: &LogConfig, source: Source) -> Result<BatchCrc, AppendError> {
    let (header, batch_bytes, origin) = (&batch.header, batch.bytes().len(), source.origin);
    if origin == Origin::Client && header.base_offset != 0 {
        return Err(invalid(format!("the base offset of a produced batch is 0, this one has {}", header.base_offset)));
    }
    if batch_bytes > config.max_message_bytes {
        return Err(AppendError::MessageTooLarge { batch_bytes, batch_bytes_max: config.max_message_bytes });
    }
    let crc = BatchCrc::compute(batch.covered(), source.position + CRC_COVER as u64);
    batch.check_crc(crc.value).map_err(|error| AppendError::CorruptMessage(error.to_string()))?;
    if origin == Origin::Client {
        check_client(header)?;
    }
    Ok(crc)
}

/// What only coordinators may do.
fn check_client(header: &BatchHeader) -> Result<(), AppendError> {
    let (count, last) = (header.records_count, header.last_offset_delta);
    if last < 0 {
        return Err(invalid(format!("the last offset delta is {last}")));
    }
    if count <= 0 {
        return Err(invalid(format!("the number of records is {count}")));
    }
    if i64::from(last) + 1 != i64::from(count) {
        return Err(invalid(format!("{count} records, but a last offset delta of {last}")));
    }
    if header.is_control() {
        return Err(invalid("clients may not write control records"));
    }
    if header.has_producer_id() && header.base_sequence < 0 {
        return Err(invalid(format!("producer {} sent sequence number {}", header.producer_id, header.base_sequence)));
    }
    Ok(())
}

/// The topic's codec, if it is another than the batch's. Control batches stay as they are.
fn target_codec(codec: CompressionType, batch: &BatchView<'_>, config: &LogConfig) -> Option<Compression> {
    let wanted = config.compression.filter(|wanted| wanted.compression_type() != codec);
    wanted.filter(|_| !(codec == CompressionType::None && batch.header.is_control()))
}

fn recoded(batch: &BatchView<'_>, target: Compression, config: &LogConfig) -> Result<Bytes, AppendError> {
    let bytes = recompress(batch, target, DECOMPRESSED_BYTES_MAX).map_err(refused)?;
    let (batch_bytes, batch_bytes_max) = (bytes.len(), config.max_message_bytes);
    match batch_bytes > batch_bytes_max {
        true => Err(AppendError::MessageTooLarge { batch_bytes, batch_bytes_max }),
        false => Ok(bytes),
    }
}

fn finish(
    bytes: Bytes,
    crc: Option<BatchCrc>,
    facts: records::Facts,
    config: &LogConfig,
    now_ms: i64,
) -> Result<Validated, AppendError> {
    let header = BatchHeader::parse(&bytes).map_err(refused)?;
    let crc = crc.unwrap_or_else(|| BatchCrc::whole(header.crc));
    if config.log_append_time {
        let (timestamps, delta) = (TimestampStamp::LogAppendTime(now_ms), Some(0));
        return Ok(Validated {
            bytes,
            header,
            crc,
            timestamps,
            max_timestamp_ms: now_ms,
            max_timestamp_offset_delta: delta,
        });
    }
    let records::Facts { max_timestamp_ms, max_timestamp_offset_delta } = facts;
    let right = header.max_timestamp == max_timestamp_ms && !header.attributes.has(Attributes::LOG_APPEND_TIME);
    let timestamps = if right { TimestampStamp::Keep } else { TimestampStamp::Max(max_timestamp_ms) };
    Ok(Validated { bytes, header, crc, timestamps, max_timestamp_ms, max_timestamp_offset_delta })
}

fn invalid(message: impl Into<String>) -> AppendError {
    AppendError::InvalidRecord { message: message.into(), records: vec![] }
}

/// A batch whose bytes arrived whole (the CRC says so) but are wrong: the client's fault, not the network's.
fn refused(error: BatchError) -> AppendError {
    match error {
        BatchError::DecompressedTooLarge { bytes_max } => {
            AppendError::MessageTooLarge { batch_bytes: bytes_max + 1, batch_bytes_max: bytes_max }
        }
        BatchError::UnknownCompression(_) => AppendError::UnsupportedCompressionType(error.to_string()),
        BatchError::Record { index, reason } => {
            AppendError::InvalidRecord { message: error.to_string(), records: vec![(index, reason.into())] }
        }
        BatchError::Decompress { .. } | BatchError::TooLarge => invalid(error.to_string()),
        BatchError::Truncated { .. } | BatchError::Length(_) | BatchError::Magic(_) | BatchError::Crc { .. } => {
            AppendError::CorruptMessage(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests;
