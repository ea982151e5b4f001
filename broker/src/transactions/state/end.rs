//! How transactions end: by their producer, by time, by a producer that takes over; and what follows once every partition
//! has its marker.

use std::rc::Rc;

use protocol::ErrorCode;

use super::{Effects, Producer, Refusal, Status, TRANSACTION_VERSION, TopicPartition, Transaction, TransactionState};
use crate::transactions::transaction::{CLIENT_EPOCH_MAX, Ending, NO_PRODUCER_EPOCH, NO_PRODUCER_ID};

/// An EndTxn request.
#[derive(Debug, Clone, Copy)]
pub struct EndEvent {
    /// Who ends its transaction.
    pub producer: Producer,
    /// Commit, else abort.
    pub commit: bool,
    /// Version of the transaction protocol the client speaks: 0, or 2 from version 5 of the request on.
    pub client_version: i16,
    /// A fresh producer id, in case the epochs are used up.
    pub fresh_id: Option<i64>,
}

/// What an EndTxn request comes to, by the status the transaction is in.
enum Verdict {
    /// The end is recorded.
    End,
    /// It was done before.
    Done,
}

impl TransactionState {
    /// A producer commits or aborts. The answer, who to write as from now on, holds once what is asked for is durable.
    pub fn end(
        &mut self,
        transactional_id: &str,
        event: EndEvent,
        now_ms: i64,
        effects: &mut Effects,
    ) -> Result<Producer, Refusal> {
        let (id, entry) = self.find(transactional_id)?;
        let (now, pending) = (&entry.now, entry.pending.is_some());
        let bumps = event.client_version >= 2;
        let verdict = if bumps { judge_bumping(now, pending, event)? } else { judge(now, pending, event)? };
        let nobody = Producer { id: NO_PRODUCER_ID, epoch: NO_PRODUCER_EPOCH };
        if let Verdict::Done = verdict {
            let current = Producer { id: now.producer_id, epoch: now.producer_epoch };
            return Ok(if bumps { current } else { nobody });
        }
        let EndEvent { commit, client_version, fresh_id, .. } = event;
        let next_producer_id = next_id(now, client_version, fresh_id)?;
        let next = now.prepared(Ending { commit, client_version, next_producer_id }, now_ms);
        let completed = next.completed(now_ms);
        self.change(&id, next, effects);
        let bumped = Producer { id: completed.producer_id, epoch: completed.producer_epoch };
        Ok(if bumps { bumped } else { nobody })
    }

    /// Ends an open transaction in the coordinator's own name, which fences its producer: the epoch rises.
    pub(super) fn abort(
        &mut self,
        id: &Rc<str>,
        fresh_id: Option<i64>,
        now_ms: i64,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let (_, entry) = self.find(id)?;
        let next_producer_id = next_id(&entry.now, TRANSACTION_VERSION, fresh_id)?;
        let ending = Ending { commit: false, client_version: TRANSACTION_VERSION, next_producer_id };
        let next = entry.now.prepared(ending, now_ms);
        self.change(id, next, effects);
        Ok(())
    }

    /// Transactions that have been open for too long; to be given to [`TransactionState::abort_timed_out`].
    pub fn timed_out(&self, now_ms: i64) -> Vec<Rc<str>> {
        let late = self.entries.iter().filter(|(_, entry)| entry.pending.is_none() && entry.now.is_timed_out(now_ms));
        late.map(|(id, _)| id.clone()).collect()
    }

    /// Aborts a transaction that is still open for too long.
    pub fn abort_timed_out(
        &mut self,
        id: &Rc<str>,
        fresh_id: Option<i64>,
        now_ms: i64,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        match self.entries.get(id) {
            Some(entry) if entry.pending.is_none() && entry.now.is_timed_out(now_ms) => {
                self.abort(id, fresh_id, now_ms, effects)
            }
            _ => Ok(()),
        }
    }

    /// These partitions have their markers, durably, or are gone; `producer` is that of the markers. With the last one
    /// the transaction is complete.
    pub fn markers_written(
        &mut self,
        id: &Rc<str>,
        producer: Producer,
        done: &[TopicPartition],
        now_ms: i64,
        effects: &mut Effects,
    ) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let now = &mut entry.now;
        let current = Producer { id: now.producer_id, epoch: now.producer_epoch };
        if !now.status.is_prepared() || current != producer {
            return;
        }
        let before = now.bytes();
        now.partitions.retain(|partition| !done.contains(partition));
        self.bytes = self.bytes + now.bytes() - before;
        if now.partitions.is_empty() {
            self.complete(id, now_ms, effects);
        }
    }

    /// The record of a completion was refused a while ago: once more, unless something follows it already. If that is
    /// refused as well, this is asked for again.
    pub fn retry_completion(&mut self, id: &Rc<str>, effects: &mut Effects) {
        if self.entries.get(id).is_some_and(|entry| entry.owed && entry.pending.is_none()) {
            self.record_completion(id, effects);
        }
    }
}

/// The id to go on with when this end takes the last epoch.
fn next_id(now: &Transaction, client_version: i16, fresh_id: Option<i64>) -> Result<i64, Refusal> {
    if client_version < 2 || !now.is_epoch_exhausted() {
        return Ok(NO_PRODUCER_ID);
    }
    fresh_id.ok_or(Refusal::NeedsProducerId)
}

/// Clients that keep their epoch (endTransactionWithTV1): a retry can only be told by the status.
fn judge(now: &Transaction, pending: bool, event: EndEvent) -> Result<Verdict, ErrorCode> {
    if now.producer_id != event.producer.id {
        return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
    }
    if now.producer_epoch != event.producer.epoch {
        return Err(ErrorCode::PRODUCER_FENCED);
    }
    if pending {
        return Err(ErrorCode::CONCURRENT_TRANSACTIONS);
    }
    match (now.status, event.commit) {
        (Status::Ongoing, _) => Ok(Verdict::End),
        (Status::CompleteCommit, true) | (Status::CompleteAbort, false) => Ok(Verdict::Done),
        (Status::PrepareCommit, true) | (Status::PrepareAbort, false) => Err(ErrorCode::CONCURRENT_TRANSACTIONS),
        _ => Err(ErrorCode::INVALID_TXN_STATE),
    }
}

/// Clients that get a new epoch with every end (endTransaction): a retry still has the one before, or the last of an id
/// that has been replaced.
fn judge_bumping(now: &Transaction, pending: bool, event: EndEvent) -> Result<Verdict, ErrorCode> {
    let Producer { id, epoch } = event.producer;
    let overflowed = now.previous_producer_id == id && epoch == CLIENT_EPOCH_MAX && now.producer_epoch == 0;
    let bumped = i32::from(now.producer_epoch) == i32::from(epoch) + 1;
    let same = epoch == now.producer_epoch;
    let retry = bumped || overflowed;
    if pending {
        return Err(ErrorCode::CONCURRENT_TRANSACTIONS);
    }
    if now.producer_id != id && !overflowed {
        return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
    }
    let valid = match now.status {
        Status::Ongoing | Status::Empty | Status::Dead | Status::PrepareEpochFence => same,
        Status::PrepareCommit | Status::PrepareAbort => bumped,
        Status::CompleteCommit | Status::CompleteAbort => retry || same,
    };
    if !valid {
        return Err(ErrorCode::PRODUCER_FENCED);
    }
    match (now.status, event.commit) {
        (Status::Ongoing, _) => Ok(Verdict::End),
        (Status::CompleteCommit, true) | (Status::CompleteAbort, false) if retry => Ok(Verdict::Done),
        (Status::CompleteCommit | Status::CompleteAbort | Status::Empty, false) if !retry => Ok(Verdict::End),
        (Status::PrepareCommit, true) | (Status::PrepareAbort, false) => Err(ErrorCode::CONCURRENT_TRANSACTIONS),
        _ => Err(ErrorCode::INVALID_TXN_STATE),
    }
}
