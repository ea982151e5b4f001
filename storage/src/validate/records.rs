//! The records of a batch, one by one.

use protocol::records::{BatchHeader, BatchView, NO_TIMESTAMP, Record};

use super::{DECOMPRESSED_BYTES_MAX, refused};
use crate::error::AppendError;
use crate::log::LogConfig;

/// Bound of the record errors that are told: a batch may hold 150,000 wrong records, and each costs a sentence.
const RECORD_ERRORS_MAX: usize = 100;

/// What was learnt about the timestamps.
pub(super) struct Facts {
    pub(super) max_timestamp_ms: i64,
    pub(super) max_timestamp_offset_delta: Option<i32>,
}

/// Unfolds the body if need be and walks it.
pub(super) fn check_records(batch: &BatchView<'_>, config: &LogConfig, now_ms: i64) -> Result<Facts, AppendError> {
    let body = batch.body(DECOMPRESSED_BYTES_MAX).map_err(refused)?;
    let mut facts = Facts { max_timestamp_ms: NO_TIMESTAMP, max_timestamp_offset_delta: None };
    let mut errors = Errors::default();
    for (index, record) in (0..).zip(batch.records(&body)) {
        let record = record.map_err(refused)?;
        check_record(batch, &record, index, config, now_ms, &mut errors);
        if facts.max_timestamp_offset_delta.is_none() || record.timestamp_ms > facts.max_timestamp_ms {
            facts.max_timestamp_ms = record.timestamp_ms.max(NO_TIMESTAMP);
            facts.max_timestamp_offset_delta = Some(record.offset_delta);
        }
    }
    errors.result().map(|()| facts)
}

/// For a body that stays folded: the header's first and largest timestamps stand for all.
pub(super) fn check_header_times(header: &BatchHeader, config: &LogConfig, now_ms: i64) -> Result<Facts, AppendError> {
    let mut errors = Errors::default();
    let times = [header.base_timestamp, header.max_timestamp];
    let times = if header.is_log_append_time() { &times[1..] } else { &times[..] };
    if let Some(message) = times.iter().find_map(|time| timestamp_error(header, *time, config, now_ms)) {
        errors.push_timestamp(0, message);
    }
    errors.result().map(|()| Facts { max_timestamp_ms: header.max_timestamp, max_timestamp_offset_delta: None })
}

#[inline]
fn check_record(
    batch: &BatchView<'_>,
    record: &Record<'_>,
    index: i32,
    config: &LogConfig,
    now_ms: i64,
    errors: &mut Errors,
) {
    if record.offset_delta != index {
        errors.push(index, format!("the offset delta of record {index} is {}", record.offset_delta));
    } else if config.cleanup_compact && record.key.is_none() {
        errors.push(index, "a compacted topic does not accept records without a key".into());
    } else if let Some(message) = timestamp_error(&batch.header, record.timestamp_ms, config, now_ms) {
        errors.push_timestamp(index, message);
    }
}

/// `LogValidator.validateTimestamp`; the differences saturate where Kafka's overflow.
#[inline]
fn timestamp_error(header: &BatchHeader, timestamp_ms: i64, config: &LogConfig, now_ms: i64) -> Option<String> {
    if !config.log_append_time && timestamp_ms != NO_TIMESTAMP {
        let age_ms = now_ms.saturating_sub(timestamp_ms);
        let late = age_ms > config.message_timestamp_before_max_ms;
        let early = age_ms.saturating_neg() > config.message_timestamp_after_max_ms;
        return (late || early).then(|| out_of_range(timestamp_ms, config, now_ms));
    }
    header.is_log_append_time().then(|| "producers may not set the timestamp type to LogAppendTime".into())
}

fn out_of_range(timestamp_ms: i64, config: &LogConfig, now_ms: i64) -> String {
    let from = now_ms.saturating_sub(config.message_timestamp_before_max_ms);
    let to = now_ms.saturating_add(config.message_timestamp_after_max_ms);
    format!("timestamp {timestamp_ms} is out of range, it should be within [{from}, {to}]")
}

/// What is wrong with which record; one wrong timestamp makes the whole an INVALID_TIMESTAMP.
#[derive(Default)]
struct Errors {
    records: Vec<(i32, String)>,
    timestamp: bool,
}

impl Errors {
    #[cold]
    fn push(&mut self, index: i32, message: String) {
        if self.records.len() < RECORD_ERRORS_MAX {
            self.records.push((index, message));
        }
    }

    #[cold]
    fn push_timestamp(&mut self, index: i32, message: String) {
        self.timestamp = true;
        self.push(index, message);
    }

    fn result(self) -> Result<(), AppendError> {
        let Some((_, first)) = self.records.first() else { return Ok(()) };
        let message = first.clone();
        Err(match self.timestamp {
            true => AppendError::InvalidTimestamp { message, records: self.records },
            false => AppendError::InvalidRecord { message, records: self.records },
        })
    }
}
