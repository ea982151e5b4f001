//! What a heartbeat is answered with: the member's epoch, its tasks and everybody's endpoints if they changed, and what
//! stands in the way of work.

use protocol::messages::streams_group_heartbeat::Status;
use protocol::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};

use super::settings::{GroupValues, required_tags};
use super::target::Delay;
use super::tasks::to_lists;
use super::topics::Configured;
use super::{StreamsGroup, StreamsMember, Turn};

/// The first version whose clients understand [`MISSING_CLIENT_TAGS`].
const CLIENT_TAGS_VERSION_MIN: i16 = 1;

/// Numbers of statuses (StreamsGroupHeartbeatResponse.Status); 1 to 3 are those of `TopicsProblem`.
const STALE_TOPOLOGY: i8 = 0;
const SHUTDOWN_APPLICATION: i8 = 4;
const ASSIGNMENT_DELAYED: i8 = 5;
const MISSING_CLIENT_TAGS: i8 = 6;

impl StreamsGroup {
    /// What changed for the member.
    pub(super) fn answer(
        &mut self,
        before: &StreamsMember,
        member_id: &str,
        request: &StreamsGroupHeartbeatRequest,
        was_new: bool,
        turn: &Turn<'_>,
    ) -> StreamsGroupHeartbeatResponse {
        let Some(now) = self.members.get(member_id).cloned() else { return StreamsGroupHeartbeatResponse::default() };
        let values = GroupValues::of(turn, &self.group_id);
        let mut response = StreamsGroupHeartbeatResponse {
            member_id: member_id.to_owned(),
            member_epoch: now.epoch,
            heartbeat_interval_ms: values.heartbeat_interval_ms(),
            task_offset_interval_ms: values.task_offset_interval_ms(),
            acceptable_recovery_lag: values.acceptable_recovery_lag(),
            ..Default::default()
        };
        let tasks_changed = before.assigned != now.assigned;
        if request.member_epoch == 0 || tasks_changed {
            response.active_tasks = Some(to_lists(now.assigned.active.keys()));
            response.standby_tasks = Some(to_lists(&now.assigned.standby));
            response.warmup_tasks = Some(to_lists(&now.assigned.warmup));
        }
        let endpoint_changed = before.about.user_endpoint != now.about.user_endpoint;
        let moved = endpoint_changed || (tasks_changed && now.about.user_endpoint.is_some());
        let endpoint_epoch = self.endpoint_epoch.wrapping_add(i32::from(moved));
        if endpoint_epoch != request.endpoint_information_epoch {
            response.partitions_by_user_endpoint = Some(self.partitions_by_endpoint(turn.image));
        }
        // As Kafka, which has forgotten the first change of a new group by the time it is there.
        if !was_new {
            self.endpoint_epoch = endpoint_epoch;
            response.endpoint_information_epoch = endpoint_epoch;
        }
        response
    }

    /// What stands in the way of work.
    pub(super) fn statuses(
        &self,
        member_id: &str,
        version: i16,
        is_stale: bool,
        delay: Option<Delay>,
        configured: &Configured,
    ) -> Vec<Status> {
        let status = |status_code: i8, detail: String| Status { status_code, status_detail: detail };
        let mut statuses = Vec::new();
        let member = self.members.get(member_id);
        if let (true, Some(member), Some(topology)) = (is_stale, member, &self.topology) {
            let detail = format!(
                "The member's topology epoch {} is behind the group's topology epoch {}.",
                member.about.topology_epoch, topology.epoch
            );
            statuses.push(status(STALE_TOPOLOGY, detail));
        }
        statuses.extend(delay.map(|delay| status(ASSIGNMENT_DELAYED, delay.detail().to_owned())));
        statuses.extend(configured.problem.as_ref().map(|problem| {
            let (code, detail) = problem.status();
            status(code, detail.to_owned())
        }));
        statuses.extend(self.shutdown_by.as_ref().map(|by| {
            let detail = format!(
                "Streams group member {by} encountered a fatal error and requested a shutdown for the entire application."
            );
            status(SHUTDOWN_APPLICATION, detail)
        }));
        let has = |tag: &&str| member.is_some_and(|member| member.about.client_tags.iter().any(|own| own.key == *tag));
        let missing: Vec<&str> = required_tags(&self.assignment_configs).into_iter().filter(|tag| !has(tag)).collect();
        if version >= CLIENT_TAGS_VERSION_MIN && !missing.is_empty() {
            let detail = format!(
                "Missing required client tags for rack-aware standby assignment: [{}]. Configure them via \
                 'client.tag.<tagKey>' in your Streams config.",
                missing.join(", ")
            );
            statuses.push(status(MISSING_CLIENT_TAGS, detail));
        }
        statuses
    }
}
