//! Bytes of metadata records: big-endian numbers, texts and lists behind a u32 length.

use bytes::{BufMut, Bytes, BytesMut};
use protocol::Uuid;

use crate::metadata::record::RecordError;

/// Collects the bytes of a record.
#[derive(Default)]
pub(super) struct Output {
    bytes: BytesMut,
}

impl Output {
    pub(super) fn u8(&mut self, value: u8) {
        self.bytes.put_u8(value);
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.bytes.put_i16(value);
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.bytes.put_i32(value);
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.bytes.put_i64(value);
    }

    pub(super) fn uuid(&mut self, value: Uuid) {
        self.bytes.put_slice(&value.0);
    }

    /// Texts and lists of metadata are far below 4 GiB: they came in by a request of at most 2 GiB.
    fn length(&mut self, length: usize) {
        self.bytes.put_u32(u32::try_from(length).expect("a request bounds every text and list"));
    }

    pub(super) fn text(&mut self, value: &str) {
        self.length(value.len());
        self.bytes.put_slice(value.as_bytes());
    }

    pub(super) fn optional_text(&mut self, value: Option<&str>) {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            self.text(value);
        }
    }

    pub(super) fn list<T>(&mut self, items: &[T], mut encode: impl FnMut(&mut Output, &T)) {
        self.length(items.len());
        for item in items {
            encode(self, item);
        }
    }

    pub(super) fn finish(self) -> Bytes {
        self.bytes.freeze()
    }
}

/// Takes a record's bytes apart.
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Input<'a> {
        Input { rest: bytes }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], RecordError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(RecordError::Damaged("cut short"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, RecordError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn i16(&mut self) -> Result<i16, RecordError> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, RecordError> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, RecordError> {
        self.array().map(i64::from_be_bytes)
    }

    pub(super) fn uuid(&mut self) -> Result<Uuid, RecordError> {
        self.array().map(Uuid)
    }

    fn length(&mut self) -> Result<usize, RecordError> {
        Ok(self.array().map(u32::from_be_bytes)? as usize)
    }

    pub(super) fn text(&mut self) -> Result<String, RecordError> {
        let length = self.length()?;
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| RecordError::Damaged("text is not UTF-8"))?;
        Ok(text.to_owned())
    }

    pub(super) fn optional_text(&mut self) -> Result<Option<String>, RecordError> {
        match self.u8()? {
            0 => Ok(None),
            1 => self.text().map(Some),
            _ => Err(RecordError::Damaged("presence is neither 0 nor 1")),
        }
    }

    pub(super) fn list<T>(
        &mut self,
        mut decode: impl FnMut(&mut Input<'a>) -> Result<T, RecordError>,
    ) -> Result<Vec<T>, RecordError> {
        let length = self.length()?;
        // An item takes at least a byte, so no memory is reserved for more items than there can be.
        if length > self.rest.len() {
            return Err(RecordError::Damaged("list longer than its record"));
        }
        (0..length).map(|_| decode(self)).collect()
    }

    pub(super) fn finish(self) -> Result<(), RecordError> {
        if self.rest.is_empty() { Ok(()) } else { Err(RecordError::Damaged("bytes left over")) }
    }
}
