//! Everything one `__consumer_offsets` partition says: its groups and their committed offsets, as one state machine.
//!
//! Events and the time go in; effects come out. Membership changes at once, as clients see it happen; what must not be
//! lost is recorded, and the request that asked for it is answered when the record is durable
//! ([`appended`](crate::coordinator::StateMachine::appended)). After a crash the records alone, replayed in order, make the
//! same state again.

mod admin;
mod consumer;
mod membership;
mod offsets;
mod owed;
mod replay;
mod spanning;
mod streams;
mod transactions;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use protocol::ErrorCode;

use super::classic::{ClassicGroup, Step};
use super::effects::{Effects, TimerKey, TimerKind, Token};
use super::group::Group;
use super::offsets::Offsets;
use super::pending::PendingOffsets;
use super::records::GroupRecord;
use super::settings::GroupSettings;
use crate::metadata::MetadataImage;
use owed::OwedKey;

pub use admin::ListFilter;
pub use membership::leave_errors;
pub use offsets::{CommitEvent, OffsetToCommit, TopicToCommit};

/// A request of the classic protocol that waits for records of a consumer group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parked {
    Join,
    Sync,
}

/// The groups and offsets of one `__consumer_offsets` partition.
#[derive(Debug)]
pub struct GroupState {
    settings: Rc<GroupSettings>,
    groups: BTreeMap<Rc<str>, Group>,
    group_bytes: usize,
    offsets: Offsets,
    /// Offsets that wait for the end of their transactions.
    pending: PendingOffsets,
    /// Changes of offsets on their way to disk, oldest first: whoever deletes a group must delete these too, since
    /// they come before its tombstones in the log.
    in_flight: VecDeque<Rc<Vec<GroupRecord>>>,
    /// The topics there are, and what was set on groups.
    image: Arc<MetadataImage>,
    /// Records that were refused, by group.
    owed: BTreeMap<Rc<str>, BTreeSet<OwedKey>>,
    parked: BTreeMap<Token, Parked>,
}

impl GroupState {
    /// An empty partition.
    pub fn new(settings: Rc<GroupSettings>) -> GroupState {
        GroupState {
            settings,
            groups: BTreeMap::new(),
            group_bytes: 0,
            offsets: Offsets::default(),
            pending: PendingOffsets::default(),
            in_flight: VecDeque::new(),
            image: Arc::default(),
            owed: BTreeMap::new(),
            parked: BTreeMap::new(),
        }
    }

    /// The metadata in force, said before each change; consumer groups follow their topics by it.
    pub fn set_image(&mut self, image: Arc<MetadataImage>) {
        self.image = image;
    }

    /// The settings in force were altered.
    pub fn set_settings(&mut self, settings: Rc<GroupSettings>) {
        self.settings = settings;
    }

    /// Memory held, roughly.
    pub fn bytes(&self) -> usize {
        self.group_bytes + self.offsets.bytes() + self.pending.bytes()
    }

    /// How many groups there are.
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// The committed offsets.
    pub fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    /// A group by name.
    pub fn group(&self, group_id: &str) -> Option<&Group> {
        self.groups.get(group_id)
    }

    /// Whether `more` bytes would fit into the bound on memory.
    fn has_room(&self, more: usize) -> bool {
        self.bytes().saturating_add(more) <= self.settings.state_bytes_max
    }

    fn insert(&mut self, group: Group) {
        self.group_bytes += group.bytes();
        if let Some(previous) = self.groups.insert(group.group_id().clone(), group) {
            self.group_bytes -= previous.bytes();
        }
    }

    fn remove(&mut self, group_id: &str) -> Option<Group> {
        let group = self.groups.remove(group_id)?;
        self.group_bytes -= group.bytes();
        Some(group)
    }

    /// Runs `change` on a classic group, with the books on memory kept. `None` if there is no such group.
    fn with_classic<T>(
        &mut self,
        group_id: &str,
        now_ms: i64,
        effects: &mut Effects,
        change: impl FnOnce(&mut ClassicGroup, &mut Step<'_>) -> T,
    ) -> Option<T> {
        let Some(Group::Classic(group)) = self.groups.get_mut(group_id) else { return None };
        self.group_bytes -= group.bytes();
        let mut step = Step { settings: &self.settings, now_ms, effects };
        let result = change(group, &mut step);
        self.group_bytes += group.bytes();
        Some(result)
    }

    /// A timer went off. One that was set for a group or member no longer there does nothing.
    pub fn timer(&mut self, key: &TimerKey, now_ms: i64, effects: &mut Effects) {
        self.consumer_timer(&key.group_id, &key.kind, now_ms, effects);
        self.streams_timer(&key.group_id, &key.kind, now_ms, effects);
        self.with_classic(&key.group_id, now_ms, effects, |group, step| match &key.kind {
            TimerKind::Heartbeat(member_id) => group.heartbeat_timer(member_id, step),
            TimerKind::Join => group.join_timer(step),
            TimerKind::Sync => group.sync_timer(step),
            TimerKind::Revocation(_) | TimerKind::MemberJoin(_) | TimerKind::MemberSync(_) => {}
        });
    }

    fn owe_if_refused(&mut self, records: &[GroupRecord], outcome: Result<(), ErrorCode>) {
        if outcome.is_err() {
            self.owe(records);
        }
    }

    fn park(&mut self, token: Token, parked: Parked) {
        self.parked.insert(token, parked);
    }

    fn unpark(&mut self, token: Token) -> Option<Parked> {
        self.parked.remove(&token)
    }
}
