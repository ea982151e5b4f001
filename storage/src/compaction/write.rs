//! Writing a cleaned segment: `.cleaned` files beside the old ones, whole blocks past the page cache, synced at the end.

use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use super::retain::Kept;
use crate::ids::Offset;
use crate::log::Log;
use crate::memory::aligned_zeros;
use crate::runtime::{BLOCK_BYTES, Durability, File, Lane, OpenOptions};
use crate::segment::{
    CLEANED_SUFFIX, ChecksumHeader, FileKind, IndexDigest, IndexedBatch, Indexer, TransactionIndex, encode_checksums,
    file_name, fits_segment,
};
use crate::segment_file::{Pinned, Segment};

/// Bytes written at once.
const WRITE_BYTES: usize = 1 << 20;
/// Kafka's tools read positions as positive 32-bit numbers.
const SEGMENT_BYTES_MAX: u64 = i32::MAX as u64;

/// A segment being written.
pub(super) struct Cleaned {
    base_offset: i64,
    file: File,
    /// Bytes in the file, whole blocks.
    written: u64,
    /// What follows them.
    pending: BytesMut,
    checksums: Vec<u8>,
    indexer: Indexer,
    transactions: TransactionIndex,
    index_bytes_max: u64,
    size_bytes_max: u64,
}

impl Cleaned {
    /// Begins one.
    pub async fn create(log: &Log, base_offset: i64, size_bytes_max: u64) -> io::Result<Cleaned> {
        let path = path(log, base_offset, FileKind::Log);
        let disk = log.volume().runtime.disk();
        let options = OpenOptions { write: true, create: true, direct: true, ..Default::default() };
        let file = disk.open(&path, options).await?;
        disk.set_len(&file, 0).await?;
        let (interval, index_bytes_max) = {
            let config = &log.state().config;
            (config.index_interval_bytes, config.segment_index_bytes)
        };
        Ok(Cleaned {
            base_offset,
            file,
            written: 0,
            pending: BytesMut::new(),
            checksums: Vec::new(),
            indexer: Indexer::new(Offset(base_offset), interval),
            transactions: TransactionIndex::new(),
            index_bytes_max,
            size_bytes_max: size_bytes_max.min(SEGMENT_BYTES_MAX),
        })
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    /// Whether a batch still belongs in here: position, distance and index have to fit. The first one always does.
    pub fn fits(&self, kept: &Kept) -> bool {
        let bytes = self.bytes();
        bytes == 0
            || (bytes + kept.bytes.len() as u64 <= self.size_bytes_max
                && fits_segment(Offset(self.base_offset), Offset(kept.last_offset))
                && self.indexer.index_bytes() as u64 + 12 <= self.index_bytes_max.max(12))
    }

    /// Adds a batch. Order is the caller's.
    pub fn push(&mut self, kept: &Kept) {
        self.indexer.observe(IndexedBatch {
            position: self.bytes() as u32,
            bytes: kept.bytes.len() as u32,
            last_offset: Offset(kept.last_offset),
            max_timestamp_ms: kept.max_timestamp_ms,
        });
        if let Some(aborted) = kept.aborted {
            self.transactions.append(aborted);
        }
        self.pending.extend_from_slice(&kept.bytes);
    }

    /// Writes the whole blocks there are, if they are many.
    pub async fn flush(&mut self, log: &Log) -> io::Result<()> {
        while self.pending.len() >= WRITE_BYTES {
            let blocks = self.pending.split_to(WRITE_BYTES / BLOCK_BYTES * BLOCK_BYTES);
            self.write_blocks(log, &blocks).await?;
        }
        Ok(())
    }

    async fn write_blocks(&mut self, log: &Log, bytes: &[u8]) -> io::Result<()> {
        self.checksums.extend(encode_checksums(bytes));
        let mut blocks = aligned_zeros(bytes.len().next_multiple_of(BLOCK_BYTES));
        blocks[..bytes.len()].copy_from_slice(bytes);
        let disk = log.volume().runtime.disk();
        disk.write(&self.file, vec![blocks.freeze()], self.written, Durability::Buffered, Lane::Background).await?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Writes and syncs what is left. The next segment begins at `next_offset`. Returns the segment, pinned to files
    /// that do not have their names yet, and whether it has a transaction index.
    pub async fn finish(mut self, log: &Log, next_offset: i64) -> io::Result<(Rc<Segment>, bool)> {
        let runtime = &log.volume().runtime;
        let rest = self.pending.split();
        if !rest.is_empty() {
            self.write_blocks(log, &rest).await?;
        }
        runtime.disk().set_len(&self.file, self.written).await?;
        runtime.disk().sync_data(&self.file, Lane::Background).await?;
        self.indexer.finish();
        let header = ChecksumHeader {
            cleaned_to: Some(Offset(next_offset)),
            transactions: Some(IndexDigest::of(self.transactions.bytes())),
            ..ChecksumHeader::new(log.id(), Offset(self.base_offset), self.indexer.statement())
        };
        let checksums = [&header.to_bytes()[..], &self.checksums].concat();
        let (offsets, times) = (self.indexer.offsets.bytes().to_vec(), self.indexer.times.bytes().to_vec());
        let (offsets, times) = (Bytes::from(offsets), Bytes::from(times));
        let transactions = Bytes::from(self.transactions.bytes().to_vec());
        self.companion(log, FileKind::Checksums, checksums.into()).await?;
        self.companion(log, FileKind::OffsetIndex, offsets.clone()).await?;
        self.companion(log, FileKind::TimeIndex, times.clone()).await?;
        let indexed = !transactions.is_empty();
        if indexed {
            self.companion(log, FileKind::TransactionIndex, transactions.clone()).await?;
        }
        let direct = OpenOptions { direct: true, ..Default::default() };
        let file = runtime.disk().open(&path(log, self.base_offset, FileKind::Log), direct).await?;
        let max_timestamp = self.indexer.max_timestamp().timestamp_ms;
        let directory = Rc::new(log.path().to_owned());
        let segment = Segment::new(directory, self.base_offset, self.written, max_timestamp);
        segment.header.set(Some(header));
        segment.has_aborted.set(indexed);
        segment.transactions_stated.set(header.transactions);
        segment.pin(Pinned { file, offsets, times, transactions });
        Ok((segment, indexed))
    }

    async fn companion(&self, log: &Log, kind: FileKind, content: Bytes) -> io::Result<()> {
        let disk = log.volume().runtime.disk();
        let path = path(log, self.base_offset, kind);
        let file = disk.open(&path, OpenOptions { write: true, create: true, ..Default::default() }).await?;
        disk.set_len(&file, 0).await?;
        disk.write(&file, vec![content], 0, Durability::Buffered, Lane::Background).await?;
        disk.sync_data(&file, Lane::Background).await
    }
}

/// Where a file of a cleaned segment is until the swap.
pub(super) fn path(log: &Log, base_offset: i64, kind: FileKind) -> PathBuf {
    log.path().join(file_name(Offset(base_offset), kind) + CLEANED_SUFFIX)
}

/// Removes what an unfinished cleaning left behind; what cannot be removed now is removed at the next start.
pub(super) async fn discard(log: &Log, base_offsets: &[i64]) {
    for base_offset in base_offsets {
        for kind in FileKind::ALL {
            let _ = log.volume().runtime.disk().remove_file(&path(log, *base_offset, kind)).await;
        }
    }
}
