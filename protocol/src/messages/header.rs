//! The headers in front of every request and response.
//!
//! A request header is version 1, or 2 (tagged fields follow) when the request itself is flexible; version 0 went with
//! ControlledShutdown. A response header is version 0, or 1 (tagged fields follow) when the response is flexible,
//! except
//! that ApiVersions always answers with version 0: its client does not know yet what the broker speaks (KIP-511).

use super::ApiKey;
use crate::wire::{Context, DecodeError, Nullable, Reader, Wire, Writer};

/// Who asks for what. The key is kept as a number, since nobody has checked it yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestHeader {
    /// The API's key.
    pub request_api_key: i16,
    /// The version of the request, and of the response that is expected.
    pub request_api_version: i16,
    /// Comes back in the response.
    pub correlation_id: i32,
    /// The client's name for itself.
    pub client_id: Option<String>,
}

/// The client id is in the classic encoding in both header versions.
const CLIENT_ID: Context = Context { version: 1, flexible: false, nullable: true, tagged: false };

impl RequestHeader {
    /// The API asked for, if there is one of that key.
    pub fn api_key(&self) -> Option<ApiKey> {
        ApiKey::from_code(self.request_api_key)
    }

    /// Reads a header; the request's body follows. Of an unknown key, only what all header versions share is read.
    pub fn decode(reader: &mut Reader) -> Result<RequestHeader, DecodeError> {
        let header = RequestHeader {
            request_api_key: reader.read_i16()?,
            request_api_version: reader.read_i16()?,
            correlation_id: reader.read_i32()?,
            client_id: String::read_nullable(reader, CLIENT_ID)?,
        };
        if header.is_flexible() {
            reader.skip_tagged_fields()?;
        }
        Ok(header)
    }

    /// Writes a header; the request's body follows.
    pub fn encode(&self, writer: &mut Writer) {
        writer.put_i16(self.request_api_key);
        writer.put_i16(self.request_api_version);
        writer.put_i32(self.correlation_id);
        self.client_id.write(writer, CLIENT_ID);
        if self.is_flexible() {
            writer.put_unsigned_varint(0);
        }
    }

    fn is_flexible(&self) -> bool {
        self.api_key().is_some_and(|key| key.versions().is_flexible(self.request_api_version))
    }
}

/// What stands in front of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResponseHeader {
    /// The request's.
    pub correlation_id: i32,
}

impl ResponseHeader {
    /// Reads the header of an answer to `key` in `version`; the response's body follows.
    pub fn decode(reader: &mut Reader, key: ApiKey, version: i16) -> Result<ResponseHeader, DecodeError> {
        let header = ResponseHeader { correlation_id: reader.read_i32()? };
        if ResponseHeader::is_flexible(key, version) {
            reader.skip_tagged_fields()?;
        }
        Ok(header)
    }

    /// Writes the header of an answer to `key` in `version`; the response's body follows.
    pub fn encode(&self, writer: &mut Writer, key: ApiKey, version: i16) {
        writer.put_i32(self.correlation_id);
        if ResponseHeader::is_flexible(key, version) {
            writer.put_unsigned_varint(0);
        }
    }

    fn is_flexible(key: ApiKey, version: i16) -> bool {
        key != ApiKey::ApiVersions && key.versions().is_flexible(version)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{RequestHeader, ResponseHeader};
    use crate::messages::ApiKey;
    use crate::wire::{Reader, Writer};

    #[track_caller]
    fn check_request(key: i16, version: i16, bytes: &'static [u8]) {
        let mut reader = Reader::new(Bytes::from_static(bytes));
        let header = RequestHeader::decode(&mut reader).unwrap();
        let client_id = Some("me".to_owned());
        let expected =
            RequestHeader { request_api_key: key, request_api_version: version, correlation_id: 7, client_id };
        assert_eq!((header, reader.remaining()), (expected.clone(), 0));
        let mut writer = Writer::new();
        expected.encode(&mut writer);
        assert_eq!(writer.into_bytes(), bytes);
    }

    #[test]
    fn a_flexible_request_has_tagged_fields_after_the_client_id() {
        check_request(18, 2, b"\0\x12\0\x02\0\0\0\x07\0\x02me");
        check_request(18, 3, b"\0\x12\0\x03\0\0\0\x07\0\x02me\0");
        check_request(18, 99, b"\0\x12\0\x63\0\0\0\x07\0\x02me\0");
        check_request(4711, 3, b"\x12\x67\0\x03\0\0\0\x07\0\x02me");
    }

    #[test]
    fn a_flexible_response_has_tagged_fields_unless_it_is_api_versions() {
        for (key, version, length) in [
            (ApiKey::Metadata, 8, 4),
            (ApiKey::Metadata, 9, 5),
            (ApiKey::ApiVersions, 2, 4),
            (ApiKey::ApiVersions, 5, 4),
        ] {
            let mut writer = Writer::new();
            ResponseHeader { correlation_id: 7 }.encode(&mut writer, key, version);
            assert_eq!(writer.len(), length, "{key} {version}");
            let mut reader = Reader::new(writer.into_bytes());
            let header = ResponseHeader::decode(&mut reader, key, version).unwrap();
            assert_eq!((header.correlation_id, reader.remaining()), (7, 0));
        }
    }
}
