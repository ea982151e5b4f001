//! Members of a consumer group that still speak the classic protocol: JoinGroup, SyncGroup and Heartbeat mean the same
//! to them, and to the group they are members like any other (KIP-848, "online migration").

use std::rc::Rc;

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::messages::consumer_group_records::{
    ClassicMemberMetadata, ClassicProtocol, ConsumerGroupMemberMetadataValue,
};
use protocol::messages::consumer_protocol::{self, ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use protocol::messages::coordinator_record::to_versioned_bytes;
use protocol::messages::{HeartbeatRequest, JoinGroupResponse, SyncGroupResponse};
use protocol::wire::Message;

use super::heartbeat::{check_instance, check_subscription, sorted};
use super::member::{Member, MemberState};
use super::partitions::{Owned, Partitions};
use super::{ConsumerGroup, Turn};
use crate::groups::classic::{CONSUMER_PROTOCOL_TYPE, JoinEvent, SyncEvent};
use crate::groups::effects::{Effects, TimerKind};
use crate::groups::settings::GroupSettings;
use crate::metadata::MetadataImage;

/// A member of the classic protocol that joined: its answer, which counts once its records are durable, and how long it
/// may then be silent and take to sync.
#[derive(Debug)]
pub struct ClassicJoin {
    /// The answer.
    pub response: JoinGroupResponse,
    /// Its session.
    pub session_timeout_ms: i32,
    /// How long it may take to sync.
    pub rebalance_timeout_ms: i32,
}

/// The id it will have: its own, or the one made for it.
fn joining_id(event: &JoinEvent) -> Rc<str> {
    if event.member_id().is_empty() { event.new_id.to_string().into() } else { event.member_id().into() }
}

impl ConsumerGroup {
    /// A member joins with the classic protocol. With `downgrade` it is the last that the group waited for to become a
    /// classic one: nothing new is assigned then. Nothing has changed if the answer is an error.
    pub fn join_classic(
        &mut self,
        event: &JoinEvent,
        downgrade: bool,
        turn: &mut Turn<'_>,
    ) -> Result<ClassicJoin, ErrorCode> {
        self.check_classic_join(event, turn.settings)?;
        let known_id = !event.member_id().is_empty();
        let member_id = joining_id(event);
        let instance_id = event.group_instance_id.as_deref();
        let (_, subscription) = subscription_of(event).ok_or(ErrorCode::INCONSISTENT_GROUP_PROTOCOL)?;
        if let Some(old) = self.classic_seat(&member_id, instance_id, known_id)? {
            self.replace_member(&old, &member_id, turn);
        }
        let before = self.members.get(&member_id).cloned().unwrap_or_else(|| Member::new(member_id.clone()));
        let changed = self.update_member(&before, about(&before, event, &subscription), turn);
        let owned =
            subscription.owned_partitions.iter().map(|topic| (topic.topic.as_str(), topic.partitions.as_slice()));
        let reported = by_id(owned, turn.image);
        if !downgrade {
            self.update_target(turn);
        }
        if !downgrade || self.assignment_epoch >= self.epoch {
            self.reconcile(&member_id, changed, Some(&reported), turn);
        }
        let epoch = self.members.get(&member_id).map_or(0, |member| member.epoch);
        let response = JoinGroupResponse {
            member_id: member_id.to_string(),
            generation_id: epoch,
            protocol_type: Some(CONSUMER_PROTOCOL_TYPE.to_owned()),
            protocol_name: event.protocols.first().map(|protocol| protocol.name.to_string()),
            ..Default::default()
        };
        let (session_timeout_ms, rebalance_timeout_ms) = (event.session_timeout_ms, event.rebalance_timeout_ms);
        Ok(ClassicJoin { response, session_timeout_ms, rebalance_timeout_ms })
    }

    /// The answer to a join is on its way: the member's session begins, and it owes a SyncGroup request.
    pub fn joined_classic(&mut self, joined: &ClassicJoin, effects: &mut Effects) {
        let id: Rc<str> = joined.response.member_id.as_str().into();
        self.awaiting_join.remove(&id);
        effects.cancel_timer(&self.group_id, TimerKind::MemberJoin(id.clone()));
        effects.set_timer(&self.group_id, TimerKind::Heartbeat(id.clone()), i64::from(joined.session_timeout_ms));
        effects.set_timer(&self.group_id, TimerKind::MemberSync(id), i64::from(joined.rebalance_timeout_ms));
    }

    /// One of its protocols is known to every other classic member.
    /// What keeps a member out whoever it is; a member that is to come again with an id learns that first.
    pub fn check_classic_join(&self, event: &JoinEvent, settings: &GroupSettings) -> Result<(), ErrorCode> {
        let instance_id = event.group_instance_id.as_deref();
        self.check_size(&joining_id(event), instance_id, settings).map_err(|error| error.code)?;
        check_subscription(event.bytes()).map_err(|error| error.code)?;
        if self.supports_classic(event) { Ok(()) } else { Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL) }
    }

    fn supports_classic(&self, event: &JoinEvent) -> bool {
        if &*event.protocol_type != CONSUMER_PROTOCOL_TYPE {
            return false;
        }
        let known_to_all = |name: &str| {
            let mut others = self.members.values().filter_map(Member::classic);
            others.all(|classic| classic.supported_protocols.iter().any(|protocol| protocol.name == name))
        };
        event.protocols.iter().any(|protocol| known_to_all(&protocol.name))
    }

    /// The static member that gives way to the joining one, if any.
    fn classic_seat(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        known_id: bool,
    ) -> Result<Option<Rc<str>>, ErrorCode> {
        let Some(instance_id) = instance_id else { return Ok(None) };
        let known = self.static_member(instance_id);
        if !known_id {
            return Ok(known.map(|known| known.member_id.clone()));
        }
        let known = known.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        check_instance(known, member_id, instance_id).map_err(|error| error.code)?;
        Ok(None)
    }

    /// The member that a request of the classic protocol comes from.
    fn classic_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<&Member, ErrorCode> {
        let member = match instance_id {
            None => self.members.get(member_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?,
            Some(instance_id) => {
                let member = self.static_member(instance_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
                check_instance(member, member_id, instance_id).map_err(|error| error.code)?;
                member
            }
        };
        // Who speaks the new protocol has no business here.
        member.classic().map(|_| member).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)
    }

    /// A member asks for its assignment.
    pub fn sync_classic(&mut self, event: &SyncEvent, turn: &mut Turn<'_>) -> Result<SyncGroupResponse, ErrorCode> {
        let member = self.classic_member(&event.member_id, event.group_instance_id.as_deref())?;
        let id = member.member_id.clone();
        let classic = member.classic().ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if event.generation != member.epoch {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        let name = classic.supported_protocols.first().map(|protocol| protocol.name.as_str());
        let other_type = event.protocol_type.as_deref().is_some_and(|said| said != CONSUMER_PROTOCOL_TYPE);
        let other_name = event.protocol_name.as_deref().is_some_and(|said| Some(said) != name);
        if other_type || other_name {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        if self.assignment_epoch > member.epoch && member.state != MemberState::UnrevokedPartitions {
            let timeout_ms = member.about.rebalance_timeout_ms;
            self.await_join(&id, timeout_ms, turn.effects);
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        let response = SyncGroupResponse {
            protocol_type: event.protocol_type.clone(),
            protocol_name: event.protocol_name.clone(),
            assignment: assignment_bytes(&without(&member.assigned), subscription_version(classic), turn.image),
            ..Default::default()
        };
        turn.effects.cancel_timer(&self.group_id, TimerKind::MemberSync(id.clone()));
        let session_ms = i64::from(classic.session_timeout_ms);
        turn.effects.set_timer(&self.group_id, TimerKind::Heartbeat(id), session_ms);
        Ok(response)
    }

    /// A member says it is alive, and hears whether it should join again: because there is a newer assignment, because it
    /// must give something up, or because something it waits for is free.
    pub fn heartbeat_classic(&mut self, request: &HeartbeatRequest, effects: &mut Effects) -> ErrorCode {
        let found = self.classic_member(&request.member_id, request.group_instance_id.as_deref());
        let member = match found {
            Ok(member) if member.epoch == request.generation_id => member,
            Ok(_) => return ErrorCode::ILLEGAL_GENERATION,
            Err(error_code) => return error_code,
        };
        let session_ms = member.classic().map_or(0, |classic| i64::from(classic.session_timeout_ms));
        let (id, timeout_ms) = (member.member_id.clone(), member.about.rebalance_timeout_ms);
        let rejoin = member.epoch < self.assignment_epoch
            || member.state == MemberState::UnrevokedPartitions
            || (member.state == MemberState::UnreleasedPartitions && !self.waits_for_others(member));
        effects.set_timer(&self.group_id, TimerKind::Heartbeat(id.clone()), session_ms);
        if rejoin {
            self.await_join(&id, timeout_ms, effects);
            return ErrorCode::REBALANCE_IN_PROGRESS;
        }
        ErrorCode::NONE
    }

    fn waits_for_others(&self, member: &Member) -> bool {
        let target = self.target(&member.member_id);
        let missing = |topic: &protocol::Uuid, number: i32| !super::partitions::owns(&member.assigned, *topic, number);
        target.iter().any(|(topic, numbers)| {
            numbers.iter().any(|&number| missing(topic, number) && !self.is_free(*topic, number))
        })
    }

    /// From the first time a member is told to join again it has so long to do it.
    fn await_join(&mut self, member_id: &Rc<str>, timeout_ms: i32, effects: &mut Effects) {
        if self.awaiting_join.insert(member_id.clone()) {
            effects.set_timer(&self.group_id, TimerKind::MemberJoin(member_id.clone()), i64::from(timeout_ms));
        }
    }
}

/// The version and the content of what a member says under its preferred protocol; `None` if it cannot be read.
fn subscription_of(event: &JoinEvent) -> Option<(i16, ConsumerProtocolSubscription)> {
    read_subscription(&event.protocols.first()?.metadata)
}

/// Reads a subscription with its version.
pub(super) fn read_subscription(metadata: &Bytes) -> Option<(i16, ConsumerProtocolSubscription)> {
    let subscription = consumer_protocol::decode(metadata.clone()).ok()?;
    Some((version_of(metadata), subscription))
}

fn version_of(metadata: &[u8]) -> i16 {
    let version = metadata.first_chunk::<2>().map_or(0, |bytes| i16::from_be_bytes(*bytes));
    version.clamp(0, ConsumerProtocolAssignment::VERSIONS.max)
}

fn subscription_version(classic: &ClassicMemberMetadata) -> i16 {
    classic.supported_protocols.first().map_or(0, |protocol| version_of(&protocol.metadata))
}

/// An assignment as members of the classic protocol read it, in the version of their subscription. Topics that are gone
/// are left out.
pub(super) fn assignment_bytes(partitions: &Partitions, version: i16, image: &MetadataImage) -> Bytes {
    let topic = |(id, numbers): (&protocol::Uuid, &std::collections::BTreeSet<i32>)| {
        let topic = image.topic_by_id(*id)?;
        let partitions = numbers.iter().copied().collect();
        Some(consumer_protocol::TopicPartition { topic: topic.name.to_string(), partitions })
    };
    let assigned_partitions = partitions.iter().filter_map(topic).collect();
    to_versioned_bytes(&ConsumerProtocolAssignment { assigned_partitions, user_data: None }, version)
}

fn without(owned: &Owned) -> Partitions {
    super::partitions::without_epochs(owned)
}

/// Partitions told by topic name; topics that do not exist are left out.
pub(super) fn by_id<'a>(topics: impl Iterator<Item = (&'a str, &'a [i32])>, image: &MetadataImage) -> Partitions {
    let mut partitions = Partitions::new();
    for (name, numbers) in topics.filter(|(_, numbers)| !numbers.is_empty()) {
        if let Some(topic) = image.topic(name) {
            partitions.entry(topic.id).or_default().extend(numbers);
        }
    }
    partitions
}

fn about(
    before: &Member,
    event: &JoinEvent,
    subscription: &ConsumerProtocolSubscription,
) -> ConsumerGroupMemberMetadataValue {
    let protocol = |protocol: &crate::groups::classic::Protocol| ClassicProtocol {
        name: protocol.name.to_string(),
        metadata: protocol.metadata.clone(),
    };
    let instance_id = event.group_instance_id.as_deref().map(str::to_owned);
    ConsumerGroupMemberMetadataValue {
        instance_id: instance_id.or_else(|| before.about.instance_id.clone()),
        rack_id: subscription.rack_id.clone().or_else(|| before.about.rack_id.clone()),
        client_id: event.client_id.clone(),
        client_host: event.client_host.clone(),
        subscribed_topic_names: sorted(&subscription.topics),
        subscribed_topic_regex: Some(String::new()),
        rebalance_timeout_ms: event.rebalance_timeout_ms,
        server_assignor: before.about.server_assignor.clone(),
        classic_member_metadata: Some(ClassicMemberMetadata {
            session_timeout_ms: event.session_timeout_ms,
            supported_protocols: event.protocols.iter().map(protocol).collect(),
        }),
    }
}
