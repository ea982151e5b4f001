//! `.txnindex`: 34 bytes an aborted transaction: version (i16, 0), producer id, first offset, last offset (that of the
//! marker), last stable offset when it ended (`TransactionIndex.java`, AbortedTxn.json). In order of last offsets.

use super::field;
use crate::error::FormatError;
use crate::ids::Offset;

/// Bytes of an entry.
const ENTRY_BYTES: usize = 34;
/// The only version.
const VERSION: i16 = 0;

/// A transaction that was aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTxn {
    /// Whose it was.
    pub producer_id: i64,
    /// Its first record in this partition.
    pub first_offset: Offset,
    /// Its marker.
    pub last_offset: Offset,
    /// First offset of the oldest transaction still open when this one ended, else the offset after the marker. A
    /// reader that stops below it needs no later entry.
    pub last_stable_offset: Offset,
}

/// What a search in one segment found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionSearch {
    /// Those that overlap the range.
    pub aborted: Vec<AbortedTxn>,
    /// No later segment has any more.
    pub complete: bool,
}

/// A transaction index over bytes: borrowed ones to search, owned ones to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionIndex<B = Vec<u8>> {
    bytes: B,
}

impl TransactionIndex {
    /// Without entries.
    #[must_use]
    pub fn new() -> TransactionIndex {
        TransactionIndex { bytes: Vec::new() }
    }

    /// Appends an entry; last offsets must ascend, as markers do in the log.
    pub fn append(&mut self, entry: AbortedTxn) {
        assert!(self.last().is_none_or(|last| last.last_offset < entry.last_offset));
        self.bytes.extend_from_slice(&VERSION.to_be_bytes());
        for number in [entry.producer_id, entry.first_offset.0, entry.last_offset.0, entry.last_stable_offset.0] {
            self.bytes.extend_from_slice(&number.to_be_bytes());
        }
    }

    /// Drops the transactions that ended at `offset` or beyond.
    pub fn truncate(&mut self, offset: Offset) {
        let keep = self.entries().take_while(|entry| entry.last_offset < offset).count();
        self.bytes.truncate(keep * ENTRY_BYTES);
    }
}

impl Default for TransactionIndex {
    fn default() -> TransactionIndex {
        TransactionIndex::new()
    }
}

impl<B: AsRef<[u8]>> TransactionIndex<B> {
    /// Wraps a file's bytes after checking every entry: version, order, none that ended below the segment.
    pub fn parse(base_offset: Offset, bytes: B) -> Result<TransactionIndex<B>, FormatError> {
        let size = bytes.as_ref().len();
        if !size.is_multiple_of(ENTRY_BYTES) {
            return Err(FormatError::new(size, "the transaction index is not a multiple of 34 bytes"));
        }
        let index = TransactionIndex { bytes };
        let mut before = base_offset.plus(-1);
        for (number, entry) in index.entries().enumerate() {
            let version = i16::from_be_bytes(field(&index.bytes()[number * ENTRY_BYTES..], 0));
            if version != VERSION || entry.last_offset <= before || entry.first_offset > entry.last_offset {
                return Err(FormatError::new(
                    number * ENTRY_BYTES,
                    "a transaction index entry is out of order or range",
                ));
            }
            before = entry.last_offset;
        }
        Ok(index)
    }

    /// Those that overlap `from..to`.
    pub fn search(&self, from: Offset, to: Offset) -> TransactionSearch {
        let mut aborted = Vec::new();
        for entry in self.entries() {
            if entry.last_offset >= from && entry.first_offset < to {
                aborted.push(entry);
            }
            if entry.last_stable_offset >= to {
                return TransactionSearch { aborted, complete: true };
            }
        }
        TransactionSearch { aborted, complete: false }
    }

    /// All entries in order.
    pub fn entries(&self) -> impl Iterator<Item = AbortedTxn> + '_ {
        self.bytes().chunks_exact(ENTRY_BYTES).map(read)
    }

    /// The last entry.
    pub fn last(&self) -> Option<AbortedTxn> {
        self.bytes().rchunks_exact(ENTRY_BYTES).next().map(read)
    }

    /// Whether there are none: then there is no file either.
    pub fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

fn read(entry: &[u8]) -> AbortedTxn {
    let number = |at| i64::from_be_bytes(field(entry, at));
    let (first_offset, last_offset) = (Offset(number(10)), Offset(number(18)));
    AbortedTxn { producer_id: number(2), first_offset, last_offset, last_stable_offset: Offset(number(26)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> TransactionIndex {
        let mut index = TransactionIndex::new();
        for (producer_id, first, last, stable) in
            [(1, 100, 110, 105), (5_000_000_000, 105, 120, 121), (3, 118, 130, 131)]
        {
            let (first_offset, last_offset, last_stable_offset) = (Offset(first), Offset(last), Offset(stable));
            index.append(AbortedTxn { producer_id, first_offset, last_offset, last_stable_offset });
        }
        index
    }

    #[test]
    fn writes_javas_bytes() {
        let golden: &[u8] = include_bytes!("../../tests/golden/txn.txnindex");
        assert_eq!(sample().bytes(), golden);
        assert!(TransactionIndex::parse(Offset(100), golden).unwrap().entries().eq(sample().entries()));
    }

    #[test]
    fn finds_what_overlaps_and_knows_when_to_stop() {
        for (from, to, expected, complete) in [
            (100, 105, vec![1], true),
            (100, 106, vec![1, 5_000_000_000], true),
            (111, 115, vec![5_000_000_000], true),
            (120, 200, vec![5_000_000_000, 3], false),
            (131, 131, vec![], true),
            (131, 132, vec![], false),
        ] {
            let found = sample().search(Offset(from), Offset(to));
            let ids: Vec<_> = found.aborted.iter().map(|aborted| aborted.producer_id).collect();
            assert_eq!((ids, found.complete), (expected, complete), "{from}..{to}");
        }
    }

    #[test]
    fn truncates_at_an_offset() {
        for (offset, left) in [(110, 0), (111, 1), (120, 1), (131, 3)] {
            let mut index = sample();
            index.truncate(Offset(offset));
            assert_eq!(index.entries().count(), left, "{offset}");
        }
    }

    #[test]
    fn damage_is_found() {
        let sound = sample().bytes().to_vec();
        let with = |at: usize| {
            let mut bytes = sound.clone();
            bytes[at] ^= 0x80;
            bytes
        };
        for (base, bytes, position) in [
            (100, sound[..101].to_vec(), 101),
            (111, sound.clone(), 0),
            (100, with(0), 0),
            (100, with(34 + 18), 34),
            (100, [&sound[34..], &sound[..34]].concat(), 68),
        ] {
            assert_eq!(TransactionIndex::parse(Offset(base), bytes).unwrap_err().position, position);
        }
    }
}
