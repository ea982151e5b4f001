//! What the offset index and the time index have in common: entries of one size, in order, searched by halving.

use crate::error::FormatError;

/// An entry of `BYTES` bytes of an index whose segment begins at some base offset.
pub(super) trait Entry: Copy {
    /// Its size in the file.
    const BYTES: usize;
    /// Said of a file that is no multiple of it.
    const RAGGED: &'static str;

    /// Reads one of exactly that size.
    fn read(base_offset: i64, bytes: &[u8]) -> Self;
}

/// How many whole entries there are.
pub(super) fn count<E: Entry>(bytes: &[u8]) -> usize {
    bytes.len() / E::BYTES
}

/// Entry `number`; there are more than that.
pub(super) fn entry<E: Entry>(base_offset: i64, bytes: &[u8], number: usize) -> E {
    E::read(base_offset, &bytes[number * E::BYTES..][..E::BYTES])
}

/// The last one.
pub(super) fn last<E: Entry>(base_offset: i64, bytes: &[u8]) -> Option<E> {
    count::<E>(bytes).checked_sub(1).map(|number| entry(base_offset, bytes, number))
}

/// All of them, in order.
pub(super) fn entries<E: Entry>(base_offset: i64, bytes: &[u8]) -> impl Iterator<Item = E> + '_ {
    bytes.chunks_exact(E::BYTES).map(move |bytes| E::read(base_offset, bytes))
}

/// How many entries at the front satisfy `holds`: binary search.
pub(super) fn partition_point<E: Entry>(base_offset: i64, bytes: &[u8], holds: impl Fn(E) -> bool) -> usize {
    let (mut low, mut high) = (0, count::<E>(bytes));
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(entry(base_offset, bytes, middle)) { low = middle + 1 } else { high = middle }
    }
    low
}

/// A file holds whole entries only.
pub(super) fn check_whole<E: Entry>(bytes: &[u8]) -> Result<(), FormatError> {
    if bytes.len().is_multiple_of(E::BYTES) { Ok(()) } else { Err(FormatError::new(bytes.len(), E::RAGGED)) }
}
