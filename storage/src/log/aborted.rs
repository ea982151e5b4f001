//! The aborted transactions of a log: in memory those that ended in the segment being written or in the tail, in
//! `.txnindex` files those before (`TransactionIndex.java`).
//!
//! They can be made again from the log only together with the producer state of where the making begins. So they become
//! durable with it: before an entry of the write-ahead log says that producer state up to an offset is kept, every abort
//! below that offset is in the index file of the segment being written, synced, even if its marker will land in a later
//! segment. A start takes from that file what is below the offset, and makes the rest from the batches beyond it. When
//! the segment is rolled, its file is cut to what is its own.
//!
//! What the file has to begin with is stated with a checksum: by that entry, and by the sidecar of a segment that is closed
//! or settled. A start that finds it different makes it again from all batches (`segment_transactions.rs`).

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;

use super::{AbortedTransaction, Log};
use crate::ids::Offset;
use crate::runtime::{Durability, Lane, OpenOptions};
use crate::segment::{AbortedTxn, FileKind, IndexDigest, TransactionIndex, file_name};

/// Size of an entry of the index; `segment.index.bytes` bounds how many a segment has.
const ENTRY_BYTES: u64 = 34;

/// Aborts whose markers are in the segment being written or in the tail, in order of their markers.
#[derive(Debug, Default)]
pub(crate) struct Aborted {
    entries: VecDeque<AbortedTxn>,
    /// So many of them, the oldest, are in the index file of the segment being written, synced.
    in_file: usize,
    /// What the file has to begin with: those.
    stated: IndexDigest,
    /// So many, the newest of all that were there then, are in the file of the segment that is about to be begun.
    in_next_file: usize,
    /// What that file has to begin with.
    stated_of_next: IndexDigest,
}

impl Aborted {
    /// From an index file of the segment being written that was as stated; `end` is where the producer state of a start
    /// begins: what the file has beyond is made again.
    pub fn from_file(index: &TransactionIndex<Bytes>, end: i64) -> Aborted {
        let entries: VecDeque<_> = index.entries().take_while(|entry| entry.last_offset.0 < end).collect();
        let stated = IndexDigest::of(&index.bytes()[..entries.len() * ENTRY_BYTES as usize]);
        Aborted { in_file: entries.len(), entries, stated, ..Aborted::default() }
    }

    /// What the index file of the segment being written begins with, durably.
    pub fn stated(&self) -> IndexDigest {
        self.stated
    }

    /// The same for the segment that is about to be begun.
    pub fn stated_of_next(&self) -> IndexDigest {
        self.stated_of_next
    }

    /// Of those whose markers are below `offset`; they are in the file.
    pub fn stated_below(&self, offset: i64) -> IndexDigest {
        let own = self.count_below(offset);
        if own == self.in_file { self.stated } else { IndexDigest::of(self.index(0..own).bytes()) }
    }

    /// A transaction was aborted; nothing happens if that is known, as when a batch is read again at a start.
    pub fn push(&mut self, entry: AbortedTxn) {
        if self.entries.back().is_none_or(|last| last.last_offset < entry.last_offset) {
            self.entries.push_back(entry);
        }
    }

    /// Those that overlap `from..to`.
    fn search(&self, from: Offset, to: Offset) -> impl Iterator<Item = AbortedTxn> + '_ {
        let overlaps = move |entry: &&AbortedTxn| entry.last_offset >= from && entry.first_offset < to;
        self.entries.iter().filter(overlaps).copied()
    }

    /// Whether a segment from `base_offset` on has as many as an index may have.
    pub fn fills_index(&self, base_offset: i64, index_bytes_max: u64) -> bool {
        let full = index_bytes_max / ENTRY_BYTES;
        if (self.entries.len() as u64) < full {
            return false;
        }
        let own = self.entries.iter().rev().take_while(|entry| entry.last_offset.0 >= base_offset);
        own.count() as u64 >= full.max(1)
    }

    fn index(&self, range: std::ops::Range<usize>) -> TransactionIndex {
        let mut index = TransactionIndex::new();
        self.entries.range(range).for_each(|entry| index.append(*entry));
        index
    }

    fn count_below(&self, offset: i64) -> usize {
        self.entries.partition_point(|entry| entry.last_offset.0 < offset)
    }
}

impl Log {
    /// Aborted transactions that overlap `from..to`, as readers of committed data need them to leave their records out.
    pub(super) async fn aborted_transactions(&self, from: i64, to: i64) -> io::Result<Vec<AbortedTransaction>> {
        let found = self.aborted_entries(from, to).await?;
        let told =
            |entry: AbortedTxn| AbortedTransaction { producer_id: entry.producer_id, first_offset: entry.first_offset };
        Ok(found.into_iter().map(told).collect())
    }

    /// The same as the index has them, in order of their markers.
    pub(crate) async fn aborted_entries(&self, from: i64, to: i64) -> io::Result<Vec<AbortedTxn>> {
        loop {
            if let Some(found) = self.try_aborted_entries(Offset(from), Offset(to)).await? {
                return Ok(found);
            }
        }
    }

    /// `None` if compaction has replaced a segment while its index was read.
    async fn try_aborted_entries(&self, from: Offset, to: Offset) -> io::Result<Option<Vec<AbortedTxn>>> {
        // Taken at one moment: a roll moves entries from here into a file.
        let (mut found, segments) = {
            let state = self.state.borrow();
            let files = &state.files;
            let first = files.segments.range(..=from.0).next_back().map_or(0, |(base, _)| *base);
            let closed = files.segments.range(first..).map(|(_, segment)| segment);
            let closed = closed.filter(|segment| segment.base_offset < files.active && segment.has_aborted.get());
            (state.aborted.search(from, to).collect::<Vec<_>>(), closed.cloned().collect::<Vec<_>>())
        };
        for segment in segments {
            let index = segment.transaction_index(&self.volume.runtime, &self.volume.open_segments).await?;
            if segment.is_replaced() {
                return Ok(None);
            }
            let search = index.search(from, to);
            found.extend(search.aborted);
            if search.complete {
                break;
            }
        }
        found.sort_unstable_by_key(|entry| entry.last_offset);
        found.dedup_by_key(|entry| entry.last_offset);
        Ok(Some(found))
    }

    /// Makes every abort whose marker is below `end` durable in the index file of the segment being written.
    pub(super) async fn write_aborted(&self, end: i64) -> io::Result<()> {
        let (active, from, to, index) = {
            let state = self.state.borrow();
            let (from, to) = (state.aborted.in_file, state.aborted.count_below(end));
            if to <= from {
                return Ok(());
            }
            (state.files.active, from, to, state.aborted.index(from..to))
        };
        self.write_transaction_index(active, from as u64 * ENTRY_BYTES, &index).await?;
        let aborted = &mut self.state.borrow_mut().aborted;
        aborted.in_file = to;
        aborted.stated = aborted.stated.followed_by(index.bytes());
        Ok(())
    }

    /// The same for the segment that begins at `base_offset`, before it takes the place of the one being written.
    pub(super) async fn write_aborted_of_next(&self, base_offset: i64, end: i64) -> io::Result<()> {
        let index = {
            let state = self.state.borrow();
            let (from, to) = (state.aborted.count_below(base_offset), state.aborted.count_below(end));
            state.aborted.index(from..to.max(from))
        };
        if !index.is_empty() {
            self.write_transaction_index(base_offset, 0, &index).await?;
        }
        let aborted = &mut self.state.borrow_mut().aborted;
        aborted.in_next_file = index.entries().count();
        aborted.stated_of_next = IndexDigest::of(index.bytes());
        Ok(())
    }

    async fn write_transaction_index(&self, base_offset: i64, at: u64, index: &TransactionIndex) -> io::Result<()> {
        let disk = self.volume.runtime.disk();
        let path = self.path.join(file_name(Offset(base_offset), FileKind::TransactionIndex));
        let file = disk.open(&path, OpenOptions { write: true, create: true, ..Default::default() }).await?;
        let bytes = Bytes::copy_from_slice(index.bytes());
        let length = at + bytes.len() as u64;
        disk.write(&file, vec![bytes], at, Durability::Buffered, Lane::Background).await?;
        // An earlier, longer life of the file.
        disk.set_len(&file, length).await?;
        disk.sync_data(&file, Lane::Background).await?;
        if at == 0 { disk.sync_directory(&self.path).await } else { Ok(()) }
    }

    /// The segment `closed` was rolled and the one from `base_offset` on has taken its place: the file of the first is
    /// cut to what is its own, and memory holds the rest.
    pub(super) async fn close_transaction_index(&self, closed: i64, base_offset: i64) -> io::Result<()> {
        let (own, in_file) = {
            let mut state = self.state.borrow_mut();
            let (own, in_file) = (state.aborted.count_below(base_offset), state.aborted.in_file);
            state.aborted.entries.drain(..own);
            state.aborted.in_file = std::mem::take(&mut state.aborted.in_next_file);
            state.aborted.stated = std::mem::take(&mut state.aborted.stated_of_next);
            if let Some(segment) = state.files.segments.get(&closed) {
                segment.has_aborted.set(own > 0);
                segment.transactions_stated.set(segment.header.get().and_then(|header| header.transactions));
            }
            (own, in_file)
        };
        let path = self.path.join(file_name(Offset(closed), FileKind::TransactionIndex));
        let disk = self.volume.runtime.disk();
        match in_file > own {
            true if own == 0 => disk.remove_file(&path).await,
            true => {
                let file = disk.open(&path, OpenOptions { write: true, ..Default::default() }).await?;
                disk.set_len(&file, own as u64 * ENTRY_BYTES).await
            }
            false => Ok(()),
        }
    }
}
