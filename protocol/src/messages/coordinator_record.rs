//! How the internal topics' records are framed: a key is its record type and the key message, a value is its version
//! and
//! the value message (KIP-915; a null value is a tombstone). The tables are in the `*_records` files beside this one.

use bytes::Bytes;

use crate::wire::{DecodeError, Message, Reader, Writer};

/// The key of an internal record.
pub trait RecordKey: Message {
    /// The number in front of the key, which tells the record types of one topic apart.
    const TYPE: i16;

    /// The key as it is stored.
    fn to_record_key(&self) -> Bytes {
        prefixed(Self::TYPE, |writer| self.encode(writer, 0))
    }
}

/// The record type of a stored key; the key message, version 0, stays in the reader.
pub fn read_record_type(reader: &mut Reader) -> Result<i16, DecodeError> {
    reader.read_i16()
}

/// A record's value, or another opaque blob of Kafka's, with `version` in front of it.
pub fn to_versioned_bytes<M: Message>(message: &M, version: i16) -> Bytes {
    prefixed(version, |writer| message.encode(writer, version))
}

/// Reads what [`to_versioned_bytes`] wrote. A version that is not known is an error: see KIP-915 on why new fields
/// come as
/// tagged ones instead.
pub fn from_versioned_bytes<M: Message>(bytes: Bytes) -> Result<M, DecodeError> {
    let mut reader = Reader::new(bytes);
    let version = reader.read_i16()?;
    M::decode(&mut reader, version)
}

fn prefixed(prefix: i16, write: impl FnOnce(&mut Writer)) -> Bytes {
    let mut writer = Writer::new();
    writer.put_i16(prefix);
    write(&mut writer);
    writer.into_bytes()
}

/// Gives key tables their record type.
macro_rules! record_types {
    ($($key:ident = $type:literal;)*) => { $(
        impl $crate::messages::RecordKey for $key {
            const TYPE: i16 = $type;
        }
    )* };
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{RecordKey, from_versioned_bytes, read_record_type, to_versioned_bytes};
    use crate::messages::classic_group_records::{OffsetCommitKey, OffsetCommitValue};
    use crate::wire::{DecodeError, Message, Reader};

    #[test]
    fn a_key_begins_with_its_type_and_a_value_with_its_version() {
        let key = OffsetCommitKey { group: "g".to_owned(), topic: "t".to_owned(), partition: 3 };
        let stored = key.to_record_key();
        assert_eq!(stored, &b"\0\x01\0\x01g\0\x01t\0\0\0\x03"[..]);
        let mut reader = Reader::new(stored);
        assert_eq!(read_record_type(&mut reader), Ok(OffsetCommitKey::TYPE));
        assert_eq!(OffsetCommitKey::decode(&mut reader, 0), Ok(key));

        let value = OffsetCommitValue { offset: 9, commit_timestamp: 8, ..Default::default() };
        let stored = to_versioned_bytes(&value, 3);
        assert_eq!(stored, &b"\0\x03\0\0\0\0\0\0\0\x09\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\x08"[..]);
        assert_eq!(from_versioned_bytes(stored), Ok(value));
        let newer = Bytes::from_static(b"\0\x05\0");
        assert_eq!(from_versioned_bytes::<OffsetCommitValue>(newer), Err(DecodeError::UnsupportedVersion(5)));
    }
}
