//! A group of any type. What the types have in common is asked here, by exhaustive match: a new type (share groups) is a
//! new variant, and the compiler shows what it must answer.

use std::rc::Rc;

use protocol::messages::describe_groups::{DescribedGroup, DescribedGroupMember};
use protocol::messages::list_groups::ListedGroup;
use protocol::{ErrorCode, Uuid};

use super::classic::{CONSUMER_PROTOCOL_TYPE, ClassicGroup, ClassicState, Committer};
use super::consumer::ConsumerGroup;
use super::offsets::CommittedOffset;
use super::records::GroupRecord;
use super::streams::StreamsGroup;

/// The protocol type of streams groups in ListGroups.
const STREAMS_PROTOCOL_TYPE: &str = "streams";

/// A group of any type.
#[derive(Debug)]
pub enum Group {
    /// Members elect a leader that assigns; also the home of offsets committed without membership.
    Classic(ClassicGroup),
    /// The broker assigns (KIP-848).
    Consumer(ConsumerGroup),
    /// The broker assigns the tasks of a Kafka Streams application (KIP-1071).
    Streams(StreamsGroup),
}

/// From when on the age of a committed offset counts (OffsetExpirationConditionImpl.java).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiryBase {
    /// Since it was committed.
    Commit,
    /// Since the group became empty, whatever the time of the commit.
    At(i64),
    /// It does not age now.
    Never,
}

impl Group {
    /// Its name.
    pub fn group_id(&self) -> &Rc<str> {
        match self {
            Group::Classic(group) => group.group_id(),
            Group::Consumer(group) => group.group_id(),
            Group::Streams(group) => group.group_id(),
        }
    }

    /// As ListGroups names the type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Group::Classic(_) => "classic",
            Group::Consumer(_) => "consumer",
            Group::Streams(_) => "streams",
        }
    }

    /// As ListGroups and DescribeGroups name the state.
    pub fn state_name(&self) -> &'static str {
        match self {
            Group::Classic(group) => group.state().name(),
            Group::Consumer(group) => group.state_name(),
            Group::Streams(group) => group.state_name(),
        }
    }

    /// Memory the group holds, roughly.
    pub fn bytes(&self) -> usize {
        match self {
            Group::Classic(group) => group.bytes(),
            Group::Consumer(group) => group.bytes(),
            Group::Streams(group) => group.bytes(),
        }
    }

    /// No members: it may be deleted, and turned into a group of another type.
    pub fn is_empty(&self) -> bool {
        match self {
            Group::Classic(group) => group.state() == ClassicState::Empty,
            Group::Consumer(group) => group.is_empty(),
            Group::Streams(group) => group.is_empty(),
        }
    }

    /// Whether `who` may commit offsets of these partitions (topic by name and id) now; `version` is that of OffsetCommit.
    pub fn validate_offset_commit<'a>(
        &self,
        who: Committer<'_>,
        version: i16,
        partitions: impl Iterator<Item = (&'a str, Uuid, i32)>,
    ) -> Result<(), ErrorCode> {
        match self {
            Group::Classic(group) => group.validate_offset_commit(who),
            Group::Consumer(group) => {
                group.validate_offset_commit(who, version, partitions.map(|(_, id, number)| (id, number)))
            }
            Group::Streams(group) => {
                group.validate_offset_commit(who, version, partitions.map(|(name, _, number)| (name, number)))
            }
        }
    }

    /// Whether a client may fetch offsets; members of consumer groups say who they are (OffsetFetch version 9).
    pub fn validate_offset_fetch(&self, member_id: Option<&str>, epoch: i32) -> Result<(), ErrorCode> {
        match self {
            Group::Classic(_) => Ok(()),
            Group::Consumer(group) => group.validate_offset_fetch(member_id, epoch),
            Group::Streams(group) => group.validate_offset_fetch(member_id, epoch),
        }
    }

    /// Whether offsets may be deleted one by one: of an empty group, or of consumers (then only of topics none reads).
    pub fn validate_offset_delete(&self) -> Result<(), ErrorCode> {
        match self {
            Group::Consumer(_) | Group::Streams(_) => Ok(()),
            Group::Classic(group) => match group.state() {
                ClassicState::Dead => Err(ErrorCode::GROUP_ID_NOT_FOUND),
                ClassicState::Empty => Ok(()),
                ClassicState::Stable | ClassicState::PreparingRebalance | ClassicState::CompletingRebalance => {
                    if group.uses_consumer_protocol() { Ok(()) } else { Err(ErrorCode::NON_EMPTY_GROUP) }
                }
            },
        }
    }

    /// Whether the group may be deleted.
    pub fn validate_delete(&self) -> Result<(), ErrorCode> {
        match self {
            Group::Consumer(_) | Group::Streams(_) if self.is_empty() => Ok(()),
            Group::Consumer(_) | Group::Streams(_) => Err(ErrorCode::NON_EMPTY_GROUP),
            Group::Classic(group) => match group.state() {
                ClassicState::Dead => Err(ErrorCode::GROUP_ID_NOT_FOUND),
                ClassicState::Empty => Ok(()),
                ClassicState::Stable | ClassicState::PreparingRebalance | ClassicState::CompletingRebalance => {
                    Err(ErrorCode::NON_EMPTY_GROUP)
                }
            },
        }
    }

    /// Whether some member reads `topic`: its offsets are then neither deleted nor aged.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        match self {
            Group::Classic(group) => group.is_subscribed_to(topic),
            Group::Consumer(group) => group.is_subscribed_to(topic),
            Group::Streams(group) => group.is_subscribed_to(topic),
        }
    }

    /// From when on this group's offsets age.
    pub fn expiry_base(&self) -> ExpiryBase {
        match self {
            Group::Consumer(_) | Group::Streams(_) => ExpiryBase::Commit,
            Group::Classic(group) if group.protocol_type().is_none() => ExpiryBase::Commit,
            Group::Classic(group) => match group.state() {
                ClassicState::Empty => group.state_timestamp_ms().map_or(ExpiryBase::Commit, ExpiryBase::At),
                ClassicState::Stable if group.uses_consumer_protocol() && group.knows_subscription() => {
                    ExpiryBase::Commit
                }
                _ => ExpiryBase::Never,
            },
        }
    }

    /// What a rewrite of the partition says of this group.
    #[cfg(test)]
    pub fn snapshot_records(&self) -> Vec<GroupRecord> {
        match self {
            Group::Classic(group) => vec![group.snapshot_record()],
            Group::Consumer(group) => group.snapshot_records(),
            Group::Streams(group) => group.snapshot_records(),
        }
    }

    /// Tombstones of everything recorded of this group but its offsets.
    pub fn tombstones(&self) -> Vec<GroupRecord> {
        match self {
            Group::Classic(group) => vec![GroupRecord::Group { group_id: group.group_id().clone(), value: None }],
            Group::Consumer(group) => group.tombstones(),
            Group::Streams(group) => group.tombstones(),
        }
    }

    /// A line of ListGroups.
    pub fn listed(&self) -> ListedGroup {
        let protocol_type = match self {
            Group::Classic(group) => group.protocol_type().unwrap_or_default(),
            Group::Consumer(_) => CONSUMER_PROTOCOL_TYPE,
            Group::Streams(_) => STREAMS_PROTOCOL_TYPE,
        };
        ListedGroup {
            group_id: self.group_id().to_string(),
            protocol_type: protocol_type.to_owned(),
            group_state: self.state_name().to_owned(),
            group_type: self.type_name().to_owned(),
        }
    }
}

/// An answer of DescribeGroups; what members said is shown only once a protocol is in force.
pub fn describe_classic(group: &ClassicGroup) -> DescribedGroup {
    let stable = group.state() == ClassicState::Stable;
    let members = group.members().map(|member| DescribedGroupMember {
        member_id: member.member_id.to_string(),
        group_instance_id: member.group_instance_id.as_deref().map(str::to_owned),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        member_metadata: if stable { member.metadata(group.protocol_name()) } else { Default::default() },
        member_assignment: member.assignment.clone(),
    });
    DescribedGroup {
        group_id: group.group_id().to_string(),
        group_state: group.state().name().to_owned(),
        protocol_type: group.protocol_type().unwrap_or_default().to_owned(),
        protocol_data: group.protocol_name().filter(|_| stable).unwrap_or_default().to_owned(),
        members: members.collect(),
        ..Default::default()
    }
}

impl ExpiryBase {
    /// Whether `offset` is too old. One committed with an own retention time (OffsetCommit version 2 to 4) keeps to it.
    pub fn is_expired(self, offset: &CommittedOffset, now_ms: i64, retention_ms: i64) -> bool {
        let age_ms = |since_ms: i64| now_ms.saturating_sub(since_ms);
        match (self, offset.expire_timestamp_ms) {
            (ExpiryBase::Never, _) => false,
            (_, Some(at_ms)) => now_ms >= at_ms,
            (ExpiryBase::Commit, None) => age_ms(offset.commit_timestamp_ms) >= retention_ms,
            (ExpiryBase::At(since_ms), None) => age_ms(since_ms) >= retention_ms,
        }
    }
}
