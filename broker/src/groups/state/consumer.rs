//! Consumer groups of the partition: finding, making and converting them, and what their members ask.

use std::collections::BTreeSet;
use std::rc::Rc;

use protocol::ErrorCode;
use protocol::messages::consumer_group_describe::DescribedGroup;
use protocol::messages::leave_group::{MemberIdentity, MemberResponse};
use protocol::messages::{ConsumerGroupHeartbeatResponse, SyncGroupResponse};

use super::{GroupState, Parked};
use crate::groups::classic::{ClassicGroup, JoinEvent, Step, SyncEvent};
use crate::groups::consumer::{
    ClassicJoin, ConsumerGroup, Heartbeat, LEAVE_EPOCH, LEAVE_STATIC_EPOCH, Leaving, Turn, check_upgrade, upgraded,
};
use crate::groups::effects::{Effects, Then, TimerKind, Token};
use crate::groups::group::Group;
use crate::groups::records::GroupRecord;
use crate::metadata::MetadataImage;
use crate::metadata::decide::ApiError;

/// Memory a joining member may add, beside its subscription.
const JOIN_BYTES: usize = 2_048;

fn not_found(message: String) -> ApiError {
    ApiError::new(ErrorCode::GROUP_ID_NOT_FOUND, message)
}

impl GroupState {
    /// A member joins, says it is alive, or leaves. The answer holds once everything asked for is durable.
    pub fn consumer_heartbeat(
        &mut self,
        event: &Heartbeat<'_>,
        now_ms: i64,
        effects: &mut Effects,
    ) -> Result<ConsumerGroupHeartbeatResponse, ApiError> {
        let mut records = self.take_owed(&event.request.group_id);
        let leaves = matches!(event.request.member_epoch, LEAVE_EPOCH | LEAVE_STATIC_EPOCH);
        let result = if leaves {
            self.consumer_leave(event, now_ms, effects, &mut records)
        } else {
            self.consumer_alive(event, now_ms, effects, &mut records)
        };
        self.append_group_records(records, Then::Consumer, effects);
        result
    }

    fn consumer_alive(
        &mut self,
        event: &Heartbeat<'_>,
        now_ms: i64,
        effects: &mut Effects,
        records: &mut Vec<GroupRecord>,
    ) -> Result<ConsumerGroupHeartbeatResponse, ApiError> {
        let group_id = event.request.group_id.as_str();
        let joins = event.request.member_epoch == 0;
        let names = event.request.subscribed_topic_names.iter().flatten();
        if joins && !self.has_room(JOIN_BYTES + names.map(|name| 32 + name.len()).sum::<usize>()) {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE.into());
        }
        let is_new = self.ready_consumer_group(event, now_ms, effects, records)?;
        let result = self.with_consumer(group_id, now_ms, effects, records, |group, turn| group.heartbeat(event, turn));
        let result = result.unwrap_or_else(|| Err(not_found(format!("Group {group_id} is not a consumer group."))));
        if is_new && result.is_err() {
            self.remove(group_id);
        }
        result
    }

    /// Sees to it that the group is there and of the right kind; `true` if it was not there at all.
    fn ready_consumer_group(
        &mut self,
        event: &Heartbeat<'_>,
        now_ms: i64,
        effects: &mut Effects,
        records: &mut Vec<GroupRecord>,
    ) -> Result<bool, ApiError> {
        let group_id = event.request.group_id.as_str();
        let joins = event.request.member_epoch == 0;
        match self.groups.get(group_id) {
            Some(Group::Consumer(_)) => Ok(false),
            None if joins => {
                self.insert(Group::Consumer(ConsumerGroup::new(group_id.into())));
                Ok(true)
            }
            None => Err(not_found(format!("Consumer group {group_id} not found."))),
            Some(Group::Streams(_)) => Err(not_found(format!("Group {group_id} is not a consumer group."))),
            Some(Group::Classic(_)) if !joins => Err(not_found(format!("Group {group_id} is not a consumer group."))),
            Some(Group::Classic(group)) => {
                crate::groups::consumer::check_join(event)?;
                let group = self.consumer_group_of(group)?;
                self.upgrade(group, now_ms, effects, records);
                Ok(false)
            }
        }
    }

    /// What a classic group is as a consumer group; one without members begins anew.
    fn consumer_group_of(&self, group: &ClassicGroup) -> Result<ConsumerGroup, ApiError> {
        if group.is_without_members() {
            return Ok(ConsumerGroup::new(group.group_id().clone()));
        }
        check_upgrade(group, &self.settings)?;
        upgraded(group, &self.image)
    }

    /// The classic group of the same name becomes `group`. Requests it had parked are told to join again.
    fn upgrade(&mut self, group: ConsumerGroup, now_ms: i64, effects: &mut Effects, records: &mut Vec<GroupRecord>) {
        let group_id = group.group_id().clone();
        let was_empty = group.is_empty();
        self.with_classic(&group_id, now_ms, effects, |classic, step| {
            classic.bury(ErrorCode::REBALANCE_IN_PROGRESS, step);
        });
        records.push(GroupRecord::Group { group_id: group_id.clone(), value: None });
        if !was_empty {
            records.extend(group.snapshot_records());
        }
        tracing::info!(
            group = &*group_id,
            members = group.members().count(),
            "a classic group is a consumer group now"
        );
        self.insert(Group::Consumer(group));
        self.with_consumer(&group_id, now_ms, effects, records, |group, turn| group.loaded(turn));
    }

    fn consumer_leave(
        &mut self,
        event: &Heartbeat<'_>,
        now_ms: i64,
        effects: &mut Effects,
        records: &mut Vec<GroupRecord>,
    ) -> Result<ConsumerGroupHeartbeatResponse, ApiError> {
        let request = event.request;
        let leaving = match self.groups.get(request.group_id.as_str()) {
            Some(Group::Consumer(group)) => group.leaving(request)?,
            Some(Group::Classic(_) | Group::Streams(_)) => {
                return Err(not_found(format!("Group {} is not a consumer group.", request.group_id)));
            }
            None => return Err(not_found(format!("Group {} not found.", request.group_id))),
        };
        match leaving {
            Leaving::ForGood(member_id) => {
                self.fence(&request.group_id, BTreeSet::from([member_id]), now_ms, effects, records);
            }
            Leaving::ForNow(member_id) => {
                self.with_consumer(&request.group_id, now_ms, effects, records, |group, turn| {
                    group.step_out(&member_id, turn);
                });
            }
        }
        Ok(ConsumerGroupHeartbeatResponse {
            member_id: Some(request.member_id.clone()),
            member_epoch: request.member_epoch,
            ..Default::default()
        })
    }

    /// Removes members. If only members of the classic protocol are left, the group becomes a classic one.
    fn fence(
        &mut self,
        group_id: &str,
        member_ids: BTreeSet<Rc<str>>,
        now_ms: i64,
        effects: &mut Effects,
        records: &mut Vec<GroupRecord>,
    ) {
        let Some(Group::Consumer(group)) = self.groups.get(group_id) else { return };
        if member_ids.is_empty() {
            return;
        }
        if group.downgrades_without(&member_ids, &self.settings) {
            self.downgrade(group_id, &member_ids, true, now_ms, effects, records);
        } else {
            self.with_consumer(group_id, now_ms, effects, records, |group, turn| {
                group.remove_members(&member_ids, turn);
            });
        }
    }

    fn downgrade(
        &mut self,
        group_id: &str,
        leaving: &BTreeSet<Rc<str>>,
        rebalance: bool,
        now_ms: i64,
        effects: &mut Effects,
        records: &mut Vec<GroupRecord>,
    ) {
        let Some(Group::Consumer(group)) = self.remove(group_id) else { return };
        records.extend(group.tombstones());
        for member in group.members() {
            group.cancel_timers(&member.member_id, effects);
        }
        let classic = group.downgraded(leaving, &self.image, now_ms);
        records.push(classic.snapshot_record());
        tracing::info!(
            group = group_id,
            members = classic.members().count(),
            "a consumer group is a classic group now"
        );
        self.insert(Group::Classic(classic));
        self.with_classic(group_id, now_ms, effects, |group, step: &mut Step<'_>| {
            group.loaded(step);
            if rebalance {
                group.rebalance(step);
            }
        });
    }

    /// A member of the classic protocol joins a consumer group with members.
    pub(super) fn join_consumer_group(
        &mut self,
        group_id: &str,
        event: &JoinEvent,
        now_ms: i64,
        effects: &mut Effects,
    ) {
        let mut records = self.take_owed(group_id);
        let downgrade = match self.groups.get(group_id) {
            Some(Group::Consumer(group)) => {
                group.downgrades_by_replacing(event.group_instance_id.as_deref(), &self.settings)
            }
            Some(Group::Classic(_) | Group::Streams(_)) | None => false,
        };
        let result = self.join_classic_member(group_id, event, downgrade, now_ms, effects, &mut records);
        let Ok(joined) = result else {
            self.append_group_records(records, Then::Consumer, effects);
            let (error_code, member_id) = result.err().unwrap_or_default();
            return effects.refuse_join(event.token(), &member_id, error_code);
        };
        if downgrade {
            let rebalance = match self.groups.get(group_id) {
                Some(Group::Consumer(group)) => group.assignment_epoch() < group.epoch(),
                Some(Group::Classic(_) | Group::Streams(_)) | None => false,
            };
            self.downgrade(group_id, &BTreeSet::new(), rebalance, now_ms, effects, &mut records);
        }
        self.park(event.token(), Parked::Join);
        let then = Then::ConsumerJoined { group_id: group_id.into(), token: event.token(), joined: Box::new(joined) };
        self.append_group_records_and_reply(records, then, effects);
    }

    fn join_classic_member(
        &mut self,
        group_id: &str,
        event: &JoinEvent,
        downgrade: bool,
        now_ms: i64,
        effects: &mut Effects,
        records: &mut Vec<GroupRecord>,
    ) -> Result<ClassicJoin, (ErrorCode, String)> {
        let said = || event.member_id().to_owned();
        if !self.settings.migration.is_possible() {
            return Err((ErrorCode::INCONSISTENT_GROUP_PROTOCOL, said()));
        }
        if event.version >= 4 && event.group_instance_id.is_none() && event.member_id().is_empty() {
            if let Some(Group::Consumer(group)) = self.groups.get(group_id) {
                group.check_classic_join(event, &self.settings).map_err(|error_code| (error_code, said()))?;
            }
            return Err((ErrorCode::MEMBER_ID_REQUIRED, event.new_id.to_string()));
        }
        let joined = self.with_consumer(group_id, now_ms, effects, records, |group, turn| {
            group.join_classic(event, downgrade, turn)
        });
        joined.unwrap_or(Err(ErrorCode::UNKNOWN_MEMBER_ID)).map_err(|error_code| (error_code, said()))
    }

    /// The records of a classic member that joined are durable, or were refused.
    pub(super) fn consumer_joined(
        &mut self,
        group_id: &str,
        token: Token,
        joined: ClassicJoin,
        outcome: Result<(), ErrorCode>,
        effects: &mut Effects,
    ) {
        if self.unpark(token).is_none() {
            return;
        }
        if let Err(error_code) = outcome {
            return effects.refuse_join(token, &joined.response.member_id, error_code);
        }
        if let Some(Group::Consumer(group)) = self.groups.get_mut(group_id)
            && group.member(&joined.response.member_id).is_some()
        {
            group.joined_classic(&joined, effects);
        }
        effects.reply_join(token, joined.response);
    }

    /// A member of the classic protocol asks a consumer group for its assignment.
    pub(super) fn sync_consumer_group(
        &mut self,
        group_id: &str,
        event: &SyncEvent,
        now_ms: i64,
        effects: &mut Effects,
    ) {
        let mut records = self.take_owed(group_id);
        let answer =
            self.with_consumer(group_id, now_ms, effects, &mut records, |group, turn| group.sync_classic(event, turn));
        match answer.unwrap_or(Err(ErrorCode::UNKNOWN_MEMBER_ID)) {
            Ok(response) => {
                self.park(event.token(), Parked::Sync);
                // In line with what is on its way: the assignment must not be told before it is durable.
                let then = Then::ConsumerSynced { token: event.token(), response: Box::new(response) };
                self.append_group_records_and_reply(records, then, effects);
            }
            Err(error_code) => {
                self.append_group_records(records, Then::Consumer, effects);
                effects.refuse_sync(event.token(), error_code);
            }
        }
    }

    /// See [`GroupState::sync_consumer_group`].
    pub(super) fn consumer_synced(
        &mut self,
        token: Token,
        response: SyncGroupResponse,
        outcome: Result<(), ErrorCode>,
        effects: &mut Effects,
    ) {
        if self.unpark(token).is_none() {
            return;
        }
        match outcome {
            Ok(()) => effects.reply_sync(token, response),
            Err(error_code) => effects.refuse_sync(token, error_code),
        }
    }

    /// Members of a consumer group are removed with LeaveGroup: those of the classic protocol, or by an administrator.
    pub(super) fn leave_consumer_group(
        &mut self,
        group_id: &str,
        members: &[MemberIdentity],
        now_ms: i64,
        effects: &mut Effects,
    ) -> Vec<MemberResponse> {
        let Some(Group::Consumer(group)) = self.groups.get(group_id) else { return Vec::new() };
        let found: Vec<Result<Rc<str>, ErrorCode>> = members.iter().map(|member| group.identified(member)).collect();
        let responses = members.iter().zip(&found).map(|(member, found)| MemberResponse {
            member_id: member.member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            error_code: found.as_ref().err().copied().unwrap_or(ErrorCode::NONE),
        });
        let responses = responses.collect();
        let leaving: BTreeSet<Rc<str>> = found.into_iter().flatten().collect();
        let mut records = self.take_owed(group_id);
        self.fence(group_id, leaving, now_ms, effects, &mut records);
        self.append_group_records(records, Then::Consumer, effects);
        responses
    }

    /// A timer of a consumer group went off: who is overdue is removed.
    pub(super) fn consumer_timer(&mut self, group_id: &str, kind: &TimerKind, now_ms: i64, effects: &mut Effects) {
        let Some(Group::Consumer(group)) = self.groups.get(group_id) else { return };
        let Some(member_id) = group.overdue(kind) else { return };
        tracing::info!(group = group_id, member = &*member_id, ?kind, "a member was not heard of in time");
        let mut records = self.take_owed(group_id);
        self.fence(group_id, BTreeSet::from([member_id]), now_ms, effects, &mut records);
        self.append_group_records(records, Then::Consumer, effects);
    }

    /// Describes a consumer group.
    pub fn describe_consumer_group(&self, group_id: &str, image: &MetadataImage) -> DescribedGroup {
        let refused = |message: String| DescribedGroup {
            group_id: group_id.to_owned(),
            error_code: ErrorCode::GROUP_ID_NOT_FOUND,
            error_message: Some(message),
            ..Default::default()
        };
        match self.groups.get(group_id) {
            Some(Group::Consumer(group)) => group.describe(&self.settings, image),
            Some(Group::Classic(_) | Group::Streams(_)) => {
                refused(format!("Group {group_id} is not a consumer group."))
            }
            None => refused(format!("Group {group_id} not found.")),
        }
    }

    /// Runs `change` on a consumer group, with the books on memory kept. `None` if there is no such group.
    pub(super) fn with_consumer<T>(
        &mut self,
        group_id: &str,
        now_ms: i64,
        effects: &mut Effects,
        records: &mut Vec<GroupRecord>,
        change: impl FnOnce(&mut ConsumerGroup, &mut Turn<'_>) -> T,
    ) -> Option<T> {
        let Some(Group::Consumer(group)) = self.groups.get_mut(group_id) else { return None };
        self.group_bytes -= group.bytes();
        let mut turn = Turn { settings: &self.settings, now_ms, image: &self.image, effects, records };
        let result = change(group, &mut turn);
        self.group_bytes += group.bytes();
        Some(result)
    }
}
