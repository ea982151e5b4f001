//! What compaction has to know of transactions while it walks a log from its start (CleanedTransactionMetadata.java):
//! which data was aborted, and which markers say nothing any more because nothing of their transaction is left.

use std::collections::{BTreeMap, BTreeSet};

use protocol::records::{BatchHeader, ControlRecordType};

use crate::segment::AbortedTxn;

/// State of one walk.
#[derive(Debug, Default)]
pub(super) struct CleanedTransactions {
    /// Aborted transactions that the walk has not reached, by first offset.
    ahead: BTreeMap<(i64, i64), AbortedTxn>,
    /// Those it is within, by producer, and whether a batch of theirs was met.
    aborted: BTreeMap<i64, (AbortedTxn, bool)>,
    /// Producers of which a batch was met that is not aborted and whose marker is still to come.
    committed: BTreeSet<i64>,
}

/// What to do with a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    /// Nothing of its transaction was met: it may go, in time.
    Expendable,
    /// It stays. An abort also stays in the transaction index.
    Needed(Option<AbortedTxn>),
}

impl CleanedTransactions {
    /// A walk over a log in which these transactions were aborted.
    pub fn new(aborted: impl IntoIterator<Item = AbortedTxn>) -> CleanedTransactions {
        let ahead = aborted.into_iter().map(|one| ((one.first_offset.0, one.producer_id), one)).collect();
        CleanedTransactions { ahead, ..CleanedTransactions::default() }
    }

    /// The next batch is one of data: whether it was aborted.
    pub fn on_data(&mut self, header: &BatchHeader) -> bool {
        self.advance(header.last_offset());
        if !header.is_transactional() {
            return false;
        }
        if let Some((_, met)) = self.aborted.get_mut(&header.producer_id) {
            *met = true;
            return true;
        }
        self.committed.insert(header.producer_id);
        false
    }

    /// The next batch is a control batch; `record` is what its record says, `None` if compaction has emptied it.
    pub fn on_control(&mut self, header: &BatchHeader, record: Option<ControlRecordType>) -> Marker {
        self.advance(header.last_offset());
        match record {
            None => Marker::Expendable,
            Some(ControlRecordType::Abort) => match self.aborted.remove(&header.producer_id) {
                Some((aborted, true)) => Marker::Needed(Some(aborted)),
                Some((_, false)) | None => Marker::Expendable,
            },
            Some(ControlRecordType::Commit) if !self.committed.remove(&header.producer_id) => Marker::Expendable,
            Some(ControlRecordType::Commit | ControlRecordType::Other(_)) => Marker::Needed(None),
        }
    }

    fn advance(&mut self, offset: i64) {
        while let Some(entry) = self.ahead.first_entry().filter(|entry| entry.key().0 <= offset) {
            let aborted = entry.remove();
            self.aborted.entry(aborted.producer_id).or_insert((aborted, false));
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::records::Attributes;

    use super::*;
    use crate::ids::Offset;

    fn aborted(producer_id: i64, first: i64, last: i64) -> AbortedTxn {
        let [first_offset, last_offset, last_stable_offset] = [first, last, last + 1].map(Offset);
        AbortedTxn { producer_id, first_offset, last_offset, last_stable_offset }
    }

    /// A walk in words: `d` data, `t` transactional data, `a` abort, `c` commit, `e` an emptied marker; then the
    /// producer and the offset. Answers: `drop`, `keep`, and `index` for a marker that stays in the transaction index.
    fn check(known: &[AbortedTxn], walk: &[(&str, &str)]) {
        let mut transactions = CleanedTransactions::new(known.iter().copied());
        for (batch, expected) in walk {
            let (kind, place) = batch.split_at(1);
            let (producer, offset) = place.split_once('@').unwrap();
            let (producer_id, base_offset) = (producer.parse().unwrap(), offset.parse().unwrap());
            let attributes = Attributes(if kind == "d" { 0 } else { Attributes::TRANSACTIONAL });
            let header = BatchHeader { base_offset, producer_id, attributes, ..BatchHeader::default() };
            let marker = |marker| match marker {
                Marker::Expendable => "drop",
                Marker::Needed(None) => "keep",
                Marker::Needed(Some(_)) => "index",
            };
            let answer = match kind {
                "a" => marker(transactions.on_control(&header, Some(ControlRecordType::Abort))),
                "c" => marker(transactions.on_control(&header, Some(ControlRecordType::Commit))),
                "e" => marker(transactions.on_control(&header, None)),
                _ if transactions.on_data(&header) => "drop",
                _ => "keep",
            };
            assert_eq!(answer, *expected, "{batch}");
        }
    }

    #[test]
    fn aborted_data_goes_and_its_marker_one_walk_later() {
        let known = [aborted(1, 10, 12), aborted(2, 11, 20)];
        check(
            &known,
            &[
                ("t1@10", "drop"),
                ("t2@11", "drop"),
                ("a1@12", "index"),
                ("t1@13", "keep"),
                ("c1@14", "keep"),
                ("a2@20", "index"),
            ],
        );
        check(&known, &[("t2@11", "drop"), ("a1@12", "drop"), ("a2@20", "index")]);
    }

    #[test]
    fn a_producer_may_abort_commit_and_abort_again() {
        let known = [aborted(1, 0, 1), aborted(1, 4, 5)];
        check(
            &known,
            &[
                ("t1@0", "drop"),
                ("a1@1", "index"),
                ("t1@2", "keep"),
                ("c1@3", "keep"),
                ("t1@4", "drop"),
                ("a1@5", "index"),
            ],
        );
    }

    #[test]
    fn markers_without_data_are_expendable_and_others_leave_them_alone() {
        check(
            &[],
            &[
                ("c1@1", "drop"),
                ("d1@2", "keep"),
                ("c1@3", "drop"),
                ("t1@4", "keep"),
                ("e1@5", "drop"),
                ("c1@6", "keep"),
                ("a1@7", "drop"),
            ],
        );
    }
}
