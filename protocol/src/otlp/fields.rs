//! Protocol buffers' wire format: numbered fields, one after the other (protobuf.dev/programming-guides/encoding).

use super::OtlpError;

/// Highest number a field may have.
const FIELD_NUMBER_MAX: u64 = (1 << 29) - 1;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// The fields of a message; ends after the first error.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'a [u8]) -> Fields<'a> {
        Fields { rest: message }
    }

    fn field(&mut self) -> Result<(u32, Field<'a>), OtlpError> {
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || number > FIELD_NUMBER_MAX {
            return Err(OtlpError::FieldNumber(number));
        }
        let field = match (tag & 7) as u8 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| OtlpError::Truncated)?;
                Field::Bytes(self.take(length)?)
            }
            5 => self.array::<4>().map(|_| Field::Fixed32)?,
            unknown => return Err(OtlpError::WireType(unknown)),
        };
        Ok((number as u32, field))
    }

    fn varint(&mut self) -> Result<u64, OtlpError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            // The tenth byte has room for one bit.
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(OtlpError::VarintOverflow)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], OtlpError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(OtlpError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], OtlpError> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(OtlpError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Field<'a>), OtlpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}
