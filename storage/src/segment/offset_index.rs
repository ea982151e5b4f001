//! `.index`: 8 bytes an entry, relative offset (i32) and file position (i32), ascending (`OffsetIndex.java`).
//!
//! An entry is a batch's last offset and where the batch starts; there is one about every `index.interval.bytes`.

use super::entries::{self, Entry};
use super::{field, relative};
use crate::error::FormatError;
use crate::ids::Offset;

/// Bytes of an entry.
const ENTRY_BYTES: usize = 8;

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetPosition {
    /// Last offset of a batch.
    pub offset: Offset,
    /// Where that batch starts in the `.log` file.
    pub position: u32,
}

impl Entry for OffsetPosition {
    const BYTES: usize = ENTRY_BYTES;
    const RAGGED: &'static str = "the offset index is not a multiple of 8 bytes";

    fn read(base_offset: i64, bytes: &[u8]) -> OffsetPosition {
        let relative = i32::from_be_bytes(field(bytes, 0));
        let offset = Offset(base_offset.saturating_add(relative.into()));
        OffsetPosition { offset, position: u32::from_be_bytes(field(bytes, 4)) }
    }
}

/// An offset index over bytes: borrowed ones to look up in, owned ones to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetIndex<B = Vec<u8>> {
    base_offset: Offset,
    bytes: B,
}

impl OffsetIndex {
    /// Without entries.
    #[must_use]
    pub fn new(base_offset: Offset) -> OffsetIndex {
        OffsetIndex { base_offset, bytes: Vec::new() }
    }

    /// Appends an entry. Entries must ascend and fit the segment ([`super::fits_segment`], positions below 2 GiB):
    /// whoever writes the log makes sure of both.
    pub fn append(&mut self, entry: OffsetPosition) {
        let relative = relative(self.base_offset, entry.offset).expect("the segment rolls before offsets overflow");
        assert!(self.last().is_none_or(|last| last.offset < entry.offset && last.position < entry.position));
        assert!(entry.position <= i32::MAX as u32, "segments are smaller than 2 GiB");
        self.bytes.extend_from_slice(&relative.to_be_bytes());
        self.bytes.extend_from_slice(&entry.position.to_be_bytes());
    }

    /// Drops the entries of batches that end at `offset` or beyond.
    pub fn truncate(&mut self, offset: Offset) {
        let keep = self.partition_point(|entry| entry.offset < offset);
        self.bytes.truncate(keep * ENTRY_BYTES);
    }
}

impl<B: AsRef<[u8]>> OffsetIndex<B> {
    /// Wraps a file's bytes after the checks that Kafka makes when it opens one (`sanityCheck`), and zeros at the end,
    /// which preallocation leaves.
    pub fn parse(base_offset: Offset, bytes: B) -> Result<OffsetIndex<B>, FormatError> {
        entries::check_whole::<OffsetPosition>(bytes.as_ref())?;
        let size = bytes.as_ref().len();
        let index = OffsetIndex { base_offset, bytes };
        match (index.last(), index.len()) {
            (Some(last), count) if last.offset < base_offset || (count > 1 && last.offset == base_offset) => {
                Err(FormatError::new(size - ENTRY_BYTES, "the last entry of the offset index is below its segment"))
            }
            _ => Ok(index),
        }
    }

    /// Checks every entry: ascending, within a log of `log_bytes`.
    pub fn verify(&self, log_bytes: u64) -> Result<(), FormatError> {
        let mut before: Option<OffsetPosition> = None;
        for (number, entry) in self.entries().enumerate() {
            let ascends = before.is_none_or(|before| before.offset < entry.offset && before.position < entry.position);
            if !ascends || entry.offset < self.base_offset || u64::from(entry.position) >= log_bytes {
                return Err(FormatError::new(number * ENTRY_BYTES, "an offset index entry is out of order or range"));
            }
            before = Some(entry);
        }
        Ok(())
    }

    /// Where to start reading for `offset`: the position of the last known batch that ends at or before it, else 0.
    pub fn lookup(&self, offset: Offset) -> OffsetPosition {
        match self.partition_point(|entry| entry.offset <= offset) {
            0 => OffsetPosition { offset: self.base_offset, position: 0 },
            after => self.entry(after - 1),
        }
    }

    /// The first entry at or beyond `position`: a place where a read may end.
    pub fn upper_bound(&self, position: u32) -> Option<OffsetPosition> {
        let number = self.partition_point(|entry| entry.position < position);
        (number < self.len()).then(|| self.entry(number))
    }

    /// All entries in order.
    pub fn entries(&self) -> impl Iterator<Item = OffsetPosition> + '_ {
        entries::entries(self.base_offset.0, self.bytes())
    }

    /// The last entry.
    pub fn last(&self) -> Option<OffsetPosition> {
        entries::last(self.base_offset.0, self.bytes())
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        entries::count::<OffsetPosition>(self.bytes())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    fn entry(&self, number: usize) -> OffsetPosition {
        entries::entry(self.base_offset.0, self.bytes(), number)
    }

    /// How many entries at the front satisfy `holds`.
    fn partition_point(&self, holds: impl Fn(OffsetPosition) -> bool) -> usize {
        entries::partition_point(self.base_offset.0, self.bytes(), holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Offset = Offset(5_000_000_000);

    fn entry(distance: i64, position: u32) -> OffsetPosition {
        OffsetPosition { offset: BASE.plus(distance), position }
    }

    fn sample() -> OffsetIndex {
        let mut index = OffsetIndex::new(BASE);
        for (distance, position) in [(3, 4100), (10, 9000), (99, 2_000_000_000)] {
            index.append(entry(distance, position));
        }
        index
    }

    #[test]
    fn writes_javas_bytes() {
        let golden: &[u8] = include_bytes!("../../tests/golden/offsets.index");
        assert_eq!(sample().bytes(), golden);
        let read = OffsetIndex::parse(BASE, golden).unwrap();
        assert!(read.entries().eq(sample().entries()));
        read.verify(2_000_000_001).unwrap();
    }

    #[test]
    fn looks_up_the_last_batch_that_ends_before() {
        for (distance, expected) in [
            (0, entry(0, 0)),
            (2, entry(0, 0)),
            (3, entry(3, 4100)),
            (9, entry(3, 4100)),
            (10, entry(10, 9000)),
            (1 << 40, entry(99, 2_000_000_000)),
        ] {
            assert_eq!(sample().lookup(BASE.plus(distance)), expected, "{distance}");
        }
        assert_eq!(OffsetIndex::new(BASE).lookup(BASE.plus(7)), entry(0, 0));
        let bounds = [0, 4100, 4101, 9001, 2_000_000_001].map(|position| sample().upper_bound(position));
        assert_eq!(
            bounds,
            [Some(entry(3, 4100)), Some(entry(3, 4100)), Some(entry(10, 9000)), Some(entry(99, 2_000_000_000)), None]
        );
    }

    #[test]
    fn truncates_at_an_offset() {
        for (distance, left) in [(0, 0), (3, 0), (4, 1), (10, 1), (11, 2), (100, 3)] {
            let mut index = sample();
            index.truncate(BASE.plus(distance));
            assert_eq!(index.len(), left, "{distance}");
        }
    }

    #[test]
    fn damage_is_found() {
        let sound = sample().bytes().to_vec();
        let zeros = [&sound[..], &[0; 8]].concat();
        assert_eq!(OffsetIndex::parse(BASE, &sound[..23]).unwrap_err().position, 23);
        assert_eq!(OffsetIndex::parse(BASE, &zeros).unwrap_err().position, 24);
        assert_eq!(OffsetIndex::parse(BASE, [&sound[..], &[0xff; 8]].concat()).unwrap_err().position, 24);
        let index = OffsetIndex::parse(BASE, [&sound[8..16], &sound[..8], &sound[16..]].concat()).unwrap();
        assert_eq!(index.verify(u64::MAX).unwrap_err().position, 8);
        assert_eq!(sample().verify(2_000_000_000).unwrap_err().position, 16);
        OffsetIndex::parse(BASE, &[0u8; 8]).unwrap();
    }
}
