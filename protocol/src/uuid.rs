//! Kafka's UUID: sixteen bytes, written as 22 characters of URL-safe base64 without padding.

use std::fmt;

/// A topic id, directory id, cluster id or member id. All zero means "none" on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// The wire's "no id".
    pub const ZERO: Uuid = Uuid([0; 16]);

    /// Whether this is the wire's "no id".
    pub fn is_zero(&self) -> bool {
        *self == Uuid::ZERO
    }

    /// A random (version 4) id out of two random numbers.
    pub fn from_random(high: u64, low: u64) -> Uuid {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high.to_be_bytes());
        bytes[8..].copy_from_slice(&low.to_be_bytes());
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Uuid(bytes)
    }

    /// Reads the 22-character form; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Uuid> {
        if text.len() != 22 {
            return None;
        }
        let mut value: u128 = 0;
        for (index, character) in text.bytes().enumerate() {
            let digit = u128::from(BASE64.iter().position(|&b| b == character)? as u8);
            if index < 21 {
                value = (value << 6) | digit;
            } else {
                // 22 characters carry 132 bits; the last four are padding and must be zero.
                if digit & 0x0f != 0 {
                    return None;
                }
                value = (value << 2) | (digit >> 4);
            }
        }
        Some(Uuid(value.to_be_bytes()))
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl fmt::Display for Uuid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u128::from_be_bytes(self.0);
        for index in 0..21 {
            let digit = (value >> (122 - 6 * index)) & 0x3f;
            write!(formatter, "{}", char::from(BASE64[digit as usize]))?;
        }
        write!(formatter, "{}", char::from(BASE64[((value & 0x03) << 4) as usize]))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::Uuid;

    #[test]
    fn text_form_round_trips() {
        for id in [Uuid::ZERO, Uuid([0xff; 16]), Uuid::from_random(0x0123_4567_89ab_cdef, 42)] {
            assert_eq!(Uuid::parse(&id.to_string()), Some(id));
        }
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Uuid::parse("AAAAAAAAAAAAAAAAAAAAAB"), None, "padding bits must be zero");
        assert_eq!(Uuid::parse("too short"), None);
    }
}
