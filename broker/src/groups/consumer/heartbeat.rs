//! ConsumerGroupHeartbeat: a member joins, or says that it is alive, what changed and what it reads; the answer is its
//! epoch and, when that changed, its assignment (GroupMetadataManager.consumerGroupHeartbeat).

use std::collections::BTreeSet;
use std::rc::Rc;

use protocol::messages::consumer_group_heartbeat::Assignment;
use protocol::messages::consumer_group_records::ConsumerGroupMemberMetadataValue;
use protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use protocol::{ErrorCode, Uuid};

use super::member::{LEAVE_EPOCH, LEAVE_STATIC_EPOCH, Member};
use super::partitions::{self, Partitions, owns};
use super::subscription::check_pattern;
use super::{Assignor, ConsumerGroup, ConsumerRecord, Turn, persist};
use crate::groups::effects::TimerKind;
use crate::groups::settings::GroupSettings;
use crate::metadata::decide::ApiError;
use crate::metadata::{MetadataImage, ResourceId, ResourceKind};

/// Largest subscription of a member. Its record must fit into a batch; one that does not would be refused by the log after
/// the group has changed, and again with every later change.
const SUBSCRIPTION_BYTES_MAX: usize = 512 * 1024;

/// A ConsumerGroupHeartbeat request as the state machine sees it.
#[derive(Debug, Clone, Copy)]
pub struct Heartbeat<'a> {
    /// The request; [`check_heartbeat`] has passed it.
    pub request: &'a ConsumerGroupHeartbeatRequest,
    /// From the request header.
    pub client_id: &'a str,
    /// As Kafka shows it, `/127.0.0.1`.
    pub client_host: &'a str,
    /// The id of a new member that brings none (version 0).
    pub new_id: Uuid,
}

/// What is checked before the group is looked for (GroupCoordinatorService.java).
pub fn check_heartbeat(
    settings: &GroupSettings,
    request: &ConsumerGroupHeartbeatRequest,
    version: i16,
) -> Result<(), ApiError> {
    let invalid = |message: &str| Err(ApiError::new(ErrorCode::INVALID_REQUEST, message));
    let blank = |text: &Option<String>| text.as_ref().is_some_and(|text| text.trim().is_empty());
    let epoch = request.member_epoch;
    if (version >= 1 || epoch > 0 || epoch == LEAVE_EPOCH) && request.member_id.trim().is_empty() {
        return invalid("MemberId can't be empty.");
    }
    if request.group_id.trim().is_empty() {
        return invalid("GroupId can't be empty.");
    }
    if blank(&request.instance_id) {
        return invalid("InstanceId can't be empty.");
    }
    if blank(&request.rack_id) {
        return invalid("RackId can't be empty.");
    }
    match epoch {
        0 if request.rebalance_timeout_ms == -1 => invalid("RebalanceTimeoutMs must be provided in first request."),
        0 if request.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty()) => {
            invalid("TopicPartitions must be empty when (re-)joining.")
        }
        0 if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() => {
            invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
        }
        LEAVE_STATIC_EPOCH if request.instance_id.is_none() => invalid("InstanceId can't be null."),
        ..LEAVE_STATIC_EPOCH => invalid("MemberEpoch is invalid."),
        _ => check_assignor(settings, request.server_assignor.as_deref()),
    }
}

fn check_assignor(settings: &GroupSettings, asked: Option<&str>) -> Result<(), ApiError> {
    let known = |name: &str| Assignor::of(name).is_some_and(|assignor| settings.consumer_assignors.contains(&assignor));
    match asked {
        Some(asked) if !known(asked) => {
            let names: Vec<&str> = settings.consumer_assignors.iter().map(|assignor| assignor.name()).collect();
            let message =
                format!("ServerAssignor {asked} is not supported. Supported assignors: {}.", names.join(", "));
            Err(ApiError::new(ErrorCode::UNSUPPORTED_ASSIGNOR, message))
        }
        _ => Ok(()),
    }
}

/// What is checked of a joining member before a classic group is converted for it: its pattern.
pub fn check_join(event: &Heartbeat<'_>) -> Result<(), ApiError> {
    let pattern = event.request.subscribed_topic_regex.as_deref().unwrap_or_default();
    if pattern.is_empty() { Ok(()) } else { check_pattern(pattern) }
}

/// How a request comes to a place in the group.
pub(super) enum Seat {
    /// The member is there, or is added.
    Own,
    /// A static member came back under another member id, or left and came back.
    Replaces(Rc<str>),
}

impl ConsumerGroup {
    /// A member joins or says it is alive. Nothing has changed if the answer is an error.
    pub fn heartbeat(
        &mut self,
        event: &Heartbeat<'_>,
        turn: &mut Turn<'_>,
    ) -> Result<ConsumerGroupHeartbeatResponse, ApiError> {
        let request = event.request;
        let member_id: Rc<str> = match request.member_id.as_str() {
            "" => event.new_id.to_string().into(),
            known => known.into(),
        };
        self.check_size(&member_id, request.instance_id.as_deref(), turn.settings)?;
        check_subscription(request.subscribed_topic_names.iter().flatten().map(|name| 8 + name.len()).sum())?;
        let reported = request.topic_partitions.as_deref().map(reported_partitions);
        let seat = self.seat(&member_id, event, reported.as_ref())?;
        if let Some(pattern) = request.subscribed_topic_regex.as_deref()
            && !pattern.is_empty()
            && !self.patterns.contains_key(pattern)
        {
            check_pattern(pattern)?;
        }
        // From here on nothing is refused.
        if let Seat::Replaces(old) = seat {
            self.replace_member(&old, &member_id, turn);
        }
        let before = self.members.get(&member_id).cloned().unwrap_or_else(|| Member::new(member_id.clone()));
        let changed = self.update_member(&before, updated(&before, event), turn);
        self.update_target(turn);
        self.reconcile(&member_id, changed, reported.as_ref(), turn);
        let session_ms = turn.session_timeout_ms(&self.group_id);
        turn.effects.set_timer(&self.group_id, TimerKind::Heartbeat(member_id.clone()), session_ms);
        Ok(self.answer(&before, &member_id, request, turn))
    }

    /// Puts down what a member says about itself, and begins the group's next epoch if that matters to the assignment.
    /// `true` if the member's subscription is another one.
    pub(super) fn update_member(
        &mut self,
        before: &Member,
        about: ConsumerGroupMemberMetadataValue,
        turn: &mut Turn<'_>,
    ) -> bool {
        let assignor_may_change = before.about.server_assignor != about.server_assignor;
        let assignor = assignor_may_change.then(|| self.assignor(turn.settings));
        let names_changed = before.about.subscribed_topic_names != about.subscribed_topic_names;
        if *before.about != about || !self.members.contains_key(&before.member_id) {
            self.record(ConsumerRecord::Member(before.member_id.clone(), Some(about)), turn);
        }
        let topics_changed = self.refresh_patterns(before.pattern(), &before.member_id, turn);
        let pattern_changed = self.members.get(&before.member_id).is_some_and(|now| now.pattern() != before.pattern());
        let other_assignor = assignor.is_some_and(|assignor| assignor != self.assignor(turn.settings));
        self.compare_topics(names_changed || topics_changed || other_assignor, turn);
        names_changed || pattern_changed
    }

    /// Whether there is room for one more.
    pub(super) fn check_size(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        settings: &GroupSettings,
    ) -> Result<(), ApiError> {
        let max = settings.consumer_group_size_max;
        let known = self.members.contains_key(member_id)
            || instance_id.is_some_and(|instance_id| self.static_members.contains_key(instance_id));
        if known || self.members.len() < max {
            return Ok(());
        }
        let message = format!("The consumer group has reached its maximum capacity of {max} members.");
        Err(ApiError::new(ErrorCode::GROUP_MAX_SIZE_REACHED, message))
    }

    fn seat(&self, member_id: &str, event: &Heartbeat<'_>, reported: Option<&Partitions>) -> Result<Seat, ApiError> {
        let epoch = event.request.member_epoch;
        let Some(instance_id) = event.request.instance_id.as_deref() else {
            return match self.members.get(member_id) {
                Some(member) => check_epoch(member, epoch, reported).map(|()| Seat::Own),
                None if epoch == 0 => Ok(Seat::Own),
                None => Err(self.unknown_member(member_id)),
            };
        };
        let Some(known) = self.static_member(instance_id) else {
            let message = format!("Instance id {instance_id} is unknown.");
            return if epoch == 0 { Ok(Seat::Own) } else { Err(ApiError::new(ErrorCode::UNKNOWN_MEMBER_ID, message)) };
        };
        if epoch != 0 {
            check_instance(known, member_id, instance_id)?;
            return check_epoch(known, epoch, reported).map(|()| Seat::Own);
        }
        if known.classic().is_none() && known.epoch != LEAVE_STATIC_EPOCH {
            let message = format!(
                "Static member {member_id} with instance id {instance_id} cannot join the group because the instance id \
                 is owned by {} member.",
                known.member_id
            );
            return Err(ApiError::new(ErrorCode::UNRELEASED_INSTANCE_ID, message));
        }
        Ok(Seat::Replaces(known.member_id.clone()))
    }

    /// Gives the place of a static member, with everything it has, to another member id.
    pub(super) fn replace_member(&mut self, old: &Rc<str>, new: &Rc<str>, turn: &mut Turn<'_>) {
        let (Some(member), target) = (self.members.get(old).cloned(), self.target(old)) else { return };
        self.remove_member(old, turn);
        let member = Member { member_id: new.clone(), epoch: 0, previous_epoch: 0, ..member };
        self.record(persist::member_record(&member), turn);
        self.record(persist::target_record(new, &target), turn);
        self.record(persist::current_record(&member), turn);
    }

    fn answer(
        &self,
        before: &Member,
        member_id: &str,
        request: &ConsumerGroupHeartbeatRequest,
        turn: &Turn<'_>,
    ) -> ConsumerGroupHeartbeatResponse {
        let now = self.members.get(member_id).unwrap_or(before);
        let full = request.rebalance_timeout_ms != -1
            && (request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some())
            && request.topic_partitions.is_some();
        let tell = request.member_epoch == 0 || full || before.assigned != now.assigned;
        ConsumerGroupHeartbeatResponse {
            member_id: Some(member_id.to_owned()),
            member_epoch: now.epoch,
            heartbeat_interval_ms: turn.heartbeat_interval_ms(&self.group_id),
            assignment: tell.then(|| Assignment { topic_partitions: partitions::to_wire(&now.assigned) }),
            ..Default::default()
        }
    }
}

/// Refuses what would make a record too large for the log, with the code Kafka gives when its log refuses it.
pub(super) fn check_subscription(bytes: usize) -> Result<(), ApiError> {
    if bytes <= SUBSCRIPTION_BYTES_MAX {
        return Ok(());
    }
    let message = format!("The subscription takes {bytes} bytes, more than {SUBSCRIPTION_BYTES_MAX}.");
    Err(ApiError::new(ErrorCode::UNKNOWN_SERVER_ERROR, message))
}

/// Only the member that has an instance id may speak for it.
pub(super) fn check_instance(known: &Member, member_id: &str, instance_id: &str) -> Result<(), ApiError> {
    if *known.member_id == *member_id {
        return Ok(());
    }
    let message =
        format!("Static member {member_id} with instance id {instance_id} was fenced by member {}.", known.member_id);
    Err(ApiError::new(ErrorCode::FENCED_INSTANCE_ID, message))
}

/// A member must know its epoch, or be one answer behind and read nothing it should not.
fn check_epoch(member: &Member, epoch: i32, reported: Option<&Partitions>) -> Result<(), ApiError> {
    let fenced = |message: String| Err(ApiError::new(ErrorCode::FENCED_MEMBER_EPOCH, message));
    let known = member.epoch;
    if epoch != 0 && member.is_unknown() && reported.is_none_or(|reported| !reported.is_empty()) {
        return fenced(
            "The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin."
                .to_owned(),
        );
    }
    let behind = || epoch == member.previous_epoch && reported.is_some_and(|reported| has_all(member, reported));
    if epoch == 0 || epoch == known || (epoch < known && behind()) {
        return Ok(());
    }
    let than = if epoch > known { "greater" } else { "smaller" };
    fenced(format!(
        "The consumer group member has a {than} member epoch ({epoch}) than the one known by the group coordinator \
         ({known}). The member must abandon all its partitions and rejoin."
    ))
}

fn has_all(member: &Member, reported: &Partitions) -> bool {
    reported.iter().all(|(topic, numbers)| numbers.iter().all(|&number| owns(&member.assigned, *topic, number)))
}

fn reported_partitions(topics: &[protocol::messages::consumer_group_heartbeat::TopicPartitions]) -> Partitions {
    let mut reported = Partitions::new();
    for topic in topics {
        reported.entry(topic.topic_id).or_default().extend(&topic.partitions);
    }
    reported
}

/// What the member says now; what it does not mention stays.
fn updated(before: &Member, event: &Heartbeat<'_>) -> ConsumerGroupMemberMetadataValue {
    let request = event.request;
    let mut about = (*before.about).clone();
    let replace = |slot: &mut Option<String>, said: &Option<String>| {
        if said.is_some() {
            slot.clone_from(said);
        }
    };
    replace(&mut about.instance_id, &request.instance_id);
    replace(&mut about.rack_id, &request.rack_id);
    replace(&mut about.server_assignor, &request.server_assignor);
    replace(&mut about.subscribed_topic_regex, &request.subscribed_topic_regex);
    if request.rebalance_timeout_ms != -1 {
        about.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    if let Some(names) = &request.subscribed_topic_names {
        about.subscribed_topic_names = sorted(names);
    }
    about.client_id = event.client_id.to_owned();
    about.client_host = event.client_host.to_owned();
    about.classic_member_metadata = None;
    about
}

/// Topic names in order, each once.
pub(super) fn sorted(names: &[String]) -> Vec<String> {
    let names: BTreeSet<&String> = names.iter().collect();
    names.into_iter().cloned().collect()
}

impl Turn<'_> {
    /// A setting of the group, or else of the broker.
    fn group_setting(&self, group_id: &str, name: &str, default: i64) -> i64 {
        setting_of(self.image, group_id, name).unwrap_or(default)
    }

    pub(super) fn session_timeout_ms(&self, group_id: &str) -> i64 {
        let default = self.settings.consumer_session_timeout_ms;
        self.group_setting(group_id, "consumer.session.timeout.ms", i64::from(default))
    }

    fn heartbeat_interval_ms(&self, group_id: &str) -> i32 {
        let default = self.settings.consumer_heartbeat_interval_ms;
        let set = self.group_setting(group_id, "consumer.heartbeat.interval.ms", i64::from(default));
        i32::try_from(set).unwrap_or(default)
    }

    pub(super) fn assignment_interval_ms(&self, group_id: &str) -> i64 {
        let default = self.settings.consumer_assignment_interval_ms;
        self.group_setting(group_id, "consumer.assignment.interval.ms", i64::from(default))
    }
}

fn setting_of(image: &MetadataImage, group_id: &str, name: &str) -> Option<i64> {
    let values = image.config(&ResourceId { kind: ResourceKind::Group, name: group_id.to_owned() });
    values.get(name)?.parse().ok()
}
