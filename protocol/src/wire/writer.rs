//! Writing: small fields gather in one buffer, large byte strings are spliced in by reference.

use bytes::{BufMut, Bytes, BytesMut};

use crate::ErrorCode;

/// Byte strings from this length on are kept by reference: below it a copy costs less than one more part of a vectored
/// write.
const SPLICE_BYTES_MIN: usize = 512;

/// Bytes of the size in front of a frame.
const FRAME_SIZE_BYTES: usize = 4;

/// A message being written.
#[derive(Debug, Default)]
pub struct Writer {
    buffer: BytesMut,
    /// Byte strings to insert, with the place in `buffer` they go to; places never decrease.
    splices: Vec<(usize, Bytes)>,
    spliced_bytes: usize,
    framed: bool,
    errors: Vec<ErrorCode>,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Writer {
        Writer::default()
    }

    /// A writer whose parts will begin with the 4-byte size of everything written after it.
    pub fn for_frame() -> Writer {
        let mut writer = Writer { buffer: BytesMut::with_capacity(256), framed: true, ..Writer::default() };
        writer.buffer.put_bytes(0, FRAME_SIZE_BYTES);
        writer
    }

    /// Total bytes written, those by reference and a frame's size field included.
    pub fn len(&self) -> usize {
        self.buffer.len() + self.spliced_bytes
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies `bytes`.
    pub fn put_slice(&mut self, bytes: &[u8]) {
        self.buffer.put_slice(bytes);
    }

    /// Appends `bytes`, by reference when they are long.
    pub fn put_bytes(&mut self, bytes: &Bytes) {
        if bytes.len() < SPLICE_BYTES_MIN {
            return self.put_slice(bytes);
        }
        self.spliced_bytes += bytes.len();
        self.splices.push((self.buffer.len(), bytes.clone()));
    }

    /// One signed byte.
    pub fn put_i8(&mut self, value: i8) {
        self.buffer.put_i8(value);
    }

    /// Two bytes, signed.
    pub fn put_i16(&mut self, value: i16) {
        self.buffer.put_i16(value);
    }

    /// An error code; errors are remembered, see [`Writer::errors`].
    pub fn put_error_code(&mut self, code: ErrorCode) {
        self.put_i16(code.0);
        if code.is_error() {
            self.errors.push(code);
        }
    }

    /// The errors that were written, in order: what a server counts of its answers. Those of an appended writer are not
    /// among them.
    pub fn errors(&self) -> &[ErrorCode] {
        &self.errors
    }

    /// Four bytes, signed.
    pub fn put_i32(&mut self, value: i32) {
        self.buffer.put_i32(value);
    }

    /// Eight bytes, signed.
    pub fn put_i64(&mut self, value: i64) {
        self.buffer.put_i64(value);
    }

    /// An unsigned varint: seven bits a byte, lowest first.
    pub fn put_unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.buffer.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.put_u8(value as u8);
    }

    /// The count in front of an array, or the length in front of bytes or records; `None` is null.
    pub fn put_length(&mut self, length: Option<usize>, flexible: bool) {
        match (length, flexible) {
            (Some(length), true) => self.put_unsigned_varint(length as u32 + 1),
            (None, true) => self.put_unsigned_varint(0),
            (Some(length), false) => self.put_i32(length as i32),
            (None, false) => self.put_i32(-1),
        }
    }

    /// Appends everything written to `other`, which must not be a frame.
    pub fn append(&mut self, other: Writer) {
        debug_assert!(!other.framed, "a frame does not go into another message");
        let base = self.buffer.len();
        self.buffer.put_slice(&other.buffer);
        self.spliced_bytes += other.spliced_bytes;
        self.splices.extend(other.splices.into_iter().map(|(place, bytes)| (base + place, bytes)));
    }

    /// The parts in order, ready for a vectored write; none of them is empty.
    pub fn into_parts(mut self) -> Vec<Bytes> {
        if self.framed {
            let size = (self.len() - FRAME_SIZE_BYTES) as u32;
            self.buffer[..FRAME_SIZE_BYTES].copy_from_slice(&size.to_be_bytes());
        }
        let mut small = self.buffer.freeze();
        let mut parts = Vec::with_capacity(2 * self.splices.len() + 1);
        let mut taken = 0;
        for (place, bytes) in self.splices {
            if place > taken {
                parts.push(small.split_to(place - taken));
                taken = place;
            }
            parts.push(bytes);
        }
        if !small.is_empty() {
            parts.push(small);
        }
        parts
    }

    /// Everything in one piece; copies what was written by reference.
    pub fn into_bytes(self) -> Bytes {
        let length = self.len();
        let mut parts = self.into_parts();
        if parts.len() <= 1 {
            return parts.pop().unwrap_or_default();
        }
        let mut whole = BytesMut::with_capacity(length);
        for part in parts {
            whole.put_slice(&part);
        }
        whole.freeze()
    }
}
