//! The field types of Kafka's message language.

use bytes::{Bytes, BytesMut};

use super::reader::LengthPrefix;
use super::{Context, DecodeError, Reader, Writer};
use crate::{ErrorCode, Uuid};

/// A type that can be a field of a message.
pub trait Wire {
    /// Reads one value over this one, which is the default.
    fn read(&mut self, reader: &mut Reader, context: Context) -> Result<(), DecodeError>;

    /// Writes one value.
    fn write(&self, writer: &mut Writer, context: Context);

    /// Makes a value up that is not this one, which is the default.
    #[cfg(feature = "testing")]
    fn generate(&mut self, generator: &mut super::Generator, context: Context);
}

/// A [`Wire`] type that has a null.
pub trait Nullable: Wire + Default {
    /// Reads a value or null.
    fn read_nullable(reader: &mut Reader, context: Context) -> Result<Option<Self>, DecodeError>;

    /// Writes null.
    fn write_null(writer: &mut Writer, context: Context);

    /// Writes a value where null would have been possible.
    fn write_present(&self, writer: &mut Writer, context: Context) {
        self.write(writer, context);
    }
}

/// In a version without null, null is read as an error and written as the type's empty value.
impl<T: Nullable> Wire for Option<T> {
    fn read(&mut self, reader: &mut Reader, context: Context) -> Result<(), DecodeError> {
        if context.nullable {
            *self = T::read_nullable(reader, context)?;
            return Ok(());
        }
        self.insert(T::default()).read(reader, context)
    }

    fn write(&self, writer: &mut Writer, context: Context) {
        match self {
            Some(value) if context.nullable => value.write_present(writer, context),
            Some(value) => value.write(writer, context),
            None if context.nullable => T::write_null(writer, context),
            None => T::default().write(writer, context),
        }
    }

    #[cfg(feature = "testing")]
    fn generate(&mut self, generator: &mut super::Generator, context: Context) {
        if generator.only_elements() {
            self.iter_mut().for_each(|value| value.generate(generator, context));
        } else if self.is_some() && context.nullable && generator.one_in(4) {
            *self = None;
        } else {
            self.insert(T::default()).generate(generator, context);
        }
    }
}

macro_rules! numbers {
    ($($type:ty),*) => { $(
        impl Wire for $type {
            fn read(&mut self, reader: &mut Reader, _: Context) -> Result<(), DecodeError> {
                *self = <$type>::from_be_bytes(reader.read_array()?);
                Ok(())
            }

            fn write(&self, writer: &mut Writer, _: Context) {
                writer.put_slice(&self.to_be_bytes());
            }

            #[cfg(feature = "testing")]
            fn generate(&mut self, generator: &mut super::Generator, _: Context) {
                let default = *self;
                while *self == default && !generator.only_elements() {
                    *self = generator.number() as $type;
                }
            }
        }
    )* };
}
numbers!(i8, i16, u16, i32, u32, i64, f64);

impl Wire for bool {
    fn read(&mut self, reader: &mut Reader, _: Context) -> Result<(), DecodeError> {
        *self = reader.read_i8()? != 0;
        Ok(())
    }

    fn write(&self, writer: &mut Writer, _: Context) {
        writer.put_i8(i8::from(*self));
    }

    #[cfg(feature = "testing")]
    fn generate(&mut self, generator: &mut super::Generator, _: Context) {
        *self ^= !generator.only_elements();
    }
}

impl Wire for ErrorCode {
    fn read(&mut self, reader: &mut Reader, context: Context) -> Result<(), DecodeError> {
        self.0.read(reader, context)
    }

    fn write(&self, writer: &mut Writer, _: Context) {
        writer.put_error_code(*self);
    }

    #[cfg(feature = "testing")]
    fn generate(&mut self, generator: &mut super::Generator, context: Context) {
        self.0.generate(generator, context);
    }
}

impl Wire for Uuid {
    fn read(&mut self, reader: &mut Reader, _: Context) -> Result<(), DecodeError> {
        self.0 = reader.read_array()?;
        Ok(())
    }

    fn write(&self, writer: &mut Writer, _: Context) {
        writer.put_slice(&self.0);
    }

    #[cfg(feature = "testing")]
    fn generate(&mut self, generator: &mut super::Generator, _: Context) {
        if !generator.only_elements() {
            *self = Uuid::from_random(generator.number() as u64, generator.number() as u64);
        }
    }
}

/// Longest string, in bytes, of either encoding.
const STRING_BYTES_MAX: usize = 0x7fff;

/// A string of more than 32,767 bytes, which no version can carry, is cut at the last whole character.
impl Wire for String {
    fn read(&mut self, reader: &mut Reader, context: Context) -> Result<(), DecodeError> {
        *self = Self::read_nullable(reader, context)?.ok_or(DecodeError::BadLength(-1))?;
        Ok(())
    }

    fn write(&self, writer: &mut Writer, context: Context) {
        let text = &self[..self.floor_char_boundary(STRING_BYTES_MAX)];
        if context.flexible {
            writer.put_unsigned_varint(text.len() as u32 + 1);
        } else {
            writer.put_i16(text.len() as i16);
        }
        writer.put_slice(text.as_bytes());
    }

    #[cfg(feature = "testing")]
    fn generate(&mut self, generator: &mut super::Generator, _: Context) {
        if !generator.only_elements() {
            *self = generator.text();
        }
    }
}

impl Nullable for String {
    fn read_nullable(reader: &mut Reader, context: Context) -> Result<Option<Self>, DecodeError> {
        let prefix = if context.flexible { LengthPrefix::Compact } else { LengthPrefix::Int16 };
        let Some(length) = reader.read_length(prefix)? else { return Ok(None) };
        if length > STRING_BYTES_MAX {
            return Err(DecodeError::BadLength(length as i64));
        }
        let text = std::str::from_utf8(reader.read_slice(length)?).map_err(|_| DecodeError::NotUtf8)?;
        Ok(Some(text.to_owned()))
    }

    fn write_null(writer: &mut Writer, context: Context) {
        if context.flexible { writer.put_unsigned_varint(0) } else { writer.put_i16(-1) }
    }
}

impl Wire for Bytes {
    fn read(&mut self, reader: &mut Reader, context: Context) -> Result<(), DecodeError> {
        *self = Self::read_nullable(reader, context)?.ok_or(DecodeError::BadLength(-1))?;
        Ok(())
    }

    fn write(&self, writer: &mut Writer, context: Context) {
        writer.put_length(Some(self.len()), context.flexible);
        writer.put_bytes(self);
    }

    #[cfg(feature = "testing")]
    fn generate(&mut self, generator: &mut super::Generator, _: Context) {
        if !generator.only_elements() {
            *self = generator.bytes();
        }
    }
}

impl Nullable for Bytes {
    fn read_nullable(reader: &mut Reader, context: Context) -> Result<Option<Self>, DecodeError> {
        let prefix = if context.flexible { LengthPrefix::Compact } else { LengthPrefix::Int32 };
        match reader.read_length(prefix)? {
            Some(length) => reader.read_bytes(length).map(Some),
            None => Ok(None),
        }
    }

    fn write_null(writer: &mut Writer, context: Context) {
        writer.put_length(None, context.flexible);
    }
}

/// Record batches as they travel: opaque bytes, in as many parts as they were found in.
#[derive(Debug, Clone, Default)]
pub struct Records(Vec<Bytes>);

impl Records {
    /// Total bytes.
    pub fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Bytes::is_empty)
    }

    /// The parts in order.
    pub fn parts(&self) -> &[Bytes] {
        &self.0
    }

    /// Appends bytes by reference.
    pub fn push(&mut self, part: Bytes) {
        self.0.push(part);
    }

    /// The bytes in one piece; copies only when there is more than one part, which decoding never makes.
    pub fn into_bytes(mut self) -> Bytes {
        if self.0.len() <= 1 {
            return self.0.pop().unwrap_or_default();
        }
        let mut whole = BytesMut::with_capacity(self.len());
        for part in self.0 {
            whole.extend_from_slice(&part);
        }
        whole.freeze()
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Records {
        Records(vec![bytes])
    }
}

impl From<Vec<Bytes>> for Records {
    fn from(parts: Vec<Bytes>) -> Records {
        Records(parts)
    }
}

/// Equal bytes are equal, however they are cut into parts.
impl PartialEq for Records {
    fn eq(&self, other: &Records) -> bool {
        self.len() == other.len() && self.0.iter().flatten().eq(other.0.iter().flatten())
    }
}

impl Wire for Records {
    fn read(&mut self, reader: &mut Reader, context: Context) -> Result<(), DecodeError> {
        *self = Self::read_nullable(reader, context)?.ok_or(DecodeError::BadLength(-1))?;
        Ok(())
    }

    fn write(&self, writer: &mut Writer, context: Context) {
        writer.put_length(Some(self.len()), context.flexible);
        for part in &self.0 {
            writer.put_bytes(part);
        }
    }

    #[cfg(feature = "testing")]
    fn generate(&mut self, generator: &mut super::Generator, _: Context) {
        if !generator.only_elements() {
            *self = Records(vec![generator.bytes(), generator.bytes()]);
        }
    }
}

impl Nullable for Records {
    fn read_nullable(reader: &mut Reader, context: Context) -> Result<Option<Self>, DecodeError> {
        Ok(Bytes::read_nullable(reader, context)?.map(Records::from))
    }

    fn write_null(writer: &mut Writer, context: Context) {
        Bytes::write_null(writer, context);
    }
}

impl<T: Wire + Default> Wire for Vec<T> {
    fn read(&mut self, reader: &mut Reader, context: Context) -> Result<(), DecodeError> {
        *self = Self::read_nullable(reader, context)?.ok_or(DecodeError::BadLength(-1))?;
        Ok(())
    }

    fn write(&self, writer: &mut Writer, context: Context) {
        writer.put_length(Some(self.len()), context.flexible);
        for element in self {
            element.write(writer, context.element());
        }
    }

    #[cfg(feature = "testing")]
    fn generate(&mut self, generator: &mut super::Generator, context: Context) {
        self.resize_with(generator.count(), T::default);
        self.iter_mut().for_each(|element| element.generate(generator, context.element()));
    }
}

impl<T: Wire + Default> Nullable for Vec<T> {
    fn read_nullable(reader: &mut Reader, context: Context) -> Result<Option<Self>, DecodeError> {
        let Some(count) = reader.read_array_length(context.flexible)? else { return Ok(None) };
        let mut elements = Reader::reserve(count);
        for _ in 0..count {
            elements.push_mut(T::default()).read(reader, context.element())?;
        }
        Ok(Some(elements))
    }

    fn write_null(writer: &mut Writer, context: Context) {
        writer.put_length(None, context.flexible);
    }
}
