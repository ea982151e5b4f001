//! One member of a streams group, a thread of a Kafka Streams client: what it said about itself, and where it is on the
//! way to its target assignment.

use std::rc::Rc;

use protocol::messages::streams_group_describe as describe;
use protocol::messages::streams_group_records::{
    StreamsGroupCurrentMemberAssignmentValue, StreamsGroupMemberMetadataValue,
};

use super::offsets::TaskOffsets;
use super::record::member_bytes;
use super::tasks::{self, HeldTasks, Tasks};

/// The epoch a member leaves with.
pub const LEAVE_EPOCH: i32 = -1;
/// The epoch a static member leaves with to come back.
pub const LEAVE_STATIC_EPOCH: i32 = -2;

/// Where a member is on its way to the target assignment; numbers are those of the records (streams/MemberState.java).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberState {
    /// Has everything it can have in its epoch.
    Stable,
    /// Must give up tasks before it may go on.
    UnrevokedTasks,
    /// Is in the newest epoch and waits for tasks others have not given up yet.
    UnreleasedTasks,
    /// Written by a newer Kafka.
    Unknown,
}

impl MemberState {
    fn number(self) -> i8 {
        match self {
            MemberState::Stable => 1,
            MemberState::UnrevokedTasks => 2,
            MemberState::UnreleasedTasks => 3,
            MemberState::Unknown => 127,
        }
    }

    fn of(number: i8) -> MemberState {
        match number {
            1 => MemberState::Stable,
            2 => MemberState::UnrevokedTasks,
            3 => MemberState::UnreleasedTasks,
            _ => MemberState::Unknown,
        }
    }
}

/// One member of a streams group.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamsMember {
    /// Chosen by the client.
    pub member_id: Rc<str>,
    /// The epoch it has been told.
    pub epoch: i32,
    /// The epoch before: a member whose answer was lost still says it.
    pub previous_epoch: i32,
    /// Where it is on its way.
    pub state: MemberState,
    /// What it said about itself, in the form of its record; client tags in order.
    pub about: Rc<StreamsGroupMemberMetadataValue>,
    /// The tasks it has.
    pub assigned: Rc<HeldTasks>,
    /// The tasks it must give up and has not yet.
    pub revoking: Rc<HeldTasks>,
}

/// What is known of a member that has said nothing.
fn nothing() -> StreamsGroupMemberMetadataValue {
    StreamsGroupMemberMetadataValue {
        instance_id: None,
        rack_id: None,
        topology_epoch: -1,
        user_endpoint: None,
        ..Default::default()
    }
}

impl StreamsMember {
    /// A member that is about to say who it is.
    pub fn new(member_id: Rc<str>) -> StreamsMember {
        StreamsMember {
            member_id,
            epoch: 0,
            previous_epoch: 0,
            state: MemberState::Stable,
            about: Rc::new(nothing()),
            assigned: Rc::default(),
            revoking: Rc::default(),
        }
    }

    /// `group.instance.id` of a static member.
    pub fn instance_id(&self) -> Option<&str> {
        self.about.instance_id.as_deref()
    }

    /// Names the process it runs in: a process has each task once at most.
    pub fn process_id(&self) -> &str {
        &self.about.process_id
    }

    /// Has everything of the target assignment of `epoch`.
    pub fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == epoch
    }

    /// A member whose record is that of one that left to come back.
    pub fn gone_for_now(&self) -> StreamsMember {
        StreamsMember {
            epoch: LEAVE_STATIC_EPOCH,
            assigned: Rc::new(self.assigned.since_zero()),
            revoking: Rc::default(),
            ..self.clone()
        }
    }

    /// The record of where it is.
    pub fn to_record(&self) -> StreamsGroupCurrentMemberAssignmentValue {
        let (assigned, revoking) = (&self.assigned, &self.revoking);
        StreamsGroupCurrentMemberAssignmentValue {
            member_epoch: self.epoch,
            previous_member_epoch: self.previous_epoch,
            state: self.state.number(),
            active_tasks: tasks::to_epoch_lists(&assigned.active),
            standby_tasks: tasks::to_lists(&assigned.standby),
            warmup_tasks: tasks::to_lists(&assigned.warmup),
            active_tasks_pending_revocation: tasks::to_epoch_lists(&revoking.active),
            standby_tasks_pending_revocation: tasks::to_lists(&revoking.standby),
            warmup_tasks_pending_revocation: tasks::to_lists(&revoking.warmup),
        }
    }

    /// The member as a record says it is; what it said about itself stays.
    pub fn with_record(self, value: &StreamsGroupCurrentMemberAssignmentValue) -> StreamsMember {
        let assigned = HeldTasks {
            active: tasks::from_epoch_lists(&value.active_tasks, value.member_epoch),
            standby: tasks::from_lists(&value.standby_tasks),
            warmup: tasks::from_lists(&value.warmup_tasks),
        };
        let revoking = HeldTasks {
            active: tasks::from_epoch_lists(&value.active_tasks_pending_revocation, value.member_epoch),
            standby: tasks::from_lists(&value.standby_tasks_pending_revocation),
            warmup: tasks::from_lists(&value.warmup_tasks_pending_revocation),
        };
        StreamsMember {
            epoch: value.member_epoch,
            previous_epoch: value.previous_member_epoch,
            state: MemberState::of(value.state),
            assigned: Rc::new(assigned),
            revoking: Rc::new(revoking),
            ..self
        }
    }

    /// Memory it holds, roughly.
    pub fn bytes(&self) -> usize {
        let texts = member_bytes(&self.about) + 64 * self.about.client_tags.len();
        // Each task is here, and in the group's book on who has it.
        640 + 3 * self.member_id.len() + texts + 192 * (self.assigned.count() + self.revoking.count())
    }

    /// A line of StreamsGroupDescribe.
    pub fn described(&self, target: Option<&Tasks>, offsets: Option<&TaskOffsets>) -> describe::Member {
        let about = &self.about;
        let tag = |tag: &protocol::messages::streams_group_records::KeyValue| describe::KeyValue {
            key: tag.key.clone(),
            value: tag.value.clone(),
        };
        let endpoint = about.user_endpoint.as_ref();
        describe::Member {
            member_id: self.member_id.to_string(),
            member_epoch: self.epoch,
            instance_id: about.instance_id.clone(),
            rack_id: about.rack_id.clone(),
            client_id: about.client_id.clone(),
            client_host: about.client_host.clone(),
            topology_epoch: about.topology_epoch,
            process_id: about.process_id.clone(),
            user_endpoint: endpoint.map(|at| describe::Endpoint { host: at.host.clone(), port: at.port }),
            client_tags: about.client_tags.iter().map(tag).collect(),
            task_offsets: offsets.map(TaskOffsets::described).unwrap_or_default(),
            task_end_offsets: offsets.map(TaskOffsets::described_ends).unwrap_or_default(),
            assignment: tasks::described_held(&self.assigned),
            target_assignment: target.map(tasks::described).unwrap_or_default(),
            is_classic: false,
        }
    }
}
