//! Reading: every length is held against the bytes that remain before anything is reserved for it.

use bytes::Bytes;

/// Most elements one message may hold in all its arrays together. Kafka 4.4 sets this bound for each array; counting the
/// whole message keeps nested arrays from multiplying it.
pub const ARRAY_LENGTH_MAX: usize = 1_000_000;

/// Most tagged fields of one structure (Kafka 4.4's bound).
pub const TAGGED_FIELDS_MAX: usize = 10_000;

/// Elements reserved for up front; a longer array grows as its elements really arrive.
const ELEMENTS_RESERVED_MAX: usize = 256;

/// Why bytes are not the message they claim to be. Kafka's answer to all of them is to close the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Fewer bytes are left than the value needs.
    #[error("{needed} bytes needed where {remaining} remain")]
    Truncated {
        /// Bytes the value needs.
        needed: usize,
        /// Bytes left.
        remaining: usize,
    },
    /// A length below zero, or null where the version has no null.
    #[error("length {0} is not allowed here")]
    BadLength(i64),
    /// More array elements than bytes left, or than [`ARRAY_LENGTH_MAX`].
    #[error("an array of {0} elements is not believed")]
    ArrayTooLong(u64),
    /// More than [`TAGGED_FIELDS_MAX`] tagged fields.
    #[error("{0} tagged fields in one structure")]
    TooManyTags(u32),
    /// A tagged field whose content does not fill its stated size.
    #[error("tagged field {tag} leaves {left} bytes of its size unused")]
    TagSize {
        /// The field's tag.
        tag: u32,
        /// Bytes that remained.
        left: usize,
    },
    /// A varint of more than five bytes or 32 bits.
    #[error("varint overflow")]
    VarintOverflow,
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    NotUtf8,
    /// A version outside the message's range.
    #[error("version {0} is not supported")]
    UnsupportedVersion(i16),
}

/// A position in a frame. Byte fields it hands out are slices of the frame and keep it alive.
#[derive(Debug, Clone)]
pub struct Reader {
    frame: Bytes,
    position: usize,
    /// Where reading stops: the frame's end, or that of the tagged field being read.
    end: usize,
    elements_left: usize,
}

impl Reader {
    /// Reads `frame` from its first byte. The 4-byte size in front of a frame is not part of it.
    pub fn new(frame: Bytes) -> Reader {
        let end = frame.len();
        Reader { frame, position: 0, end, elements_left: ARRAY_LENGTH_MAX }
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.end - self.position
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Borrows the next `length` bytes.
    pub fn read_slice(&mut self, length: usize) -> Result<&[u8], DecodeError> {
        let start = self.take(length)?;
        Ok(&self.frame[start..start + length])
    }

    /// The next `length` bytes as a slice that shares the frame.
    pub fn read_bytes(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        let start = self.take(length)?;
        Ok(self.frame.slice(start..start + length))
    }

    /// The next `N` bytes by value.
    pub fn read_array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let start = self.take(N)?;
        let mut value = [0; N];
        value.copy_from_slice(&self.frame[start..start + N]);
        Ok(value)
    }

    /// One signed byte.
    pub fn read_i8(&mut self) -> Result<i8, DecodeError> {
        self.read_array().map(i8::from_be_bytes)
    }

    /// Two bytes, signed.
    pub fn read_i16(&mut self) -> Result<i16, DecodeError> {
        self.read_array().map(i16::from_be_bytes)
    }

    /// Four bytes, signed.
    pub fn read_i32(&mut self) -> Result<i32, DecodeError> {
        self.read_array().map(i32::from_be_bytes)
    }

    /// Eight bytes, signed.
    pub fn read_i64(&mut self) -> Result<i64, DecodeError> {
        self.read_array().map(i64::from_be_bytes)
    }

    /// An unsigned varint of at most five bytes and 32 bits.
    pub fn read_unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.read_array()?;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && bits > 0x0f {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::VarintOverflow)
    }

    /// The length of a string or of bytes; `None` is null. At most the bytes that remain.
    pub fn read_length(&mut self, prefix: LengthPrefix) -> Result<Option<usize>, DecodeError> {
        let length = self.read_length_prefix(prefix)?;
        match length {
            Some(needed) if needed > self.remaining() => {
                Err(DecodeError::Truncated { needed, remaining: self.remaining() })
            }
            _ => Ok(length),
        }
    }

    /// The count of an array; `None` is null. At most one element for each byte that remains, and at most
    /// [`ARRAY_LENGTH_MAX`] over the whole message.
    pub fn read_array_length(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        let prefix = if flexible { LengthPrefix::Compact } else { LengthPrefix::Int32 };
        let Some(count) = self.read_length_prefix(prefix)? else { return Ok(None) };
        if count > self.remaining() || count > self.elements_left {
            return Err(DecodeError::ArrayTooLong(count as u64));
        }
        self.elements_left -= count;
        Ok(Some(count))
    }

    /// An empty vector with room for `count` elements, or for as many as are worth believing in advance.
    pub(crate) fn reserve<T>(count: usize) -> Vec<T> {
        Vec::with_capacity(count.min(ELEMENTS_RESERVED_MAX))
    }

    /// Reads the number of tagged fields.
    pub(crate) fn read_tag_count(&mut self) -> Result<u32, DecodeError> {
        let count = self.read_unsigned_varint()?;
        if count as usize > TAGGED_FIELDS_MAX {
            return Err(DecodeError::TooManyTags(count));
        }
        Ok(count)
    }

    /// Reads one tagged field's tag and size and gives `read` exactly its bytes. `read` says whether it knew the tag; an
    /// unknown one is skipped.
    pub(crate) fn read_tagged(
        &mut self,
        read: impl FnOnce(&mut Reader, u32) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        let tag = self.read_unsigned_varint()?;
        let size = self.read_unsigned_varint()? as usize;
        if size > self.remaining() {
            return Err(DecodeError::Truncated { needed: size, remaining: self.remaining() });
        }
        let outer_end = std::mem::replace(&mut self.end, self.position + size);
        let known = read(self, tag)?;
        if known && self.remaining() > 0 {
            return Err(DecodeError::TagSize { tag, left: self.remaining() });
        }
        self.position = self.end;
        self.end = outer_end;
        Ok(())
    }

    /// Skips a section of tagged fields of which none is known.
    pub fn skip_tagged_fields(&mut self) -> Result<(), DecodeError> {
        for _ in 0..self.read_tag_count()? {
            self.read_tagged(|_, _| Ok(false))?;
        }
        Ok(())
    }

    fn read_length_prefix(&mut self, prefix: LengthPrefix) -> Result<Option<usize>, DecodeError> {
        let length = match prefix {
            LengthPrefix::Int16 => i64::from(self.read_i16()?),
            LengthPrefix::Int32 => i64::from(self.read_i32()?),
            LengthPrefix::Compact => i64::from(self.read_unsigned_varint()?) - 1,
        };
        match length {
            -1 => Ok(None),
            0..=0x7fff_ffff => Ok(Some(length as usize)),
            _ => Err(DecodeError::BadLength(length)),
        }
    }

    fn take(&mut self, length: usize) -> Result<usize, DecodeError> {
        if length > self.remaining() {
            return Err(DecodeError::Truncated { needed: length, remaining: self.remaining() });
        }
        let start = self.position;
        self.position += length;
        Ok(start)
    }
}

/// How a length is written: two or four bytes in the classic encoding, a varint of length + 1 in the flexible one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthPrefix {
    /// Strings before flexible versions.
    Int16,
    /// Bytes, records and arrays before flexible versions.
    Int32,
    /// Everything in flexible versions.
    Compact,
}
