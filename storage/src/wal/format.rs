//! Bytes of the write-ahead log, as `docs/formats.md` describes them: commit headers, fragments, entries. All numbers
//! are big-endian, as in Kafka's own files. Pure: nothing here reads or writes a file.

use bytes::{Buf, Bytes};
use protocol::Uuid;

use crate::ids::LogId;
use crate::segment::IndexDigest;

/// A commit starts on a multiple of this, in the file and in memory.
pub const COMMIT_ALIGNMENT: usize = crate::runtime::BLOCK_BYTES;
/// Size of a commit's header.
pub const COMMIT_HEADER_BYTES: usize = 80;
/// Size of a fragment's header.
pub const FRAGMENT_HEADER_BYTES: usize = 8;
/// What every entry begins with: type, version, topic id, partition.
pub const ENTRY_HEADER_BYTES: usize = 22;

const MAGIC: [u8; 8] = *b"msgloopW";
/// What is written; the first version has no fillers and is read all the same.
const FORMAT_VERSION: u16 = 2;
const FRAGMENT_FIRST: u8 = 1;
const FRAGMENT_LAST: u8 = 2;
const FRAGMENT_FILLER: u8 = 4;

const APPEND: u8 = 1;
const SEGMENT_SYNCED: u8 = 2;
const LOG_START: u8 = 3;
const LOG_DELETED: u8 = 4;
// 5 is kept for a truncation (a follower that drops what its leader never had).
const ENTRY_VERSION: u8 = 1;
/// Of a [`SegmentSynced`] that says what the transaction index holds.
const ENTRY_VERSION_TRANSACTIONS: u8 = 2;

/// Position in the endless write-ahead log: sequence number of the file times the file's size, plus the place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(pub u64);

/// What stands in front of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CommitHeader {
    /// The commit closes the log cleanly: every partition's segments hold all of it.
    pub clean: bool,
    /// Random number of this ring; another ring's leftovers never pass for ours.
    pub ring_id: u64,
    /// Counts the openings of the ring; never falls along the log.
    pub incarnation: u32,
    /// Header checksum of the commit before; 0 for the very first.
    pub previous_crc: u32,
    /// Where this commit is.
    pub lsn: Lsn,
    /// Bytes after the header, without padding.
    pub payload_bytes: u32,
    /// CRC32C of them.
    pub payload_crc: u32,
    /// All below was durable when this commit was built.
    pub durable: Lsn,
    /// Nothing below is needed any more.
    pub trim: Lsn,
    /// Size of the ring's files.
    pub file_bytes: u64,
}

/// Why some bytes are no commit header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderError {
    /// No header at all: zeros, old data, the inside of a commit.
    Absent,
    /// The header of a newer program.
    NewerVersion(u16),
    /// The magic is there and the checksum is wrong.
    Damaged,
}

impl CommitHeader {
    /// The header's bytes, checksum included.
    pub fn encode(&self) -> [u8; COMMIT_HEADER_BYTES] {
        let mut bytes = [0u8; COMMIT_HEADER_BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&FORMAT_VERSION.to_be_bytes());
        bytes[10..12].copy_from_slice(&u16::from(self.clean).to_be_bytes());
        bytes[16..24].copy_from_slice(&self.ring_id.to_be_bytes());
        bytes[24..28].copy_from_slice(&self.incarnation.to_be_bytes());
        bytes[28..32].copy_from_slice(&self.previous_crc.to_be_bytes());
        bytes[32..40].copy_from_slice(&self.lsn.0.to_be_bytes());
        bytes[40..44].copy_from_slice(&self.payload_bytes.to_be_bytes());
        bytes[44..48].copy_from_slice(&self.payload_crc.to_be_bytes());
        bytes[48..56].copy_from_slice(&self.durable.0.to_be_bytes());
        bytes[56..64].copy_from_slice(&self.trim.0.to_be_bytes());
        bytes[64..72].copy_from_slice(&self.file_bytes.to_be_bytes());
        let crc = crc32c::crc32c(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// Reads a header; its own checksum is checked, the payload's is the caller's business.
    pub fn decode(bytes: &[u8]) -> Result<CommitHeader, HeaderError> {
        let fixed = bytes.first_chunk::<COMMIT_HEADER_BYTES>().ok_or(HeaderError::Absent)?;
        if fixed[0..8] != MAGIC {
            return Err(HeaderError::Absent);
        }
        let mut unsigned = *fixed;
        unsigned[12..16].fill(0);
        if crc32c::crc32c(&unsigned) != header_crc(fixed) {
            return Err(HeaderError::Damaged);
        }
        let mut at = &fixed[8..];
        let version = at.get_u16();
        if version > FORMAT_VERSION {
            return Err(HeaderError::NewerVersion(version));
        }
        let clean = at.get_u16() & 1 == 1;
        at.advance(4);
        Ok(CommitHeader {
            clean,
            ring_id: at.get_u64(),
            incarnation: at.get_u32(),
            previous_crc: at.get_u32(),
            lsn: Lsn(at.get_u64()),
            payload_bytes: at.get_u32(),
            payload_crc: at.get_u32(),
            durable: Lsn(at.get_u64()),
            trim: Lsn(at.get_u64()),
            file_bytes: at.get_u64(),
        })
    }

    /// Bytes on disk, header and padding included.
    pub fn disk_bytes(&self) -> u64 {
        (COMMIT_HEADER_BYTES as u64 + u64::from(self.payload_bytes)).next_multiple_of(COMMIT_ALIGNMENT as u64)
    }

    /// Where the next commit is.
    pub fn next_lsn(&self) -> Lsn {
        Lsn(self.lsn.0 + self.disk_bytes())
    }
}

/// The checksum inside an encoded header.
pub fn header_crc(header: &[u8; COMMIT_HEADER_BYTES]) -> u32 {
    u32::from_be_bytes([header[12], header[13], header[14], header[15]])
}

/// A piece of an entry within one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fragment {
    /// The entry begins here.
    pub first: bool,
    /// The entry ends here.
    pub last: bool,
    /// No entry's at all: what follows was to lie elsewhere in its block.
    pub filler: bool,
    /// Bytes of the entry in this fragment.
    pub bytes: u32,
}

impl Fragment {
    /// The fragment's header.
    pub fn encode(self) -> [u8; FRAGMENT_HEADER_BYTES] {
        let mut bytes = [0u8; FRAGMENT_HEADER_BYTES];
        bytes[0..4].copy_from_slice(&self.bytes.to_be_bytes());
        bytes[4] = (u8::from(self.first) * FRAGMENT_FIRST)
            | (u8::from(self.last) * FRAGMENT_LAST)
            | (u8::from(self.filler) * FRAGMENT_FILLER);
        bytes
    }

    /// Takes the next fragment and its bytes off a payload; `None` if they do not fit in it.
    pub fn take(payload: &mut Bytes) -> Option<(Fragment, Bytes)> {
        if payload.len() < FRAGMENT_HEADER_BYTES {
            return None;
        }
        let bytes = payload.get_u32();
        let flags = payload.get_u8();
        payload.advance(3);
        let length = usize::try_from(bytes).ok().filter(|&length| length <= payload.len())?;
        let has = |flag: u8| flags & flag != 0;
        let (first, last, filler) = (has(FRAGMENT_FIRST), has(FRAGMENT_LAST), has(FRAGMENT_FILLER));
        Some((Fragment { first, last, filler, bytes }, payload.split_to(length)))
    }
}

/// The state of a partition's files, written after they were synced. It covers every batch below `next_offset`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SegmentSynced {
    /// The newest segment file; all older ones are complete and synced.
    pub segment_base_offset: i64,
    /// That file holds exactly this much that counts.
    pub synced_bytes: u64,
    /// Offset of the first record that is neither in the file nor in `residue`.
    pub next_offset: i64,
    /// Bytes that belong behind `synced_bytes` and do not fill a block yet.
    pub residue: Bytes,
    /// Producer state of all batches below this offset, at or above `next_offset`, is in `producers` or in the snapshot
    /// file of this number.
    pub producers_offset: i64,
    /// Producer state in the format of Kafka's snapshot files; empty if it is in a file, or if there is none.
    pub producers: Bytes,
    /// What the newest segment's transaction index begins with: every abort whose marker is below `producers_offset`,
    /// whatever segment that will land in. `None`: version 1 does not say.
    pub transactions: Option<IndexDigest>,
}

/// One thing that happened to a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryBody {
    /// A batch; its bytes may be split.
    Append {
        /// Offset of its first record.
        base_offset: i64,
        /// Its bytes.
        batch: Vec<Bytes>,
    },
    /// See [`SegmentSynced`].
    SegmentSynced(SegmentSynced),
    /// Nothing below this offset is visible any more.
    LogStart {
        /// The first visible one.
        offset: i64,
    },
    /// The partition was deleted; nothing of it before this entry counts.
    LogDeleted,
}

/// An entry and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The partition.
    pub log: LogId,
    /// What happened to it.
    pub body: EntryBody,
}

fn entry_header(kind: u8, log: LogId) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ENTRY_HEADER_BYTES + 64);
    bytes.extend_from_slice(&[kind, ENTRY_VERSION]);
    bytes.extend_from_slice(&log.topic_id.0);
    bytes.extend_from_slice(&log.partition.to_be_bytes());
    bytes
}

/// What stands in front of the batch in an append entry; on the stack, because every batch needs one.
pub fn append_header(log: LogId, base_offset: i64) -> [u8; ENTRY_HEADER_BYTES + 8] {
    let mut bytes = [0u8; ENTRY_HEADER_BYTES + 8];
    bytes[0] = APPEND;
    bytes[1] = ENTRY_VERSION;
    bytes[2..18].copy_from_slice(&log.topic_id.0);
    bytes[18..22].copy_from_slice(&log.partition.to_be_bytes());
    bytes[22..30].copy_from_slice(&base_offset.to_be_bytes());
    bytes
}

impl SegmentSynced {
    /// The entry's bytes.
    pub fn encode(&self, log: LogId) -> Vec<u8> {
        let mut bytes = entry_header(SEGMENT_SYNCED, log);
        bytes.extend_from_slice(&self.segment_base_offset.to_be_bytes());
        bytes.extend_from_slice(&self.synced_bytes.to_be_bytes());
        bytes.extend_from_slice(&self.next_offset.to_be_bytes());
        bytes.extend_from_slice(&self.producers_offset.to_be_bytes());
        bytes.extend_from_slice(&(self.residue.len() as u32).to_be_bytes());
        if let Some(digest) = self.transactions {
            bytes[1] = ENTRY_VERSION_TRANSACTIONS;
            bytes.extend_from_slice(&digest.bytes.to_be_bytes());
            bytes.extend_from_slice(&digest.crc.to_be_bytes());
        }
        bytes.extend_from_slice(&self.residue);
        bytes.extend_from_slice(&self.producers);
        bytes
    }
}

/// A new log start's entry.
pub fn encode_log_start(log: LogId, offset: i64) -> Vec<u8> {
    let mut bytes = entry_header(LOG_START, log);
    bytes.extend_from_slice(&offset.to_be_bytes());
    bytes
}

/// A deletion's entry.
pub fn encode_log_deleted(log: LogId) -> Vec<u8> {
    entry_header(LOG_DELETED, log)
}

/// Reads an entry that was put together from its fragments; the text says what is wrong with it.
pub fn decode_entry(mut parts: Vec<Bytes>) -> Result<Entry, String> {
    let header = take_front(&mut parts, ENTRY_HEADER_BYTES).ok_or("entry is too short")?;
    let (kind, version) = (header[0], header[1]);
    let says_transactions = (kind, version) == (SEGMENT_SYNCED, ENTRY_VERSION_TRANSACTIONS);
    if version != ENTRY_VERSION && !says_transactions {
        return Err(format!("entry of type {kind} has unknown version {version}"));
    }
    let mut at = &header[2..];
    let mut topic_id = [0; 16];
    at.copy_to_slice(&mut topic_id);
    let log = LogId { topic_id: Uuid(topic_id), partition: at.get_i32() };
    let body =
        decode_body(kind, says_transactions, parts).ok_or_else(|| format!("entry of type {kind} is malformed"))?;
    Ok(Entry { log, body })
}

fn decode_body(kind: u8, says_transactions: bool, mut parts: Vec<Bytes>) -> Option<EntryBody> {
    match kind {
        APPEND => {
            let base_offset = take_front(&mut parts, 8)?.get_i64();
            Some(EntryBody::Append { base_offset, batch: parts })
        }
        SEGMENT_SYNCED => {
            let mut fixed = take_front(&mut parts, 36)?;
            let (segment_base_offset, synced_bytes) = (fixed.get_i64(), fixed.get_u64());
            let (next_offset, producers_offset) = (fixed.get_i64(), fixed.get_i64());
            let residue_bytes = fixed.get_u32() as usize;
            let transactions = match says_transactions {
                true => {
                    let mut digest = take_front(&mut parts, 8)?;
                    Some(IndexDigest { bytes: digest.get_u32(), crc: digest.get_u32() })
                }
                false => None,
            };
            let residue = take_front(&mut parts, residue_bytes)?;
            let rest = parts.iter().map(Bytes::len).sum();
            let producers = take_front(&mut parts, rest)?;
            Some(EntryBody::SegmentSynced(SegmentSynced {
                segment_base_offset,
                synced_bytes,
                next_offset,
                residue,
                producers_offset,
                producers,
                transactions,
            }))
        }
        LOG_START => Some(EntryBody::LogStart { offset: take_front(&mut parts, 8)?.get_i64() }),
        LOG_DELETED => Some(EntryBody::LogDeleted),
        _ => None,
    }
}

/// Takes `count` bytes off the front of a rope; copied, so that what remains is left as it was. `None` if there are
/// fewer.
fn take_front(parts: &mut Vec<Bytes>, count: usize) -> Option<Bytes> {
    let mut taken = Vec::with_capacity(count.min(64 * 1024));
    while taken.len() < count {
        let part = parts.first_mut()?;
        let wanted = part.len().min(count - taken.len());
        taken.extend_from_slice(&part.split_to(wanted));
        if part.is_empty() {
            parts.remove(0);
        }
    }
    Some(Bytes::from(taken))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> LogId {
        LogId { topic_id: Uuid([7; 16]), partition: 3 }
    }

    fn header() -> CommitHeader {
        CommitHeader {
            clean: true,
            ring_id: 0x0102_0304_0506_0708,
            incarnation: 9,
            previous_crc: 10,
            lsn: Lsn(4096),
            payload_bytes: 5000,
            payload_crc: 12,
            durable: Lsn(4096),
            trim: Lsn(0),
            file_bytes: 65536,
        }
    }

    #[test]
    fn a_header_survives_the_round_trip_and_any_changed_bit_is_found() {
        let bytes = header().encode();
        assert_eq!(CommitHeader::decode(&bytes), Ok(header()));
        assert_eq!(header().next_lsn(), Lsn(4096 + 8192));
        for bit in 0..COMMIT_HEADER_BYTES * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(CommitHeader::decode(&damaged).is_err(), "bit {bit}");
        }
        assert_eq!(CommitHeader::decode(&[0; 4096]), Err(HeaderError::Absent));
    }

    #[test]
    fn an_older_header_is_read_and_a_newer_one_refused() {
        let of_version = |version: u16| {
            let mut bytes = header().encode();
            bytes[8..10].copy_from_slice(&version.to_be_bytes());
            bytes[12..16].fill(0);
            let crc = crc32c::crc32c(&bytes);
            bytes[12..16].copy_from_slice(&crc.to_be_bytes());
            CommitHeader::decode(&bytes)
        };
        assert_eq!(of_version(1), Ok(header()));
        assert_eq!(of_version(2), Ok(header()));
        assert_eq!(of_version(3), Err(HeaderError::NewerVersion(3)));
    }

    fn check(encoded: &[u8], expected: EntryBody) {
        for cut in 0..encoded.len() {
            let (front, back) = encoded.split_at(cut);
            let halves = [Bytes::copy_from_slice(front), Bytes::copy_from_slice(back)];
            let parts = halves.into_iter().filter(|part| !part.is_empty());
            let entry = decode_entry(parts.collect()).unwrap();
            assert_eq!(entry.log, log());
            match (&entry.body, &expected) {
                (
                    EntryBody::Append { base_offset, batch },
                    EntryBody::Append { base_offset: expected_offset, batch: expected_batch },
                ) => {
                    assert_eq!((base_offset, batch.concat()), (expected_offset, expected_batch.concat()));
                }
                (body, expected) => assert_eq!(body, expected),
            }
        }
    }

    #[test]
    fn entries_survive_the_round_trip_however_they_are_split() {
        let mut append = append_header(log(), 42).to_vec();
        append.extend_from_slice(b"batch bytes");
        check(&append, EntryBody::Append { base_offset: 42, batch: vec![Bytes::from_static(b"batch bytes")] });
        let synced = SegmentSynced {
            segment_base_offset: 1,
            synced_bytes: 8192,
            next_offset: 77,
            residue: Bytes::from_static(b"residue"),
            producers_offset: 78,
            producers: Bytes::from_static(b"snapshot"),
            transactions: None,
        };
        let transactions = Some(IndexDigest::of(b"transactions"));
        for synced in [synced.clone(), SegmentSynced { transactions, ..synced }] {
            check(&synced.encode(log()), EntryBody::SegmentSynced(synced.clone()));
        }
        check(&encode_log_start(log(), 5), EntryBody::LogStart { offset: 5 });
        check(&encode_log_deleted(log()), EntryBody::LogDeleted);
    }

    #[test]
    fn unknown_versions_types_and_lengths_are_errors() {
        let mut bytes = encode_log_start(log(), 5);
        bytes[1] = 2;
        assert!(decode_entry(vec![Bytes::from(bytes.clone())]).is_err());
        bytes[1] = 1;
        bytes[0] = 99;
        assert!(decode_entry(vec![Bytes::from(bytes)]).is_err());
        assert!(decode_entry(vec![Bytes::from_static(&[1, 1])]).is_err());
        assert_eq!(Fragment::take(&mut Bytes::from_static(&[0, 0, 0, 9, 3, 0, 0, 0, 1])), None);
    }
}
