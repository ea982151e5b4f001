//! Everything one `__transaction_state` partition says: its transactional ids, as one state machine.
//!
//! Events and the time go in; effects come out. A change is pending while its record is on its way, and nothing else may
//! happen to the transactional id meanwhile; the request that asked for it is answered when the record is durable
//! ([`StateMachine::appended`]). The order of the checks is Kafka's, it decides which error a client sees
//! (TransactionCoordinator.scala).
//!
//! Only a completion counts before its record is durable. It says nothing that the record of the end and the markers, all
//! durable by then, do not say: a crash takes it back to markers that are written once more, and to the very same
//! completion. What follows stands behind it in the same log, so that it cannot become durable alone; and the record that
//! begins the next transaction goes with the same commit.

mod admin;
mod end;

use std::collections::BTreeMap;
use std::rc::Rc;

use protocol::ErrorCode;

use super::effects::{Append, Effects, Ended, Then};
use super::records::TransactionRecord;
use super::settings::TransactionSettings;
use super::transaction::{Status, Transaction};
use super::{TRANSACTION_VERSION, TopicPartition};
use crate::coordinator::StateMachine;
use crate::internal_topics::TRANSACTION_STATE_TOPIC;

pub use admin::{ListFilter, Listed};
pub use end::EndEvent;

/// Why nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// What the client is told.
    Code(ErrorCode),
    /// A producer id is needed and there was none: ask for one and come again.
    NeedsProducerId,
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Refusal {
        Refusal::Code(code)
    }
}

/// Who a request says it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Producer {
    /// Its id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
}

/// An InitProducerId request with a transactional id.
#[derive(Debug, Clone, Copy)]
pub struct InitEvent {
    /// How long a transaction may stay open.
    pub timeout_ms: i32,
    /// Who the producer was, if it says so (KIP-360).
    pub expected: Option<Producer>,
    /// A fresh producer id, in case one is needed.
    pub fresh_id: Option<i64>,
}

/// What to tell the client once everything asked for is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initialised {
    /// Write as this producer.
    As(Producer),
    /// An open transaction was aborted first: come again.
    Retry,
}

#[derive(Debug)]
struct Entry {
    now: Transaction,
    /// A change to this status is on its way to disk, or waits for markers.
    pending: Option<Status>,
    /// It is complete, and no record that says so, or that follows, is durable.
    owed: bool,
}

/// The transactional ids of one `__transaction_state` partition.
#[derive(Debug)]
pub struct TransactionState {
    settings: TransactionSettings,
    entries: BTreeMap<Rc<str>, Entry>,
    bytes: usize,
}

impl TransactionState {
    /// An empty partition.
    pub fn new(settings: TransactionSettings) -> TransactionState {
        TransactionState { settings, entries: BTreeMap::new(), bytes: 0 }
    }

    /// How many transactional ids there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is recorded of a transactional id.
    pub fn get(&self, transactional_id: &str) -> Option<&Transaction> {
        self.entries.get(transactional_id).map(|entry| &entry.now)
    }

    /// A producer begins anew under a transactional id; whoever used it before is fenced.
    pub fn init_producer_id(
        &mut self,
        transactional_id: &str,
        event: InitEvent,
        now_ms: i64,
        effects: &mut Effects,
    ) -> Result<Initialised, Refusal> {
        if event.timeout_ms <= 0 || event.timeout_ms > self.settings.timeout_ms_max {
            return Err(ErrorCode::INVALID_TRANSACTION_TIMEOUT.into());
        }
        if !self.entries.contains_key(transactional_id) {
            self.create(transactional_id, event, now_ms)?;
        }
        let (id, entry) = self.find(transactional_id)?;
        if entry.pending.is_some() {
            return Err(ErrorCode::CONCURRENT_TRANSACTIONS.into());
        }
        let now = &entry.now;
        if event.expected.is_some_and(|expected| !now.accepts(expected.id, expected.epoch)) {
            return Err(ErrorCode::PRODUCER_FENCED.into());
        }
        match now.status {
            Status::PrepareCommit | Status::PrepareAbort => Err(ErrorCode::CONCURRENT_TRANSACTIONS.into()),
            // The epoch of this abort is never told: the client comes again and gets a higher one.
            Status::Ongoing => self.abort(&id, event.fresh_id, now_ms, effects).map(|()| Initialised::Retry),
            _ => {
                let next = initialised(now, event, now_ms)?;
                let producer = Producer { id: next.producer_id, epoch: next.producer_epoch };
                self.change(&id, next, effects);
                Ok(Initialised::As(producer))
            }
        }
    }

    fn create(&mut self, transactional_id: &str, event: InitEvent, now_ms: i64) -> Result<(), Refusal> {
        if self.bytes > self.settings.state_bytes_max {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE.into());
        }
        let fresh_id = event.fresh_id.ok_or(Refusal::NeedsProducerId)?;
        self.put(transactional_id.into(), Transaction::new(fresh_id, event.timeout_ms, now_ms));
        Ok(())
    }

    /// Partitions join the transaction, or begin it; done when what is asked for is durable.
    pub fn add_partitions(
        &mut self,
        transactional_id: &str,
        producer: Producer,
        partitions: &[TopicPartition],
        client_version: i16,
        now_ms: i64,
        effects: &mut Effects,
    ) -> Result<(), ErrorCode> {
        let (id, entry) = self.find(transactional_id)?;
        if entry.pending.is_some() {
            return Err(ErrorCode::CONCURRENT_TRANSACTIONS);
        }
        check_producer(&entry.now, producer)?;
        let known = |partition| entry.now.partitions.contains(partition);
        if entry.now.status == Status::Ongoing && partitions.iter().all(known) {
            return Ok(());
        }
        let next = entry.now.with_partitions(partitions, client_version, now_ms);
        self.change(&id, next, effects);
        Ok(())
    }

    /// Whether partitions are part of the transaction; one answer each. A change on its way does not matter: what is
    /// said here is checked once more when the batch is appended.
    pub fn verify_partitions(
        &self,
        transactional_id: &str,
        producer: Producer,
        partitions: &[TopicPartition],
    ) -> Result<Vec<bool>, ErrorCode> {
        let now = self.get(transactional_id).ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        check_producer(now, producer)?;
        Ok(partitions.iter().map(|partition| now.partitions.contains(partition)).collect())
    }

    fn became(&mut self, id: &Rc<str>, next: Transaction, now_ms: i64, effects: &mut Effects) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        self.bytes = self.bytes + next.bytes() - entry.now.bytes();
        entry.pending = None;
        entry.owed = false;
        entry.now = next;
        if entry.now.status.is_prepared() {
            self.send_markers(id, now_ms, effects);
        }
    }

    /// What was asked for did not happen; where the completion before it is owed, that has to be recorded all the same.
    fn refused(&mut self, id: &Rc<str>, code: ErrorCode, effects: &mut Effects) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.pending = None;
        if entry.owed && code != ErrorCode::NOT_COORDINATOR {
            effects.retries.push(id.clone());
        }
    }

    /// The record of a completion is durable, or was refused: then what follows it may have been recorded, or may be on its
    /// way.
    fn completion_appended(&mut self, id: &Rc<str>, outcome: Result<(), ErrorCode>, effects: &mut Effects) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        match outcome {
            Ok(()) => entry.owed = false,
            Err(ErrorCode::NOT_COORDINATOR) => {}
            Err(_) if entry.owed && entry.pending.is_none() => effects.retries.push(id.clone()),
            Err(_) => {}
        }
    }

    fn find(&self, transactional_id: &str) -> Result<(Rc<str>, &Entry), ErrorCode> {
        let found = self.entries.get_key_value(transactional_id).ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        Ok((found.0.clone(), found.1))
    }

    fn put(&mut self, id: Rc<str>, now: Transaction) {
        self.bytes += id.len() + now.bytes();
        if let Some(previous) = self.entries.insert(id.clone(), Entry { now, pending: None, owed: false }) {
            self.bytes -= id.len() + previous.now.bytes();
        }
    }

    fn remove(&mut self, id: &str) {
        if let Some(previous) = self.entries.remove(id) {
            self.bytes -= id.len() + previous.now.bytes();
        }
    }

    /// Records `next`; it is pending until that is durable.
    fn change(&mut self, id: &Rc<str>, next: Transaction, effects: &mut Effects) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.pending = Some(next.status);
        let record = TransactionRecord { transactional_id: id.clone(), value: Some(next.clone()) };
        let then = Then::Become { transactional_id: id.clone(), next: Box::new(next) };
        effects.appends.push(Append::new(vec![record], then));
    }

    /// The end is durable: every partition learns of it. Pending until all have, so that nothing else happens to the id.
    fn send_markers(&mut self, id: &Rc<str>, now_ms: i64, effects: &mut Effects) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let now = &entry.now;
        entry.pending =
            Some(if now.status == Status::PrepareCommit { Status::CompleteCommit } else { Status::CompleteAbort });
        if now.partitions.is_empty() {
            return self.complete(id, now_ms, effects);
        }
        effects.ended.push(Ended {
            transactional_id: id.clone(),
            producer_id: now.producer_id,
            producer_epoch: now.producer_epoch,
            commit: now.status == Status::PrepareCommit,
            client_version: now.client_version,
            partitions: now.partitions.iter().cloned().collect(),
        });
    }

    /// Every partition has its marker.
    fn complete(&mut self, id: &Rc<str>, now_ms: i64, effects: &mut Effects) {
        let Some(entry) = self.entries.get_mut(id).filter(|entry| entry.now.status.is_prepared()) else { return };
        let next = entry.now.completed(now_ms);
        self.bytes = self.bytes + next.bytes() - entry.now.bytes();
        (entry.now, entry.pending, entry.owed) = (next, None, true);
        self.record_completion(id, effects);
    }

    fn record_completion(&mut self, id: &Rc<str>, effects: &mut Effects) {
        let Some(entry) = self.entries.get(id) else { return };
        let record = TransactionRecord { transactional_id: id.clone(), value: Some(entry.now.clone()) };
        effects.appends.push(Append::new(vec![record], Then::Complete(id.clone())));
    }
}

impl StateMachine for TransactionState {
    const TOPIC: &'static str = TRANSACTION_STATE_TOPIC;
    type Record = TransactionRecord;
    type Then = Then;
    type Effects = Effects;

    fn replay(&mut self, record: TransactionRecord, _: i64) {
        match record.value {
            Some(value) => self.put(record.transactional_id, value),
            None => self.remove(&record.transactional_id),
        }
    }

    fn loaded(&mut self, now_ms: i64, effects: &mut Effects) {
        let prepared = self.entries.iter().filter(|(_, entry)| entry.now.status.is_prepared());
        let prepared: Vec<Rc<str>> = prepared.map(|(id, _)| id.clone()).collect();
        prepared.iter().for_each(|id| self.send_markers(id, now_ms, effects));
    }

    fn appended(&mut self, append: Append, outcome: Result<(), ErrorCode>, now_ms: i64, effects: &mut Effects) {
        match append.then {
            Then::Become { transactional_id, next } => match outcome {
                Ok(()) => self.became(&transactional_id, *next, now_ms, effects),
                Err(code) => self.refused(&transactional_id, code, effects),
            },
            Then::Complete(id) => self.completion_appended(&id, outcome, effects),
            Then::Forget(ids) => self.forgotten(ids, outcome),
        }
    }

    fn summary(&self) -> String {
        let completing = self.entries.values().filter(|entry| entry.now.status.is_prepared()).count();
        format!("{} transactional ids, {completing} of them to be completed", self.entries.len())
    }
}

fn initialised(now: &Transaction, event: InitEvent, now_ms: i64) -> Result<Transaction, Refusal> {
    let expected = event.expected.map(|producer| producer.epoch);
    if now.is_epoch_exhausted() && expected.is_none_or(|epoch| epoch == now.producer_epoch) {
        let fresh_id = event.fresh_id.ok_or(Refusal::NeedsProducerId)?;
        return Ok(now.with_next_id(fresh_id, event.timeout_ms, expected.is_some(), now_ms));
    }
    Ok(now.with_next_epoch(event.timeout_ms, expected, now_ms)?)
}

/// The checks a request of a producer passes that wants to go on with its transaction.
fn check_producer(now: &Transaction, producer: Producer) -> Result<(), ErrorCode> {
    if now.producer_id != producer.id {
        return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
    }
    if now.producer_epoch != producer.epoch {
        return Err(ErrorCode::PRODUCER_FENCED);
    }
    if now.status.is_prepared() { Err(ErrorCode::CONCURRENT_TRANSACTIONS) } else { Ok(()) }
}
