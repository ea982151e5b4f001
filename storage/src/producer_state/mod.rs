//! What a partition knows of its idempotent and transactional producers (kafka.md 3.7).
//!
//! Each producer's last five batches, so that a retry is answered with the original's offsets and a gap is refused; its
//! epoch, so that a zombie is; and its open transaction, which holds back the last stable offset. Rules:
//! `ProducerAppendInfo.java`, `ProducerStateManager.java`. [`ProducerState::check`] decides and changes nothing;
//! [`ProducerState::apply`] is called once the batch is in the log.

mod check;
mod entry;
mod snapshot;
mod verification;

use std::collections::BTreeMap;

pub use check::{Admission, ProducerBatch, ProducerCheck, ProducerUpdate};
pub use entry::{BATCHES_KEPT, BatchMetadata, ProducerEntry};
pub use verification::{FirstBatch, Verification, VerificationGuard};

use crate::ids::Offset;
use crate::segment::AbortedTxn;
use verification::Verifications;

/// The producers of one partition. Grows with the producers that wrote within `producer.id.expiration.ms`
/// ([`ProducerState::remove_expired`]): about 200 bytes each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProducerState {
    producers: BTreeMap<i64, ProducerEntry>,
    /// Open transactions by first offset: the producer.
    ongoing: BTreeMap<Offset, i64>,
    /// Ended transactions whose marker is above the high watermark, by first offset: the marker's offset.
    unreplicated: BTreeMap<Offset, Offset>,
    /// Transactions about to begin, whose coordinators are being asked.
    verifications: Verifications,
    end_offset: Offset,
}

impl ProducerState {
    /// Of a log that starts at `offset` and has no records.
    #[must_use]
    pub fn new(offset: Offset) -> ProducerState {
        ProducerState { end_offset: offset, ..ProducerState::default() }
    }

    /// Decides whether a batch may be appended, and what will change; nothing has changed yet.
    pub fn check(&self, batch: &ProducerBatch, rules: ProducerCheck) -> Result<Admission, crate::AppendError> {
        let waiting = self.verifications.get(batch.producer_id);
        check::check(self.producers.get(&batch.producer_id), waiting, batch, rules)
    }

    /// Before the coordinator of a transaction is asked whether it includes this partition; `None` if the transaction is
    /// open here already, so that nobody has to be asked.
    pub fn begin_verification(&mut self, first: FirstBatch, now_ms: i64) -> Option<VerificationGuard> {
        let known = self.producers.get(&first.producer_id);
        let open = known.is_some_and(|entry| entry.has_open_transaction(first.producer_epoch));
        (!open).then(|| self.verifications.begin(first, now_ms))
    }

    /// The batch is in the log. If it ended a transaction with an abort, that is what belongs into the transaction index.
    pub fn apply(&mut self, update: ProducerUpdate) -> Option<AbortedTxn> {
        let ProducerUpdate { entry, started, ended, transactional, marker_epoch, end_offset } = update;
        let producer_id = entry.producer_id;
        if transactional {
            self.verifications.end(producer_id, marker_epoch);
        }
        self.producers.insert(producer_id, entry);
        if let Some(first_offset) = started {
            self.ongoing.insert(first_offset, producer_id);
        }
        self.end_offset = end_offset;
        ended.and_then(|ended| self.end_transaction(producer_id, ended))
    }

    /// A batch read back from the log: it was checked when it was appended, so it is taken as it is.
    pub fn replay(&mut self, batch: &ProducerBatch) -> Option<AbortedTxn> {
        self.apply(check::admit(self.producers.get(&batch.producer_id), batch))
    }

    /// The log's end moved by a batch without a producer.
    pub fn set_end_offset(&mut self, end_offset: Offset) {
        self.end_offset = end_offset;
    }

    /// The log end up to which batches are in here; what a snapshot is named after.
    #[must_use]
    pub fn end_offset(&self) -> Offset {
        self.end_offset
    }

    /// Where readers of committed data must stop if this is below the high watermark: the first record of a transaction
    /// that is open, or whose marker is not below the high watermark yet.
    #[must_use]
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        self.ongoing.keys().next().into_iter().chain(self.unreplicated.keys().next()).min().copied()
    }

    /// The first record of the oldest open transaction.
    #[must_use]
    pub fn first_undecided_offset(&self) -> Option<Offset> {
        self.ongoing.keys().next().copied()
    }

    /// Markers below the high watermark count from now on.
    pub fn on_high_watermark(&mut self, high_watermark: Offset) {
        self.unreplicated.retain(|_, marker| *marker >= high_watermark);
    }

    /// The log starts later. Producers stay: they expire by idle time, not with their data.
    pub fn on_log_start(&mut self, log_start: Offset) {
        self.unreplicated.retain(|_, marker| *marker >= log_start);
        self.end_offset = self.end_offset.max(log_start);
    }

    /// Forgets producers that wrote nothing for `expiration_ms`, unless they have an open transaction.
    pub fn remove_expired(&mut self, now_ms: i64, expiration_ms: i64) {
        self.producers.retain(|_, entry| !entry.is_expired(now_ms, expiration_ms));
        self.verifications.remove_expired(now_ms, expiration_ms);
    }

    /// One producer.
    #[must_use]
    pub fn producer(&self, producer_id: i64) -> Option<&ProducerEntry> {
        self.producers.get(&producer_id)
    }

    /// All producers by id (DescribeProducers).
    pub fn producers(&self) -> impl ExactSizeIterator<Item = &ProducerEntry> {
        self.producers.values()
    }

    /// Nothing to snapshot.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty() && self.unreplicated.is_empty()
    }

    fn end_transaction(&mut self, producer_id: i64, ended: check::EndedTransaction) -> Option<AbortedTxn> {
        self.ongoing.remove(&ended.first_offset);
        self.unreplicated.insert(ended.first_offset, ended.last_offset);
        let last_stable_offset = self.first_undecided_offset().unwrap_or(ended.last_offset.plus(1));
        let check::EndedTransaction { first_offset, last_offset, aborted } = ended;
        aborted.then_some(AbortedTxn { producer_id, first_offset, last_offset, last_stable_offset })
    }
}

#[cfg(test)]
mod tests;
