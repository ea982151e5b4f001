//! Memory that direct I/O accepts, made without `unsafe`: one block more than needed, cut at the first aligned byte.

use bytes::{Buf, Bytes, BytesMut};

use super::BLOCK_BYTES;

/// An empty buffer whose first byte is aligned to [`BLOCK_BYTES`] and that holds `capacity` bytes without moving.
/// Growing it past `capacity` loses the alignment.
pub fn aligned_with_capacity(capacity: usize) -> BytesMut {
    let mut buffer = BytesMut::with_capacity(capacity + BLOCK_BYTES);
    let padding = padding_to_block(buffer.as_ptr() as usize);
    buffer.resize(padding, 0);
    buffer.advance(padding);
    buffer
}

/// `length` zero bytes, the first aligned to [`BLOCK_BYTES`].
pub fn aligned_zeroed(length: usize) -> BytesMut {
    // Large zeroed allocations come straight from the kernel, already zero: no second pass over the memory.
    let mut buffer = BytesMut::zeroed(length + BLOCK_BYTES);
    buffer.advance(padding_to_block(buffer.as_ptr() as usize));
    buffer.truncate(length);
    buffer
}

/// Whether direct I/O accepts the buffer: address and length are multiples of [`BLOCK_BYTES`].
pub fn is_aligned(buffer: &[u8]) -> bool {
    (buffer.as_ptr() as usize).is_multiple_of(BLOCK_BYTES) && buffer.len().is_multiple_of(BLOCK_BYTES)
}

/// Length of a rope in bytes.
pub fn rope_bytes(buffers: &[Bytes]) -> usize {
    buffers.iter().map(Bytes::len).sum()
}

pub(super) fn padding_to_block(address: usize) -> usize {
    address.next_multiple_of(BLOCK_BYTES) - address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_stay_so_when_frozen() {
        for length in [0, 1, BLOCK_BYTES, 3 * BLOCK_BYTES, 1 << 20] {
            let zeroed = aligned_zeroed(length);
            assert_eq!(zeroed.len(), length);
            assert_eq!(zeroed.as_ptr() as usize % BLOCK_BYTES, 0);
            let address = zeroed.as_ptr() as usize;
            assert_eq!(zeroed.freeze().as_ptr() as usize, address);

            let mut grown = aligned_with_capacity(length);
            grown.extend_from_slice(&vec![7; length]);
            assert_eq!(grown.as_ptr() as usize % BLOCK_BYTES, 0, "{length} bytes fit without moving");
        }
    }
}
