//! Members go: by themselves, for a while, or because they were not heard of in time.

use std::rc::Rc;

use protocol::ErrorCode;
use protocol::messages::StreamsGroupHeartbeatRequest;

use super::heartbeat::check_instance;
use super::settings::GroupValues;
use super::{LEAVE_STATIC_EPOCH, MemberState, StreamsGroup, StreamsRecord, Turn, persist};
use crate::groups::effects::{Effects, TimerKind};
use crate::metadata::decide::ApiError;

/// How a member leaves.
#[derive(Debug, PartialEq, Eq)]
pub enum Leaving {
    /// For good.
    ForGood(Rc<str>),
    /// A static member that will come back: its place is kept until its session ends.
    ForNow(Rc<str>),
}

impl StreamsGroup {
    /// A member that goes, or has gone already, wants all others to go as well.
    pub fn request_shutdown(&mut self, member_id: &str) {
        if self.shutdown_by.is_none() {
            tracing::info!(group = &*self.group_id, member = member_id, "a member asks the application to shut down");
            self.shutdown_by = Some(member_id.into());
        }
    }

    /// Who leaves with this request, and how.
    pub fn leaving(&self, request: &StreamsGroupHeartbeatRequest) -> Result<Leaving, ApiError> {
        let member_id = request.member_id.as_str();
        let Some(instance_id) = request.instance_id.as_deref() else {
            let member = self.members.get(member_id).ok_or_else(|| self.unknown_member(member_id))?;
            return Ok(Leaving::ForGood(member.member_id.clone()));
        };
        let member = self.static_member(instance_id).ok_or_else(|| {
            ApiError::new(ErrorCode::UNKNOWN_MEMBER_ID, format!("Instance id {instance_id} is unknown."))
        })?;
        check_instance(member, member_id, instance_id)?;
        let id = member.member_id.clone();
        Ok(if request.member_epoch == LEAVE_STATIC_EPOCH { Leaving::ForNow(id) } else { Leaving::ForGood(id) })
    }

    /// A static member goes and will come back.
    pub fn step_out(&mut self, member_id: &Rc<str>, turn: &mut Turn<'_>) {
        let Some(member) = self.members.get(member_id) else { return };
        // It has nothing any more that it could be late to give up.
        turn.effects.cancel_timer(&self.group_id, TimerKind::Revocation(member_id.clone()));
        self.record(persist::current_record(&member.gone_for_now()), turn);
    }

    /// Removes a member for good; the group's next epoch begins.
    pub fn expel(&mut self, member_id: &Rc<str>, turn: &mut Turn<'_>) {
        self.remove_member(member_id, turn);
        self.bump_epoch(turn);
        if self.members.is_empty() {
            // Nothing is to be assigned, and who comes next need not wait.
            self.record(persist::target_epoch_record(self.epoch, 0), turn);
        }
    }

    /// Begins the next epoch with everything else as it is.
    pub fn bump_epoch(&mut self, turn: &mut Turn<'_>) {
        // After 2^31 changes there is no next one; the last stays, and members keep what they have.
        self.epoch = self.epoch.saturating_add(1);
        self.record(self.epoch_record(), turn);
    }

    /// Removes a member and everything about it.
    pub(super) fn remove_member(&mut self, member_id: &Rc<str>, turn: &mut Turn<'_>) {
        self.record(StreamsRecord::Current(member_id.clone(), None), turn);
        self.record(StreamsRecord::Target(member_id.clone(), None), turn);
        self.record(StreamsRecord::Member(member_id.clone(), None), turn);
        self.cancel_timers(member_id, turn.effects);
    }

    /// Cancels everything that waits for a member.
    pub fn cancel_timers(&self, member_id: &Rc<str>, effects: &mut Effects) {
        for kind in [TimerKind::Heartbeat, TimerKind::Revocation] {
            effects.cancel_timer(&self.group_id, kind(member_id.clone()));
        }
    }

    /// A timer of a member went off: the member that has not done in time what was asked of it, if it still has not.
    pub fn overdue(&self, kind: &TimerKind) -> Option<Rc<str>> {
        let (TimerKind::Heartbeat(id) | TimerKind::Revocation(id)) = kind else { return None };
        let member = self.members.get(id)?;
        let due = !matches!(kind, TimerKind::Revocation(_)) || member.state == MemberState::UnrevokedTasks;
        due.then(|| member.member_id.clone())
    }

    /// The group was read back from the log: sessions begin anew.
    pub fn loaded(&self, turn: &mut Turn<'_>) {
        let session_ms = GroupValues::of(turn, &self.group_id).session_timeout_ms();
        for (id, member) in &self.members {
            turn.effects.set_timer(&self.group_id, TimerKind::Heartbeat(id.clone()), session_ms);
            if member.state == MemberState::UnrevokedTasks {
                let timeout_ms = i64::from(member.about.rebalance_timeout_ms);
                turn.effects.set_timer(&self.group_id, TimerKind::Revocation(id.clone()), timeout_ms);
            }
        }
    }
}
