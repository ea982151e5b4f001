//! StreamsGroupHeartbeat: a member joins, or says that it is alive, what changed and which tasks it has; the answer is its
//! epoch, what stands in the way, and when they changed its tasks (GroupMetadataManager.streamsGroupHeartbeat).

use std::collections::BTreeMap;
use std::rc::Rc;

use protocol::ErrorCode;
use protocol::messages::create_topics::CreatableTopic;
use protocol::messages::streams_group_heartbeat::TaskIds;
use protocol::messages::streams_group_records::{Endpoint, KeyValue, StreamsGroupMemberMetadataValue};
use protocol::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};

use super::offsets::TaskOffsets;
use super::settings::GroupValues;
use super::tasks::Tasks;
use super::topics::Configured;
use super::topology::Topology;
use super::{LEAVE_STATIC_EPOCH, MemberState, StreamsGroup, StreamsMember, StreamsRecord, Turn, persist};
use crate::groups::effects::TimerKind;
use crate::groups::topic_hash::hash_of_topics;
use crate::metadata::MetadataImage;
use crate::metadata::decide::ApiError;

/// A StreamsGroupHeartbeat request as the state machine sees it.
#[derive(Debug, Clone, Copy)]
pub struct StreamsHeartbeat<'a> {
    /// The request; `check_streams_heartbeat` has passed it.
    pub request: &'a StreamsGroupHeartbeatRequest,
    /// Version of the request.
    pub version: i16,
    /// From the request header.
    pub client_id: &'a str,
    /// As Kafka shows it, `/127.0.0.1`.
    pub client_host: &'a str,
}

/// The answer, which holds once everything asked for is durable.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamsAnswer {
    /// What the member is told.
    pub response: StreamsGroupHeartbeatResponse,
    /// Topics of the application that are to be made.
    pub missing: Vec<CreatableTopic>,
}

/// How a request comes to a place in the group.
enum Seat {
    /// The member is there, or is added.
    Own,
    /// A static member came back under another member id, or left and came back.
    Replaces(Rc<str>),
}

/// The topology as it will be after the request, and what it comes to.
struct Plan {
    topology: Rc<Topology>,
    is_new: bool,
    configured: Rc<Configured>,
    /// Of the topics.
    hash: i64,
    /// Of the metadata.
    version: i64,
}

/// A request that is not refused.
struct Checked {
    reported: Option<Tasks>,
    seat: Seat,
    plan: Plan,
    /// What the member reported of its state, if it did.
    offsets: Option<TaskOffsets>,
}

/// The group before the request.
struct Was {
    empty: bool,
    new: bool,
    /// The member has an older topology than the group.
    stale: bool,
}

impl StreamsGroup {
    /// A member joins or says it is alive. Nothing has changed if the answer is an error. Without `keep_offsets` what the
    /// member reports of its state is left alone.
    pub fn heartbeat(
        &mut self,
        event: &StreamsHeartbeat<'_>,
        keep_offsets: bool,
        turn: &mut Turn<'_>,
    ) -> Result<StreamsAnswer, ApiError> {
        let request = event.request;
        let member_id: Rc<str> = request.member_id.as_str().into();
        let Checked { reported, seat, plan, offsets } = self.check(request, &member_id, turn)?;
        let was = Was {
            empty: self.members.is_empty(),
            new: self.topology.is_none(),
            stale: self.is_stale(request, &member_id, &seat),
        };
        if let Seat::Replaces(old) = &seat {
            self.replace_member(old, &member_id, turn);
        }
        let before = self.members.get(&member_id).cloned().unwrap_or_else(|| StreamsMember::new(member_id.clone()));
        let member_matters = self.update_member(&before, event, turn);
        let configured = plan.configured.clone();
        self.update_topics(plan, member_matters, turn);
        if keep_offsets && offsets.is_some() {
            self.set_offsets(&member_id, offsets);
        }
        if was.empty {
            self.delay_first_assignment(turn);
        }
        let delay = self.update_target(turn);
        self.reconcile(&member_id, reported.as_ref(), turn);
        let session_ms = GroupValues::of(turn, &self.group_id).session_timeout_ms();
        turn.effects.set_timer(&self.group_id, TimerKind::Heartbeat(member_id.clone()), session_ms);
        if request.shutdown_application {
            self.request_shutdown(&member_id);
        }
        let mut response = self.answer(&before, &member_id, request, was.new, turn);
        response.status = Some(self.statuses(&member_id, event.version, was.stale, delay, &configured));
        Ok(StreamsAnswer { response, missing: configured.missing.clone() })
    }

    /// Everything that may be refused.
    fn check(
        &self,
        request: &StreamsGroupHeartbeatRequest,
        member_id: &str,
        turn: &Turn<'_>,
    ) -> Result<Checked, ApiError> {
        if request.member_epoch == 0 {
            self.check_size(member_id, request.instance_id.as_deref(), turn.settings.streams.size_max)?;
        }
        let reported = Tasks::reported(request);
        let seat = self.seat(member_id, request, reported.as_ref())?;
        let plan = self.plan(request, turn.image)?;
        if plan.configured.is_ready() {
            for tasks in [&request.active_tasks, &request.standby_tasks, &request.warmup_tasks] {
                check_tasks(&plan.configured, tasks.as_deref().unwrap_or_default())?;
            }
        }
        let (offsets, ends) = (request.task_offsets.as_deref(), request.task_end_offsets.as_deref());
        let nothing = TaskOffsets::default();
        let known = || self.offsets.get(member_id).unwrap_or(&nothing);
        let offsets = (offsets.is_some() || ends.is_some()).then(|| known().updated(offsets, ends)).transpose()?;
        Ok(Checked { reported, seat, plan, offsets })
    }

    fn check_size(&self, member_id: &str, instance_id: Option<&str>, max: usize) -> Result<(), ApiError> {
        let known = self.members.contains_key(member_id)
            || instance_id.is_some_and(|instance_id| self.static_members.contains_key(instance_id));
        if known || self.members.len() < max {
            return Ok(());
        }
        let message = format!("The streams group has reached its maximum capacity of {max} members.");
        Err(ApiError::new(ErrorCode::GROUP_MAX_SIZE_REACHED, message))
    }

    fn seat(
        &self,
        member_id: &str,
        request: &StreamsGroupHeartbeatRequest,
        reported: Option<&Tasks>,
    ) -> Result<Seat, ApiError> {
        let epoch = request.member_epoch;
        let Some(instance_id) = request.instance_id.as_deref() else {
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
        if known.epoch != LEAVE_STATIC_EPOCH {
            let message = format!(
                "Static member {member_id} with instance id {instance_id} cannot join the group because the instance id \
                 is owned by {} member.",
                known.member_id
            );
            return Err(ApiError::new(ErrorCode::UNRELEASED_INSTANCE_ID, message));
        }
        Ok(Seat::Replaces(known.member_id.clone()))
    }

    /// What becomes of the topology. One that is there stays: updates are a matter of a later Kafka.
    fn plan(&self, request: &StreamsGroupHeartbeatRequest, image: &MetadataImage) -> Result<Plan, ApiError> {
        let said = request.topology.as_ref().map(Topology::of_heartbeat).transpose()?;
        let (topology, is_new) = match (&self.topology, said) {
            (Some(known), Some(said)) if known.epoch <= said.epoch && **known != said => {
                return Err(ApiError::new(ErrorCode::INVALID_REQUEST, "Topology updates are not supported yet."));
            }
            (Some(known), _) => (known.clone(), false),
            (None, Some(said)) => (Rc::new(said), true),
            (None, None) => {
                let message = "The topology is null and the group topology is also null.";
                return Err(ApiError::new(ErrorCode::UNKNOWN_SERVER_ERROR, message));
            }
        };
        let version = image.next_offset.0;
        let known = self.configured.as_ref().filter(|_| !is_new);
        if let Some((at, configured)) = known
            && *at == version
        {
            let (configured, hash) = (configured.clone(), self.metadata_hash);
            return Ok(Plan { topology, is_new, configured, hash, version });
        }
        let hash = hash_of_topics(&topology.required_topics(), image);
        let configured = match known.filter(|_| hash == self.metadata_hash) {
            Some((_, configured)) => configured.clone(),
            None => Rc::new(Configured::of(&topology, image)?),
        };
        Ok(Plan { topology, is_new, configured, hash, version })
    }

    /// Whether the member has an older topology than the group.
    fn is_stale(&self, request: &StreamsGroupHeartbeatRequest, member_id: &str, seat: &Seat) -> bool {
        let Some(topology) = &self.topology else { return false };
        let before = match seat {
            Seat::Own => self.members.get(member_id),
            Seat::Replaces(old) => self.members.get(old),
        };
        let said = request.topology.as_ref().map(|topology| topology.epoch);
        said.or(before.map(|member| member.about.topology_epoch)).unwrap_or(-1) < topology.epoch
    }

    /// Gives the place of a static member, with everything it has, to another member id.
    fn replace_member(&mut self, old: &Rc<str>, new: &Rc<str>, turn: &mut Turn<'_>) {
        let (Some(member), target) = (self.members.get(old).cloned(), self.target(old)) else { return };
        self.remove_member(old, turn);
        let member = StreamsMember { member_id: new.clone(), epoch: 0, previous_epoch: 0, ..member };
        self.record(persist::member_record(&member), turn);
        self.record(persist::target_record(new, &target), turn);
        self.record(persist::current_record(&member), turn);
    }

    /// Puts down what a member says about itself; `true` if that may change who gets what. Of a static member only what an
    /// assignment depends on counts, so that it can come back without one.
    fn update_member(&mut self, before: &StreamsMember, event: &StreamsHeartbeat<'_>, turn: &mut Turn<'_>) -> bool {
        let about = updated(before, event);
        if *before.about == about && self.members.contains_key(&before.member_id) {
            return false;
        }
        let matters = |about: &StreamsGroupMemberMetadataValue| {
            (about.topology_epoch, about.rack_id.clone(), about.client_tags.clone(), about.process_id.clone())
        };
        let changed = event.request.instance_id.is_none() || matters(&before.about) != matters(&about);
        self.record(StreamsRecord::Member(before.member_id.clone(), Some(about)), turn);
        changed
    }

    /// Takes over the topology and what it comes to; begins the group's next epoch if `bump` says so, or if topics or
    /// settings are not what they were.
    fn update_topics(&mut self, plan: Plan, bump: bool, turn: &mut Turn<'_>) {
        if plan.is_new {
            self.record(StreamsRecord::Topology(Some(plan.topology.to_record())), turn);
        }
        let validated = if plan.configured.is_ready() { plan.topology.epoch } else { -1 };
        self.set_configured(Some((plan.version, plan.configured)));
        let configs = GroupValues::of(turn, &self.group_id).assignment_configs();
        if bump
            || plan.hash != self.metadata_hash
            || validated != self.validated_topology_epoch
            || configs != self.assignment_configs
        {
            self.metadata_hash = plan.hash;
            self.validated_topology_epoch = validated;
            self.assignment_configs = configs;
            self.bump_epoch(turn);
        }
    }
}

/// Only the member that has an instance id may speak for it.
pub(super) fn check_instance(known: &StreamsMember, member_id: &str, instance_id: &str) -> Result<(), ApiError> {
    if *known.member_id == *member_id {
        return Ok(());
    }
    let message =
        format!("Static member {member_id} with instance id {instance_id} was fenced by member {}.", known.member_id);
    Err(ApiError::new(ErrorCode::FENCED_INSTANCE_ID, message))
}

/// A member must know its epoch, or be one answer behind and have nothing it should not.
fn check_epoch(member: &StreamsMember, epoch: i32, reported: Option<&Tasks>) -> Result<(), ApiError> {
    let fenced = |message: String| Err(ApiError::new(ErrorCode::FENCED_MEMBER_EPOCH, message));
    let known = member.epoch;
    let behind =
        || epoch == member.previous_epoch && reported.is_some_and(|reported| member.assigned.include(reported));
    if epoch != 0 && epoch != known && !(epoch < known && behind()) {
        let than = if epoch > known { "greater" } else { "smaller" };
        return fenced(format!(
            "The streams group member has a {than} member epoch ({epoch}) than the one known by the group coordinator \
             ({known}). The member must abandon all its partitions and rejoin."
        ));
    }
    if member.state == MemberState::Unknown && reported.is_none_or(|reported| !reported.is_empty()) {
        return fenced(
            "The streams group member is in a unknown state. The member must abandon all its tasks and rejoin."
                .to_owned(),
        );
    }
    Ok(())
}

/// Tasks a member says it has must be tasks of the application.
fn check_tasks(configured: &Configured, lists: &[TaskIds]) -> Result<(), ApiError> {
    let invalid = |message: String| Err(ApiError::new(ErrorCode::INVALID_REQUEST, message));
    for list in lists {
        let id = list.subtopology_id.as_str();
        let Some(subtopology) = configured.subtopologies.get(id) else {
            return invalid(format!("Subtopology {id} does not exist in the topology."));
        };
        let count = subtopology.tasks;
        if let Some(partition) = list.partitions.iter().find(|partition| !(0..count).contains(*partition)) {
            return invalid(format!(
                "Task {partition} for subtopology {id} is invalid. Number of tasks for this subtopology: {count}"
            ));
        }
    }
    Ok(())
}

/// What the member says now; what it does not mention stays. A member that joins without an endpoint has none.
fn updated(before: &StreamsMember, event: &StreamsHeartbeat<'_>) -> StreamsGroupMemberMetadataValue {
    let request = event.request;
    let mut about = (*before.about).clone();
    about.instance_id = request.instance_id.clone().or(about.instance_id);
    about.rack_id = request.rack_id.clone().or(about.rack_id);
    if request.rebalance_timeout_ms != -1 {
        about.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    if let Some(topology) = &request.topology {
        about.topology_epoch = topology.epoch;
    }
    if let Some(process_id) = &request.process_id {
        about.process_id.clone_from(process_id);
    }
    if request.member_epoch == 0 || request.user_endpoint.is_some() {
        let endpoint = request.user_endpoint.as_ref();
        about.user_endpoint = endpoint.map(|at| Endpoint { host: at.host.clone(), port: at.port });
    }
    if let Some(tags) = &request.client_tags {
        let tags: BTreeMap<&str, &str> = tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
        let tag = |(key, value): (&str, &str)| KeyValue { key: key.to_owned(), value: value.to_owned() };
        about.client_tags = tags.into_iter().map(tag).collect();
    }
    about.client_id = event.client_id.to_owned();
    about.client_host = event.client_host.to_owned();
    about
}
