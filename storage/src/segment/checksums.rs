//! `.checksums`: the sidecar of a segment. Says whose segment it is and has a CRC32C for each 4 KiB of the `.log` file,
//! so that a write that went to the wrong place, or was lost, is found when the block is read.
//!
//! The header also states what the indexes beside it hold, so that a start believes them without reading the log again,
//! and what the transaction index has to hold, so that a start finds out when something of it was lost.
//!
//! 128 bytes of header, then 4 bytes (big endian) for each block; `docs/formats.md` has the fields. A last block that is
//! not full counts as filled up with zeros, so its checksum is replaced when the block grows: after a crash the entries
//! of blocks beyond the position that is known to be synced say nothing and are made anew.

use protocol::Uuid;

use super::field;
use crate::error::FormatError;
use crate::ids::{LogId, Offset};

/// Bytes of the log under one checksum.
pub const BLOCK_BYTES: usize = 4096;
/// Bytes of the header.
pub const HEADER_BYTES: usize = 128;
/// Bytes of one checksum.
pub const CHECKSUM_BYTES: usize = 4;

const MAGIC: [u8; 8] = *b"msglsums";
const VERSION: u16 = 2;
/// The header's own checksum covers what is before it.
const HEADER_CRC_AT: usize = 124;

/// What an index file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IndexDigest {
    /// Bytes from its beginning.
    pub bytes: u32,
    /// CRC32C of them.
    pub crc: u32,
}

impl IndexDigest {
    /// No file begins with this: what the index has to hold is not known, and cannot be found out as long as the log is
    /// damaged.
    pub const UNKNOWN: IndexDigest = IndexDigest { bytes: u32::MAX, crc: 0 };

    /// Of a whole index.
    #[must_use]
    pub fn of(index: &[u8]) -> IndexDigest {
        IndexDigest::default().followed_by(index)
    }

    /// Of an index that went on with `bytes`.
    #[must_use]
    pub fn followed_by(self, bytes: &[u8]) -> IndexDigest {
        IndexDigest { bytes: self.bytes + bytes.len() as u32, crc: crc32c::crc32c_append(self.crc, bytes) }
    }

    /// Whether `index` begins with what is stated here.
    #[must_use]
    pub fn begins(self, index: &[u8]) -> bool {
        index.get(..self.bytes as usize).is_some_and(|stated| crc32c::crc32c(stated) == self.crc)
    }
}

/// What the indexes of a segment are known to hold; synced before it is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexStatement {
    /// Bytes of the `.log` whose batches they cover, all of it once the segment is closed. 0: nothing is stated.
    pub covered_bytes: u64,
    /// The offset index.
    pub offsets: IndexDigest,
    /// The time index.
    pub times: IndexDigest,
    /// The largest timestamp of those batches; -1 without any.
    pub max_timestamp_ms: i64,
}

impl Default for IndexStatement {
    fn default() -> IndexStatement {
        let none = IndexDigest::default();
        IndexStatement { covered_bytes: 0, offsets: none, times: none, max_timestamp_ms: -1 }
    }
}

/// Whose checksums they are, and what the indexes hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChecksumHeader {
    /// The partition, by the topic's id.
    pub log: LogId,
    /// The segment.
    pub base_offset: Offset,
    /// Its indexes.
    pub indexes: IndexStatement,
    /// Set once the segment was compacted: the offset after it, where the next one begins. Only then may offsets be
    /// missing in it.
    pub cleaned_to: Option<Offset>,
    /// What the transaction index begins with; all beyond is a crash's leftover. `None`: nothing is stated, as by earlier
    /// versions and as long as the segment is being written, when the write-ahead log says it.
    pub transactions: Option<IndexDigest>,
}

/// Flag: the segment was compacted.
const CLEANED: u32 = 1;
/// Flag: what the transaction index holds is stated.
const TRANSACTIONS: u32 = 2;

impl ChecksumHeader {
    /// Of a segment that holds every offset.
    #[must_use]
    pub fn new(log: LogId, base_offset: Offset, indexes: IndexStatement) -> ChecksumHeader {
        ChecksumHeader { log, base_offset, indexes, cleaned_to: None, transactions: None }
    }

    /// The first 128 bytes of the file.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_be_bytes());
        bytes[10..12].copy_from_slice(&(HEADER_BYTES as u16).to_be_bytes());
        bytes[12..16].copy_from_slice(&(BLOCK_BYTES as u32).to_be_bytes());
        bytes[16..32].copy_from_slice(&self.log.topic_id.0);
        bytes[32..36].copy_from_slice(&self.log.partition.to_be_bytes());
        bytes[40..48].copy_from_slice(&self.base_offset.0.to_be_bytes());
        bytes[48..56].copy_from_slice(&self.indexes.covered_bytes.to_be_bytes());
        for (at, digest) in [(56, self.indexes.offsets), (64, self.indexes.times)] {
            bytes[at..at + 4].copy_from_slice(&digest.bytes.to_be_bytes());
            bytes[at + 4..at + 8].copy_from_slice(&digest.crc.to_be_bytes());
        }
        bytes[72..80].copy_from_slice(&self.indexes.max_timestamp_ms.to_be_bytes());
        let mut flags = 0;
        if let Some(next) = self.cleaned_to {
            flags |= CLEANED;
            bytes[80..88].copy_from_slice(&next.0.to_be_bytes());
        }
        if let Some(digest) = self.transactions {
            flags |= TRANSACTIONS;
            bytes[88..92].copy_from_slice(&digest.bytes.to_be_bytes());
            bytes[92..96].copy_from_slice(&digest.crc.to_be_bytes());
        }
        bytes[36..40].copy_from_slice(&flags.to_be_bytes());
        let crc = crc32c::crc32c(&bytes[..HEADER_CRC_AT]);
        bytes[HEADER_CRC_AT..].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// Reads a header; an unknown version is an error, never guessed at.
    pub fn parse(bytes: &[u8]) -> Result<ChecksumHeader, FormatError> {
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(FormatError::new(bytes.len(), "the checksum file is shorter than its header"));
        };
        if header[0..8] != MAGIC {
            return Err(FormatError::new(0, "this is not a checksum file"));
        }
        if crc32c::crc32c(&header[..HEADER_CRC_AT]).to_be_bytes() != header[HEADER_CRC_AT..] {
            return Err(FormatError::new(HEADER_CRC_AT, "the header of the checksum file is damaged"));
        }
        let sizes = (u16::from_be_bytes(field(header, 10)), u32::from_be_bytes(field(header, 12)));
        if u16::from_be_bytes(field(header, 8)) != VERSION || sizes != (HEADER_BYTES as u16, BLOCK_BYTES as u32) {
            return Err(FormatError::new(8, "the checksum file is of a version that this program does not know"));
        }
        let log = LogId { topic_id: Uuid(field(header, 16)), partition: i32::from_be_bytes(field(header, 32)) };
        let digest = |at| IndexDigest {
            bytes: u32::from_be_bytes(field(header, at)),
            crc: u32::from_be_bytes(field(header, at + 4)),
        };
        let indexes = IndexStatement {
            covered_bytes: u64::from_be_bytes(field(header, 48)),
            offsets: digest(56),
            times: digest(64),
            max_timestamp_ms: i64::from_be_bytes(field(header, 72)),
        };
        let flags = u32::from_be_bytes(field(header, 36));
        let cleaned_to = (flags & CLEANED != 0).then(|| Offset(i64::from_be_bytes(field(header, 80))));
        let transactions = (flags & TRANSACTIONS != 0).then(|| digest(88));
        let base_offset = Offset(i64::from_be_bytes(field(header, 40)));
        Ok(ChecksumHeader { log, base_offset, indexes, cleaned_to, transactions })
    }
}

/// Checksum of a block of the log, of at most 4 KiB.
#[must_use]
pub fn block_checksum(block: &[u8]) -> u32 {
    const ZEROS: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];
    crc32c::crc32c_append(crc32c::crc32c(block), &ZEROS[block.len()..])
}

/// Where the checksum of a block is in the file.
#[must_use]
pub fn checksum_position(block: u64) -> u64 {
    HEADER_BYTES as u64 + block * CHECKSUM_BYTES as u64
}

/// The entries for `log`, which starts at a block; to be written at [`checksum_position`] of that block.
#[must_use]
pub fn encode_checksums(log: &[u8]) -> Vec<u8> {
    log.chunks(BLOCK_BYTES).flat_map(|block| block_checksum(block).to_be_bytes()).collect()
}

/// A whole checksum file.
#[derive(Debug, Clone, Copy)]
pub struct Checksums<'a> {
    /// Whose they are.
    pub header: ChecksumHeader,
    entries: &'a [u8],
}

impl<'a> Checksums<'a> {
    /// Wraps a file's bytes. An entry that is cut at the end is left out: its block has no checksum yet.
    pub fn parse(bytes: &'a [u8]) -> Result<Checksums<'a>, FormatError> {
        Ok(Checksums { header: ChecksumHeader::parse(bytes)?, entries: &bytes[HEADER_BYTES..] })
    }

    /// How many blocks have a checksum.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        (self.entries.len() / CHECKSUM_BYTES) as u64
    }

    /// Checksum of a block, if it has one; zero counts as none.
    #[must_use]
    pub fn block(&self, number: u64) -> Option<u32> {
        let at = usize::try_from(number).ok()?.checked_mul(CHECKSUM_BYTES)?;
        let stored = self.entries.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        // A hole: the entry was lost, or not known when the file was begun anew.
        stored.filter(|&checksum| checksum != 0)
    }

    /// Compares `log`, which starts at block `first` and ends at a block's or the file's end. Returns the number of the
    /// first block that differs; blocks without a checksum are passed over.
    pub fn verify(&self, first: u64, log: &[u8]) -> Result<(), u64> {
        let numbered = (first..).zip(log.chunks(BLOCK_BYTES));
        for (number, block) in numbered {
            if self.block(number).is_some_and(|stored| stored != block_checksum(block)) {
                return Err(number);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> ChecksumHeader {
        let log = LogId { topic_id: Uuid([7; 16]), partition: 3 };
        let (offsets, times) = (IndexDigest::of(b"offsets"), IndexDigest::of(b"times"));
        let indexes = IndexStatement { covered_bytes: 1 << 40, offsets, times, max_timestamp_ms: 1_700_000_000_000 };
        ChecksumHeader::new(log, Offset(5_000_000_000), indexes)
    }

    #[test]
    fn the_header_comes_back_and_damage_is_found() {
        let bytes = header().to_bytes();
        assert_eq!(ChecksumHeader::parse(&bytes).unwrap(), header());
        let cleaned = ChecksumHeader { cleaned_to: Some(Offset(5_000_000_900)), ..header() };
        assert_eq!(ChecksumHeader::parse(&cleaned.to_bytes()).unwrap(), cleaned);
        let transactions = Some(IndexDigest::of(b"transactions"));
        for header in [ChecksumHeader { transactions, ..header() }, ChecksumHeader { transactions, ..cleaned }] {
            assert_eq!(ChecksumHeader::parse(&header.to_bytes()).unwrap(), header);
        }
        assert_eq!(ChecksumHeader::parse(&bytes[..127]).unwrap_err().position, 127);
        for at in 0..HEADER_BYTES {
            let mut damaged = bytes;
            damaged[at] ^= 4;
            assert!(ChecksumHeader::parse(&damaged).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_digest_knows_what_an_index_begins_with() {
        let digest = IndexDigest::of(b"abc").followed_by(b"de");
        assert_eq!(digest, IndexDigest::of(b"abcde"));
        for (index, expected) in [(&b"abcde"[..], true), (b"abcdefg", true), (b"abcd", false), (b"abcdf", false)] {
            assert_eq!(digest.begins(index), expected, "{index:?}");
        }
    }

    #[test]
    fn a_newer_version_is_refused() {
        let mut bytes = header().to_bytes();
        bytes[9] = 3;
        let crc = crc32c::crc32c(&bytes[..HEADER_CRC_AT]);
        bytes[HEADER_CRC_AT..].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(ChecksumHeader::parse(&bytes).unwrap_err().position, 8);
    }

    #[test]
    fn blocks_are_checked_where_there_is_a_checksum() {
        let log: Vec<u8> = (0..3 * BLOCK_BYTES + 100).map(|at| (at / 7) as u8).collect();
        let file = [&header().to_bytes()[..], &encode_checksums(&log)].concat();
        assert_eq!(file.len() as u64, checksum_position(4));
        let whole = Checksums::parse(&file).unwrap();
        assert_eq!(whole.blocks(), 4);
        assert_eq!(whole.verify(0, &log), Ok(()));
        assert_eq!(whole.verify(2, &log[2 * BLOCK_BYTES..]), Ok(()));
        for at in [0, BLOCK_BYTES, 2 * BLOCK_BYTES + 1, log.len() - 1] {
            let mut damaged = log.clone();
            damaged[at] ^= 1;
            assert_eq!(whole.verify(0, &damaged), Err((at / BLOCK_BYTES) as u64));
        }
        // Two blocks swapped: a write that went to the wrong place.
        let swapped = [&log[BLOCK_BYTES..2 * BLOCK_BYTES], &log[..BLOCK_BYTES]].concat();
        assert_eq!(whole.verify(0, &swapped), Err(0));
        // The last entry is torn: the last block has no checksum.
        let torn = Checksums::parse(&file[..file.len() - 1]).unwrap();
        assert_eq!((torn.blocks(), torn.block(3), torn.block(u64::MAX)), (3, None, None));
        assert_eq!(torn.verify(3, &[9; 50]), Ok(()));
    }

    #[test]
    fn a_short_block_counts_as_filled_with_zeros() {
        let mut block = vec![5; 100];
        let short = block_checksum(&block);
        block.resize(BLOCK_BYTES, 0);
        assert_eq!(short, block_checksum(&block));
    }
}
