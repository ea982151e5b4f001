//! Our messages against those of the `kafka-protocol` crate, which is generated from Kafka's own definitions.
//!
//! For every API, direction and version that both know: made-up messages with every field away from its default go from
//! our bytes to their value, back to the same bytes, and back to our value; and their structs have their fields where
//! ours have them. What the crate lacks (its source is Kafka 4.1) is left to `golden.rs`.

mod codec;

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use codec::{Codec, apis, field_names};
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable, VersionRange};
use protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use protocol::wire::{Generator, Writer};

const MESSAGES_PER_VERSION: u64 = 256;
const SPARSE_MESSAGES_PER_VERSION: u64 = 64;

/// APIs that `kafka-protocol` 0.18 does not have.
const MISSING: [ApiKey; 4] = [
    ApiKey::StreamsGroupHeartbeat,
    ApiKey::StreamsGroupDescribe,
    ApiKey::StreamsGroupTopologyDescriptionUpdate,
    ApiKey::UnregisterController,
];

/// What is left unread, the message written again, and how it looks.
type Recoded = (Bytes, BytesMut, Box<dyn Debug>);

/// One message of theirs.
struct Oracle {
    versions: VersionRange,
    /// Reads a message, and gives what is left unread, the message written again, and how it looks.
    recode: fn(Bytes, i16) -> Result<Recoded, String>,
}

impl Oracle {
    fn of<M: kafka_protocol::protocol::Message + Encodable + Decodable + Debug + 'static>() -> Option<Oracle> {
        Some(Oracle { versions: M::VERSIONS, recode: recode::<M> })
    }
}

fn recode<M: Encodable + Decodable + Debug + 'static>(
    mut bytes: Bytes,
    version: i16,
) -> Result<(Bytes, BytesMut, Box<dyn Debug>), String> {
    let message = M::decode(&mut bytes, version).map_err(|error| error.to_string())?;
    let mut written = BytesMut::new();
    message.encode(&mut written, version).map_err(|error| error.to_string())?;
    Ok((bytes, written, Box::new(message)))
}

/// Their message of a name, `None` for the missing ones.
macro_rules! oracle {
    (StreamsGroupHeartbeat $message:ident) => {
        None
    };
    (StreamsGroupDescribe $message:ident) => {
        None
    };
    (StreamsGroupTopologyDescriptionUpdate $message:ident) => {
        None
    };
    (UnregisterController $message:ident) => {
        None
    };
    ($key:ident $message:ident) => {
        Oracle::of::<theirs::$message>()
    };
}

macro_rules! list_oracles {
    ($($file:ident: $key:ident, $request:ident, $response:ident;)*) => {
        /// In the order of [`apis`].
        fn oracles() -> Vec<[Option<Oracle>; 2]> {
            vec![$([oracle!($key $request), oracle!($key $response)],)*]
        }
    };
}
protocol::for_each_api!(list_oracles);

fn check(ours: &Codec, theirs: &Oracle) {
    assert_eq!(ours.versions.min, theirs.versions.min, "{}: first version", ours.name);
    assert!(theirs.versions.max <= ours.versions.max, "{}: we lack versions", ours.name);
    for version in theirs.versions.min..=theirs.versions.max {
        let seed = 0x6d73_676c_6f6f_7000 + version as u64;
        let mut dense = Generator::new(seed);
        for index in 0..MESSAGES_PER_VERSION {
            check_message(ours, theirs, version, &mut dense, index < 4);
        }
        let mut sparse = Generator::sparse(seed);
        for _ in 0..SPARSE_MESSAGES_PER_VERSION {
            check_message(ours, theirs, version, &mut sparse, false);
        }
    }
}

fn check_message(ours: &Codec, theirs: &Oracle, version: i16, generator: &mut Generator, with_shape: bool) {
    let bytes = (ours.generate)(generator, version);
    let case = || format!("{} version {version}, {:?}", ours.name, (ours.recode)(bytes.clone(), version));
    let (unread, recoded, message) =
        (theirs.recode)(bytes.clone(), version).unwrap_or_else(|error| panic!("{}\n{error}", case()));
    assert!(unread.is_empty(), "{}\nread as {message:?}, left unread {unread:?}", case());
    assert_eq!(recoded, bytes, "{}\nread as {message:?}", case());
    if with_shape {
        check_shape(ours, version, bytes, &format!("{message:?}"));
    }
}

/// Their field names, in order, must be among ours, and none of our tagged fields may be unknown to them.
fn check_shape(codec: &Codec, version: i16, bytes: Bytes, theirs: &str) {
    let unknown = theirs.matches("unknown_tagged_fields: {").count();
    assert_eq!(unknown, theirs.matches("unknown_tagged_fields: {}").count(), "{} {version}: {theirs}", codec.name);
    let (_, ours) = (codec.recode)(bytes, version).expect("read before");
    let ours = field_names(&ours);
    let mut left = ours.iter();
    for field in field_names(theirs).iter().filter(|field| !is_of_no_version(codec.name, field)) {
        let found = left.any(|name| same_name(name, field));
        assert!(found, "{} {version}: no {field} in its place in {ours:?}", codec.name);
    }
}

/// Whether a field of theirs stands for nothing on the wire: their own one, or one of a version that is gone.
fn is_of_no_version(message: &str, field: &str) -> bool {
    field == "unknown_tagged_fields" || (message, field) == ("ShareFetchRequest", "partition_max_bytes")
}

/// Underscores differ: `match_`, since `match` is a keyword, and `enable_2_pc`. Kafka 4.4 renamed a field in place.
fn same_name(ours: &str, theirs: &str) -> bool {
    if theirs == "generation_id" && ours == "generation_id_or_member_epoch" {
        return true;
    }
    ours.chars().filter(|&c| c != '_').eq(theirs.chars().filter(|&c| c != '_'))
}

#[test]
fn messages_agree() {
    for (api, [request, response]) in apis().iter().zip(oracles()) {
        assert_eq!(request.is_none(), MISSING.contains(&api.key), "{}: missing or not", api.key);
        for (ours, theirs) in [(&api.request, request), (&api.response, response)] {
            if let Some(theirs) = theirs {
                check(ours, &theirs);
            }
        }
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
    assert!(MISSING.iter().all(|key| theirs::ApiKey::try_from(key.code()).is_err()), "no longer missing: check it");
}

fn check_request_header(key: ApiKey, version: i16, header_version: i16) {
    let header = RequestHeader {
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
    ResponseHeader { correlation_id: 77 }.encode(&mut writer, key, version);
    let mut bytes: Bytes = writer.into_bytes();
    let their_header = theirs::ResponseHeader::decode(&mut bytes, header_version).expect("readable");
    assert!(bytes.is_empty(), "{key} {version}");
    assert_eq!(their_header.correlation_id, 77);
}
