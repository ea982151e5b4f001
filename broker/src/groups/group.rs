//! A group of any type. What the types have in common is asked here, by exhaustive match: a new type (KIP-848
//! consumer groups, share groups, streams groups) is a new variant, and the compiler shows what it must answer.

use std::rc::Rc;

use protocol::ErrorCode;
use protocol::messages::describe_groups::{DescribedGroup, DescribedGroupMember};
use protocol::messages::list_groups::ListedGroup;

use super::classic::{ClassicGroup, ClassicState, Committer};
use super::offsets::CommittedOffset;
use super::records::GroupRecord;

/// A group of any type.
#[derive(Debug)]
pub enum Group {
    /// Members elect a leader that assigns; also the home of offsets committed without membership.
    Classic(ClassicGroup),
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
        }
    }

    /// As ListGroups names the type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Group::Classic(_) => "classic",
        }
    }

    /// As ListGroups and DescribeGroups name the state.
    pub fn state_name(&self) -> &'static str {
        match self {
            Group::Classic(group) => group.state().name(),
        }
    }

    /// Memory the group holds, roughly.
    pub fn bytes(&self) -> usize {
        match self {
            Group::Classic(group) => group.bytes(),
        }
    }

    /// No members: it may be deleted, and turned into a group of another type.
    pub fn is_empty(&self) -> bool {
        match self {
            Group::Classic(group) => group.state() == ClassicState::Empty,
        }
    }

    /// Whether `who` may commit offsets now.
    pub fn validate_offset_commit(&self, who: Committer<'_>) -> Result<(), ErrorCode> {
        match self {
            Group::Classic(group) => group.validate_offset_commit(who),
        }
    }

    /// Whether offsets may be deleted one by one: of an empty group, or of consumers (then only of topics none reads).
    pub fn validate_offset_delete(&self) -> Result<(), ErrorCode> {
        match self {
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
        }
    }

    /// From when on this group's offsets age.
    pub fn expiry_base(&self) -> ExpiryBase {
        match self {
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
    pub fn snapshot_records(&self) -> Vec<GroupRecord> {
        match self {
            Group::Classic(group) => vec![group.snapshot_record()],
        }
    }

    /// Tombstones of everything recorded of this group but its offsets.
    pub fn tombstones(&self) -> Vec<GroupRecord> {
        match self {
            Group::Classic(group) => vec![GroupRecord::Group { group_id: group.group_id().clone(), value: None }],
        }
    }

    /// A line of ListGroups.
    pub fn listed(&self) -> ListedGroup {
        match self {
            Group::Classic(group) => ListedGroup {
                group_id: group.group_id().to_string(),
                protocol_type: group.protocol_type().unwrap_or_default().to_owned(),
                group_state: self.state_name().to_owned(),
                group_type: self.type_name().to_owned(),
            },
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
