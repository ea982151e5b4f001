//! Our messages against those of the `kafka-protocol` crate, which is generated from Kafka's own definitions.
//!
//! For every API, direction and version that both know: made-up messages with every field away from its default go from
//! our bytes to their value, back to the same bytes, and back to our value; and their structs have their fields where
//! ours have them. What the crate lacks (its source is Kafka 4.1) is left to `golden.rs`.

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable};
use protocol::messages::{self as ours, ApiKey};
use protocol::wire::{Generator, Message, Reader, Writer};

const MESSAGES_PER_VERSION: u64 = 256;
const SPARSE_MESSAGES_PER_VERSION: u64 = 64;

/// APIs that `kafka-protocol` 0.18 does not have.
const MISSING: [ApiKey; 4] = [
    ApiKey::StreamsGroupHeartbeat,
    ApiKey::StreamsGroupDescribe,
    ApiKey::StreamsGroupTopologyDescriptionUpdate,
    ApiKey::UnregisterController,
];

/// Whether a field of theirs stands for nothing on the wire: their own one, or one of a version that is gone.
fn is_of_no_version(message: &str, field: &str) -> bool {
    field == "unknown_tagged_fields" || (message, field) == ("ShareFetchRequest", "partition_max_bytes")
}

fn check<Ours, Theirs>(name: &str)
where
    Ours: Message + PartialEq + Debug,
    Theirs: kafka_protocol::protocol::Message + Encodable + Decodable + Debug,
{
    let (ours, theirs) = (Ours::VERSIONS, Theirs::VERSIONS);
    assert_eq!(ours.min, theirs.min, "{name}: first version");
    assert!(theirs.max <= ours.max, "{name}: we lack versions");
    for version in theirs.min..=theirs.max {
        let seed = 0x6d73_676c_6f6f_7000 + version as u64;
        let mut dense = Generator::new(seed);
        for index in 0..MESSAGES_PER_VERSION {
            let message = Ours::generate(&mut dense, version);
            let their_message = check_message::<Ours, Theirs>(name, version, index, &message);
            if index < 4 {
                check_shape(name, version, &message, &their_message);
            }
        }
        let mut sparse = Generator::sparse(seed);
        for index in 0..SPARSE_MESSAGES_PER_VERSION {
            check_message::<Ours, Theirs>(name, version, index, &Ours::generate(&mut sparse, version));
        }
    }
}

fn check_message<Ours, Theirs>(name: &str, version: i16, index: u64, message: &Ours) -> Theirs
where
    Ours: Message + PartialEq + Debug,
    Theirs: Encodable + Decodable + Debug,
{
    let case = || format!("{name} version {version}, message {index}: {message:?}");
    let mut writer = Writer::new();
    message.encode(&mut writer, version);
    let bytes = writer.into_bytes();

    let mut unread = bytes.clone();
    let their_message = Theirs::decode(&mut unread, version).unwrap_or_else(|error| panic!("{}\n{error}", case()));
    assert!(unread.is_empty(), "{}\nleft unread: {unread:?}", case());
    let mut their_bytes = BytesMut::new();
    their_message.encode(&mut their_bytes, version).unwrap_or_else(|error| panic!("{}\n{error}", case()));
    assert_eq!(their_bytes, bytes, "{}\nread as {their_message:?}", case());

    let mut reader = Reader::new(bytes);
    assert_eq!(Ours::decode(&mut reader, version).as_ref(), Ok(message), "{}", case());
    assert_eq!(reader.remaining(), 0, "{}", case());
    their_message
}

/// Their field names, in order, must be among ours, and none of our tagged fields may be unknown to them.
fn check_shape(name: &str, version: i16, ours: &impl Debug, theirs: &impl Debug) {
    let theirs = format!("{theirs:?}");
    let unknown = theirs.matches("unknown_tagged_fields: {").count();
    assert_eq!(unknown, theirs.matches("unknown_tagged_fields: {}").count(), "{name} {version}: {theirs}");
    let ours = field_names(&format!("{ours:?}"));
    let mut left = ours.iter();
    for field in field_names(&theirs).iter().filter(|field| !is_of_no_version(name, field)) {
        assert!(left.any(|name| same_name(name, field)), "{name} {version}: no {field} in its place in {ours:?}");
    }
}

/// Underscores differ: `match_`, since `match` is a keyword, and `enable_2_pc`. Kafka 4.4 renamed a field in place.
fn same_name(ours: &str, theirs: &str) -> bool {
    if theirs == "generation_id" && ours == "generation_id_or_member_epoch" {
        return true;
    }
    ours.chars().filter(|&c| c != '_').eq(theirs.chars().filter(|&c| c != '_'))
}

/// The field names in the output of a derived `Debug`, in order.
fn field_names(debug: &str) -> Vec<String> {
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

/// Checks one of the two messages of an API; those that are missing there have rules of their own.
macro_rules! check_api {
    (StreamsGroupHeartbeat $message:ident) => {};
    (StreamsGroupDescribe $message:ident) => {};
    (StreamsGroupTopologyDescriptionUpdate $message:ident) => {};
    (UnregisterController $message:ident) => {};
    ($key:ident $message:ident) => {
        check::<ours::$message, theirs::$message>(stringify!($message))
    };
}

macro_rules! check_all {
    ($($file:ident: $key:ident, $request:ident, $response:ident;)*) => {
        #[test]
        fn requests_agree() {
            $(check_api!($key $request);)*
        }

        #[test]
        fn responses_agree() {
            $(check_api!($key $response);)*
        }

        const OURS: &[ApiKey] = &[$(ApiKey::$key),*];
    };
}
protocol::for_each_api!(check_all);

#[test]
fn what_the_oracle_lacks_is_what_we_say_it_lacks() {
    for key in MISSING {
        assert!(OURS.contains(&key));
        assert!(theirs::ApiKey::try_from(key.code()).is_err(), "{key} is there now: check it");
    }
}

#[test]
fn headers_agree() {
    for &key in ApiKey::ALL.iter().filter(|key| !MISSING.contains(key)) {
        let their_key = theirs::ApiKey::try_from(key.code()).expect("the crate has it");
        let versions = key.versions();
        for version in versions.min..=versions.max.min(their_key.valid_versions().max) {
            check_request_header(key, version, their_key.request_header_version(version));
            check_response_header(key, version, their_key.response_header_version(version));
        }
    }
}

fn check_request_header(key: ApiKey, version: i16, header_version: i16) {
    let header = ours::RequestHeader {
        request_api_key: key.code(),
        request_api_version: version,
        correlation_id: 77,
        client_id: Some("client".to_owned()),
    };
    let mut writer = Writer::new();
    header.encode(&mut writer);
    let mut bytes: Bytes = writer.into_bytes();
    let their_header = theirs::RequestHeader::decode(&mut bytes, header_version).expect("readable");
    assert!(bytes.is_empty(), "{key} {version}");
    assert_eq!(their_header.client_id.as_deref(), Some("client"));
}

fn check_response_header(key: ApiKey, version: i16, header_version: i16) {
    let mut writer = Writer::new();
    ours::ResponseHeader { correlation_id: 77 }.encode(&mut writer, key, version);
    let mut bytes: Bytes = writer.into_bytes();
    let their_header = theirs::ResponseHeader::decode(&mut bytes, header_version).expect("readable");
    assert!(bytes.is_empty(), "{key} {version}");
    assert_eq!(their_header.correlation_id, 77);
}
