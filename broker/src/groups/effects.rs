//! What a state machine asks of the world: timers, appends and replies. The driver (`coordinator.rs`) carries them out.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::messages::{JoinGroupResponse, SyncGroupResponse};

use super::classic::StaticReplacement;
use super::consumer::ClassicJoin;
use super::group::Group;
use super::records::GroupRecord;
use crate::coordinator::{self, Carriage, InTransaction};
use crate::transactions::markers::Marker;

/// Names a JoinGroup or SyncGroup request that waits for its answer. Unique within a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub u64);

/// The answer to a request that waited.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// To a JoinGroup request.
    Join(JoinGroupResponse),
    /// To a SyncGroup request.
    Sync(SyncGroupResponse),
}

/// What a group waits for. One timer of each kind at most, one heartbeat per member.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerKind {
    /// The named member (or pending member) must be heard of.
    Heartbeat(Rc<str>),
    /// The join phase ends, or its initial delay is looked at again; that of a streams group is over.
    Join,
    /// Every member must have asked for its assignment.
    Sync,
    /// The named member of a consumer group must have given up partitions, of a streams group tasks.
    Revocation(Rc<str>),
    /// The named classic member of a consumer group must have joined again.
    MemberJoin(Rc<str>),
    /// The named classic member of a consumer group must have asked for its assignment.
    MemberSync(Rc<str>),
}

/// A timer of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerKey {
    /// The group.
    pub group_id: Rc<str>,
    /// What it waits for.
    pub kind: TimerKind,
}

/// What becomes of a group once its records are durable, or were refused.
#[derive(Debug)]
pub enum Then {
    /// Nothing: the state was changed already and is right either way.
    Nothing,
    /// Offsets changed; they are seen from now on.
    Offsets,
    /// Offsets are part of this producer's transaction; they are seen once it is committed.
    OffsetsInTransaction(i64),
    /// A transaction ended.
    TransactionEnded {
        /// Whose.
        producer_id: i64,
        /// Commit, else abort.
        commit: bool,
    },
    /// A group came into being; refused, it goes again.
    Created {
        /// Its name.
        group_id: Rc<str>,
    },
    /// The leader's assignment becomes everyone's, unless the group has moved on.
    Assigned {
        /// The group.
        group_id: Rc<str>,
        /// The generation it was made for.
        generation: i32,
        /// By member id.
        assignments: BTreeMap<Rc<str>, Bytes>,
    },
    /// A static member came back under a new id while the group was stable.
    Replaced {
        /// The group.
        group_id: Rc<str>,
        /// Who came back.
        replacement: Box<StaticReplacement>,
    },
    /// A consumer or streams group changed; refused, its records are owed and written with the next change.
    Consumer,
    /// A classic member joined a consumer group: it is answered.
    ConsumerJoined {
        /// The group.
        group_id: Rc<str>,
        /// The request that waits.
        token: Token,
        /// Its answer.
        joined: Box<ClassicJoin>,
    },
    /// A classic member of a consumer group asked for its assignment: it is answered.
    ConsumerSynced {
        /// The request that waits.
        token: Token,
        /// Its answer.
        response: Box<SyncGroupResponse>,
    },
    /// Groups were removed; refused, they come back.
    Deleted {
        /// As they were.
        groups: Vec<Group>,
    },
}

/// Records to append to the groups' partition, in order, and what follows.
pub type Append = coordinator::Append<GroupRecord, Then>;

/// Everything one event asks for.
#[derive(Debug, Default)]
pub struct Effects {
    /// Timers to set to so many milliseconds from now (replacing one of the same key), or to cancel (`None`).
    pub timers: Vec<(TimerKey, Option<i64>)>,
    /// Requests to answer now.
    pub replies: Vec<(Token, Reply)>,
    /// Appends to make, in order.
    pub appends: Vec<Append>,
}

impl Effects {
    /// Sets or replaces a timer.
    pub fn set_timer(&mut self, group_id: &Rc<str>, kind: TimerKind, after_ms: i64) {
        self.timers.push((TimerKey { group_id: group_id.clone(), kind }, Some(after_ms.max(0))));
    }

    /// Cancels a timer, if it is set.
    pub fn cancel_timer(&mut self, group_id: &Rc<str>, kind: TimerKind) {
        self.timers.push((TimerKey { group_id: group_id.clone(), kind }, None));
    }

    /// Answers a JoinGroup request.
    pub fn reply_join(&mut self, token: Token, response: JoinGroupResponse) {
        self.replies.push((token, Reply::Join(response)));
    }

    /// Refuses a JoinGroup request; `member_id` is what the client is told to be called.
    pub fn refuse_join(&mut self, token: Token, member_id: &str, error_code: ErrorCode) {
        let response = JoinGroupResponse { error_code, member_id: member_id.to_owned(), ..Default::default() };
        self.reply_join(token, response);
    }

    /// Answers a SyncGroup request.
    pub fn reply_sync(&mut self, token: Token, response: SyncGroupResponse) {
        self.replies.push((token, Reply::Sync(response)));
    }

    /// Refuses a SyncGroup request.
    pub fn refuse_sync(&mut self, token: Token, error_code: ErrorCode) {
        self.reply_sync(token, SyncGroupResponse { error_code, ..Default::default() });
    }

    /// Appends `records`, then continues with `then`.
    pub fn append(&mut self, records: Vec<GroupRecord>, then: Then) {
        self.appends.push(Append::new(records, then));
    }

    /// Appends offsets as part of a transaction.
    pub fn append_in_transaction(&mut self, records: Vec<GroupRecord>, transaction: InTransaction) {
        let then = Then::OffsetsInTransaction(transaction.producer.id);
        self.appends.push(Append { carriage: Carriage::Transaction(transaction), ..Append::new(records, then) });
    }

    /// Appends the end of a transaction, behind what was asked for before.
    pub fn append_marker(&mut self, marker: Marker) {
        let then = Then::TransactionEnded { producer_id: marker.producer.id, commit: marker.commit };
        self.appends.push(Append { carriage: Carriage::Marker(marker), ..Append::new(Vec::new(), then) });
    }
}
