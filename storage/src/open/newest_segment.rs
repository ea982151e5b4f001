//! The segment that was being written: its indexes as far as they are stated, and its batches from there to the end.

use std::io;

use bytes::BytesMut;
use protocol::records::{BatchHeader, BatchView, HEADER_BYTES};

use super::Opening;
use crate::error::StorageError;
use crate::ids::Offset;
use crate::log::state::{Files, State};
use crate::runtime::{BLOCK_BYTES, OpenOptions};
use crate::segment::{ChecksumHeader, FileKind, IndexDigest, IndexStatement, IndexedBatch, Indexer, file_name};
use crate::segment_index::{self, write_header};

/// How much of a segment is read at once.
const SCAN_BYTES: usize = 1 << 20;

impl Opening<'_> {
    /// Loads the newest segment's indexes as far as they are stated, and tells from where batches have to be read. After
    /// an unclean end the sidecar begins anew where that is: which of its later entries reached the disk is unknown.
    pub(super) async fn load_indexes(
        &self,
        files: &mut Files,
        settled: bool,
        known: Option<ChecksumHeader>,
        transactions: Option<IndexDigest>,
    ) -> io::Result<u64> {
        let (base, runtime) = (Offset(files.active), &self.volume.runtime);
        let loaded = match &known {
            Some(header) => segment_index::load(runtime, self.path, header, files.position).await?,
            None => None,
        };
        let from = loaded.as_ref().and_then(|(offsets, _)| offsets.last()).map_or(0, |last| u64::from(last.position));
        if let Some((offsets, times)) = loaded {
            files.stated = IndexStatement {
                covered_bytes: from,
                offsets: IndexDigest::of(offsets.bytes()),
                times: IndexDigest::of(times.bytes()),
                max_timestamp_ms: times.last().map_or(-1, |last| last.timestamp_ms),
            };
            files.indexer = Indexer::resume(offsets, times, base, self.config.index_interval_bytes);
        }
        if files.segments.contains_key(&files.active) && (!settled || known.is_none()) {
            let header = ChecksumHeader { transactions, ..ChecksumHeader::new(self.id, base, files.stated) };
            let blocks = Some(from / BLOCK_BYTES as u64);
            write_header(runtime, self.path, &header, blocks).await?;
        }
        Ok(from)
    }

    /// The indexes of a settled segment were made again: nothing would write them before the next append.
    pub(super) async fn store_indexes(&self, files: &mut Files, transactions: Option<IndexDigest>) -> io::Result<()> {
        if files.indexer.covered_bytes() <= self.config.index_interval_bytes {
            return Ok(());
        }
        files.stated = files.indexer.statement();
        let header = ChecksumHeader::new(self.id, Offset(files.active), files.stated);
        let header = ChecksumHeader { transactions, ..header };
        segment_index::store(&self.volume.runtime, self.path, &files.indexer, &header).await
    }

    /// What `segment.ms` counts from: the largest timestamp of the newest segment's first batch, if it is in the file.
    pub(super) async fn first_timestamp(&self, files: &Files) -> io::Result<Option<i64>> {
        if files.position < HEADER_BYTES as u64 {
            return Ok(None);
        }
        let path = self.path.join(file_name(Offset(files.active), FileKind::Log));
        let disk = self.volume.runtime.disk();
        let file = disk.open(&path, OpenOptions::default()).await?;
        let bytes = disk.read(&file, 0, HEADER_BYTES).await?;
        Ok(BatchHeader::parse(&bytes).ok().map(|header| header.max_timestamp))
    }

    /// Reads the newest segment from `position` to its end: every batch is checked, indexed and observed.
    pub(super) async fn scan_end(&self, state: &mut State, mut position: u64) -> Result<(), StorageError> {
        let active = state.files.active;
        let name = file_name(Offset(active), FileKind::Log);
        let (end, residue) = (state.files.position, state.files.residue.clone());
        let total = end + residue.len() as u64;
        let runtime = &self.volume.runtime;
        let file = match end {
            0 => None,
            _ => {
                let open = runtime.disk().open(&self.path.join(&name), OpenOptions::default());
                Some(open.await.map_err(|error| self.failed(&error))?)
            }
        };
        let mut wanted = SCAN_BYTES;
        while position < total {
            let in_file = end.saturating_sub(position).min(wanted as u64) as usize;
            let mut bytes = match &file {
                Some(file) if in_file > 0 => {
                    runtime.disk().read(file, position, in_file).await.map_err(|error| self.failed(&error))?
                }
                _ => BytesMut::new(),
            };
            if position + in_file as u64 >= end {
                let skip = (position + in_file as u64 - end) as usize;
                bytes.extend_from_slice(&residue[skip.min(residue.len())..]);
            }
            let consumed = self.scan_piece(state, &name, position, &bytes)?;
            let at_end = position + bytes.len() as u64 >= total;
            if at_end && consumed < bytes.len() {
                let reason = "the last batch is not whole".to_owned();
                return Err(self.corrupt(&name, position + consumed as u64, reason));
            }
            wanted = if consumed == 0 { wanted * 2 } else { SCAN_BYTES };
            position += consumed as u64;
        }
        Ok(())
    }

    fn scan_piece(&self, state: &mut State, name: &str, position: u64, bytes: &[u8]) -> Result<usize, StorageError> {
        let mut at = 0;
        while at + HEADER_BYTES <= bytes.len() {
            let damaged = |reason: String| self.corrupt(name, position + at as u64, reason);
            BatchHeader::parse(&bytes[at..]).map_err(|error| damaged(error.to_string()))?;
            let Ok(batch) = BatchView::parse(&bytes[at..]) else { break };
            batch.verify_crc().map_err(|error| damaged(error.to_string()))?;
            let header = &batch.header;
            state.files.indexer.observe(IndexedBatch {
                position: (position + at as u64) as u32,
                bytes: header.size_bytes() as u32,
                last_offset: Offset(header.last_offset()),
                max_timestamp_ms: header.max_timestamp,
            });
            state.observe(&batch);
            state.head.first_timestamp.get_or_insert(header.max_timestamp);
            state.files.next_offset = header.last_offset() + 1;
            at += header.size_bytes();
        }
        let files = &state.files;
        state.head.bytes = files.position + files.residue.len() as u64;
        state.head.index_entries = files.indexer.offsets.len() as u64;
        if let Some(segment) = files.segments.get(&files.active) {
            segment.max_timestamp.set(files.indexer.max_timestamp().timestamp_ms);
        }
        Ok(at)
    }
}
