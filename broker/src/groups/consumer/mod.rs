//! A consumer group of KIP-848: members say what they subscribe to and what they read; the broker decides who gets what
//! and walks each member there (ConsumerGroup.java, GroupMetadataManager.java).
//!
//! Everything a group is follows from its records: a heartbeat ([`heartbeat`]) checks first, then changes the group
//! record by record through [`ConsumerGroup::apply`], which is also what a load of the log does. Three epochs drive it:
//! the *group epoch* grows when something changes, the *assignment epoch* follows when a target assignment was made
//! ([`target`]), and each *member epoch* follows when the member has done its part ([`reconcile`]).

mod assignor;
mod classic_members;
mod commit;
mod heartbeat;
mod leave;
mod member;
mod migrate;
mod partitions;
pub(crate) mod pattern;
mod persist;
mod reconcile;
mod record;
mod subscription;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use protocol::messages::consumer_group_describe::DescribedGroup;
use protocol::{ErrorCode, Uuid};
use storage::runtime::HashMap;

pub use assignor::Assignor;
pub use classic_members::ClassicJoin;
pub use heartbeat::{Heartbeat, check_heartbeat, check_join};
pub use leave::Leaving;
pub use member::{LEAVE_EPOCH, LEAVE_STATIC_EPOCH, Member, MemberState};
pub use migrate::{check_upgrade, upgraded};
pub use partitions::{Owned, Partitions};
pub use record::{ConsumerKey, ConsumerRecord};

use super::effects::Effects;
use super::records::GroupRecord;
use super::settings::GroupSettings;
use crate::metadata::MetadataImage;
use crate::metadata::decide::ApiError;
use subscription::Resolved;

/// What a change may use: the settings, the time, the topics, and where to leave records and wishes.
pub struct Turn<'a> {
    /// The broker's settings.
    pub settings: &'a GroupSettings,
    /// Wall clock, milliseconds since the epoch.
    pub now_ms: i64,
    /// The topics there are, and what was set on groups.
    pub image: &'a MetadataImage,
    /// What the world is asked for.
    pub effects: &'a mut Effects,
    /// What the change adds to the log.
    pub records: &'a mut Vec<GroupRecord>,
}

/// A consumer group.
#[derive(Debug)]
pub struct ConsumerGroup {
    group_id: Rc<str>,
    epoch: i32,
    /// What the subscribed topics looked like when the epoch was last looked at.
    metadata_hash: i64,
    assignment_epoch: i32,
    /// Wall clock of the target assignment; 0 if the next one need not wait.
    assigned_at_ms: i64,
    members: BTreeMap<Rc<str>, Member>,
    /// Instance id to member id.
    static_members: BTreeMap<Rc<str>, Rc<str>>,
    targets: BTreeMap<Rc<str>, Rc<Partitions>>,
    /// Topics of each pattern.
    patterns: BTreeMap<Rc<str>, Resolved>,
    /// Who has a partition, whether it still must give it up or not.
    owners: HashMap<(Uuid, i32), Rc<str>>,
    /// Records of Kafka before 4.1 are to be removed.
    has_old_topics: bool,
    /// Version of the metadata at which topics and patterns were last compared; not recorded.
    compared_at: Option<i64>,
    /// Version of the metadata and wall clock of the last look at all topics for patterns; not recorded.
    patterns_looked_at: Option<(i64, i64)>,
    /// Classic members that were told to rejoin and have not yet; not recorded.
    awaiting_join: BTreeSet<Rc<str>>,
    bytes: usize,
}

impl ConsumerGroup {
    /// A group nobody has joined yet.
    pub fn new(group_id: Rc<str>) -> ConsumerGroup {
        ConsumerGroup {
            bytes: 768 + 2 * group_id.len(),
            group_id,
            epoch: 1,
            metadata_hash: 0,
            assignment_epoch: 1,
            assigned_at_ms: 0,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            targets: BTreeMap::new(),
            patterns: BTreeMap::new(),
            owners: HashMap::default(),
            has_old_topics: false,
            compared_at: None,
            patterns_looked_at: None,
            awaiting_join: BTreeSet::new(),
        }
    }

    /// Its name.
    pub fn group_id(&self) -> &Rc<str> {
        &self.group_id
    }

    /// Counts what changed.
    pub fn epoch(&self) -> i32 {
        self.epoch
    }

    /// The epoch the target assignment was made for.
    pub fn assignment_epoch(&self) -> i32 {
        self.assignment_epoch
    }

    /// Whether the log ends within a change of the group: see [`ConsumerRecord::unfinished`].
    pub fn is_unfinished(&self) -> bool {
        self.assignment_epoch == record::UNFINISHED_EPOCH
    }

    /// All members, by id.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// A member by id.
    pub fn member(&self, member_id: &str) -> Option<&Member> {
        self.members.get(member_id)
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Memory this group holds, roughly.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Its state as clients see it.
    pub fn state_name(&self) -> &'static str {
        if self.members.is_empty() {
            "Empty"
        } else if self.epoch > self.assignment_epoch {
            "Assigning"
        } else if self.members.values().any(|member| !member.is_reconciled_to(self.assignment_epoch)) {
            "Reconciling"
        } else {
            "Stable"
        }
    }

    fn static_member(&self, instance_id: &str) -> Option<&Member> {
        self.members.get(self.static_members.get(instance_id)?)
    }

    /// Whether nobody has a partition.
    fn is_free(&self, topic: Uuid, partition: i32) -> bool {
        !self.owners.contains_key(&(topic, partition))
    }

    fn target(&self, member_id: &str) -> Rc<Partitions> {
        self.targets.get(member_id).cloned().unwrap_or_default()
    }

    /// The assignor most members ask for; a tie goes to the one the broker prefers.
    fn assignor(&self, settings: &GroupSettings) -> Assignor {
        let first = settings.consumer_assignors.first().copied().unwrap_or(Assignor::Uniform);
        let mut votes: BTreeMap<Assignor, usize> = BTreeMap::new();
        for vote in self.members.values().filter_map(|member| member.about.server_assignor.as_deref()) {
            if let Some(assignor) = Assignor::of(vote) {
                *votes.entry(assignor).or_default() += 1;
            }
        }
        let ranked = settings.consumer_assignors.iter().rev();
        ranked
            .filter(|assignor| votes.contains_key(assignor))
            .max_by_key(|assignor| votes.get(assignor))
            .copied()
            .unwrap_or(first)
    }

    /// An answer of ConsumerGroupDescribe.
    pub fn describe(&self, settings: &GroupSettings, image: &MetadataImage) -> DescribedGroup {
        let member = |member: &Member| member.described(self.targets.get(&member.member_id).map(Rc::as_ref), image);
        DescribedGroup {
            group_id: self.group_id.to_string(),
            group_state: self.state_name().to_owned(),
            group_epoch: self.epoch,
            assignment_epoch: self.assignment_epoch,
            assignor_name: self.assignor(settings).name().to_owned(),
            members: self.members.values().map(member).collect(),
            ..Default::default()
        }
    }

    /// Changes the group by a record and keeps the record.
    fn record(&mut self, record: ConsumerRecord, turn: &mut Turn<'_>) {
        self.apply(&record);
        turn.records.push(GroupRecord::consumer(&self.group_id, record));
    }

    fn unknown_member(&self, member_id: &str) -> ApiError {
        let message = format!("Member {member_id} is not a member of group {}.", self.group_id);
        ApiError::new(ErrorCode::UNKNOWN_MEMBER_ID, message)
    }
}
