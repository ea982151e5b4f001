//! Arithmetic with CRC-32C checksums: of bytes that nobody reads for it.

use crate::runtime::BLOCK_BYTES;

/// A shorter batch is copied into its segment anyway: that reads it.
const BLOCKS_BYTES_MIN: usize = 32 << 10;

/// CRC-32C's polynomial without its highest term, x^0 in the highest bit.
const POLYNOMIAL: u32 = 0x82F6_3B78;
/// The polynomial 1.
const ONE: u32 = 1 << 31;

/// x^(8 * 2^n): what a checksum is multiplied by when 2^n bytes follow.
const BYTE_POWERS: [u32; 32] = {
    // x^8, in this order of bits.
    let mut power = ONE >> 8;
    let mut powers = [0; 32];
    let mut n = 0;
    while n < 32 {
        powers[n] = power;
        power = multiply(power, power);
        n += 1;
    }
    powers
};

/// Every byte of a checksum, at its place, multiplied by x^(8 * [`BLOCK_BYTES`]).
const BLOCK_PRODUCTS: [[u32; 256]; 4] = {
    let power = BYTE_POWERS[BLOCK_BYTES.ilog2() as usize];
    let mut products = [[0; 256]; 4];
    let mut place = 0;
    while place < 4 {
        let mut byte = 0;
        while byte < 256 {
            products[place][byte] = multiply(power, (byte as u32) << (8 * place));
            byte += 1;
        }
        place += 1;
    }
    products
};

/// The product of two polynomials over GF(2), modulo CRC-32C's.
const fn multiply(mut left: u32, mut right: u32) -> u32 {
    let mut product = 0;
    while left != 0 {
        if left & ONE != 0 {
            product ^= right;
        }
        left <<= 1;
        // Times x.
        right = (right >> 1) ^ if right & 1 != 0 { POLYNOMIAL } else { 0 };
    }
    product
}

/// The CRC-32C of bytes of which `first` is the checksum, followed by `second_bytes` with the checksum `second`. It is its own
/// inverse: of `first` and the checksum of both it makes that of the second.
pub fn combine(first: u32, second: u32, second_bytes: usize) -> u32 {
    let (mut shifted, mut rest, mut n) = (first, second_bytes, 0);
    while rest != 0 {
        if rest & 1 != 0 {
            shifted = multiply(BYTE_POWERS[n], shifted);
        }
        rest >>= 1;
        n += 1;
    }
    shifted ^ second
}

/// [`combine`] for a second part of [`BLOCK_BYTES`].
fn combine_block(first: u32, second: u32) -> u32 {
    let [a, b, c, d] = first.to_le_bytes().map(usize::from);
    BLOCK_PRODUCTS[0][a] ^ BLOCK_PRODUCTS[1][b] ^ BLOCK_PRODUCTS[2][c] ^ BLOCK_PRODUCTS[3][d] ^ second
}

/// The checksum of a batch, and what it is on the way to each end of a block in its segment: the one pass that validates a
/// batch is also the one over the blocks it will fill there and over the parts it is committed in. At full speed a pass costs
/// 4 to 8 % of a broker's CPU.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchCrc {
    /// Of all bytes that a batch's checksum covers.
    pub value: u32,
    /// So many of these are in the first block.
    first_bytes: usize,
    /// Of the bytes up to the end of the first block, of the second, ...
    up_to_blocks: Vec<u32>,
}

impl BatchCrc {
    /// Only the checksum is known.
    pub fn whole(value: u32) -> BatchCrc {
        BatchCrc { value, ..BatchCrc::default() }
    }

    /// Computes that of `covered`, the first byte of which will be at `position` of its segment.
    pub fn compute(covered: &[u8], position: u64) -> BatchCrc {
        let first_bytes = BLOCK_BYTES - (position % BLOCK_BYTES as u64) as usize;
        if covered.len() < BLOCKS_BYTES_MIN {
            return BatchCrc::whole(crc32c::crc32c(covered));
        }
        let (first, rest) = covered.split_at(first_bytes);
        let blocks = rest.chunks_exact(BLOCK_BYTES);
        let end = blocks.remainder();
        let mut up_to_blocks = Vec::with_capacity(1 + blocks.len());
        let mut crc = crc32c::crc32c(first);
        up_to_blocks.push(crc);
        for block in blocks {
            crc = crc32c::crc32c_append(crc, block);
            up_to_blocks.push(crc);
        }
        BatchCrc { value: crc32c::crc32c_append(crc, end), first_bytes, up_to_blocks }
    }

    /// Of the first `bytes` that are covered, if a block ends there.
    pub fn up_to(&self, bytes: usize) -> Option<u32> {
        let blocks_bytes = bytes.checked_sub(self.first_bytes)?;
        let known = self.up_to_blocks.get(blocks_bytes / BLOCK_BYTES)?;
        blocks_bytes.is_multiple_of(BLOCK_BYTES).then_some(*known)
    }

    /// Of the block behind the first `bytes` that are covered, if it is one and all of it is covered.
    pub fn block(&self, bytes: usize) -> Option<u32> {
        Some(combine_block(self.up_to(bytes)?, self.up_to(bytes + BLOCK_BYTES)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(length: u32) -> Vec<u8> {
        (0..length).map(|index| (index * 7 + index / 251) as u8).collect()
    }

    #[test]
    fn two_checksums_make_the_third() {
        let bytes = bytes(3_000_000);
        for split in [0, 1, 100, 4095, 4096, 65_537, 1_000_000, 2_999_999, 3_000_000] {
            let (first, second) = bytes.split_at(split);
            let (all, second_crc) = (crc32c::crc32c(&bytes), crc32c::crc32c(second));
            assert_eq!(combine(crc32c::crc32c(first), second_crc, second.len()), all, "{split}");
            assert_eq!(combine(crc32c::crc32c(first), all, second.len()), second_crc, "{split}");
        }
    }

    #[test]
    fn the_checksums_of_blocks_come_with_that_of_the_batch() {
        for (length, position) in
            [(0, 0), (32_767, 0), (32_768, 0), (40_000, 4095), (40_000, 4000), (100_001, 70_021), (99_000, 1)]
        {
            let bytes = bytes(length);
            let crc = BatchCrc::compute(&bytes, position);
            assert_eq!(crc.value, crc32c::crc32c(&bytes));
            let (mut ends, mut blocks) = (0, 0);
            for at in 0..=bytes.len() {
                let is_end = at > 0 && (position as usize + at).is_multiple_of(BLOCK_BYTES);
                if let Some(known) = crc.up_to(at) {
                    assert!(is_end);
                    assert_eq!(known, crc32c::crc32c(&bytes[..at]));
                    ends += 1;
                }
                if let Some(known) = crc.block(at) {
                    assert_eq!(known, crc32c::crc32c(&bytes[at..at + BLOCK_BYTES]));
                    blocks += 1;
                }
            }
            let first = BLOCK_BYTES - position as usize % BLOCK_BYTES;
            let whole = bytes.len().saturating_sub(first) / BLOCK_BYTES;
            let expected = if bytes.len() < BLOCKS_BYTES_MIN { (0, 0) } else { (whole + 1, whole) };
            assert_eq!((ends, blocks), expected, "{length} at {position}");
            assert_eq!(BatchCrc::whole(crc.value).block(first), None);
        }
    }
}
