//! One core's part of a fetch: read its partitions, wait for more, read again.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use protocol::records::{Attributes, CompressionType};
use storage::runtime::Monotonic;
use storage::{LogId, Offset, ReadLimit};
use tokio::sync::Notify;

use crate::delayed::{self, Gathering, Woken};
use crate::metrics::traffic::Flow;
use crate::partition::{PartitionRead, ReadRequest};
use crate::shard::Shard;

/// A partition to read, and the row of the response it belongs to.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Row of the response.
    pub row: usize,
    /// Which partition.
    pub id: LogId,
    /// First offset wanted.
    pub offset: i64,
    /// The partition's own bound.
    pub bytes_max: usize,
    /// -1 when the client does not know.
    pub current_leader_epoch: i32,
    /// -1 when the client does not ask for a check.
    pub last_fetched_epoch: i32,
}

/// What all partitions of a core are read by.
#[derive(Clone)]
pub struct ReadingTerms {
    /// Up to the last stable offset instead of the high watermark.
    pub is_committed_only: bool,
    /// This core's share of the response.
    pub bytes_max: usize,
    /// End of the wait.
    pub deadline: Monotonic,
    /// Shared with the other cores of the fetch.
    pub gathering: Arc<Gathering>,
}

/// What one pass found.
struct Pass {
    rows: Vec<(usize, PartitionRead)>,
    bytes: usize,
    any_failed: bool,
}

/// Reads until there is enough, an error, or no time left.
pub async fn read_partitions(
    shard: Rc<Shard>,
    readings: Vec<Reading>,
    terms: ReadingTerms,
) -> Vec<(usize, PartitionRead)> {
    let shard = &*shard;
    let progress = Rc::new(Notify::new());
    let mut contributed = 0;
    loop {
        watch(shard, &readings, &progress);
        let pass = read_once(shard, &readings, &terms).await;
        terms.gathering.contribute(contributed, pass.bytes);
        contributed = pass.bytes;
        if pass.any_failed || pass.bytes >= terms.bytes_max || shard.runtime().now() >= terms.deadline {
            terms.gathering.finish();
        }
        if terms.gathering.is_over() {
            return counted(shard, &readings, pass);
        }
        match delayed::wait(&terms.gathering, &progress, shard.runtime(), terms.deadline).await {
            // Pages of the tail are given back before the next pass takes them again.
            Woken::Progress => drop(pass),
            Woken::Over => return counted(shard, &readings, pass),
        }
    }
}

/// A fetch that ended without these partitions, in their counters.
pub fn count_requests(shard: &Shard, readings: &[Reading]) {
    for partition in readings.iter().filter_map(|reading| shard.partition(reading.id)) {
        partition.traffic().count(Flow::FetchRequests, 1);
    }
}

/// The rows of the pass that is answered, in the partitions' counters.
fn counted(shard: &Shard, readings: &[Reading], pass: Pass) -> Vec<(usize, PartitionRead)> {
    count_requests(shard, readings);
    for (reading, (_, read)) in readings.iter().zip(&pass.rows) {
        let Some(partition) = shard.partition(reading.id) else { continue };
        partition.traffic().count(Flow::FailedFetchRequests, usize::from(read.error_code.is_error()));
        partition.traffic().count(Flow::BytesOut, read.records.iter().map(Bytes::len).sum());
    }
    pass.rows
}

/// Before reading, so that what arrives between the reading and the wait is not missed.
fn watch(shard: &Shard, readings: &[Reading], progress: &Rc<Notify>) {
    for reading in readings {
        if let Ok(partition) = shard.leader(reading.id) {
            partition.log().wait_for_progress(progress);
        }
    }
}

async fn read_once(shard: &Shard, readings: &[Reading], terms: &ReadingTerms) -> Pass {
    let mut pass = Pass { rows: Vec::with_capacity(readings.len()), bytes: 0, any_failed: false };
    for reading in readings {
        let read = read_one(shard, reading, terms, pass.bytes).await;
        pass.bytes += read.records.iter().map(Bytes::len).sum::<usize>();
        pass.any_failed |= read.error_code.is_error() || read.diverging_epoch.is_some();
        pass.rows.push((reading.row, read));
    }
    pass
}

async fn read_one(shard: &Shard, reading: &Reading, terms: &ReadingTerms, bytes_so_far: usize) -> PartitionRead {
    let partition = match shard.leader(reading.id) {
        Ok(partition) => partition,
        Err(error_code) => return PartitionRead::failed(error_code),
    };
    let request = ReadRequest {
        offset: Offset(reading.offset),
        bytes_max: reading.bytes_max.min(terms.bytes_max.saturating_sub(bytes_so_far)),
        at_least_one_batch: bytes_so_far == 0,
        limit: if terms.is_committed_only { ReadLimit::LastStableOffset } else { ReadLimit::HighWatermark },
        current_leader_epoch: reading.current_leader_epoch,
        last_fetched_epoch: reading.last_fetched_epoch,
    };
    partition.read(request).await
}

const BATCH_LENGTH_AT: usize = 8;
const BATCH_OVERHEAD_BYTES: usize = 12;
const ATTRIBUTES_AT: usize = 21;

/// Whether a batch among `parts` is compressed with zstd. Walks headers only; a batch may span parts.
pub fn has_zstd(parts: &[Bytes]) -> bool {
    let total: usize = parts.iter().map(Bytes::len).sum();
    let mut at = 0;
    while at + ATTRIBUTES_AT + 2 <= total {
        let length = u32::from_be_bytes(gather(parts, at + BATCH_LENGTH_AT)) as usize;
        let attributes = Attributes(i16::from_be_bytes(gather(parts, at + ATTRIBUTES_AT)));
        if attributes.compression_type().ok() == Some(CompressionType::Zstd) {
            return true;
        }
        at += BATCH_OVERHEAD_BYTES + length;
    }
    false
}

/// `N` bytes from position `at` of the parts taken together.
fn gather<const N: usize>(parts: &[Bytes], mut at: usize) -> [u8; N] {
    let mut taken = [0; N];
    let mut filled = 0;
    for part in parts {
        let from = at.min(part.len());
        let count = (part.len() - from).min(N - filled);
        taken[filled..filled + count].copy_from_slice(&part[from..from + count]);
        filled += count;
        at = at.saturating_sub(part.len());
    }
    taken
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use protocol::records::{BatchHeader, CompressionType};

    use super::has_zstd;

    #[test]
    fn zstd_is_found_in_any_batch_across_any_split() {
        let batch = |codec: CompressionType, body: usize| {
            let header = BatchHeader::parse(&[0; 61]).ok();
            assert!(header.is_none(), "an empty header is none");
            let mut bytes = vec![0; 61 + body];
            bytes[8..12].copy_from_slice(&(49 + body as u32).to_be_bytes());
            bytes[16] = 2;
            bytes[22] = codec.id();
            bytes
        };
        let plain = [batch(CompressionType::Lz4, 10), batch(CompressionType::None, 0)].concat();
        let mixed = [plain.clone(), batch(CompressionType::Zstd, 5)].concat();
        for split in 0..=mixed.len() {
            let parts = |bytes: &[u8]| {
                let split = split.min(bytes.len());
                [Bytes::copy_from_slice(&bytes[..split]), Bytes::copy_from_slice(&bytes[split..])]
            };
            assert!(has_zstd(&parts(&mixed)), "split at {split}");
            assert!(!has_zstd(&parts(&plain)), "split at {split}");
        }
    }
}
