//! Records inside a batch's (uncompressed) body, borrowed from it.

use super::error::BatchError;
use super::header::{BatchHeader, NO_SEQUENCE, increment_sequence};
use super::varint;

/// One record. All slices point into the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The batch's base offset plus [`Record::offset_delta`].
    pub offset: i64,
    /// As stated by the record; a sound batch that was never compacted counts 0, 1, 2, ...
    pub offset_delta: i32,
    /// Under LogAppendTime the batch's, else the record's own.
    pub timestamp_ms: i64,
    /// The record's sequence number, -1 without an idempotent producer.
    pub sequence: i32,
    /// `None` is Kafka's null, which is not the empty key.
    pub key: Option<&'a [u8]>,
    /// `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// In order, duplicates included.
    pub headers: Headers<'a>,
    /// The record's own bytes, its length prefix included.
    pub encoded: &'a [u8],
}

/// One header of a record. Keys are meant to be UTF-8, but nobody promises it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Never null.
    pub key: &'a [u8],
    /// May be null.
    pub value: Option<&'a [u8]>,
}

/// A record's headers; they were walked once when the record was read, so this cannot fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Headers<'a> {
    left: i32,
    rest: &'a [u8],
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.left = self.left.checked_sub(1).filter(|left| *left >= 0)?;
        take_header(&mut self.rest).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.left.max(0) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Headers<'_> {}

/// Iterates over exactly the number of records that the header states; ends after the first error. Bytes left over
/// after the last record are an error as well.
#[derive(Debug, Clone)]
pub struct RecordIter<'a> {
    header: BatchHeader,
    next_index: i32,
    rest: &'a [u8],
}

impl<'a> RecordIter<'a> {
    /// Over the uncompressed `body` of the batch with this header.
    #[must_use]
    pub fn new(header: &BatchHeader, body: &'a [u8]) -> RecordIter<'a> {
        RecordIter { header: *header, next_index: 0, rest: body }
    }

    fn read(&mut self) -> Result<Record<'a>, &'static str> {
        let start = self.rest;
        let size = varint::take_i32(&mut self.rest).ok_or("its length is cut")?;
        let size = usize::try_from(size).map_err(|_| "its length is negative")?;
        let mut body = self.rest.get(..size).ok_or("it runs past the end of the batch")?;
        self.rest = &self.rest[size..];
        let mut record = take_record(&self.header, &mut body)?;
        if !body.is_empty() {
            return Err("its fields end before its length");
        }
        record.encoded = &start[..start.len() - self.rest.len()];
        Ok(record)
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.next_index;
        if index >= self.header.records_count {
            let surplus = !std::mem::take(&mut self.rest).is_empty();
            return surplus
                .then_some(Err(BatchError::Record { index, reason: "there are bytes after the last record" }));
        }
        let result = self.read().map_err(|reason| BatchError::Record { index, reason });
        self.next_index = index + 1;
        if result.is_err() {
            self.next_index = i32::MAX;
            self.rest = &[];
        }
        Some(result)
    }
}

/// The fields after a record's length.
#[inline]
fn take_record<'a>(batch: &BatchHeader, body: &mut &'a [u8]) -> Result<Record<'a>, &'static str> {
    // The attributes of a record have no meaning yet; Kafka does not look at them either.
    *body = body.get(1..).ok_or("it is empty")?;
    let timestamp_delta = varint::take_i64(body).ok_or("its timestamp is cut")?;
    let offset_delta = varint::take_i32(body).ok_or("its offset is cut")?;
    let key = take_bytes(body)?;
    let value = take_bytes(body)?;
    let headers = take_headers(body)?;
    let timestamp_ms = match batch.is_log_append_time() {
        true => batch.max_timestamp,
        false => batch.base_timestamp.wrapping_add(timestamp_delta),
    };
    let sequence = match batch.base_sequence {
        ..0 => NO_SEQUENCE,
        base => increment_sequence(base, offset_delta),
    };
    let offset = batch.base_offset.wrapping_add(i64::from(offset_delta));
    Ok(Record { offset, offset_delta, timestamp_ms, sequence, key, value, headers, encoded: &[] })
}

/// Length and bytes; -1 is null, and so is any other negative length (`Utils.readBytes`).
#[inline]
fn take_bytes<'a>(input: &mut &'a [u8]) -> Result<Option<&'a [u8]>, &'static str> {
    let size = varint::take_i32(input).ok_or("a length is cut")?;
    let Ok(size) = usize::try_from(size) else { return Ok(None) };
    let bytes = input.get(..size).ok_or("a key, value or header runs past its end")?;
    *input = &input[size..];
    Ok(Some(bytes))
}

/// Walks all headers once; what is returned is known to be sound.
#[inline]
fn take_headers<'a>(body: &mut &'a [u8]) -> Result<Headers<'a>, &'static str> {
    let count = varint::take_i32(body).ok_or("its number of headers is cut")?;
    if count < 0 || count as usize > body.len() {
        return Err("its number of headers is impossible");
    }
    let headers = Headers { left: count, rest: body };
    for _ in 0..count {
        take_header(body)?;
    }
    Ok(Headers { rest: &headers.rest[..headers.rest.len() - body.len()], ..headers })
}

#[inline]
fn take_header<'a>(input: &mut &'a [u8]) -> Result<Header<'a>, &'static str> {
    let key = take_bytes(input)?.ok_or("a header has no key")?;
    Ok(Header { key, value: take_bytes(input)? })
}
