//! Joining, syncing, heartbeats and leaving: finding (or making) the group, and what its absence means.

use std::rc::Rc;

use protocol::ErrorCode;
use protocol::messages::leave_group::{MemberIdentity, MemberResponse};
use protocol::messages::{HeartbeatRequest, JoinGroupRequest};

use super::GroupState;
use crate::groups::classic::{ClassicGroup, JoinEvent, SyncEvent};
use crate::groups::effects::{Effects, Then, TimerKind};
use crate::groups::group::Group;
use crate::groups::settings::GroupSettings;

impl GroupState {
    /// What is checked of a JoinGroup request before its group is looked for (GroupCoordinatorService.joinGroup).
    pub fn check_join(settings: &GroupSettings, request: &JoinGroupRequest) -> Result<(), ErrorCode> {
        let range = settings.min_session_timeout_ms..=settings.max_session_timeout_ms;
        if request.group_id.is_empty() {
            Err(ErrorCode::INVALID_GROUP_ID)
        } else if !range.contains(&request.session_timeout_ms) {
            Err(ErrorCode::INVALID_SESSION_TIMEOUT)
        } else {
            Ok(())
        }
    }

    /// A member wants to join. A newcomer brings its group into being; a known member of an unknown group does not.
    pub fn join(&mut self, group_id: &str, event: &JoinEvent, now_ms: i64, effects: &mut Effects) {
        let newcomer = event.member_id().is_empty();
        if newcomer && !self.has_room(event.bytes()) {
            return effects.refuse_join(event.token(), "", ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        match self.groups.get(group_id) {
            Some(Group::Consumer(group)) if !group.is_empty() => {
                return self.join_consumer_group(group_id, event, now_ms, effects);
            }
            Some(Group::Streams(group)) if !group.is_empty() => {
                return effects.refuse_join(event.token(), "", ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
            }
            _ => {}
        }
        let created = !matches!(self.groups.get(group_id), Some(Group::Classic(_)));
        if created && !newcomer {
            return effects.refuse_join(event.token(), event.member_id(), ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if created {
            // A consumer or streams group without members ends here.
            let mut records = self.take_owed(group_id);
            effects.cancel_timer(&group_id.into(), TimerKind::Join);
            records.extend(self.remove(group_id).iter().flat_map(Group::tombstones));
            self.append_group_records(records, Then::Consumer, effects);
            self.insert(Group::Classic(ClassicGroup::new(group_id.into(), now_ms)));
        }
        let appends = effects.appends.len();
        let creation = self.with_classic(group_id, now_ms, effects, |group, step| {
            group.join(event, step);
            (group.creation_record(), group.group_id().clone())
        });
        if let Some((record, group_id)) = creation
            && created
            && effects.appends.len() == appends
        {
            effects.append(vec![record], Then::Created { group_id });
        }
    }

    /// The record of a new group is durable, or was refused: then it never was, and who joined it must try again.
    pub(super) fn created(
        &mut self,
        group_id: &str,
        outcome: Result<(), ErrorCode>,
        now_ms: i64,
        effects: &mut Effects,
    ) {
        if let Err(error_code) = outcome {
            self.with_classic(group_id, now_ms, effects, |group, step| group.bury(error_code, step));
            if matches!(self.groups.get(group_id), Some(Group::Classic(_))) {
                self.remove(group_id);
            }
        }
    }

    /// A member asks for its assignment.
    pub fn sync(&mut self, group_id: &str, event: SyncEvent, now_ms: i64, effects: &mut Effects) {
        let token = event.token();
        if matches!(self.groups.get(group_id), Some(Group::Consumer(_))) {
            return self.sync_consumer_group(group_id, &event, now_ms, effects);
        }
        let found = self.with_classic(group_id, now_ms, effects, |group, step| group.sync(event, step));
        if found.is_none() {
            effects.refuse_sync(token, ErrorCode::UNKNOWN_MEMBER_ID);
        }
    }

    /// A member says it is alive.
    pub fn heartbeat(&mut self, request: &HeartbeatRequest, effects: &mut Effects) -> ErrorCode {
        match self.groups.get_mut(request.group_id.as_str()) {
            Some(Group::Consumer(group)) => group.heartbeat_classic(request, effects),
            Some(Group::Classic(group)) => group.heartbeat(
                &request.member_id,
                request.group_instance_id.as_deref(),
                request.generation_id,
                effects,
            ),
            Some(Group::Streams(_)) | None => ErrorCode::UNKNOWN_MEMBER_ID,
        }
    }

    /// Members leave or are removed; one answer each.
    pub fn leave(
        &mut self,
        group_id: &str,
        members: &[MemberIdentity],
        now_ms: i64,
        effects: &mut Effects,
    ) -> Vec<MemberResponse> {
        if matches!(self.groups.get(group_id), Some(Group::Consumer(_))) {
            return self.leave_consumer_group(group_id, members, now_ms, effects);
        }
        let responses = self.with_classic(group_id, now_ms, effects, |group, step| group.leave(members, step));
        responses.unwrap_or_else(|| leave_errors(members, ErrorCode::UNKNOWN_MEMBER_ID))
    }

    /// Names of all groups.
    pub fn group_ids(&self) -> impl Iterator<Item = &Rc<str>> {
        self.groups.keys()
    }
}

/// The same answer for every member.
pub fn leave_errors(members: &[MemberIdentity], error_code: ErrorCode) -> Vec<MemberResponse> {
    let answer = |member: &MemberIdentity| MemberResponse {
        member_id: member.member_id.clone(),
        group_instance_id: member.group_instance_id.clone(),
        error_code,
    };
    members.iter().map(answer).collect()
}
