//! Bytes in pieces on their way to a file that is written past the page cache, which takes whole blocks in aligned memory.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use crate::runtime::BLOCK_BYTES;

/// Fewer blocks are rather copied than written from where they are.
const REFERRED_BYTES_MIN: usize = 4 * BLOCK_BYTES;

/// What follows in a file from a multiple of a block on.
pub(super) struct Rope {
    parts: VecDeque<Bytes>,
}

impl Rope {
    pub fn new(parts: impl Iterator<Item = Bytes>) -> Rope {
        Rope { parts: parts.filter(|part| !part.is_empty()).collect() }
    }

    /// The next whole blocks, `length` bytes of them or as many as could be had without more memory than `chunk`, which is
    /// empty and aligned: blocks that lie in memory as they will in the file are referred to, others are copied into it.
    /// The rope holds at least `length` bytes.
    pub fn take_blocks(&mut self, length: usize, chunk: &mut BytesMut) -> Vec<Bytes> {
        let (mut blocks, mut taken) = (Vec::new(), 0);
        while taken < length {
            let part = self.parts.front_mut().expect("a plan holds the bytes it counts");
            let left = part.len().min(length - taken);
            let (copied, whole) = (chunk.len() % BLOCK_BYTES, left / BLOCK_BYTES * BLOCK_BYTES);
            let now = if copied == 0 && whole >= REFERRED_BYTES_MIN && is_aligned(part, 0) {
                seal(chunk, &mut blocks);
                blocks.push(part.split_to(whole));
                whole
            } else {
                let ahead = BLOCK_BYTES - copied;
                let only_ahead = left >= ahead + REFERRED_BYTES_MIN && is_aligned(part, ahead);
                let wanted = if only_ahead { ahead } else { left };
                let now = wanted.min(chunk.capacity() / BLOCK_BYTES * BLOCK_BYTES - chunk.len());
                if now == 0 {
                    break;
                }
                chunk.extend_from_slice(&part[..now]);
                part.advance(now);
                now
            };
            taken += now;
            self.parts.pop_front_if(|part| part.is_empty());
        }
        seal(chunk, &mut blocks);
        blocks
    }

    /// A copy of what is left.
    pub fn copy_rest(&mut self) -> Bytes {
        let parts: Vec<Bytes> = self.parts.drain(..).collect();
        parts.concat().into()
    }
}

/// Ends the copied blocks.
fn seal(chunk: &mut BytesMut, blocks: &mut Vec<Bytes>) {
    if !chunk.is_empty() {
        blocks.push(chunk.split().freeze());
    }
}

/// Whether the bytes from `at` on begin at a block's place in memory.
fn is_aligned(bytes: &Bytes, at: usize) -> bool {
    (bytes.as_ptr() as usize + at).is_multiple_of(BLOCK_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
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

    /// Takes all whole blocks; how many bytes were copied each time.
    fn check(shape: &[(usize, usize)], length: usize, chunk_bytes: usize) -> Vec<usize> {
        let parts = parts(shape);
        let expected = parts.concat();
        let mut rope = Rope::new(parts.iter().cloned());
        let (mut written, mut copied) = (Vec::new(), Vec::new());
        let whole = expected.len() / BLOCK_BYTES * BLOCK_BYTES;
        while written.len() < whole {
            let mut chunk = aligned_zeros(chunk_bytes);
            chunk.clear();
            let blocks = rope.take_blocks(length.min(whole - written.len()), &mut chunk);
            assert!(!blocks.is_empty(), "{shape:?}");
            assert!(blocks.iter().all(|block| is_aligned(block, 0) && block.len() % BLOCK_BYTES == 0));
            let is_referred = |block: &Bytes| parts.iter().any(|part| part.as_ptr_range().contains(&block.as_ptr()));
            copied.push(blocks.iter().filter(|block| !is_referred(block)).map(Bytes::len).sum());
            written.extend(blocks.concat());
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
