//! What can be wrong with a batch, by what the receiver does about it.

use thiserror::Error;

/// Why bytes are not a batch one can use.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the messages name the fields")]
pub enum BatchError {
    /// The bytes end before the batch does: a torn write, or a client that cut its request.
    #[error("the batch needs {needed_bytes} bytes, there are {available_bytes}")]
    Truncated { needed_bytes: usize, available_bytes: usize },
    /// The length field is below the header's size.
    #[error("the batch length {0} is smaller than its header")]
    Length(i32),
    /// Message format 0 and 1 (gone with Kafka 4.0), or one from the future.
    #[error("magic {0} is not supported, only 2")]
    Magic(i8),
    /// The checksum does not match.
    #[error("the record batch is corrupt: stored CRC {stored:#010x}, computed {computed:#010x}")]
    Crc { stored: u32, computed: u32 },
    /// Codec ids 5 to 7.
    #[error("unknown compression type {0}")]
    UnknownCompression(u8),
    /// The codec refuses the bytes.
    #[error("the records are not valid {codec}: {reason}")]
    Decompress { codec: &'static str, reason: String },
    /// The records unfold to more than the caller allows.
    #[error("the records are larger than {bytes_max} bytes once decompressed")]
    DecompressedTooLarge { bytes_max: usize },
    /// The record with this index (from zero) is malformed.
    #[error("record {index} is malformed: {reason}")]
    Record { index: i32, reason: &'static str },
    /// A batch being built does not fit its own fields (lengths are 32 bits).
    #[error("the batch being built is too large")]
    TooLarge,
}
