//! Where each leader's reign began in a partition (KIP-101), and the file that keeps it.
//!
//! The file is Kafka's `leader-epoch-checkpoint`: lines of text, version 0, the number of entries, then epoch and start
//! offset an entry. Rules: `LeaderEpochFileCache.java`.

use std::fmt::Write;

use crate::error::FormatError;
use crate::ids::{LeaderEpoch, Offset};

/// Name of the file in the partition's directory.
pub const LEADER_EPOCH_FILE: &str = "leader-epoch-checkpoint";

/// The start of a reign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochEntry {
    /// Which.
    pub epoch: LeaderEpoch,
    /// Its first offset.
    pub start_offset: Offset,
}

/// All reigns of which the log still has records; epochs and offsets both ascend. Grows by one an election and shrinks
/// with retention.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    entries: Vec<EpochEntry>,
}

impl LeaderEpochs {
    /// Takes note of the epoch a batch was appended under, before the batch is. Returns whether that was news. Entries
    /// that contradict it (a higher epoch, or the same offset) go. Batches without an epoch (-1) say nothing.
    pub fn assign(&mut self, epoch: LeaderEpoch, start_offset: Offset) -> bool {
        let known = self.latest().is_some_and(|last| last.epoch == epoch && start_offset >= last.start_offset);
        if known || epoch.0 < 0 || start_offset.0 < 0 {
            return false;
        }
        let contradicts = |last: &EpochEntry| last.epoch >= epoch || last.start_offset >= start_offset;
        while self.entries.last().is_some_and(contradicts) {
            self.entries.pop();
        }
        self.entries.push(EpochEntry { epoch, start_offset });
        true
    }

    /// The current reign.
    #[must_use]
    pub fn latest(&self) -> Option<EpochEntry> {
        self.entries.last().copied()
    }

    /// All of them in order.
    #[must_use]
    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    /// Where a requested epoch ended here: the largest known epoch not above it, and the first offset that is not that
    /// epoch's any more. `None` if the request is from the future or nothing is known.
    #[must_use]
    pub fn end_offset_for(&self, requested: LeaderEpoch, log_end: Offset) -> Option<(LeaderEpoch, Offset)> {
        if requested.0 < 0 {
            return None;
        }
        if self.latest().is_some_and(|last| last.epoch == requested) {
            return Some((requested, log_end));
        }
        let above = self.entries.partition_point(|entry| entry.epoch <= requested);
        let end = self.entries.get(above)?.start_offset;
        // Below all that is left: its records are gone, the log starts where the next epoch does.
        let floor = above.checked_sub(1).map_or(requested, |number| self.entries[number].epoch);
        Some((floor, end))
    }

    /// The epoch an offset was written under.
    #[must_use]
    pub fn epoch_for_offset(&self, offset: Offset) -> Option<LeaderEpoch> {
        let above = self.entries.partition_point(|entry| entry.start_offset <= offset);
        above.checked_sub(1).map(|number| self.entries[number].epoch)
    }

    /// The log now starts at `log_start`: its first reign starts there, earlier ones go. Returns whether that changed
    /// anything.
    pub fn truncate_from_start(&mut self, log_start: Offset) -> bool {
        let above = self.entries.partition_point(|entry| entry.start_offset <= log_start);
        let Some(first) = above.checked_sub(1) else { return false };
        let changed = first > 0 || self.entries[0].start_offset != log_start;
        self.entries.drain(..first);
        self.entries[0].start_offset = log_start;
        changed
    }

    /// The log now ends at `log_end`: reigns that began there or later go. Returns whether that changed anything.
    pub fn truncate_from_end(&mut self, log_end: Offset) -> bool {
        let keep = self.entries.partition_point(|entry| entry.start_offset < log_end);
        let changed = keep < self.entries.len();
        self.entries.truncate(keep);
        changed
    }

    /// The file's text.
    #[must_use]
    pub fn to_checkpoint(&self) -> String {
        let mut text = format!("0\n{}\n", self.entries.len());
        for entry in &self.entries {
            writeln!(text, "{} {}", entry.epoch.0, entry.start_offset.0).expect("writing to a string cannot fail");
        }
        text
    }

    /// Reads the file. An empty one is a new one; a missing or surplus line, or entries out of order, are damage.
    pub fn parse_checkpoint(text: &str) -> Result<LeaderEpochs, FormatError> {
        let damaged = |reason| FormatError::new(0, reason);
        let mut lines = text.lines();
        match lines.next() {
            None => return Ok(LeaderEpochs::default()),
            Some("0") => {}
            Some(_) => return Err(damaged("the leader epoch checkpoint is of an unknown version")),
        }
        let Some(count) = lines.next() else { return Ok(LeaderEpochs::default()) };
        let count: usize = count.parse().map_err(|_| damaged("the leader epoch checkpoint has no count"))?;
        let mut epochs = LeaderEpochs::default();
        for line in lines {
            let entry = parse_line(line).ok_or(damaged("a line of the leader epoch checkpoint is malformed"))?;
            let ascends = |last: EpochEntry| last.epoch < entry.epoch && last.start_offset < entry.start_offset;
            if !epochs.latest().is_none_or(ascends) {
                return Err(damaged("the leader epoch checkpoint is out of order"));
            }
            epochs.entries.push(entry);
        }
        if epochs.entries.len() == count { Ok(epochs) } else { Err(damaged("the leader epoch checkpoint is cut")) }
    }
}

fn parse_line(line: &str) -> Option<EpochEntry> {
    let mut words = line.split_ascii_whitespace();
    let (epoch, offset): (i32, i64) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let sound = words.next().is_none() && epoch >= 0 && offset >= 0;
    sound.then_some(EpochEntry { epoch: LeaderEpoch(epoch), start_offset: Offset(offset) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        let entry =
            |(epoch, offset): &(i32, i64)| EpochEntry { epoch: LeaderEpoch(*epoch), start_offset: Offset(*offset) };
        LeaderEpochs { entries: entries.iter().map(entry).collect() }
    }

    #[test]
    fn an_epoch_is_noted_once_and_contradictions_go() {
        for (epoch, offset, news, expected) in [
            (4, 30, false, &[(0, 0), (2, 10), (4, 20)][..]),
            (4, 20, false, &[(0, 0), (2, 10), (4, 20)]),
            (5, 30, true, &[(0, 0), (2, 10), (4, 20), (5, 30)]),
            (5, 20, true, &[(0, 0), (2, 10), (5, 20)]),
            (5, 5, true, &[(0, 0), (5, 5)]),
            (4, 15, true, &[(0, 0), (2, 10), (4, 15)]),
            (3, 30, true, &[(0, 0), (2, 10), (3, 30)]),
            (0, 0, true, &[(0, 0)]),
            (-1, 30, false, &[(0, 0), (2, 10), (4, 20)]),
        ] {
            let mut cache = epochs(&[(0, 0), (2, 10), (4, 20)]);
            assert_eq!(cache.assign(LeaderEpoch(epoch), Offset(offset)), news, "{epoch} {offset}");
            assert_eq!(cache, epochs(expected), "{epoch} {offset}");
        }
    }

    #[test]
    fn end_offsets_are_kafkas() {
        let cache = epochs(&[(2, 10), (4, 20), (7, 35)]);
        for (requested, expected) in [
            (-1, None),
            (0, Some((0, 10))),
            (2, Some((2, 20))),
            (3, Some((2, 20))),
            (4, Some((4, 35))),
            (6, Some((4, 35))),
            (7, Some((7, 99))),
            (8, None),
        ] {
            let expected = expected.map(|(epoch, offset)| (LeaderEpoch(epoch), Offset(offset)));
            assert_eq!(cache.end_offset_for(LeaderEpoch(requested), Offset(99)), expected, "{requested}");
        }
        assert_eq!(epochs(&[]).end_offset_for(LeaderEpoch(0), Offset(9)), None);
    }

    #[test]
    fn offsets_have_epochs() {
        let cache = epochs(&[(2, 10), (4, 20)]);
        let found = [9, 10, 19, 20, 500].map(|offset| cache.epoch_for_offset(Offset(offset)).map(|epoch| epoch.0));
        assert_eq!(found, [None, Some(2), Some(2), Some(4), Some(4)]);
    }

    #[test]
    fn truncation_from_both_ends() {
        let sample = [(2, 10), (4, 20), (7, 35)];
        for (start, expected) in
            [(5, &sample[..]), (10, &sample), (11, &[(2, 11), (4, 20), (7, 35)]), (20, &sample[1..]), (90, &[(7, 90)])]
        {
            let mut cache = epochs(&sample);
            assert_eq!(cache.truncate_from_start(Offset(start)), expected != sample, "{start}");
            assert_eq!(cache, epochs(expected), "{start}");
        }
        for (end, left) in [(5, 0), (10, 0), (11, 1), (35, 2), (36, 3)] {
            let mut cache = epochs(&sample);
            assert_eq!(cache.truncate_from_end(Offset(end)), left < 3, "{end}");
            assert_eq!(cache, epochs(&sample[..left]), "{end}");
        }
    }

    #[test]
    fn the_file_is_javas() {
        let golden = include_str!("../tests/golden/leader-epoch-checkpoint");
        let expected = epochs(&[(0, 0), (3, 17), (4, 5_000_000_000)]);
        assert_eq!(expected.to_checkpoint(), golden);
        assert_eq!(LeaderEpochs::parse_checkpoint(golden), Ok(expected));
    }

    #[test]
    fn damaged_files_are_refused_and_new_ones_empty() {
        for text in [
            "1\n0\n",
            "0\nx\n",
            "0\n1\n",
            "0\n1\n1 2 3\n",
            "0\n1\n1\n",
            "0\n1\n-1 2\n",
            "0\n1\n1 -2\n",
            "0\n0\n1 2\n",
            "0\n2\n2 2\n1 3\n",
            "0\n2\n1 3\n2 3\n",
            "0\n1\n\n",
        ] {
            assert!(LeaderEpochs::parse_checkpoint(text).is_err(), "{text:?}");
        }
        for text in ["", "0\n", "0\n0\n"] {
            assert_eq!(LeaderEpochs::parse_checkpoint(text), Ok(LeaderEpochs::default()));
        }
    }
}
