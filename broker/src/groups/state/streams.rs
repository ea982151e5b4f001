//! Streams groups of the partition: finding, making and ending them, and what their members ask.

use protocol::ErrorCode;
use protocol::messages::StreamsGroupHeartbeatResponse;
use protocol::messages::streams_group_describe::DescribedGroup;

use super::GroupState;
use crate::groups::classic::Step;
use crate::groups::consumer::Turn;
use crate::groups::effects::{Effects, Then, TimerKind};
use crate::groups::group::Group;
use crate::groups::records::GroupRecord;
use crate::groups::streams::{LEAVE_EPOCH, LEAVE_STATIC_EPOCH, Leaving, StreamsAnswer, StreamsGroup, StreamsHeartbeat};
use crate::metadata::decide::ApiError;

/// Memory a joining member may add, beside a new group.
const JOIN_BYTES: usize = 4_096;
/// Memory a reported offset takes, roughly.
const OFFSET_BYTES: usize = 96;

fn not_found(message: String) -> ApiError {
    ApiError::new(ErrorCode::GROUP_ID_NOT_FOUND, message)
}

fn not_streams(group_id: &str) -> ApiError {
    not_found(format!("Group {group_id} is not a streams group."))
}

impl GroupState {
    /// A member joins, says it is alive, or leaves. The answer holds once everything asked for is durable.
    pub fn streams_heartbeat(
        &mut self,
        event: &StreamsHeartbeat<'_>,
        now_ms: i64,
        effects: &mut Effects,
    ) -> Result<StreamsAnswer, ApiError> {
        let mut records = self.take_owed(&event.request.group_id);
        let result = if matches!(event.request.member_epoch, LEAVE_EPOCH | LEAVE_STATIC_EPOCH) {
            self.streams_leave(event, now_ms, effects, &mut records)
        } else {
            self.streams_alive(event, now_ms, effects, &mut records)
        };
        self.append_group_records(records, Then::Consumer, effects);
        result
    }

    fn streams_alive(
        &mut self,
        event: &StreamsHeartbeat<'_>,
        now_ms: i64,
        effects: &mut Effects,
        records: &mut Vec<GroupRecord>,
    ) -> Result<StreamsAnswer, ApiError> {
        let request = event.request;
        let group_id = request.group_id.as_str();
        let joins = request.member_epoch == 0;
        if joins && !self.has_room(JOIN_BYTES) {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE.into());
        }
        let offsets = [&request.task_offsets, &request.task_end_offsets];
        let offsets: usize = offsets.iter().map(|offsets| offsets.as_ref().map_or(0, Vec::len)).sum();
        let keep_offsets = self.has_room(OFFSET_BYTES * offsets);
        match self.groups.get(group_id) {
            Some(Group::Streams(_)) => {
                let result = self.with_streams(group_id, now_ms, effects, records, |group, turn| {
                    group.heartbeat(event, keep_offsets, turn)
                });
                result.unwrap_or_else(|| Err(not_streams(group_id)))
            }
            Some(Group::Classic(group)) if joins && group.is_without_members() => {
                self.first_streams_heartbeat(event, keep_offsets, now_ms, effects, records)
            }
            Some(Group::Classic(_) | Group::Consumer(_)) => Err(not_streams(group_id)),
            None if joins => self.first_streams_heartbeat(event, keep_offsets, now_ms, effects, records),
            None => Err(not_found(format!("Streams group {group_id} not found."))),
        }
    }

    /// A group comes into being with its first member, in the place of an empty classic group if there is one.
    fn first_streams_heartbeat(
        &mut self,
        event: &StreamsHeartbeat<'_>,
        keep_offsets: bool,
        now_ms: i64,
        effects: &mut Effects,
        records: &mut Vec<GroupRecord>,
    ) -> Result<StreamsAnswer, ApiError> {
        let group_id = event.request.group_id.as_str();
        let mut group = StreamsGroup::new(group_id.into());
        let (mut made, mut wishes) = (Vec::new(), Effects::default());
        let mut turn =
            Turn { settings: &self.settings, now_ms, image: &self.image, effects: &mut wishes, records: &mut made };
        let answer = group.heartbeat(event, keep_offsets, &mut turn)?;
        if !self.has_room(group.bytes()) {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE.into());
        }
        self.with_classic(group_id, now_ms, effects, |classic, step: &mut Step<'_>| {
            classic.bury(ErrorCode::REBALANCE_IN_PROGRESS, step);
        });
        if let Some(classic) = self.groups.get(group_id) {
            records.extend(classic.tombstones());
        }
        records.append(&mut made);
        effects.timers.append(&mut wishes.timers);
        self.insert(Group::Streams(group));
        Ok(answer)
    }

    fn streams_leave(
        &mut self,
        event: &StreamsHeartbeat<'_>,
        now_ms: i64,
        effects: &mut Effects,
        records: &mut Vec<GroupRecord>,
    ) -> Result<StreamsAnswer, ApiError> {
        let request = event.request;
        let group_id = request.group_id.as_str();
        if !self.groups.contains_key(group_id) {
            return Err(not_found(format!("Group {group_id} not found.")));
        }
        let left = self.with_streams(group_id, now_ms, effects, records, |group, turn| {
            if request.shutdown_application {
                group.request_shutdown(&request.member_id);
            }
            match group.leaving(request)? {
                Leaving::ForGood(member_id) => group.expel(&member_id, turn),
                Leaving::ForNow(member_id) => group.step_out(&member_id, turn),
            }
            Ok(())
        });
        left.unwrap_or_else(|| Err(not_streams(group_id)))?;
        let response = StreamsGroupHeartbeatResponse {
            member_id: request.member_id.clone(),
            member_epoch: request.member_epoch,
            ..Default::default()
        };
        Ok(StreamsAnswer { response, missing: Vec::new() })
    }

    /// A timer of a streams group went off: members had time to come, or who is overdue is removed.
    pub(super) fn streams_timer(&mut self, group_id: &str, kind: &TimerKind, now_ms: i64, effects: &mut Effects) {
        let Some(Group::Streams(group)) = self.groups.get(group_id) else { return };
        let overdue = group.overdue(kind);
        if overdue.is_none() && *kind != TimerKind::Join {
            return;
        }
        let mut records = self.take_owed(group_id);
        self.with_streams(group_id, now_ms, effects, &mut records, |group, turn| match overdue {
            Some(member_id) => {
                tracing::info!(group = group_id, member = &*member_id, ?kind, "a member was not heard of in time");
                group.expel(&member_id, turn);
            }
            None => group.delay_is_over(turn),
        });
        self.append_group_records(records, Then::Consumer, effects);
    }

    /// Describes a streams group.
    pub fn describe_streams_group(&self, group_id: &str) -> DescribedGroup {
        let refused = |error: ApiError| DescribedGroup {
            group_id: group_id.to_owned(),
            error_code: error.code,
            error_message: Some(error.message),
            ..Default::default()
        };
        match self.groups.get(group_id) {
            Some(Group::Streams(group)) => group.describe(),
            Some(Group::Classic(_) | Group::Consumer(_)) => refused(not_streams(group_id)),
            None => refused(not_found(format!("Group {group_id} not found."))),
        }
    }

    /// Runs `change` on a streams group, with the books on memory kept. `None` if there is no such group.
    pub(super) fn with_streams<T>(
        &mut self,
        group_id: &str,
        now_ms: i64,
        effects: &mut Effects,
        records: &mut Vec<GroupRecord>,
        change: impl FnOnce(&mut StreamsGroup, &mut Turn<'_>) -> T,
    ) -> Option<T> {
        let Some(Group::Streams(group)) = self.groups.get_mut(group_id) else { return None };
        self.group_bytes -= group.bytes();
        let mut turn = Turn { settings: &self.settings, now_ms, image: &self.image, effects, records };
        let result = change(group, &mut turn);
        self.group_bytes += group.bytes();
        Some(result)
    }
}
