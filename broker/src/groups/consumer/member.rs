//! One member of a consumer group: what it said about itself, and where it is on the way to its target assignment.

use std::rc::Rc;

use protocol::messages::consumer_group_describe;
use protocol::messages::consumer_group_records::{
    ClassicMemberMetadata, ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataValue,
};

use super::partitions::{self, Owned, Partitions};
use crate::metadata::MetadataImage;

/// The epoch a member leaves with.
pub const LEAVE_EPOCH: i32 = -1;
/// The epoch a static member leaves with to come back.
pub const LEAVE_STATIC_EPOCH: i32 = -2;

/// Where a member is on its way to the target assignment; numbers are those of the records (MemberState.java).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberState {
    /// Has everything it can have in its epoch.
    Stable,
    /// Must give up partitions before it may go on.
    UnrevokedPartitions,
    /// Is in the newest epoch and waits for partitions others have not given up yet.
    UnreleasedPartitions,
    /// Written by a newer Kafka.
    Unknown,
}

impl MemberState {
    fn number(self) -> i8 {
        match self {
            MemberState::Stable => 0,
            MemberState::UnrevokedPartitions => 1,
            MemberState::UnreleasedPartitions => 2,
            MemberState::Unknown => 127,
        }
    }

    fn of(number: i8) -> MemberState {
        match number {
            0 => MemberState::Stable,
            1 => MemberState::UnrevokedPartitions,
            2 => MemberState::UnreleasedPartitions,
            _ => MemberState::Unknown,
        }
    }
}

/// One member of a consumer group.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Chosen by the client, or (version 0) by the coordinator.
    pub member_id: Rc<str>,
    /// The epoch it has been told.
    pub epoch: i32,
    /// The epoch before: a member whose answer was lost still says it.
    pub previous_epoch: i32,
    /// Where it is on its way.
    pub state: MemberState,
    /// What it said about itself, in the form of its record; topic names sorted, each once.
    pub about: Rc<ConsumerGroupMemberMetadataValue>,
    /// What it may read.
    pub assigned: Rc<Owned>,
    /// What it must give up and has not yet.
    pub revoking: Rc<Owned>,
}

/// What is known of a member that has said nothing.
fn nothing() -> ConsumerGroupMemberMetadataValue {
    ConsumerGroupMemberMetadataValue {
        instance_id: None,
        rack_id: None,
        subscribed_topic_regex: Some(String::new()),
        server_assignor: None,
        classic_member_metadata: None,
        ..Default::default()
    }
}

impl Member {
    /// A member that is about to say who it is.
    pub fn new(member_id: Rc<str>) -> Member {
        Member {
            member_id,
            epoch: 0,
            previous_epoch: -1,
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

    /// The pattern it subscribes to, if any.
    pub fn pattern(&self) -> Option<&str> {
        self.about.subscribed_topic_regex.as_deref().filter(|pattern| !pattern.is_empty())
    }

    /// What a member that speaks the classic protocol brought along; `None` for the others.
    pub fn classic(&self) -> Option<&ClassicMemberMetadata> {
        self.about.classic_member_metadata.as_ref()
    }

    /// Has everything of the target assignment of `epoch`.
    pub fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == epoch
    }

    /// The epoch in which it got a partition it has or is giving up.
    pub fn epoch_of(&self, topic: protocol::Uuid, partition: i32) -> Option<i32> {
        let find = |owned: &Owned| owned.get(&topic)?.get(&partition).copied();
        find(&self.assigned).or_else(|| find(&self.revoking))
    }

    /// Moves to `epoch`.
    pub fn in_epoch(self, epoch: i32) -> Member {
        Member { previous_epoch: self.epoch, epoch, ..self }
    }

    /// The record of where it is.
    pub fn to_record(&self) -> ConsumerGroupCurrentMemberAssignmentValue {
        ConsumerGroupCurrentMemberAssignmentValue {
            member_epoch: self.epoch,
            previous_member_epoch: self.previous_epoch,
            state: self.state.number(),
            assigned_partitions: partitions::owned_to_record(&self.assigned),
            partitions_pending_revocation: partitions::owned_to_record(&self.revoking),
        }
    }

    /// The member as a record says it is; what it said about itself stays.
    pub fn with_record(self, value: &ConsumerGroupCurrentMemberAssignmentValue) -> Member {
        let owned = |topics| Rc::new(partitions::owned_from_record(topics, value.member_epoch));
        Member {
            epoch: value.member_epoch,
            previous_epoch: value.previous_member_epoch,
            state: MemberState::of(value.state),
            assigned: owned(&value.assigned_partitions),
            revoking: owned(&value.partitions_pending_revocation),
            ..self
        }
    }

    /// Memory it holds, roughly.
    pub fn bytes(&self) -> usize {
        let about = &self.about;
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let topics: usize = about.subscribed_topic_names.iter().map(|name| 24 + name.len()).sum();
        let classic = self.classic().into_iter().flat_map(|classic| &classic.supported_protocols);
        let classic: usize = classic.map(|protocol| 64 + protocol.name.len() + protocol.metadata.len()).sum();
        let texts = text(&about.instance_id) * 2 + text(&about.rack_id) + text(&about.subscribed_topic_regex);
        let partitions = partitions::count(&self.assigned) + partitions::count(&self.revoking);
        640 + 3 * self.member_id.len()
            + about.client_id.len()
            + about.client_host.len()
            + texts
            + topics
            + classic
            + 32 * partitions
    }

    /// A line of ConsumerGroupDescribe; topics that are gone are left out.
    pub fn described(&self, target: Option<&Partitions>, image: &MetadataImage) -> consumer_group_describe::Member {
        let mut held = partitions::without_epochs(&self.assigned);
        for (topic, partitions) in self.revoking.iter() {
            held.entry(*topic).or_default().extend(partitions.keys());
        }
        let about = &self.about;
        consumer_group_describe::Member {
            member_id: self.member_id.to_string(),
            instance_id: about.instance_id.clone(),
            rack_id: about.rack_id.clone(),
            member_epoch: self.epoch,
            client_id: about.client_id.clone(),
            client_host: about.client_host.clone(),
            subscribed_topic_names: about.subscribed_topic_names.clone(),
            subscribed_topic_regex: about.subscribed_topic_regex.clone(),
            assignment: described_assignment(&held, image),
            target_assignment: target.map(|target| described_assignment(target, image)).unwrap_or_default(),
            member_type: if self.classic().is_some() { 0 } else { 1 },
        }
    }
}

fn described_assignment(partitions: &Partitions, image: &MetadataImage) -> consumer_group_describe::Assignment {
    let topic = |(topic_id, partitions): (&protocol::Uuid, &std::collections::BTreeSet<i32>)| {
        let topic = image.topic_by_id(*topic_id)?;
        Some(consumer_group_describe::TopicPartitions {
            topic_id: *topic_id,
            topic_name: topic.name.to_string(),
            partitions: partitions.iter().copied().collect(),
        })
    };
    consumer_group_describe::Assignment { topic_partitions: partitions.iter().filter_map(topic).collect() }
}
