//! What a segment consists of on disk: names, indexes, block checksums. Pure formats: bytes in, bytes out, no I/O.
//!
//! A segment is a `.log` file of whole batches and its companions of the same number. All but the checksums are
//! Kafka's formats, byte for byte, and Kafka's dump tools read them; `docs/formats.md` has every field.

mod checksums;
mod entries;
mod indexer;
mod names;
mod offset_index;
mod time_index;
mod transaction_index;

pub use checksums::{
    BLOCK_BYTES, CHECKSUM_BYTES, ChecksumHeader, Checksums, HEADER_BYTES as CHECKSUM_HEADER_BYTES, IndexDigest,
    IndexStatement, block_checksum, checksum_position, encode_checksums,
};
pub use indexer::{IndexedBatch, Indexer};
pub use names::{CLEANED_SUFFIX, DELETED_SUFFIX, FileKind, file_name, parse_file_name};
pub use offset_index::{OffsetIndex, OffsetPosition};
pub use time_index::{TimeIndex, TimestampPosition};
pub use transaction_index::{AbortedTxn, TransactionIndex, TransactionSearch};

use crate::ids::Offset;

/// Index entries keep an offset as a positive 32-bit distance from the segment's base offset; a segment rolls before
/// that is exceeded.
#[must_use]
pub fn fits_segment(base_offset: Offset, offset: Offset) -> bool {
    relative(base_offset, offset).is_some()
}

fn relative(base_offset: Offset, offset: Offset) -> Option<i32> {
    i32::try_from(offset.0.checked_sub(base_offset.0)?).ok().filter(|distance| *distance >= 0)
}

/// Field number `at` (in bytes) of a fixed-size entry whose size was checked.
fn field<const N: usize>(entry: &[u8], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&entry[at..at + N]);
    bytes
}
