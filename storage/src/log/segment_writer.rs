//! The files of the segment being written: its blocks, their checksums, its indexes. Nothing here decides what counts.

use std::io;
use std::rc::Rc;

use bytes::Bytes;

use super::Log;
use super::rope::Rope;
use crate::ids::Offset;
use crate::memory::aligned_zeros;
use crate::runtime::{BLOCK_BYTES, Durability, File, Lane, OpenOptions};
use crate::segment::{
    CHECKSUM_HEADER_BYTES, ChecksumHeader, FileKind, IndexDigest, IndexStatement, checksum_position, encode_checksums,
    file_name,
};
use crate::segment_file::Segment;
use crate::segment_index::write_header;

/// The most that one write hands to the disk: commits wait behind it.
const WRITE_BYTES_MAX: usize = 4 << 20;
/// So much of a log may be without index entries in files: what a start reads of each partition that was written to.
const INDEX_LAG_BYTES: u64 = 8 << 20;

impl Log {
    /// Writes `length` bytes of the rope at `position`, both multiples of a block, and syncs them.
    pub(super) async fn write_blocks(self: &Rc<Log>, rope: &mut Rope, position: u64, length: usize) -> io::Result<()> {
        let file = self.writable().await?;
        let disk = self.volume.runtime.disk();
        let mut done = 0;
        let mut at_once = false;
        while done < length {
            // A chunk of the pool for what has to be copied: fresh memory costs more than the copy.
            let mut chunk = self.volume.memory.take_chunk();
            let blocks = rope.take_blocks(WRITE_BYTES_MAX.min(length - done), &mut chunk);
            let bytes: usize = blocks.bytes.iter().map(Bytes::len).sum();
            // One call, and one hand-over to a kernel thread, instead of two.
            at_once = bytes == length;
            let durability = if at_once { Durability::Durable } else { Durability::Buffered };
            let at = position + done as u64;
            done += bytes;
            let checksums = self.write_checksums(at, blocks.checksums).await;
            let written = disk.write(&file, blocks.bytes, at, durability, Lane::Background).await;
            self.volume.memory.retire(chunk);
            checksums.and(written)?;
        }
        if at_once { Ok(()) } else { disk.sync_data(&file, Lane::Background).await }
    }

    /// The active segment, open for writing; made if it is not there, durably.
    async fn writable(self: &Rc<Log>) -> io::Result<File> {
        let (known, active) = {
            let state = self.state.borrow();
            (state.files.file.clone(), state.files.active)
        };
        if let Some(file) = known {
            return Ok(file);
        }
        let disk = self.volume.runtime.disk();
        let path = self.path.join(file_name(Offset(active), FileKind::Log));
        let options = OpenOptions { write: true, create: true, direct: true, ..Default::default() };
        let file = disk.open(&path, options).await?;
        let is_new = !self.state.borrow().files.segments.contains_key(&active);
        if is_new {
            disk.sync_directory(&self.path).await?;
            let segment = Segment::new(Rc::new(self.path.clone()), active, 0, -1);
            self.state.borrow_mut().files.segments.insert(active, segment);
        }
        self.state.borrow_mut().files.file = Some(file.clone());
        Ok(file)
    }

    /// The sidecar's entries for the blocks from `position` on. Not synced: what the log does not cover says nothing.
    async fn write_checksums(&self, position: u64, entries: Vec<u8>) -> io::Result<()> {
        let first = position / BLOCK_BYTES as u64;
        let entries = Bytes::from(entries);
        let file = self.sidecar().await?;
        let disk = self.volume.runtime.disk();
        if first == 0 {
            let stated = self.state.borrow().files.stated;
            let header = self.sidecar_header(stated).to_bytes();
            let whole = vec![Bytes::copy_from_slice(&header), entries];
            debug_assert_eq!(header.len(), CHECKSUM_HEADER_BYTES);
            return disk.write(&file, whole, 0, Durability::Buffered, Lane::Background).await;
        }
        disk.write(&file, vec![entries], checksum_position(first), Durability::Buffered, Lane::Background).await
    }

    async fn sidecar(&self) -> io::Result<File> {
        let known = self.state.borrow().files.sidecar.clone();
        if let Some(file) = known {
            return Ok(file);
        }
        let file = self.companion(FileKind::Checksums).await?;
        self.state.borrow_mut().files.sidecar = Some(file.clone());
        Ok(file)
    }

    pub(super) async fn companion(&self, kind: FileKind) -> io::Result<File> {
        let path = self.path.join(file_name(Offset(self.active()), kind));
        let options = OpenOptions { write: true, create: true, ..Default::default() };
        self.volume.runtime.disk().open(&path, options).await
    }

    /// Writes the index entries made since the last time, and states it in the sidecar: durably, so that a start reads
    /// no more of the log than came after. Entries of less than [`INDEX_LAG_BYTES`] wait, unless the file gets `closed`: then
    /// the sidecar also states the transaction index, which has to be written.
    pub(super) async fn flush_indexes(&self, closed: bool) -> io::Result<()> {
        let (stated, covered) = {
            let files = &self.state.borrow().files;
            (files.stated, files.indexer.covered_bytes())
        };
        if covered < stated.covered_bytes + INDEX_LAG_BYTES && !closed {
            return Ok(());
        }
        let max_timestamp_ms = self.state.borrow().files.indexer.max_timestamp().timestamp_ms;
        let offsets = self.append_index(FileKind::OffsetIndex, stated.offsets).await?;
        let times = self.append_index(FileKind::TimeIndex, stated.times).await?;
        let stated = IndexStatement { covered_bytes: covered, offsets, times, max_timestamp_ms };
        let transactions = closed.then(|| {
            let state = self.state.borrow();
            state.aborted.stated_below(state.files.next_offset)
        });
        let header = ChecksumHeader { transactions, ..self.sidecar_header(stated) };
        write_header(&self.volume.runtime, &self.path, &header, None).await?;
        let files = &mut self.state.borrow_mut().files;
        files.stated = stated;
        if let Some(segment) = files.segments.get(&files.active) {
            segment.header.set(Some(header));
        }
        Ok(())
    }

    /// Writes what an index has beyond what its file has, durably; what the file holds then.
    async fn append_index(&self, kind: FileKind, known: IndexDigest) -> io::Result<IndexDigest> {
        let at = known.bytes as usize;
        let bytes = {
            let indexer = &self.state.borrow().files.indexer;
            let all = if kind == FileKind::OffsetIndex { indexer.offsets.bytes() } else { indexer.times.bytes() };
            Bytes::copy_from_slice(&all[at..])
        };
        let disk = self.volume.runtime.disk();
        let file = self.companion(kind).await?;
        let digest = known.followed_by(&bytes);
        disk.write(&file, vec![bytes], at as u64, Durability::Buffered, Lane::Background).await?;
        // An earlier, longer life of the file.
        disk.set_len(&file, digest.bytes.into()).await?;
        disk.sync_data(&file, Lane::Background).await?;
        if at == 0 {
            disk.sync_directory(&self.path).await?;
        }
        Ok(digest)
    }

    fn sidecar_header(&self, indexes: IndexStatement) -> ChecksumHeader {
        ChecksumHeader::new(self.id, Offset(self.active()), indexes)
    }

    /// Writes the last, partial block and cuts the file to its exact length. Returns that length.
    pub(super) async fn write_last_block(self: &Rc<Log>) -> io::Result<u64> {
        let (position, residue) = {
            let files = &self.state.borrow().files;
            (files.position, files.residue.clone())
        };
        let bytes = position + residue.len() as u64;
        let disk = self.volume.runtime.disk();
        let file = self.writable().await?;
        if !residue.is_empty() {
            let mut block = aligned_zeros(BLOCK_BYTES);
            block[..residue.len()].copy_from_slice(&residue);
            self.write_checksums(position, encode_checksums(&residue)).await?;
            disk.write(&file, vec![block.freeze()], position, Durability::Buffered, Lane::Background).await?;
            disk.set_len(&file, bytes).await?;
        }
        self.write_aborted(i64::MAX).await?;
        self.flush_indexes(true).await?;
        disk.sync_data(&file, Lane::Background).await?;
        disk.sync_directory(&self.path).await?;
        Ok(bytes)
    }
}
