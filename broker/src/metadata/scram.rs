//! SCRAM credentials as metadata: what a server keeps of a password, which is not enough to log in with (RFC 5802).

use std::fmt;

use bytes::Bytes;

use crate::metadata::codec::{Input, Output};
use crate::metadata::record::RecordError;

/// A SCRAM mechanism; numbers are Kafka's (ScramMechanism.java).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
pub enum ScramMechanism {
    /// SCRAM-SHA-256.
    Sha256 = 1,
    /// SCRAM-SHA-512.
    Sha512 = 2,
}

impl ScramMechanism {
    /// The mechanism of this number.
    pub fn of(number: i8) -> Option<ScramMechanism> {
        match number {
            1 => Some(ScramMechanism::Sha256),
            2 => Some(ScramMechanism::Sha512),
            _ => None,
        }
    }
}

/// What is kept of a user's password.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramCredential {
    /// Rounds of the salting.
    pub iterations: i32,
    /// Salt of the password.
    pub salt: Bytes,
    /// Hash of the client's key: tells whether a client has the password.
    pub stored_key: Bytes,
    /// Proves to the client that we know it.
    pub server_key: Bytes,
}

/// Shows nothing that belongs into no log.
impl fmt::Debug for ScramCredential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ScramCredential").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

pub(super) fn encode(output: &mut Output, credential: Option<&ScramCredential>) {
    output.u8(u8::from(credential.is_some()));
    if let Some(credential) = credential {
        output.i32(credential.iterations);
        for bytes in [&credential.salt, &credential.stored_key, &credential.server_key] {
            output.list(bytes, |output, byte| output.u8(*byte));
        }
    }
}

pub(super) fn mechanism(input: &mut Input<'_>) -> Result<ScramMechanism, RecordError> {
    let number = input.u8()?.cast_signed();
    ScramMechanism::of(number).ok_or(RecordError::Damaged("unknown SCRAM mechanism"))
}

pub(super) fn decode(input: &mut Input<'_>) -> Result<Option<ScramCredential>, RecordError> {
    match input.u8()? {
        0 => return Ok(None),
        1 => {}
        _ => return Err(RecordError::Damaged("presence is neither 0 nor 1")),
    }
    let iterations = input.i32()?;
    let mut bytes = || Ok(Bytes::from(input.list(Input::u8)?));
    Ok(Some(ScramCredential { iterations, salt: bytes()?, stored_key: bytes()?, server_key: bytes()? }))
}
