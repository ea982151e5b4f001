//! What a state machine asks of the world: records, and markers in the partitions of a transaction that ended.

use std::rc::Rc;

use super::TopicPartition;
use super::records::TransactionRecord;
use super::transaction::Transaction;
use crate::coordinator;

/// What becomes of a transactional id once its record is durable, or was refused.
#[derive(Debug, Clone, PartialEq)]
pub enum Then {
    /// It takes this value.
    Become {
        /// The id.
        transactional_id: Rc<str>,
        /// What was recorded.
        next: Box<Transaction>,
    },
    /// Its transaction has been complete since the last marker; see [`super::state`].
    Complete(Rc<str>),
    /// They are forgotten.
    Forget(Vec<Rc<str>>),
}

/// Records to append together, and what follows.
pub type Append = coordinator::Append<TransactionRecord, Then>;

/// A transaction whose end every one of its partitions must learn of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The id.
    pub transactional_id: Rc<str>,
    /// Its producer.
    pub producer_id: i64,
    /// The epoch of the markers.
    pub producer_epoch: i16,
    /// Commit, else abort.
    pub commit: bool,
    /// Version of the transaction protocol it was under.
    pub client_version: i16,
    /// Where markers are needed.
    pub partitions: Vec<TopicPartition>,
}

/// Everything one event asks for.
#[derive(Debug, Default)]
pub struct Effects {
    /// Appends to make; those of one transactional id come one at a time.
    pub appends: Vec<Append>,
    /// Markers to write, until every partition has one.
    pub ended: Vec<Ended>,
    /// Completions whose record was refused, to be tried again in a while.
    pub retries: Vec<Rc<str>>,
}
