//! All messages behind one type, so that the tests' loops are compiled once and not for each message.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::fmt::Debug;

use bytes::Bytes;
use protocol::messages::classic_group_records::*;
use protocol::messages::consumer_group_records::*;
use protocol::messages::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use protocol::messages::share_group_records::*;
use protocol::messages::share_state_records::*;
use protocol::messages::streams_group_records::*;
use protocol::messages::transaction_log::*;
use protocol::messages::{self, ApiKey};
use protocol::wire::{DecodeError, Generator, Message, Reader, Versions, Writer};

/// What can be done with one kind of message.
#[derive(Clone, Copy)]
pub struct Codec {
    pub name: &'static str,
    pub versions: Versions,
    /// Reads a message and drops it; gives the bytes left unread.
    pub decode: fn(Bytes, i16) -> Result<usize, DecodeError>,
    /// Reads a message to the last byte, writes it again, and shows it.
    pub recode: fn(Bytes, i16) -> Result<(Bytes, String), DecodeError>,
    /// The bytes of an untouched message.
    pub default: fn(i16) -> Bytes,
    /// Makes a message up; gives its bytes once they were read back to the same message.
    pub generate: fn(&mut Generator, i16) -> Bytes,
}

impl Codec {
    fn of<M: Message + PartialEq + Debug>(name: &'static str) -> Codec {
        Codec {
            name,
            versions: M::VERSIONS,
            decode: decode::<M>,
            recode: recode::<M>,
            default: |version| encode(&M::default(), version),
            generate: generate::<M>,
        }
    }
}

fn encode<M: Message>(message: &M, version: i16) -> Bytes {
    let mut writer = Writer::new();
    message.encode(&mut writer, version);
    writer.into_bytes()
}

fn decode<M: Message>(bytes: Bytes, version: i16) -> Result<usize, DecodeError> {
    let mut reader = Reader::new(bytes);
    M::decode(&mut reader, version)?;
    Ok(reader.remaining())
}

fn recode<M: Message + Debug>(bytes: Bytes, version: i16) -> Result<(Bytes, String), DecodeError> {
    let mut reader = Reader::new(bytes);
    let message = M::decode(&mut reader, version)?;
    assert_eq!(reader.remaining(), 0, "version {version} of {message:?}");
    Ok((encode(&message, version), format!("{message:?}")))
}

fn generate<M: Message + PartialEq + Debug>(generator: &mut Generator, version: i16) -> Bytes {
    let message = M::generate(generator, version);
    let bytes = encode(&message, version);
    let mut reader = Reader::new(bytes.clone());
    match M::decode(&mut reader, version) {
        Ok(read) if read == message && reader.remaining() == 0 => bytes,
        read => panic!("version {version} of {message:?} is read back as {read:?}"),
    }
}

/// An API with both its messages.
pub struct Api {
    pub key: ApiKey,
    pub request: Codec,
    pub response: Codec,
}

macro_rules! list_apis {
    ($($file:ident: $key:ident, $request:ident, $response:ident;)*) => {
        /// Every API that has messages.
        pub fn apis() -> Vec<Api> {
            vec![$(Api {
                key: ApiKey::$key,
                request: Codec::of::<messages::$request>(stringify!($request)),
                response: Codec::of::<messages::$response>(stringify!($response)),
            },)*]
        }
    };
}
protocol::for_each_api!(list_apis);

macro_rules! list_records {
    ($($name:ident)*) => {
        /// Every message that is not an API's: keys and values of internal records, and what consumers tell each other.
        pub fn records() -> Vec<Codec> {
            vec![$(Codec::of::<$name>(stringify!($name)),)*]
        }
    };
}
list_records! {
    ConsumerProtocolSubscription ConsumerProtocolAssignment
    LegacyOffsetCommitKey LegacyOffsetCommitValue OffsetCommitKey OffsetCommitValue GroupMetadataKey GroupMetadataValue
    ConsumerGroupMetadataKey ConsumerGroupMetadataValue
    ConsumerGroupPartitionMetadataKey ConsumerGroupPartitionMetadataValue
    ConsumerGroupMemberMetadataKey ConsumerGroupMemberMetadataValue
    ConsumerGroupTargetAssignmentMetadataKey ConsumerGroupTargetAssignmentMetadataValue
    ConsumerGroupTargetAssignmentMemberKey ConsumerGroupTargetAssignmentMemberValue
    ConsumerGroupCurrentMemberAssignmentKey ConsumerGroupCurrentMemberAssignmentValue
    ConsumerGroupRegularExpressionKey ConsumerGroupRegularExpressionValue
    StreamsGroupMetadataKey StreamsGroupMetadataValue StreamsGroupMemberMetadataKey StreamsGroupMemberMetadataValue
    StreamsGroupTargetAssignmentMetadataKey StreamsGroupTargetAssignmentMetadataValue
    StreamsGroupTargetAssignmentMemberKey StreamsGroupTargetAssignmentMemberValue
    StreamsGroupCurrentMemberAssignmentKey StreamsGroupCurrentMemberAssignmentValue
    StreamsGroupTopologyKey StreamsGroupTopologyValue
    ShareGroupMemberMetadataKey ShareGroupMemberMetadataValue ShareGroupMetadataKey ShareGroupMetadataValue
    ShareGroupTargetAssignmentMetadataKey ShareGroupTargetAssignmentMetadataValue
    ShareGroupTargetAssignmentMemberKey ShareGroupTargetAssignmentMemberValue
    ShareGroupCurrentMemberAssignmentKey ShareGroupCurrentMemberAssignmentValue
    ShareGroupStatePartitionMetadataKey ShareGroupStatePartitionMetadataValue
    ShareSnapshotKey ShareSnapshotValue ShareUpdateKey ShareUpdateValue
    TransactionLogKey TransactionLogValue
}

/// Every message there is.
pub fn all() -> Vec<Codec> {
    apis().iter().flat_map(|api| [api.request, api.response]).chain(records()).collect()
}

/// The field names in the output of a derived `Debug`, in order.
pub fn field_names(debug: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut word = String::new();
    let mut characters = debug.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => skip_quoted(&mut characters),
            ':' => names.push(std::mem::take(&mut word)),
            c if c.is_ascii_alphanumeric() || c == '_' => word.push(c),
            _ => word.clear(),
        }
    }
    names
}

fn skip_quoted(characters: &mut std::str::Chars<'_>) {
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            '"' => return,
            _ => {}
        }
    }
}
