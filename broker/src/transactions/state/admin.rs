//! Listing and describing transactions, and forgetting transactional ids that nobody uses any more.

use std::rc::Rc;

use protocol::ErrorCode;
use protocol::messages::describe_transactions::{TopicData, TransactionState as Described};
use regex::Regex;

use super::{Append, Effects, Entry, Status, Then, TransactionRecord, TransactionState};

/// Ids forgotten with one batch of tombstones.
const FORGOTTEN_MAX: usize = 1_000;

/// Which transactions ListTransactions wants; an empty list is no filter.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    statuses: Option<Vec<Status>>,
    producer_ids: Vec<i64>,
    /// Open for longer than this; negative is no filter.
    duration_ms: i64,
    pattern: Option<Regex>,
}

/// A line of ListTransactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The id.
    pub transactional_id: String,
    /// Its producer.
    pub producer_id: i64,
    /// Name of the status.
    pub status: &'static str,
}

impl ListFilter {
    /// From a request; also the names of states that nobody knows. A pattern that is none is
    /// INVALID_REGULAR_EXPRESSION.
    pub fn new(
        states: &[String],
        producer_ids: Vec<i64>,
        duration_ms: i64,
        pattern: Option<&str>,
    ) -> Result<(ListFilter, Vec<String>), ErrorCode> {
        let known: Vec<Status> = states.iter().filter_map(|name| Status::from_name(name)).collect();
        let unknown = states.iter().filter(|name| Status::from_name(name).is_none()).cloned().collect();
        let compile = |pattern: &str| Regex::new(&format!("^(?:{pattern})$"));
        let pattern = pattern.filter(|pattern| !pattern.is_empty()).map(compile).transpose();
        let pattern = pattern.map_err(|_| ErrorCode::INVALID_REGULAR_EXPRESSION)?;
        let statuses = (!states.is_empty()).then_some(known);
        Ok((ListFilter { statuses, producer_ids, duration_ms, pattern }, unknown))
    }

    fn wants(&self, id: &str, entry: &Entry, now_ms: i64) -> bool {
        let now = &entry.now;
        entry.pending != Some(Status::Dead)
            && (self.producer_ids.is_empty() || self.producer_ids.contains(&now.producer_id))
            && self.statuses.as_ref().is_none_or(|statuses| statuses.contains(&now.status))
            && (self.duration_ms < 0 || now_ms.saturating_sub(now.start_ms) > self.duration_ms)
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(id))
    }
}

impl TransactionState {
    /// The transactions `filter` lets through.
    pub fn list(&self, filter: &ListFilter, now_ms: i64) -> Vec<Listed> {
        let wanted = self.entries.iter().filter(|(id, entry)| filter.wants(id, entry, now_ms));
        let listed = wanted.map(|(id, entry)| Listed {
            transactional_id: id.to_string(),
            producer_id: entry.now.producer_id,
            status: entry.now.status.name(),
        });
        listed.collect()
    }

    /// Describes a transaction; an unknown id is TRANSACTIONAL_ID_NOT_FOUND.
    pub fn describe(&self, transactional_id: &str) -> Result<Described, ErrorCode> {
        let known = self.entries.get(transactional_id).filter(|entry| entry.pending != Some(Status::Dead));
        let now = &known.ok_or(ErrorCode::TRANSACTIONAL_ID_NOT_FOUND)?.now;
        let mut topics: Vec<TopicData> = Vec::new();
        for (topic, partition) in &now.partitions {
            match topics.last_mut().filter(|last| last.topic == **topic) {
                Some(last) => last.partitions.push(*partition),
                None => topics.push(TopicData { topic: topic.to_string(), partitions: vec![*partition] }),
            }
        }
        Ok(Described {
            transactional_id: transactional_id.to_owned(),
            transaction_state: now.status.name().to_owned(),
            transaction_timeout_ms: now.timeout_ms,
            transaction_start_time_ms: now.start_ms,
            producer_id: now.producer_id,
            producer_epoch: now.producer_epoch,
            topics,
            ..Default::default()
        })
    }

    /// Forgets transactional ids that nobody has used for `transactional.id.expiration.ms`.
    pub fn expire(&mut self, now_ms: i64, effects: &mut Effects) {
        let oldest_ms = now_ms.saturating_sub(self.settings.id_expiration_ms);
        let expired = self.entries.iter_mut().filter(|(_, entry)| {
            entry.pending.is_none() && entry.now.status.is_idle() && entry.now.update_ms <= oldest_ms
        });
        let expired: Vec<Rc<str>> = expired
            .map(|(id, entry)| {
                entry.pending = Some(Status::Dead);
                id.clone()
            })
            .collect();
        for ids in expired.chunks(FORGOTTEN_MAX) {
            let tombstone = |id: &Rc<str>| TransactionRecord { transactional_id: id.clone(), value: None };
            let records = ids.iter().map(tombstone).collect();
            effects.appends.push(Append::new(records, Then::Forget(ids.to_vec())));
        }
    }

    pub(super) fn forgotten(&mut self, ids: Vec<Rc<str>>, outcome: Result<(), ErrorCode>) {
        for id in ids {
            let dead = self.entries.get_mut(&id).filter(|entry| entry.pending == Some(Status::Dead));
            match (dead, outcome) {
                (Some(_), Ok(())) => self.remove(&id),
                (Some(entry), Err(_)) => entry.pending = None,
                (None, _) => {}
            }
        }
    }
}
