//! The `.snapshot` file in Kafka's format (ProducerSnapshot.json): version (i16, 1), CRC32C of the rest (u32), number of
//! entries (i32), 46 bytes an entry.
//!
//! Kafka writes a producer's last batch only, so that a client whose five batches in flight were all appended gets an
//! out-of-order error for its retries after a restart. Here a producer has an entry for each of its batches, oldest
//! first: Kafka's own reader takes the last entry of a producer, which is the one it would have written.

use super::ProducerState;
use super::entry::{BatchMetadata, ProducerEntry};
use crate::error::FormatError;
use crate::ids::Offset;

const VERSION: i16 = 1;
const HEADER_BYTES: usize = 10;
const ENTRY_BYTES: usize = 46;
/// The checksum covers what follows it.
const CRC_COVER: usize = 6;

impl ProducerState {
    /// The bytes of `<end offset>.snapshot`.
    #[must_use]
    pub fn to_snapshot(&self) -> Vec<u8> {
        let mut entries = Vec::with_capacity(self.producers.len() * ENTRY_BYTES);
        for entry in self.producers.values() {
            put_producer(&mut entries, entry);
        }
        let count = (entries.len() / ENTRY_BYTES) as i32;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + entries.len());
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&count.to_be_bytes());
        bytes.extend_from_slice(&entries);
        let crc = crc32c::crc32c(&bytes[CRC_COVER..]);
        bytes[2..CRC_COVER].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// Reads the snapshot taken at `end_offset`, leaving out the producers that have expired meanwhile.
    pub fn from_snapshot(
        bytes: &[u8],
        end_offset: Offset,
        now_ms: i64,
        expiration_ms: i64,
    ) -> Result<ProducerState, FormatError> {
        let mut state = ProducerState::new(end_offset);
        for entry in checked_entries(bytes)?.chunks_exact(ENTRY_BYTES) {
            state.load(entry);
        }
        state.remove_expired(now_ms, expiration_ms);
        let open = |entry: &ProducerEntry| entry.current_txn_first_offset.map(|offset| (offset, entry.producer_id));
        state.ongoing = state.producers.values().filter_map(open).collect();
        Ok(state)
    }

    fn load(&mut self, entry: &[u8]) {
        let (read, batch) = take_entry(entry);
        let known = self.producers.entry(read.producer_id).or_insert(read);
        let mut merged = if known.producer_epoch == read.producer_epoch { *known } else { read };
        merged.coordinator_epoch = read.coordinator_epoch;
        merged.current_txn_first_offset = read.current_txn_first_offset;
        if let Some(batch) = batch {
            merged.push(read.producer_epoch, batch);
        }
        merged.last_timestamp_ms = read.last_timestamp_ms;
        *known = merged;
    }
}

fn checked_entries(bytes: &[u8]) -> Result<&[u8], FormatError> {
    let Some((header, entries)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(FormatError::new(bytes.len(), "the producer snapshot is shorter than its header"));
    };
    let [v0, v1, c0, c1, c2, c3, n0, n1, n2, n3] = *header;
    if i16::from_be_bytes([v0, v1]) != VERSION {
        return Err(FormatError::new(0, "the producer snapshot is of an unknown version"));
    }
    if u32::from_be_bytes([c0, c1, c2, c3]) != crc32c::crc32c(&bytes[CRC_COVER..]) {
        return Err(FormatError::new(2, "the checksum of the producer snapshot does not match"));
    }
    let count = usize::try_from(i32::from_be_bytes([n0, n1, n2, n3])).ok();
    if count.and_then(|count| count.checked_mul(ENTRY_BYTES)) != Some(entries.len()) {
        return Err(FormatError::new(CRC_COVER, "the producer snapshot does not have the entries it claims"));
    }
    Ok(entries)
}

/// An entry a batch; one without when there is none, as after a marker under a new epoch.
fn put_producer(output: &mut Vec<u8>, entry: &ProducerEntry) {
    let none = [BatchMetadata {
        last_sequence: -1,
        last_offset: Offset(-1),
        offset_delta: 0,
        timestamp_ms: entry.last_timestamp_ms,
    }];
    let batches = if entry.batches().is_empty() { &none } else { entry.batches() };
    for (number, batch) in batches.iter().enumerate() {
        let last = number + 1 == batches.len();
        let timestamp_ms = if last { entry.last_timestamp_ms } else { batch.timestamp_ms };
        output.extend_from_slice(&entry.producer_id.to_be_bytes());
        output.extend_from_slice(&entry.producer_epoch.to_be_bytes());
        output.extend_from_slice(&batch.last_sequence.to_be_bytes());
        output.extend_from_slice(&batch.last_offset.0.to_be_bytes());
        output.extend_from_slice(&batch.offset_delta.to_be_bytes());
        output.extend_from_slice(&timestamp_ms.to_be_bytes());
        output.extend_from_slice(&entry.coordinator_epoch.to_be_bytes());
        output.extend_from_slice(&entry.current_txn_first_offset.map_or(-1, |offset| offset.0).to_be_bytes());
    }
}

/// The producer without batches, and the batch of this entry.
fn take_entry(bytes: &[u8]) -> (ProducerEntry, Option<BatchMetadata>) {
    let long = |at: usize| i64::from_be_bytes(field(bytes, at));
    let int = |at: usize| i32::from_be_bytes(field(bytes, at));
    let mut entry = ProducerEntry::new(long(0));
    entry.producer_epoch = i16::from_be_bytes(field(bytes, 8));
    entry.last_timestamp_ms = long(26);
    entry.coordinator_epoch = int(34);
    entry.current_txn_first_offset = Some(Offset(long(38))).filter(|offset| offset.0 >= 0);
    let batch = BatchMetadata {
        last_sequence: int(10),
        last_offset: Offset(long(14)),
        offset_delta: int(22),
        timestamp_ms: entry.last_timestamp_ms,
    };
    (entry, Some(batch).filter(|batch| batch.last_offset.0 >= 0 && batch.offset_delta >= 0))
}

fn field<const N: usize>(entry: &[u8], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&entry[at..at + N]);
    bytes
}
