//! Kafka's wire language: bytes to types and back. No I/O, no clock, no randomness.
//!
//! Start with [`wire`] (how bytes are read and written), then [`messages`] (one table a message), [`error`] (the codes)
//! and [`records`] (the record batch, the codecs, the CRC). [`otlp`] is what clients push of their metrics.

pub mod error;
#[macro_use]
pub mod wire;
pub mod messages;
pub mod otlp;
pub mod records;
pub mod uuid;

pub use error::ErrorCode;
pub use uuid::Uuid;
