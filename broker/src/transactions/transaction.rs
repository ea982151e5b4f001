//! One transactional id: its producer, its transaction, and what may follow what (TransactionMetadata.java).
//!
//! A change is prepared as a whole new value, recorded, and takes the old one's place once the record is durable. So
//! nobody is told of an epoch that a crash could take back.

use std::collections::BTreeSet;

use protocol::ErrorCode;

use super::TopicPartition;

/// No producer id.
pub const NO_PRODUCER_ID: i64 = -1;
/// No producer epoch.
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// The highest epoch a client ever gets; one more is left to fence it (TransactionMetadata.isEpochExhausted).
pub const CLIENT_EPOCH_MAX: i16 = i16::MAX - 1;

/// Where a transaction stands (TransactionState.java).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// There has been none since the producer was initialised.
    Empty,
    /// Partitions have joined.
    Ongoing,
    /// It is committed, and the markers are on their way.
    PrepareCommit,
    /// It is aborted, and the markers are on their way.
    PrepareAbort,
    /// Every partition has its commit marker.
    CompleteCommit,
    /// Every partition has its abort marker.
    CompleteAbort,
    /// The transactional id is being forgotten.
    Dead,
    /// Kafka's name for an abort that fences the producer; never recorded.
    PrepareEpochFence,
}

impl Status {
    /// All of them, by number.
    pub const ALL: [Status; 8] = [
        Status::Empty,
        Status::Ongoing,
        Status::PrepareCommit,
        Status::PrepareAbort,
        Status::CompleteCommit,
        Status::CompleteAbort,
        Status::Dead,
        Status::PrepareEpochFence,
    ];

    /// As records have it.
    pub fn number(self) -> i8 {
        self as i8
    }

    /// From a record.
    pub fn from_number(number: i8) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.number() == number)
    }

    /// As ListTransactions and DescribeTransactions name it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Empty => "Empty",
            Status::Ongoing => "Ongoing",
            Status::PrepareCommit => "PrepareCommit",
            Status::PrepareAbort => "PrepareAbort",
            Status::CompleteCommit => "CompleteCommit",
            Status::CompleteAbort => "CompleteAbort",
            Status::Dead => "Dead",
            Status::PrepareEpochFence => "PrepareEpochFence",
        }
    }

    /// By that name.
    pub fn from_name(name: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether a new transaction may begin, and an unused id may be forgotten.
    pub fn is_idle(self) -> bool {
        matches!(self, Status::Empty | Status::CompleteCommit | Status::CompleteAbort)
    }

    /// Markers are on their way.
    pub fn is_prepared(self) -> bool {
        matches!(self, Status::PrepareCommit | Status::PrepareAbort)
    }

    /// Which status may follow which.
    pub fn may_follow(self, previous: Status) -> bool {
        use Status::*;
        match self {
            Empty | Dead => previous.is_idle(),
            Ongoing => previous == Ongoing || previous.is_idle(),
            PrepareCommit | PrepareEpochFence => previous == Ongoing,
            PrepareAbort => matches!(previous, Ongoing | PrepareEpochFence) || previous.is_idle(),
            CompleteCommit => previous == PrepareCommit,
            CompleteAbort => previous == PrepareAbort,
        }
    }
}

/// What is known of a transactional id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its producer's id.
    pub producer_id: i64,
    /// The producer id before the last change; differs after a rotation only.
    pub previous_producer_id: i64,
    /// The id the producer goes on with once this transaction is complete, -1 to keep its own.
    pub next_producer_id: i64,
    /// The producer's epoch; -1 before it was given one.
    pub producer_epoch: i16,
    /// The epoch before the last change, to recognise a request that is sent again; not recorded.
    pub last_producer_epoch: i16,
    /// How long a transaction may stay open.
    pub timeout_ms: i32,
    /// Where the transaction stands.
    pub status: Status,
    /// Its partitions; those that still need their marker once it is prepared.
    pub partitions: BTreeSet<TopicPartition>,
    /// When it began, -1 for never.
    pub start_ms: i64,
    /// When it changed last.
    pub update_ms: i64,
    /// Version of the transaction protocol its client speaks: 0 or 2.
    pub client_version: i16,
}

/// Which end a transaction is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Commit, else abort.
    pub commit: bool,
    /// Version of the transaction protocol of who asks for it.
    pub client_version: i16,
    /// The id to go on with, if the epochs of the present one are used up; else -1.
    pub next_producer_id: i64,
}

impl Transaction {
    /// A transactional id nobody has used; its epoch comes with the first change.
    pub fn new(producer_id: i64, timeout_ms: i32, now_ms: i64) -> Transaction {
        Transaction {
            producer_id,
            previous_producer_id: NO_PRODUCER_ID,
            next_producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            last_producer_epoch: NO_PRODUCER_EPOCH,
            timeout_ms,
            status: Status::Empty,
            partitions: BTreeSet::new(),
            start_ms: -1,
            update_ms: now_ms,
            client_version: 0,
        }
    }

    /// No epoch is left to give to a client.
    pub fn is_epoch_exhausted(&self) -> bool {
        self.producer_epoch >= CLIENT_EPOCH_MAX
    }

    /// It has been open for longer than its producer allowed. A two-phase commit has no such limit.
    pub fn is_timed_out(&self, now_ms: i64) -> bool {
        self.status == Status::Ongoing
            && self.timeout_ms != i32::MAX
            && self.start_ms.saturating_add(self.timeout_ms.into()) < now_ms
    }

    /// Memory it holds, roughly.
    pub fn bytes(&self) -> usize {
        160 + self.partitions.iter().map(|(topic, _)| 48 + topic.len()).sum::<usize>()
    }

    fn change(&self, status: Status) -> Transaction {
        assert!(status.may_follow(self.status), "{status:?} after {:?}", self.status);
        Transaction { previous_producer_id: self.producer_id, status, ..self.clone() }
    }

    fn initialised(&self, timeout_ms: i32, now_ms: i64) -> Transaction {
        let partitions = BTreeSet::new();
        Transaction { timeout_ms, partitions, start_ms: -1, update_ms: now_ms, ..self.change(Status::Empty) }
    }

    /// The producer begins anew under the next epoch. One that says under which epoch it was must be the present one; if
    /// it names the one before, this is the request again whose answer it did not get (KIP-360).
    pub fn with_next_epoch(&self, timeout_ms: i32, expected: Option<i16>, now_ms: i64) -> Result<Self, ErrorCode> {
        let (epoch, next) = (self.producer_epoch, self.producer_epoch + 1);
        let (producer_epoch, last_producer_epoch) = match expected {
            None => (next, NO_PRODUCER_EPOCH),
            Some(expected) if epoch == NO_PRODUCER_EPOCH || expected == epoch => (next, epoch),
            Some(expected) if expected == self.last_producer_epoch => (epoch, self.last_producer_epoch),
            Some(_) => return Err(ErrorCode::PRODUCER_FENCED),
        };
        Ok(Transaction { producer_epoch, last_producer_epoch, ..self.initialised(timeout_ms, now_ms) })
    }

    /// The producer begins anew under another id, because its epochs are used up. `expected` says that it named its own.
    pub fn with_next_id(&self, producer_id: i64, timeout_ms: i32, expected: bool, now_ms: i64) -> Transaction {
        let last_producer_epoch = if expected { self.producer_epoch } else { NO_PRODUCER_EPOCH };
        Transaction { producer_id, producer_epoch: 0, last_producer_epoch, ..self.initialised(timeout_ms, now_ms) }
    }

    /// Partitions join; the first of them begin the transaction.
    pub fn with_partitions(&self, added: &[TopicPartition], client_version: i16, now_ms: i64) -> Transaction {
        let start_ms = if self.status.is_idle() { now_ms } else { self.start_ms };
        let mut next = Transaction { start_ms, update_ms: now_ms, client_version, ..self.change(Status::Ongoing) };
        next.partitions.extend(added.iter().cloned());
        next
    }

    /// The transaction ends. From version 2 on that takes an epoch, so that nothing of it can come later; also without a
    /// partition, as the client cannot know whether one has joined.
    pub fn prepared(&self, ending: Ending, now_ms: i64) -> Transaction {
        let Ending { commit, client_version, next_producer_id } = ending;
        let status = if commit { Status::PrepareCommit } else { Status::PrepareAbort };
        let start_ms = if self.status.is_idle() { now_ms } else { self.start_ms };
        let mut next =
            Transaction { start_ms, update_ms: now_ms, client_version, next_producer_id, ..self.change(status) };
        if client_version >= 2 {
            next.producer_epoch = self.producer_epoch.saturating_add(1);
            next.last_producer_epoch = self.producer_epoch;
        }
        next
    }

    /// Every partition has its marker. An id whose epochs are used up gives way to the next.
    pub fn completed(&self, now_ms: i64) -> Transaction {
        let committed = self.status == Status::PrepareCommit;
        let mut next = self.change(if committed { Status::CompleteCommit } else { Status::CompleteAbort });
        if self.client_version >= 2 && self.next_producer_id != NO_PRODUCER_ID {
            (next.producer_id, next.producer_epoch) = (self.next_producer_id, 0);
        }
        next.next_producer_id = NO_PRODUCER_ID;
        next.partitions.clear();
        next.update_ms = now_ms;
        next
    }

    /// Whether a producer that names its id and epoch may go on under this transactional id.
    pub fn accepts(&self, producer_id: i64, producer_epoch: i16) -> bool {
        self.producer_epoch == NO_PRODUCER_EPOCH
            || producer_id == self.producer_id
            || (producer_id == self.previous_producer_id && producer_epoch >= CLIENT_EPOCH_MAX)
    }
}
