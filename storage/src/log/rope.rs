//! Bytes in pieces on their way to a file that is written past the page cache, which takes whole blocks in aligned memory.

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::{Buf, Bytes, BytesMut};
use protocol::records::CRC_COVER;

use crate::runtime::BLOCK_BYTES;
use crate::segment::{block_checksum, encode_checksums};
use crate::wal::BatchMemory;

/// Fewer blocks are rather copied than written from where they are.
const REFERRED_BYTES_MIN: usize = 4 * BLOCK_BYTES;

/// Some bytes of a batch.
pub(crate) struct Part {
    pub bytes: Bytes,
    /// How far behind the batch's beginning they are.
    pub at: usize,
    pub batch: Rc<BatchMemory>,
}

/// Whole blocks in aligned memory.
#[derive(Default)]
pub(super) struct Blocks {
    pub bytes: Vec<Bytes>,
    /// Their entries in a file of checksums.
    pub checksums: Vec<u8>,
}

/// What follows in a file from a multiple of a block on.
pub(super) struct Rope {
    parts: VecDeque<Part>,
}

impl Part {
    fn take(&mut self, bytes: usize) {
        self.bytes.advance(bytes);
        self.at += bytes;
    }

    /// Of the block `ahead` of its beginning, whose bytes these are. Not read again if validation did.
    fn block_checksum(&self, ahead: usize, block: &[u8]) -> u32 {
        let known = (self.at + ahead).checked_sub(CRC_COVER).and_then(|covered| self.batch.crc().block(covered));
        debug_assert!(
            known.is_none_or(|known| known == block_checksum(block)),
            "a block has the checksum it was checked for"
        );
        known.unwrap_or_else(|| block_checksum(block))
    }
}

impl Blocks {
    /// Ends the copied blocks.
    fn seal(&mut self, chunk: &mut BytesMut) {
        if !chunk.is_empty() {
            self.checksums.extend(encode_checksums(chunk));
            self.bytes.push(chunk.split().freeze());
        }
    }

    fn refer(&mut self, part: &mut Part, bytes: usize) {
        let blocks = part.bytes.slice(..bytes);
        for (index, block) in blocks.chunks(BLOCK_BYTES).enumerate() {
            self.checksums.extend(part.block_checksum(index * BLOCK_BYTES, block).to_be_bytes());
        }
        self.bytes.push(blocks);
        part.take(bytes);
    }
}

impl Rope {
    /// `residue`, then `parts`.
    pub fn new(residue: Bytes, parts: Vec<Part>) -> Rope {
        let residue = Part { bytes: residue, at: 0, batch: Rc::default() };
        Rope { parts: std::iter::once(residue).chain(parts).filter(|part| !part.bytes.is_empty()).collect() }
    }

    /// The next whole blocks, `length` bytes of them or as many as could be had without more memory than `chunk`, which is
    /// empty and aligned: blocks that lie in memory as they will in the file are referred to, others are copied into it.
    /// The rope holds at least `length` bytes.
    pub fn take_blocks(&mut self, length: usize, chunk: &mut BytesMut) -> Blocks {
        let (mut blocks, mut taken) = (Blocks::default(), 0);
        while taken < length {
            let part = self.parts.front_mut().expect("a plan holds the bytes it counts");
            let left = part.bytes.len().min(length - taken);
            let (copied, whole) = (chunk.len() % BLOCK_BYTES, left / BLOCK_BYTES * BLOCK_BYTES);
            let now = if copied == 0 && whole >= REFERRED_BYTES_MIN && is_aligned(&part.bytes, 0) {
                blocks.seal(chunk);
                blocks.refer(part, whole);
                whole
            } else {
                let ahead = BLOCK_BYTES - copied;
                let only_ahead = left >= ahead + REFERRED_BYTES_MIN && is_aligned(&part.bytes, ahead);
                let wanted = if only_ahead { ahead } else { left };
                let now = wanted.min(chunk.capacity() / BLOCK_BYTES * BLOCK_BYTES - chunk.len());
                if now == 0 {
                    break;
                }
                chunk.extend_from_slice(&part.bytes[..now]);
                part.take(now);
                now
            };
            taken += now;
            self.parts.pop_front_if(|part| part.bytes.is_empty());
        }
        blocks.seal(chunk);
        blocks
    }

    /// A copy of what is left.
    pub fn copy_rest(&mut self) -> Bytes {
        let parts: Vec<Bytes> = self.parts.drain(..).map(|part| part.bytes).collect();
        parts.concat().into()
    }
}

/// Whether the bytes from `at` on begin at a block's place in memory.
fn is_aligned(bytes: &Bytes, at: usize) -> bool {
    (bytes.as_ptr() as usize + at).is_multiple_of(BLOCK_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crc::BatchCrc;
    use crate::memory::aligned_zeros;

    /// Parts of so many bytes, each of them so far behind a block's beginning in memory.
    fn parts(shape: &[(usize, usize)]) -> Vec<Bytes> {
        let mut next = 0_u32;
        let part = |&(bytes, behind): &(usize, usize)| {
            let mut memory = aligned_zeros(behind + bytes);
            memory[behind..].iter_mut().for_each(|byte| {
                next += 1;
                *byte = (next * 7 + next / 251) as u8;
            });
            memory.freeze().slice(behind..)
        };
        shape.iter().map(part).collect()
    }

    /// Takes all whole blocks; how many bytes were copied each time. Every second part was validated for where it is.
    fn check(shape: &[(usize, usize)], length: usize, chunk_bytes: usize) -> Vec<usize> {
        let parts = parts(shape);
        let expected = parts.concat();
        let mut position = 0;
        let as_part = |(index, bytes): (usize, &Bytes)| {
            let covered = bytes.get(CRC_COVER..).filter(|_| index % 2 == 1);
            let crc = covered.map(|covered| BatchCrc::compute(covered, (position + CRC_COVER) as u64));
            position += bytes.len();
            Part { bytes: bytes.clone(), at: 0, batch: BatchMemory::to_fill(crc.unwrap_or_default()) }
        };
        let mut rope = Rope::new(Bytes::new(), parts.iter().enumerate().map(as_part).collect());
        let (mut written, mut copied) = (Vec::new(), Vec::new());
        let whole = expected.len() / BLOCK_BYTES * BLOCK_BYTES;
        while written.len() < whole {
            let mut chunk = aligned_zeros(chunk_bytes);
            chunk.clear();
            let blocks = rope.take_blocks(length.min(whole - written.len()), &mut chunk);
            assert!(!blocks.bytes.is_empty(), "{shape:?}");
            assert!(blocks.bytes.iter().all(|block| is_aligned(block, 0) && block.len() % BLOCK_BYTES == 0));
            let is_referred = |block: &Bytes| parts.iter().any(|part| part.as_ptr_range().contains(&block.as_ptr()));
            copied.push(blocks.bytes.iter().filter(|block| !is_referred(block)).map(Bytes::len).sum());
            assert_eq!(blocks.checksums, encode_checksums(&blocks.bytes.concat()));
            written.extend(blocks.bytes.concat());
        }
        assert_eq!(written, expected[..whole]);
        assert_eq!(rope.copy_rest(), expected[whole..]);
        copied
    }

    #[test]
    fn blocks_that_lie_right_are_not_copied() {
        const MIB: usize = 1 << 20;
        // A residue, a long batch that lies as it will in the file, in two pieces, and another one.
        let placed = [(100, 0), (MIB, 100), (500_000, 100), (MIB, 500_100 % BLOCK_BYTES)];
        assert_eq!(check(&placed, 8 * MIB, MIB).len(), 1);
        assert!(check(&placed, 8 * MIB, MIB)[0] <= 4 * BLOCK_BYTES);
        // Elsewhere in their blocks, all are copied, as far as the chunk goes.
        assert_eq!(check(&[(100, 0), (MIB, 101), (MIB, 7)], 8 * MIB, MIB), [MIB, MIB]);
        assert_eq!(check(&[(100, 0), (MIB, 101), (MIB, 7)], MIB / 4, MIB).len(), 8);
        // Short ones, too.
        assert_eq!(check(&[(4096, 0); 10], MIB, MIB), [40_960]);
        assert_eq!(check(&[(10, 0), (20, 0), (5000, 1), (16_383, 0)], MIB, MIB), [20_480]);
        assert_eq!(check(&[(16_384, 0), (1, 0)], MIB, MIB), [0]);
    }
}
