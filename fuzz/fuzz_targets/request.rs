//! Every request and response in every version, sound ones with a few bytes changed: a random input hardly gets past
//! the first array of a deep message. Input: API, version, direction, seed of the message, then pairs of where and what.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::messages::ApiKey;
use protocol::wire::{Generator, Message, Reader, Writer};

fn written<M: Message>(message: &M, version: i16) -> Bytes {
    let mut writer = Writer::new();
    message.encode(&mut writer, version);
    writer.into_bytes()
}

fn damaged<M: Message>(version: i16, seed: u8, changes: &[u8]) {
    let versions = M::VERSIONS;
    let version = versions.min + version % (versions.max - versions.min + 1);
    let message = M::generate(&mut Generator::sparse(seed.into()), version);
    let mut bytes = written(&message, version).to_vec();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]]));
        if let Some(byte) = bytes.get_mut(at) {
            *byte = change[2];
        }
    }
    let Ok(read) = M::decode(&mut Reader::new(bytes.into()), version) else { return };
    let bytes = written(&read, version);
    let again = M::decode(&mut Reader::new(bytes.clone()), version).expect("what we write we can read");
    assert_eq!(written(&again, version), bytes);
}

macro_rules! by_key {
    ($($file:ident: $key:ident, $request:ident, $response:ident;)*) => {
        fn by_key(key: ApiKey, version: i16, response: bool, seed: u8, changes: &[u8]) {
            match (key, response) {
                $((ApiKey::$key, false) => damaged::<protocol::messages::$file::$request>(version, seed, changes),
                (ApiKey::$key, true) => damaged::<protocol::messages::$file::$response>(version, seed, changes),)*
                #[allow(unreachable_patterns, reason = "some keys may have no table yet")]
                _ => {}
            }
        }
    };
}
protocol::for_each_api!(by_key);

fuzz_target!(|data: &[u8]| {
    let [api, version, seed, changes @ ..] = data else { return };
    let key = ApiKey::ALL[usize::from(*api) % ApiKey::ALL.len()];
    by_key(key, i16::from(*version >> 1), version & 1 == 1, *seed, changes);
});
