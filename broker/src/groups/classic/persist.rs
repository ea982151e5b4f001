//! A classic group as a record, and back.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use protocol::messages::classic_group_records::{GroupMetadataValue, MemberMetadata};

use super::{ClassicGroup, ClassicState, Member, Protocol};
use crate::groups::records::GroupRecord;

impl ClassicGroup {
    /// The group as it is.
    pub(super) fn to_record(&self) -> GroupRecord {
        self.record(|member| member.assignment.clone())
    }

    /// The group as it will be once `assignments` hold; who is not mentioned gets nothing.
    pub(super) fn to_record_with(&self, assignments: &BTreeMap<Rc<str>, Bytes>) -> GroupRecord {
        self.record(|member| assignments.get(&member.member_id).cloned().unwrap_or_default())
    }

    /// A group that nobody has joined yet; said without a protocol, so that it comes back as such.
    pub fn creation_record(&self) -> GroupRecord {
        let value = GroupMetadataValue {
            protocol: None,
            leader: None,
            current_state_timestamp: self.state_timestamp_ms.unwrap_or(-1),
            ..Default::default()
        };
        GroupRecord::Group { group_id: self.group_id.clone(), value: Some(value) }
    }

    /// What a rewrite of the partition says of this group: a rebalance that is on is told as an empty group, so that
    /// after a crash its members join anew rather than work on a generation that was about to end.
    pub fn snapshot_record(&self) -> GroupRecord {
        match self.state {
            ClassicState::Stable => self.to_record(),
            _ => {
                let value = GroupMetadataValue {
                    members: Vec::new(),
                    leader: None,
                    protocol: None,
                    ..self.value(|_| Bytes::new())
                };
                GroupRecord::Group { group_id: self.group_id.clone(), value: Some(value) }
            }
        }
    }

    /// The group that a consumer group has become: stable, everyone with an assignment.
    pub fn of_consumers(group_id: Rc<str>, generation: i32, members: Vec<Member>, now_ms: i64) -> ClassicGroup {
        let mut group = ClassicGroup::new(group_id, now_ms);
        group.generation = generation;
        group.state = ClassicState::Stable;
        for member in members {
            group.add_member(member);
        }
        group.protocol_name = group.select_protocol();
        group.subscribed_topics = group.compute_subscribed_topics();
        group
    }

    fn record(&self, assignment: impl Fn(&Member) -> Bytes) -> GroupRecord {
        GroupRecord::Group { group_id: self.group_id.clone(), value: Some(self.value(assignment)) }
    }

    fn value(&self, assignment: impl Fn(&Member) -> Bytes) -> GroupMetadataValue {
        let members = self.members.values().map(|member| MemberMetadata {
            member_id: member.member_id.to_string(),
            group_instance_id: member.group_instance_id.as_deref().map(str::to_owned),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout: member.rebalance_timeout_ms,
            session_timeout: member.session_timeout_ms,
            subscription: member.metadata(self.protocol_name()),
            assignment: assignment(member),
        });
        GroupMetadataValue {
            protocol_type: self.protocol_type().unwrap_or_default().to_owned(),
            generation: self.generation,
            protocol: self.protocol_name().map(str::to_owned),
            leader: self.leader().map(str::to_owned),
            current_state_timestamp: self.state_timestamp_ms.unwrap_or(-1),
            members: members.collect(),
        }
    }

    /// The group a record tells of; its timers are set by `loaded`.
    pub fn from_record(group_id: Rc<str>, value: GroupMetadataValue) -> ClassicGroup {
        let mut group = ClassicGroup::new(group_id, 0);
        group.state_timestamp_ms = (value.current_state_timestamp != -1).then_some(value.current_state_timestamp);
        group.generation = value.generation;
        group.protocol_name = value.protocol.as_deref().map(Into::into);
        group.leader = value.leader.as_deref().map(Into::into);
        if !value.members.is_empty() {
            group.state = ClassicState::Stable;
        }
        let protocol_type: Rc<str> = value.protocol_type.as_str().into();
        let protocol: Rc<str> = value.protocol.as_deref().unwrap_or_default().into();
        for member in value.members {
            if !group.members.contains_key(member.member_id.as_str()) {
                group.add_member(loaded_member(member, &protocol_type, &protocol));
            }
        }
        group.protocol_type = (!protocol_type.is_empty()).then_some(protocol_type);
        if group.leader.as_ref().is_none_or(|leader| !group.members.contains_key(leader)) {
            group.leader = group.members.keys().next().cloned();
        }
        group.subscribed_topics = group.compute_subscribed_topics();
        group
    }
}

fn loaded_member(member: MemberMetadata, protocol_type: &Rc<str>, protocol: &Rc<str>) -> Member {
    // Records older than Kafka 0.11 know one timeout only.
    let rebalance_timeout_ms =
        if member.rebalance_timeout == -1 { member.session_timeout } else { member.rebalance_timeout };
    Member {
        member_id: member.member_id.into(),
        group_instance_id: member.group_instance_id.map(Into::into),
        client_id: member.client_id,
        client_host: member.client_host,
        rebalance_timeout_ms,
        session_timeout_ms: member.session_timeout,
        protocol_type: protocol_type.clone(),
        protocols: vec![Protocol { name: protocol.clone(), metadata: Bytes::copy_from_slice(&member.subscription) }],
        assignment: Bytes::copy_from_slice(&member.assignment),
        awaiting_join: None,
        awaiting_sync: None,
        is_new: false,
    }
}
