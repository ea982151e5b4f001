//! The record batch of Kafka's message format 2: header view, checksum, stamping, iteration, building, codecs.
//!
//! Start with [`BatchView`] (bytes in, header and records out) and [`BatchBuilder`] (records in, bytes out). A batch is
//! 61 bytes of header, then the records, compressed as a whole. All of this treats its input as hostile: lengths are
//! checked before they are used and memory is bounded by what the caller allows. Format: Kafka's
//! `DefaultRecordBatch.java` and `DefaultRecord.java`.

mod builder;
mod codecs;
mod control;
mod error;
mod header;
mod record;
mod stamp;
#[cfg(test)]
mod tests;
mod varint;
mod xerial;

pub use builder::{BatchBuilder, NewRecord, recompress};
pub use codecs::{Compression, CompressionType, compress, decompress};
pub use control::{ControlRecordType, EndTransactionMarker, end_transaction_batch};
pub use error::BatchError;
pub use header::{
    Attributes, BatchHeader, BatchView, Batches, CRC_COVER, HEADER_BYTES, MAGIC, NO_LEADER_EPOCH, NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID, NO_SEQUENCE, NO_TIMESTAMP, increment_sequence,
};
pub use record::{Header, Headers, Record, RecordIter};
pub use stamp::BatchMut;
