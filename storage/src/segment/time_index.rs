//! `.timeindex`: 12 bytes an entry, timestamp (i64) and relative offset (i32), both ascending (`TimeIndex.java`).
//!
//! An entry says that no record at or before this offset in the segment is younger than this timestamp.

use super::entries::{self, Entry};
use super::{field, relative};
use crate::error::FormatError;
use crate::ids::Offset;

/// Bytes of an entry.
const ENTRY_BYTES: usize = 12;

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampPosition {
    /// Largest timestamp so far.
    pub timestamp_ms: i64,
    /// Last offset of the batch that holds it.
    pub offset: Offset,
}

impl Entry for TimestampPosition {
    const BYTES: usize = ENTRY_BYTES;
    const RAGGED: &'static str = "the time index is not a multiple of 12 bytes";

    fn read(base_offset: i64, bytes: &[u8]) -> TimestampPosition {
        let relative = i32::from_be_bytes(field(bytes, 8));
        let offset = Offset(base_offset.saturating_add(relative.into()));
        TimestampPosition { timestamp_ms: i64::from_be_bytes(field(bytes, 0)), offset }
    }
}

/// A time index over bytes: borrowed ones to look up in, owned ones to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeIndex<B = Vec<u8>> {
    base_offset: Offset,
    bytes: B,
}

impl TimeIndex {
    /// Without entries.
    #[must_use]
    pub fn new(base_offset: Offset) -> TimeIndex {
        TimeIndex { base_offset, bytes: Vec::new() }
    }

    /// Appends an entry unless its timestamp is no larger than the last one's (or "none"), as Kafka does. Neither may go
    /// back and the offset fits the segment: whoever writes the log makes sure of both.
    pub fn maybe_append(&mut self, entry: TimestampPosition) {
        let last = self.last().unwrap_or(TimestampPosition { timestamp_ms: -1, offset: self.base_offset });
        assert!(entry.offset >= last.offset && (self.is_empty() || entry.timestamp_ms >= last.timestamp_ms));
        if entry.timestamp_ms > last.timestamp_ms {
            let relative = relative(self.base_offset, entry.offset).expect("the segment rolls before offsets overflow");
            self.bytes.extend_from_slice(&entry.timestamp_ms.to_be_bytes());
            self.bytes.extend_from_slice(&relative.to_be_bytes());
        }
    }

    /// Drops the entries at `offset` or beyond.
    pub fn truncate(&mut self, offset: Offset) {
        let keep = self.partition_point(|entry| entry.offset < offset);
        self.bytes.truncate(keep * ENTRY_BYTES);
    }
}

impl<B: AsRef<[u8]>> TimeIndex<B> {
    /// Wraps a file's bytes after the checks that Kafka makes when it opens one (`sanityCheck`).
    pub fn parse(base_offset: Offset, bytes: B) -> Result<TimeIndex<B>, FormatError> {
        entries::check_whole::<TimestampPosition>(bytes.as_ref())?;
        let size = bytes.as_ref().len();
        let index = TimeIndex { base_offset, bytes };
        let Some(last) = index.last() else { return Ok(index) };
        if last.timestamp_ms < index.entry(0).timestamp_ms || last.offset < base_offset {
            return Err(FormatError::new(size - ENTRY_BYTES, "the last entry of the time index is below its first"));
        }
        Ok(index)
    }

    /// Checks every entry: ascending, not beyond the segment's last offset.
    pub fn verify(&self, last_offset: Offset) -> Result<(), FormatError> {
        let mut before = TimestampPosition { timestamp_ms: -1, offset: self.base_offset };
        for (number, entry) in self.entries().enumerate() {
            let ascends = entry.timestamp_ms > before.timestamp_ms && entry.offset >= before.offset;
            if !ascends || entry.offset > last_offset {
                return Err(FormatError::new(number * ENTRY_BYTES, "a time index entry is out of order or range"));
            }
            before = entry;
        }
        Ok(())
    }

    /// The last entry at or before `timestamp_ms`: every record up to its offset is at or before it. `None` if the whole
    /// segment may be younger.
    pub fn lookup(&self, timestamp_ms: i64) -> Option<TimestampPosition> {
        let after = self.partition_point(|entry| entry.timestamp_ms <= timestamp_ms);
        after.checked_sub(1).map(|number| self.entry(number))
    }

    /// All entries in order.
    pub fn entries(&self) -> impl Iterator<Item = TimestampPosition> + '_ {
        entries::entries(self.base_offset.0, self.bytes())
    }

    /// The last entry: of a closed segment, its largest timestamp.
    pub fn last(&self) -> Option<TimestampPosition> {
        entries::last(self.base_offset.0, self.bytes())
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        entries::count::<TimestampPosition>(self.bytes())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    fn entry(&self, number: usize) -> TimestampPosition {
        entries::entry(self.base_offset.0, self.bytes(), number)
    }

    /// How many entries at the front satisfy `holds`.
    fn partition_point(&self, holds: impl Fn(TimestampPosition) -> bool) -> usize {
        entries::partition_point(self.base_offset.0, self.bytes(), holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Offset = Offset(5_000_000_000);
    const TIME: i64 = 1_700_000_000_000;

    fn entry(time: i64, distance: i64) -> TimestampPosition {
        TimestampPosition { timestamp_ms: TIME + time, offset: BASE.plus(distance) }
    }

    fn sample() -> TimeIndex {
        let mut index = TimeIndex::new(BASE);
        for (time, distance) in [(0, 3), (0, 5), (900, 10)] {
            index.maybe_append(entry(time, distance));
        }
        index
    }

    #[test]
    fn writes_javas_bytes() {
        let golden: &[u8] = include_bytes!("../../tests/golden/times.timeindex");
        assert_eq!(sample().bytes(), golden);
        let read = TimeIndex::parse(BASE, golden).unwrap();
        assert_eq!(read.entries().collect::<Vec<_>>(), [entry(0, 3), entry(900, 10)]);
        read.verify(BASE.plus(10)).unwrap();
    }

    #[test]
    fn looks_up_the_last_entry_not_younger() {
        for (time, expected) in [
            (-1, None),
            (0, Some(entry(0, 3))),
            (899, Some(entry(0, 3))),
            (900, Some(entry(900, 10))),
            (i64::MAX - TIME, Some(entry(900, 10))),
        ] {
            assert_eq!(sample().lookup(TIME + time), expected, "{time}");
        }
        assert_eq!(TimeIndex::new(BASE).last(), None);
    }

    #[test]
    fn truncates_at_an_offset_and_ignores_no_timestamp() {
        for (distance, left) in [(3, 0), (4, 1), (10, 1), (11, 2)] {
            let mut index = sample();
            index.truncate(BASE.plus(distance));
            assert_eq!(index.len(), left, "{distance}");
        }
        let mut index = TimeIndex::new(BASE);
        index.maybe_append(TimestampPosition { timestamp_ms: -1, offset: BASE });
        assert!(index.is_empty());
    }

    #[test]
    fn damage_is_found() {
        let sound = sample().bytes().to_vec();
        assert_eq!(TimeIndex::parse(BASE, &sound[..23]).unwrap_err().position, 23);
        assert_eq!(TimeIndex::parse(BASE, [&sound[..], &[0; 12]].concat()).unwrap_err().position, 24);
        assert_eq!(TimeIndex::parse(BASE, [&sound[..], &[0xff; 12]].concat()).unwrap_err().position, 24);
        assert_eq!(sample().verify(BASE.plus(9)).unwrap_err().position, 12);
        let middle = TimeIndex::parse(BASE, [&sound[..], &sound[..12], &sound[12..]].concat()).unwrap();
        assert_eq!(middle.verify(BASE.plus(10)).unwrap_err().position, 24);
    }
}
