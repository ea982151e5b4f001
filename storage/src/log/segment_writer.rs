//! The files of the segment being written: its blocks, their checksums, its indexes. Nothing here decides what counts.

use std::io;
use std::rc::Rc;

use bytes::{Buf, Bytes, BytesMut};

use super::Log;
use crate::ids::Offset;
use crate::memory::{CHUNK_BYTES, aligned_zeros};
use crate::runtime::{BLOCK_BYTES, Durability, File, Lane, OpenOptions};
use crate::segment::{CHECKSUM_HEADER_BYTES, ChecksumHeader, FileKind, checksum_position, encode_checksums, file_name};
use crate::segment_file::Segment;

impl Log {
    /// Writes `length` bytes of the rope at `position`, both multiples of a block, and syncs them.
    pub(super) async fn write_blocks(self: &Rc<Log>, rope: &mut Rope, position: u64, length: usize) -> io::Result<()> {
        let file = self.writable().await?;
        let disk = self.volume.runtime.disk();
        let mut done = 0;
        while done < length {
            // A chunk of the pool is the aligned copy: fresh memory costs more than the copy.
            let mut chunk = self.volume.memory.take_chunk();
            let part = rope.take(CHUNK_BYTES.min(length - done), chunk.split_off(0)).freeze();
            let at = position + done as u64;
            done += part.len();
            let checksums = self.write_checksums(at, &part).await;
            let written = disk.write(&file, vec![part], at, Durability::Buffered, Lane::Background).await;
            self.volume.memory.retire(chunk);
            checksums.and(written)?;
        }
        disk.sync_data(&file, Lane::Background).await
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

    /// The sidecar's entries for some blocks. Not synced: what the log does not cover says nothing.
    async fn write_checksums(&self, position: u64, blocks: &[u8]) -> io::Result<()> {
        let first = position / BLOCK_BYTES as u64;
        let entries = Bytes::from(encode_checksums(blocks));
        let file = self.companion(FileKind::Checksums).await?;
        let disk = self.volume.runtime.disk();
        if first == 0 {
            let header = ChecksumHeader { log: self.id, base_offset: Offset(self.active()) }.to_bytes();
            let whole = vec![Bytes::copy_from_slice(&header), entries];
            debug_assert_eq!(header.len(), CHECKSUM_HEADER_BYTES);
            return disk.write(&file, whole, 0, Durability::Buffered, Lane::Background).await;
        }
        disk.write(&file, vec![entries], checksum_position(first), Durability::Buffered, Lane::Background).await
    }

    pub(super) async fn companion(&self, kind: FileKind) -> io::Result<File> {
        let path = self.path.join(file_name(Offset(self.active()), kind));
        let options = OpenOptions { write: true, create: true, ..Default::default() };
        self.volume.runtime.disk().open(&path, options).await
    }

    /// Writes the index entries made since the last time. They can be made again from the log, so they are synced only
    /// when the segment is closed.
    pub(super) async fn flush_indexes(&self, sync: bool) -> io::Result<()> {
        let disk = self.volume.runtime.disk();
        for kind in [FileKind::OffsetIndex, FileKind::TimeIndex] {
            let (at, bytes) = {
                let files = &self.state.borrow().files;
                let (all, flushed) = match kind {
                    FileKind::OffsetIndex => (files.indexer.offsets.bytes(), files.flushed.0),
                    _ => (files.indexer.times.bytes(), files.flushed.1),
                };
                (flushed, Bytes::copy_from_slice(&all[flushed..]))
            };
            if bytes.len() < BLOCK_BYTES && !sync {
                continue;
            }
            let file = self.companion(kind).await?;
            let end = at + bytes.len();
            disk.write(&file, vec![bytes], at as u64, Durability::Buffered, Lane::Background).await?;
            // An earlier, longer life of the file.
            disk.set_len(&file, end as u64).await?;
            if sync {
                disk.sync_data(&file, Lane::Background).await?;
            }
            let files = &mut self.state.borrow_mut().files;
            match kind {
                FileKind::OffsetIndex => files.flushed.0 = end,
                _ => files.flushed.1 = end,
            }
        }
        Ok(())
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
            self.write_checksums(position, &residue).await?;
            disk.write(&file, vec![block.freeze()], position, Durability::Buffered, Lane::Background).await?;
            disk.set_len(&file, bytes).await?;
        }
        self.flush_indexes(true).await?;
        disk.sync_data(&self.companion(FileKind::Checksums).await?, Lane::Background).await?;
        disk.sync_data(&file, Lane::Background).await?;
        disk.sync_directory(&self.path).await?;
        Ok(bytes)
    }
}

/// Bytes in pieces, taken off the front into aligned memory.
pub(super) struct Rope {
    parts: std::collections::VecDeque<Bytes>,
}

impl Rope {
    pub fn new(parts: impl Iterator<Item = Bytes>) -> Rope {
        Rope { parts: parts.filter(|part| !part.is_empty()).collect() }
    }

    /// The next `length` bytes, copied into `buffer`; the rope holds at least that many.
    pub fn take(&mut self, length: usize, mut buffer: BytesMut) -> BytesMut {
        buffer.clear();
        while buffer.len() < length {
            let Some(part) = self.parts.front_mut() else { break };
            let now = part.len().min(length - buffer.len());
            buffer.extend_from_slice(&part[..now]);
            part.advance(now);
            if part.is_empty() {
                self.parts.pop_front();
            }
        }
        assert_eq!(buffer.len(), length, "a plan holds the bytes it counts");
        buffer
    }
}
