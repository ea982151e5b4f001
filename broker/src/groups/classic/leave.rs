//! LeaveGroup: members go by themselves, or are removed by an administrator (GroupMetadataManager.classicGroupLeave).

use protocol::ErrorCode;
use protocol::messages::leave_group::{MemberIdentity, MemberResponse};

use super::{ClassicGroup, ClassicState, Step};
use crate::groups::effects::TimerKind;

impl ClassicGroup {
    /// Removes `members`, each by its member id or, if that is empty, by its group instance id. One answer each.
    pub fn leave(&mut self, members: &[MemberIdentity], step: &mut Step<'_>) -> Vec<MemberResponse> {
        let responses: Vec<MemberResponse> = members
            .iter()
            .map(|member| MemberResponse {
                member_id: member.member_id.clone(),
                group_instance_id: member.group_instance_id.clone(),
                error_code: self.leave_one(member, step).err().unwrap_or(ErrorCode::NONE),
            })
            .collect();
        if responses.iter().any(|response| response.error_code == ErrorCode::NONE) {
            match self.state {
                ClassicState::Stable | ClassicState::CompletingRebalance => self.prepare_rebalance(step),
                ClassicState::PreparingRebalance => self.maybe_complete_join(step),
                ClassicState::Empty | ClassicState::Dead => {}
            }
        }
        responses
    }

    fn leave_one(&mut self, member: &MemberIdentity, step: &mut Step<'_>) -> Result<(), ErrorCode> {
        let instance_id = member.group_instance_id.as_deref();
        if let Some(pending) = self.pending_join.take(member.member_id.as_str()) {
            step.effects.cancel_timer(&self.group_id, TimerKind::Heartbeat(pending));
            return Ok(());
        }
        let member_id = if member.member_id.is_empty() {
            let current = instance_id.and_then(|id| self.static_members.get(id));
            current.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?.clone()
        } else {
            self.validate_member(&member.member_id, instance_id)?;
            member.member_id.as_str().into()
        };
        self.remove_member(&member_id, ErrorCode::UNKNOWN_MEMBER_ID, step.effects);
        Ok(())
    }
}
