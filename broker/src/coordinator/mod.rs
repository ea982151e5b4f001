//! What every coordinator has in common: a state machine for each partition of an internal topic, kept by its records.
//!
//! A [`StateMachine`] is pure: it is made by replaying the records of its partition in the order of the log, and a change
//! asks for records to be appended; it hears of them again once they are durable, or were refused. The core that owns the
//! partition drives it ([`Driven`]). [`home`] is one partition on its core, [`loading`] reads it, [`writer`] appends, and
//! [`homes`] are all partitions of a core and the way to them.

pub mod home;
pub mod homes;
mod loading;
mod writer;

use std::fmt::Debug;
use std::rc::Rc;

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::records::{BatchBuilder, BatchError, NewRecord};
use storage::LogId;
use storage::producer_state::Verification;

use crate::config::BrokerConfig;
use crate::shard::Shard;
use crate::transactions::markers::Marker;
use crate::transactions::state::Producer;

pub use home::{Home, Settled};
pub use homes::Homes;
pub use writer::BATCH_BYTES_MAX;

/// A record of an internal topic; without a value, a tombstone.
pub trait InternalRecord: Debug + Sized + 'static {
    /// Why bytes are no record.
    type Error: std::error::Error + 'static;

    /// Size as a record of a batch, within a few bytes and never less.
    fn bytes(&self) -> usize;

    /// Key and value.
    fn encode(&self) -> (Bytes, Option<Bytes>);

    /// Reads a record of the log; `None` for a type or a version this build does not know.
    fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<Self>, Self::Error>;

    /// Adds the record to a batch.
    fn append_to(&self, batch: &mut BatchBuilder, now_ms: i64) -> Result<(), BatchError> {
        let (key, value) = self.encode();
        batch.append(NewRecord { timestamp_ms: now_ms, key: Some(&key), value: value.as_deref(), headers: &[] })
    }
}

/// Everything one partition of an internal topic says.
pub trait StateMachine: Sized + 'static {
    /// The topic.
    const TOPIC: &'static str;
    /// What its records are.
    type Record: InternalRecord;
    /// What becomes of the state once records are durable, or were refused.
    type Then: 'static;
    /// Everything one change asks for.
    type Effects: Default;

    /// Takes in one record of the log, in order, while the partition is loaded. A tombstone takes back what the records
    /// of its key said; one for a key of which nothing is known changes nothing, since compaction keeps tombstones longer
    /// than what they delete.
    fn replay(&mut self, record: Self::Record, now_ms: i64);

    /// The same for a record that a producer wrote as part of its transaction, which counts once that is committed. No
    /// coordinator writes so but that of groups; what a tool did is taken as any other record.
    fn replay_in_transaction(&mut self, record: Self::Record, _producer_id: i64, now_ms: i64) {
        self.replay(record, now_ms);
    }

    /// Takes in the end of a producer's transaction while the partition is loaded.
    fn replay_transaction_end(&mut self, _producer_id: i64, _commit: bool) {}

    /// The log was read to its end: what was interrupted goes on.
    fn loaded(&mut self, now_ms: i64, effects: &mut Self::Effects);

    /// An append is durable, or was refused with the code that clients are to see. Told in the order the appends were
    /// asked for.
    fn appended(
        &mut self,
        append: AppendOf<Self>,
        outcome: Result<(), ErrorCode>,
        now_ms: i64,
        effects: &mut Self::Effects,
    );

    /// The partition is taken away, or the broker stops: who waits is told to look for the coordinator again.
    fn close(&mut self, _now_ms: i64, _effects: &mut Self::Effects) {}

    /// What it holds, in a few words for the log.
    fn summary(&self) -> String;
}

/// A state machine as the core that owns its partition drives it.
pub trait Driven: StateMachine {
    /// Its records are links in a chain of commits that somebody waits for: none of them waits for company.
    const IN_HURRY: bool = false;

    /// The partitions of the topic on a core.
    fn homes(shard: &Shard) -> &Homes<Self>;

    /// The state of an empty partition.
    fn empty(shard: &Shard) -> Self;

    /// How much of the log is read at a time while it is loaded; between two reads others get the core.
    fn load_bytes_max(config: &BrokerConfig) -> usize;

    /// How long a request waits for its records, in milliseconds.
    fn write_timeout_ms(config: &BrokerConfig) -> i64;

    /// Runs a change with what the state is to know of the broker by then.
    fn informed<T>(&mut self, _shard: &Shard, change: impl FnOnce(&mut Self) -> T) -> T {
        change(self)
    }

    /// Does what a change asks for, but for the appends, which are returned.
    fn carry_out(shard: &Rc<Shard>, home: &Rc<Home<Self>>, effects: Self::Effects) -> Vec<AppendOf<Self>>;

    /// The core took charge of a partition, which may have to be read first.
    fn opened(_shard: &Rc<Shard>, _id: LogId) {}

    /// A partition was taken away from the core.
    fn closed(_shard: &Rc<Shard>, _id: LogId) {}
}

/// An append that a state machine asks for.
pub type AppendOf<S> = Append<<S as StateMachine>::Record, <S as StateMachine>::Then>;

/// Records to append to the partition, and what follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Append<R, T> {
    /// Appended together, in this order. Shared with the state machine, which may have to know what is on its way.
    pub records: Rc<Vec<R>>,
    /// Handed to [`StateMachine::appended`] with the outcome.
    pub then: T,
    /// How the records get into the log.
    pub carriage: Carriage,
}

impl<R: InternalRecord, T> Append<R, T> {
    /// Records that share batches with others.
    pub fn new(records: Vec<R>, then: T) -> Append<R, T> {
        Append { records: Rc::new(records), then, carriage: Carriage::Shared }
    }

    /// Size in a batch, roughly; at least one byte.
    fn bytes(&self) -> usize {
        1 + self.records.iter().map(R::bytes).sum::<usize>()
    }
}

/// How records get into the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carriage {
    /// In batches with others.
    Shared,
    /// As part of a transaction, in a batch of their own.
    Transaction(InTransaction),
    /// As the control record that ends a transaction.
    Marker(Marker),
}

/// A transaction that records are part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InTransaction {
    /// Whose.
    pub producer: Producer,
    /// What its coordinator says of this partition.
    pub verification: Verification,
}
