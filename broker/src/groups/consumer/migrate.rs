//! A group changes its kind while its members work: a classic group becomes a consumer group when the first member comes
//! that speaks the new protocol, and a classic one again when the last of them has gone
//! (GroupMetadataManager.convertToConsumerGroup, convertToClassicGroup).

use std::collections::BTreeSet;
use std::rc::Rc;

use protocol::ErrorCode;
use protocol::messages::consumer_group_records::{
    ClassicMemberMetadata, ClassicProtocol, ConsumerGroupMemberMetadataValue,
};
use protocol::messages::consumer_protocol::{self, ConsumerProtocolAssignment};

use super::classic_members::{assignment_bytes, by_id, read_subscription};
use super::heartbeat::sorted;
use super::member::{Member, MemberState};
use super::partitions::{Partitions, in_epoch};
use super::{ConsumerGroup, persist};
use crate::groups::classic::{self, ClassicGroup};
use crate::groups::settings::GroupSettings;
use crate::metadata::MetadataImage;
use crate::metadata::decide::ApiError;

/// Why a classic group stays one.
fn refused(group_id: &str, why: &str) -> ApiError {
    let message = format!("Cannot upgrade classic group {group_id} to consumer group because {why}.");
    ApiError::new(ErrorCode::GROUP_ID_NOT_FOUND, message)
}

/// Whether a classic group with members may become a consumer group.
pub fn check_upgrade(group: &ClassicGroup, settings: &GroupSettings) -> Result<(), ApiError> {
    let refuse = |why: &str| Err(refused(group.group_id(), why));
    if !settings.migration.may_upgrade() {
        refuse("online upgrade is disabled")
    } else if !group.uses_consumer_protocol() {
        refuse("the group does not use the consumer embedded protocol")
    } else if group.members().count() > settings.consumer_group_size_max {
        refuse("the group size exceeds the consumer group maximum size")
    } else {
        Ok(())
    }
}

/// The consumer group that a classic group becomes: everyone keeps what the leader assigned last.
pub fn upgraded(group: &ClassicGroup, image: &MetadataImage) -> Result<ConsumerGroup, ApiError> {
    let mut consumer = ConsumerGroup::new(group.group_id().clone());
    (consumer.epoch, consumer.assignment_epoch) = (group.generation(), group.generation());
    for member in group.members() {
        let (member, target) = upgraded_member(group, member, image)?;
        consumer.apply(&persist::target_record(&member.member_id, &target));
        consumer.apply(&persist::member_record(&member));
        consumer.apply(&persist::current_record(&member));
    }
    consumer.adopt_topics(image);
    Ok(consumer)
}

fn upgraded_member(
    group: &ClassicGroup,
    member: &classic::Member,
    image: &MetadataImage,
) -> Result<(Member, Partitions), ApiError> {
    let malformed = || refused(group.group_id(), "the embedded consumer protocol is malformed");
    let target = assigned_partitions(group, member, image)?;
    // Before its first generation a group has no protocol; every member says the same under each of its own.
    let protocol = group.protocol_name().or(member.protocols.first().map(|protocol| &*protocol.name));
    let (_, subscription) = read_subscription(&member.metadata(protocol)).ok_or_else(malformed)?;
    let supported = member
        .protocols
        .iter()
        .map(|protocol| ClassicProtocol { name: protocol.name.to_string(), metadata: protocol.metadata.clone() });
    let about = ConsumerGroupMemberMetadataValue {
        instance_id: member.group_instance_id.as_deref().map(str::to_owned),
        rack_id: subscription.rack_id.filter(|rack| !rack.is_empty()),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        subscribed_topic_names: sorted(&subscription.topics),
        subscribed_topic_regex: Some(String::new()),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        server_assignor: None,
        classic_member_metadata: Some(ClassicMemberMetadata {
            session_timeout_ms: member.session_timeout_ms,
            supported_protocols: supported.collect(),
        }),
    };
    let epoch = group.generation();
    let member = Member {
        epoch,
        previous_epoch: epoch,
        state: MemberState::Stable,
        about: Rc::new(about),
        assigned: Rc::new(in_epoch(&target, epoch)),
        ..Member::new(member.member_id.clone())
    };
    Ok((member, target))
}

/// What the leader assigned; nothing if the member has never been told.
fn assigned_partitions(
    group: &ClassicGroup,
    member: &classic::Member,
    image: &MetadataImage,
) -> Result<Partitions, ApiError> {
    if member.assignment.is_empty() {
        return Ok(Partitions::new());
    }
    let assignment: ConsumerProtocolAssignment = consumer_protocol::decode(member.assignment.clone())
        .map_err(|_| refused(group.group_id(), "the embedded consumer protocol is malformed"))?;
    if assignment.user_data.is_some_and(|data| !data.is_empty()) {
        return Err(refused(
            group.group_id(),
            "an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor \
             before re-attempting the upgrade",
        ));
    }
    let topics = assignment.assigned_partitions.iter();
    Ok(by_id(topics.map(|topic| (topic.topic.as_str(), topic.partitions.as_slice())), image))
}

impl ConsumerGroup {
    /// Whether the group becomes a classic one once `leaving` have gone: all others speak the classic protocol.
    pub fn downgrades_without(&self, leaving: &BTreeSet<Rc<str>>, settings: &GroupSettings) -> bool {
        let mut left = self.members.values().filter(|member| !leaving.contains(&member.member_id));
        let count = self.members.len() - self.members.keys().filter(|id| leaving.contains(*id)).count();
        count > 0
            && left.all(|member| member.classic().is_some())
            && settings.migration.may_downgrade()
            && count <= settings.max_size
    }

    /// Whether the group becomes a classic one when the static member of `instance_id` is replaced by a classic one.
    pub fn downgrades_by_replacing(&self, instance_id: Option<&str>, settings: &GroupSettings) -> bool {
        let Some(replaced) = instance_id.and_then(|id| self.static_member(id)) else { return false };
        let mut others = self.members.values().filter(|member| member.member_id != replaced.member_id);
        replaced.classic().is_none()
            && others.all(|member| member.classic().is_some())
            && settings.migration.may_downgrade()
            && self.members.len() <= settings.max_size
    }

    /// The classic group this one becomes without `leaving`: everyone keeps its target.
    pub fn downgraded(&self, leaving: &BTreeSet<Rc<str>>, image: &MetadataImage, now_ms: i64) -> ClassicGroup {
        let members = self.members.values().filter(|member| !leaving.contains(&member.member_id));
        let members = members.filter_map(|member| self.downgraded_member(member, image));
        ClassicGroup::of_consumers(self.group_id.clone(), self.epoch, members.collect(), now_ms)
    }

    fn downgraded_member(&self, member: &Member, image: &MetadataImage) -> Option<classic::Member> {
        let classic = member.classic()?;
        let protocols = classic.supported_protocols.iter().map(|protocol| classic::Protocol {
            name: protocol.name.as_str().into(),
            metadata: protocol.metadata.clone(),
        });
        let protocols: Vec<classic::Protocol> = protocols.collect();
        let version = protocols.first().and_then(|first| read_subscription(&first.metadata)).map_or(0, |(v, _)| v);
        Some(classic::Member {
            member_id: member.member_id.clone(),
            group_instance_id: member.instance_id().map(Into::into),
            client_id: member.about.client_id.clone(),
            client_host: member.about.client_host.clone(),
            rebalance_timeout_ms: member.about.rebalance_timeout_ms,
            session_timeout_ms: classic.session_timeout_ms,
            protocol_type: classic::CONSUMER_PROTOCOL_TYPE.into(),
            assignment: assignment_bytes(&self.target(&member.member_id), version, image),
            protocols,
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
        })
    }
}
