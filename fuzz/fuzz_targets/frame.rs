//! A frame as a stranger sends it: header, then the body that the header names. Whatever decodes is written and read
//! again, to the same bytes.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::messages::{ApiKey, RequestHeader};
use protocol::wire::{Message, Reader, Writer};

fn body<M: Message>(reader: &mut Reader, version: i16) {
    let Ok(message) = M::decode(reader, version) else { return };
    let mut writer = Writer::new();
    message.encode(&mut writer, version);
    let bytes = writer.into_bytes();
    let again = M::decode(&mut Reader::new(bytes.clone()), version).expect("what we write we can read");
    let mut writer = Writer::new();
    again.encode(&mut writer, version);
    assert_eq!(writer.into_bytes(), bytes);
}

macro_rules! by_key {
    ($($file:ident: $key:ident, $request:ident, $response:ident;)*) => {
        fn by_key(key: ApiKey, reader: &mut Reader, version: i16) {
            match key {
                $(ApiKey::$key => body::<protocol::messages::$file::$request>(reader, version),)*
                #[allow(unreachable_patterns, reason = "some keys may have no table yet")]
                _ => {}
            }
        }
    };
}
protocol::for_each_api!(by_key);

fuzz_target!(|data: &[u8]| {
    let mut reader = Reader::new(Bytes::copy_from_slice(data));
    let Ok(header) = RequestHeader::decode(&mut reader) else { return };
    if let Some(key) = header.api_key() {
        by_key(key, &mut reader, header.request_api_version);
    }
});
