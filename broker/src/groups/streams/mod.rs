//! A streams group of KIP-1071: the threads of a Kafka Streams application say what the application is made of and which
//! tasks they have; the broker makes the topics the application needs, decides who gets which task and walks each member
//! there (StreamsGroup.java, GroupMetadataManager.java).
//!
//! Like a consumer group it follows from its records: a heartbeat ([`heartbeat`]) checks first, then changes the group
//! record by record through [`StreamsGroup::apply`], which is also what a load of the log does. Three epochs drive it: the
//! *group epoch* grows when members, topics or settings change, the *assignment epoch* follows when a target assignment
//! was made ([`target`], [`assignor`]), and each *member epoch* follows when the member has done its part
//! ([`reconcile`]). What a [`topology`] comes to with the topics there are is worked out by [`topics`].
//!
//! Warm-up tasks are kept, told and reconciled, but none is ever assigned, as in Kafka 4.4.

mod answer;
mod assignor;
mod commit;
mod endpoints;
mod heartbeat;
mod leave;
mod member;
mod offsets;
mod persist;
mod reconcile;
mod record;
mod request;
mod settings;
mod target;
pub(in crate::groups) mod tasks;
pub(in crate::groups) mod topics;
pub(in crate::groups) mod topology;

use std::collections::BTreeMap;
use std::rc::Rc;

use protocol::ErrorCode;
use protocol::messages::streams_group_describe::DescribedGroup;

pub use heartbeat::{StreamsAnswer, StreamsHeartbeat};
pub use leave::Leaving;
pub use member::{LEAVE_EPOCH, LEAVE_STATIC_EPOCH, MemberState, StreamsMember};
pub use record::{StreamsKey, StreamsRecord};
pub use request::check_streams_heartbeat;
pub use settings::StreamsSettings;

use super::consumer::Turn;
use super::records::GroupRecord;
use crate::metadata::decide::ApiError;
use offsets::TaskOffsets;
use reconcile::Owners;
use tasks::Tasks;
use topics::Configured;
use topology::Topology;

/// A streams group.
#[derive(Debug)]
pub struct StreamsGroup {
    group_id: Rc<str>,
    epoch: i32,
    /// What the application's topics looked like when the epoch began.
    metadata_hash: i64,
    /// The topology whose topics were all there when the epoch began; -1 if they were not.
    validated_topology_epoch: i32,
    /// What the epoch's assignment is made by.
    assignment_configs: BTreeMap<String, String>,
    /// Of descriptions that plug-ins of Kafka keep; only ever kept.
    description_epochs: (i32, i32),
    assignment_epoch: i32,
    /// Wall clock of the target assignment; 0 if the next one need not wait.
    assigned_at_ms: i64,
    topology: Option<Rc<Topology>>,
    members: BTreeMap<Rc<str>, StreamsMember>,
    /// Instance id to member id.
    static_members: BTreeMap<Rc<str>, Rc<str>>,
    targets: BTreeMap<Rc<str>, Rc<Tasks>>,
    /// Which process has which task.
    owners: Owners,
    /// What the topology came to, and at which version of the metadata; not recorded.
    configured: Option<(i64, Rc<Configured>)>,
    /// What members reported of their state; not recorded.
    offsets: BTreeMap<Rc<str>, TaskOffsets>,
    /// The group was empty a short while ago and waits for more members; not recorded.
    is_delayed: bool,
    /// Who asked all members to shut down; not recorded.
    shutdown_by: Option<Rc<str>>,
    /// Counts changes of who can be asked where; not recorded.
    endpoint_epoch: i32,
    bytes: usize,
}

impl StreamsGroup {
    /// A group nobody has joined yet.
    pub fn new(group_id: Rc<str>) -> StreamsGroup {
        StreamsGroup {
            bytes: 1_024 + 2 * group_id.len(),
            group_id,
            epoch: 1,
            metadata_hash: 0,
            validated_topology_epoch: -1,
            assignment_configs: BTreeMap::new(),
            description_epochs: (-1, -1),
            assignment_epoch: 1,
            assigned_at_ms: 0,
            topology: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            targets: BTreeMap::new(),
            owners: Owners::default(),
            configured: None,
            offsets: BTreeMap::new(),
            is_delayed: false,
            shutdown_by: None,
            endpoint_epoch: 0,
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

    /// Whether the log ends within a change of the group: see [`StreamsRecord::unfinished`].
    pub fn is_unfinished(&self) -> bool {
        self.assignment_epoch == record::UNFINISHED_EPOCH
    }

    /// All members, by id.
    pub fn members(&self) -> impl Iterator<Item = &StreamsMember> {
        self.members.values()
    }

    /// A member by id.
    pub fn member(&self, member_id: &str) -> Option<&StreamsMember> {
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
        let is_validated =
            self.topology.as_ref().is_some_and(|topology| topology.epoch == self.validated_topology_epoch);
        if self.members.is_empty() {
            "Empty"
        } else if !is_validated {
            "NotReady"
        } else if self.epoch > self.assignment_epoch {
            "Assigning"
        } else if self.members.values().any(|member| !member.is_reconciled_to(self.assignment_epoch)) {
            "Reconciling"
        } else {
            "Stable"
        }
    }

    /// Whether the application reads `topic`.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        let reads = |topology: &Rc<Topology>| topology.reader_of(topic).is_some();
        !self.members.is_empty() && self.topology.as_ref().is_some_and(reads)
    }

    fn static_member(&self, instance_id: &str) -> Option<&StreamsMember> {
        self.members.get(self.static_members.get(instance_id)?)
    }

    fn target(&self, member_id: &str) -> Rc<Tasks> {
        self.targets.get(member_id).cloned().unwrap_or_default()
    }

    fn ready(&self) -> Option<&Rc<Configured>> {
        self.configured.as_ref().map(|(_, configured)| configured).filter(|configured| configured.is_ready())
    }

    /// An answer of StreamsGroupDescribe.
    pub fn describe(&self) -> DescribedGroup {
        let member = |member: &StreamsMember| {
            let target = self.targets.get(&member.member_id).map(Rc::as_ref);
            member.described(target, self.offsets.get(&member.member_id))
        };
        let partitions = |topic: &protocol::messages::streams_group_records::TopicInfo| {
            self.ready().map_or(topic.partitions, |configured| configured.partitions_of(topic))
        };
        DescribedGroup {
            group_id: self.group_id.to_string(),
            group_state: self.state_name().to_owned(),
            group_epoch: self.epoch,
            assignment_epoch: self.assignment_epoch,
            topology: self.topology.as_ref().map(|topology| topology.described(partitions)),
            members: self.members.values().map(member).collect(),
            assignor_name: Some(assignor::STICKY.to_owned()),
            ..Default::default()
        }
    }

    /// Changes the group by a record and keeps the record.
    fn record(&mut self, record: StreamsRecord, turn: &mut Turn<'_>) {
        self.apply(&record);
        turn.records.push(GroupRecord::streams(&self.group_id, record));
    }

    fn unknown_member(&self, member_id: &str) -> ApiError {
        let message = format!("Member {member_id} is not a member of group {}.", self.group_id);
        ApiError::new(ErrorCode::UNKNOWN_MEMBER_ID, message)
    }

    /// What was known of a member that has just become `member`; its memory is counted anew.
    fn set_offsets(&mut self, member_id: &Rc<str>, offsets: Option<TaskOffsets>) {
        self.bytes += offsets.as_ref().map_or(0, TaskOffsets::bytes);
        let previous = match offsets {
            Some(offsets) => self.offsets.insert(member_id.clone(), offsets),
            None => self.offsets.remove(member_id),
        };
        self.bytes -= previous.as_ref().map_or(0, TaskOffsets::bytes);
    }

    fn set_configured(&mut self, configured: Option<(i64, Rc<Configured>)>) {
        let bytes = |configured: &Option<(i64, Rc<Configured>)>| configured.as_ref().map_or(0, |(_, c)| c.bytes());
        self.bytes += bytes(&configured);
        let previous = std::mem::replace(&mut self.configured, configured);
        self.bytes -= bytes(&previous);
    }
}
