//! Members go: by themselves, for a while, or because they were not heard of in time.

use std::collections::BTreeSet;
use std::rc::Rc;

use protocol::ErrorCode;
use protocol::messages::ConsumerGroupHeartbeatRequest;
use protocol::messages::leave_group::MemberIdentity;

use super::heartbeat::check_instance;
use super::member::{LEAVE_STATIC_EPOCH, MemberState};
use super::{ConsumerGroup, ConsumerRecord, Turn, persist};
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

impl ConsumerGroup {
    /// Who leaves with this request, and how.
    pub fn leaving(&self, request: &ConsumerGroupHeartbeatRequest) -> Result<Leaving, ApiError> {
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

    /// The member that a LeaveGroup request means: by its id, by its instance id, or by both.
    pub fn identified(&self, identity: &MemberIdentity) -> Result<Rc<str>, ErrorCode> {
        let member = match identity.group_instance_id.as_deref() {
            None => self.members.get(identity.member_id.as_str()).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?,
            Some(instance_id) => {
                let member = self.static_member(instance_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
                if !identity.member_id.is_empty() {
                    check_instance(member, &identity.member_id, instance_id).map_err(|error| error.code)?;
                }
                member
            }
        };
        Ok(member.member_id.clone())
    }

    /// A static member goes and will come back.
    pub fn step_out(&mut self, member_id: &Rc<str>, turn: &mut Turn<'_>) {
        let Some(member) = self.members.get(member_id) else { return };
        // It reads nothing any more, so there is nothing it could be late to give up.
        turn.effects.cancel_timer(&self.group_id, TimerKind::Revocation(member_id.clone()));
        self.record(persist::current_record(&member.gone_for_now()), turn);
    }

    /// Removes members; the group's next epoch begins.
    pub fn remove_members(&mut self, member_ids: &BTreeSet<Rc<str>>, turn: &mut Turn<'_>) {
        let pattern = |id: &Rc<str>| self.members.get(id)?.pattern().map(str::to_owned);
        let patterns: BTreeSet<String> = member_ids.iter().filter_map(pattern).collect();
        for member_id in member_ids {
            self.remove_member(member_id, turn);
        }
        for pattern in patterns {
            self.forget_pattern(&pattern, turn);
        }
        self.bump_epoch(turn);
        if self.members.is_empty() {
            // Nothing is to be assigned, and who comes next need not wait.
            self.record(persist::target_epoch_record(self.epoch, 0), turn);
        }
    }

    /// Removes a member and everything about it.
    pub(super) fn remove_member(&mut self, member_id: &Rc<str>, turn: &mut Turn<'_>) {
        self.record(ConsumerRecord::Current(member_id.clone(), None), turn);
        self.record(ConsumerRecord::Target(member_id.clone(), None), turn);
        self.record(ConsumerRecord::Member(member_id.clone(), None), turn);
        self.awaiting_join.remove(member_id);
        self.cancel_timers(member_id, turn.effects);
    }

    /// Cancels everything that waits for a member.
    pub fn cancel_timers(&self, member_id: &Rc<str>, effects: &mut Effects) {
        for kind in [TimerKind::Heartbeat, TimerKind::Revocation, TimerKind::MemberJoin, TimerKind::MemberSync] {
            effects.cancel_timer(&self.group_id, kind(member_id.clone()));
        }
    }

    /// A timer of a member went off: the member that has not done in time what was asked of it, if it still has not.
    pub fn overdue(&self, kind: &TimerKind) -> Option<Rc<str>> {
        let (TimerKind::Heartbeat(id)
        | TimerKind::Revocation(id)
        | TimerKind::MemberJoin(id)
        | TimerKind::MemberSync(id)) = kind
        else {
            return None;
        };
        let member = self.members.get(id)?;
        let due = !matches!(kind, TimerKind::Revocation(_)) || member.state == MemberState::UnrevokedPartitions;
        due.then(|| member.member_id.clone())
    }

    /// The group was read back from the log: sessions begin anew.
    pub fn loaded(&self, turn: &mut Turn<'_>) {
        let session_ms = turn.session_timeout_ms(&self.group_id);
        for (id, member) in &self.members {
            let session_ms = member.classic().map_or(session_ms, |classic| i64::from(classic.session_timeout_ms));
            turn.effects.set_timer(&self.group_id, TimerKind::Heartbeat(id.clone()), session_ms);
            if member.state == MemberState::UnrevokedPartitions && member.classic().is_none() {
                let timeout_ms = i64::from(member.about.rebalance_timeout_ms);
                turn.effects.set_timer(&self.group_id, TimerKind::Revocation(id.clone()), timeout_ms);
            }
        }
    }
}
