//! Asking the transaction's coordinator before the first batch of a transaction (KIP-890, `VerificationStateEntry.java`).
//!
//! The case that hurts: a client's batch is on its way, the coordinator says the transaction includes the partition,
//! meanwhile the transaction times out and its marker is written, and only then is the batch appended: a transaction
//! that nobody ends, and readers of committed data stop in front of it for good. So a guard is taken before the
//! coordinator is asked, and anything transactional that the same producer appends in between takes it away.

use std::collections::BTreeMap;

/// Producers of one partition that wait for their coordinators' word. Beyond it the oldest has to ask again.
const WAITING_MAX: usize = 10_000;

/// One attempt to begin a transaction in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerificationGuard(u64);

/// What an append says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// Nobody was asked: only a transaction that is open already goes on.
    None,
    /// The coordinator has confirmed the transaction, and this was taken before it was asked.
    Confirmed(VerificationGuard),
    /// `transaction.partition.verification.enable=false`: not asked for.
    Waived,
}

/// A producer whose coordinator is being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) guard: VerificationGuard,
    /// Of the epoch below: a batch with a higher number must not come first, or the lower one would never fit.
    pub(super) lowest_sequence: i32,
    pub(super) epoch: i16,
    /// Every transaction has an epoch of its own, so it begins with sequence number 0.
    pub(super) supports_epoch_bump: bool,
    since_ms: i64,
}

/// All of them, by producer id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Verifications {
    waiting: BTreeMap<i64, Waiting>,
    given: u64,
}

/// A batch that would begin a transaction.
#[derive(Debug, Clone, Copy)]
pub struct FirstBatch {
    /// Whose.
    pub producer_id: i64,
    /// Under which epoch.
    pub producer_epoch: i16,
    /// Its first sequence number, -1 from a coordinator.
    pub base_sequence: i32,
    /// The client speaks version 2 of the transaction protocol.
    pub supports_epoch_bump: bool,
}

impl Verifications {
    pub(super) fn get(&self, producer_id: i64) -> Option<&Waiting> {
        self.waiting.get(&producer_id)
    }

    /// The guard of a producer, given once until something of its transaction is appended.
    pub(super) fn begin(&mut self, first: FirstBatch, now_ms: i64) -> VerificationGuard {
        if let Some(waiting) = self.waiting.get_mut(&first.producer_id) {
            if first.producer_epoch == waiting.epoch {
                waiting.lowest_sequence = waiting.lowest_sequence.min(first.base_sequence);
            } else if first.producer_epoch > waiting.epoch {
                (waiting.epoch, waiting.lowest_sequence) = (first.producer_epoch, first.base_sequence);
            }
            return waiting.guard;
        }
        self.make_room();
        self.given += 1;
        let guard = VerificationGuard(self.given);
        let waiting = Waiting {
            guard,
            lowest_sequence: first.base_sequence,
            epoch: first.producer_epoch,
            supports_epoch_bump: first.supports_epoch_bump,
            since_ms: now_ms,
        };
        self.waiting.insert(first.producer_id, waiting);
        guard
    }

    fn make_room(&mut self) {
        if self.waiting.len() >= WAITING_MAX
            && let Some(oldest) = self.waiting.iter().min_by_key(|(_, waiting)| waiting.guard.0).map(|(id, _)| *id)
        {
            self.waiting.remove(&oldest);
        }
    }

    /// Something of a transaction of the producer was appended; a marker has an epoch. In version 2 of the protocol the
    /// marker of a transaction has the epoch that the next one is written under: that one is then still to begin, and its
    /// producer may have been told so while the marker was on its way.
    pub(super) fn end(&mut self, producer_id: i64, marker_epoch: Option<i16>) {
        let next = |waiting: &Waiting| waiting.supports_epoch_bump && Some(waiting.epoch) == marker_epoch;
        if !self.get(producer_id).is_some_and(next) {
            self.waiting.remove(&producer_id);
        }
    }

    pub(super) fn remove_expired(&mut self, now_ms: i64, expiration_ms: i64) {
        self.waiting.retain(|_, waiting| now_ms.saturating_sub(waiting.since_ms) < expiration_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(producer_id: i64, producer_epoch: i16, base_sequence: i32) -> FirstBatch {
        FirstBatch { producer_id, producer_epoch, base_sequence, supports_epoch_bump: true }
    }

    #[test]
    fn a_guard_stays_the_same_until_the_transaction_writes() {
        let mut verifications = Verifications::default();
        let guard = verifications.begin(first(7, 0, 5), 0);
        assert_eq!(verifications.begin(first(7, 0, 3), 1), guard, "the retry of a batch");
        assert_eq!(verifications.get(7).map(|waiting| waiting.lowest_sequence), Some(3));
        assert_eq!(verifications.begin(first(7, 1, 9), 1), guard);
        assert_eq!(verifications.get(7).map(|waiting| waiting.lowest_sequence), Some(9), "a new epoch counts anew");
        verifications.end(7, None);
        assert_ne!(verifications.begin(first(7, 1, 0), 2), guard);
    }

    #[test]
    fn a_marker_takes_the_guard_away_unless_it_ends_the_transaction_before() {
        let check = |supports_epoch_bump: bool, marker_epoch: Option<i16>, stays: bool| {
            let mut verifications = Verifications::default();
            let guard = verifications.begin(FirstBatch { supports_epoch_bump, ..first(7, 3, 0) }, 0);
            verifications.end(7, marker_epoch);
            let left = verifications.get(7).map(|waiting| waiting.guard);
            assert_eq!(left, stays.then_some(guard), "{supports_epoch_bump} {marker_epoch:?}");
        };
        check(true, Some(3), true);
        // The transaction that was to begin was ended by its coordinator.
        check(true, Some(4), false);
        // Epochs stay from one transaction to the next: it may have been this one's.
        check(false, Some(3), false);
        check(true, None, false);
    }

    #[test]
    fn those_who_wait_are_bounded() {
        let mut verifications = Verifications::default();
        (0..=WAITING_MAX as i64).for_each(|producer_id| {
            verifications.begin(first(producer_id, 0, 0), 5);
        });
        assert_eq!(verifications.waiting.len(), WAITING_MAX);
        assert!(verifications.get(0).is_none() && verifications.get(1).is_some(), "the oldest went");
        verifications.remove_expired(10, 5);
        assert!(verifications.waiting.is_empty());
    }
}
