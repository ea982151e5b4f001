//! SyncGroup, Heartbeat, and the rules a commit of offsets obeys.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::{ClassicGroup, ClassicState, Step};
use crate::groups::effects::{Effects, Then, TimerKind, Token};

/// A SyncGroup request as the state machine sees it.
#[derive(Debug, Clone)]
pub struct SyncEvent {
    token: Token,
    pub(in crate::groups) member_id: Rc<str>,
    pub(in crate::groups) group_instance_id: Option<String>,
    pub(in crate::groups) generation: i32,
    pub(in crate::groups) protocol_type: Option<String>,
    pub(in crate::groups) protocol_name: Option<String>,
    /// What the leader decided; empty from all others.
    assignments: BTreeMap<Rc<str>, Bytes>,
}

impl SyncEvent {
    /// Takes what matters out of `request`; opaque bytes are copied, so that they do not keep the frame.
    pub fn new(request: &SyncGroupRequest, token: Token) -> SyncEvent {
        let copy = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
        let assignments = request.assignments.iter();
        SyncEvent {
            token,
            member_id: request.member_id.as_str().into(),
            group_instance_id: request.group_instance_id.clone(),
            generation: request.generation_id,
            protocol_type: request.protocol_type.clone(),
            protocol_name: request.protocol_name.clone(),
            assignments: assignments.map(|a| (a.member_id.as_str().into(), copy(&a.assignment))).collect(),
        }
    }

    /// Where the answer goes.
    pub fn token(&self) -> Token {
        self.token
    }
}

/// Who commits offsets, and how it proves it.
#[derive(Debug, Clone, Copy)]
pub struct Committer<'a> {
    /// Empty from clients that do not take part in the group.
    pub member_id: &'a str,
    /// Of a static member.
    pub group_instance_id: Option<&'a str>,
    /// Negative from clients that do not take part in the group.
    pub generation: i32,
    /// TxnOffsetCommit: the transaction fences by itself, so fewer rules apply.
    pub transactional: bool,
}

impl ClassicGroup {
    /// A member asks for its assignment; the leader brings everyone's.
    pub fn sync(&mut self, event: SyncEvent, step: &mut Step<'_>) {
        if let Err(error_code) = self.validate_sync(&event) {
            return step.effects.refuse_sync(event.token, error_code);
        }
        match self.state {
            // No member, so already refused.
            ClassicState::Empty => step.effects.refuse_sync(event.token, ErrorCode::UNKNOWN_MEMBER_ID),
            ClassicState::Dead => step.effects.refuse_sync(event.token, ErrorCode::COORDINATOR_NOT_AVAILABLE),
            ClassicState::PreparingRebalance => {
                step.effects.refuse_sync(event.token, ErrorCode::REBALANCE_IN_PROGRESS);
            }
            ClassicState::CompletingRebalance => self.await_assignment(event, step),
            ClassicState::Stable => {
                self.synced(&event.member_id, step.effects);
                step.effects.reply_sync(event.token, self.sync_response(&event.member_id));
            }
        }
    }

    fn validate_sync(&self, event: &SyncEvent) -> Result<(), ErrorCode> {
        match self.state {
            ClassicState::Dead => return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
            ClassicState::Empty => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
            _ => self.validate_member(&event.member_id, event.group_instance_id.as_deref())?,
        }
        let differs = |said: &Option<String>, known: Option<&str>| match (said, known) {
            (Some(said), Some(known)) => said != known,
            _ => false,
        };
        if event.generation != self.generation {
            Err(ErrorCode::ILLEGAL_GENERATION)
        } else if differs(&event.protocol_type, self.protocol_type())
            || differs(&event.protocol_name, self.protocol_name())
        {
            Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL)
        } else {
            Ok(())
        }
    }

    fn await_assignment(&mut self, event: SyncEvent, step: &mut Step<'_>) {
        if let Some(member) = self.members.get_mut(&event.member_id)
            && let Some(previous) = member.awaiting_sync.replace(event.token)
        {
            // See `park_join`: its client has given it up.
            step.effects.refuse_sync(previous, ErrorCode::REBALANCE_IN_PROGRESS);
        }
        self.synced(&event.member_id, step.effects);
        // A leader that asks again while its first word is on its way to disk adds nothing: what it says now would be in
        // the log after what everybody works on. (Kafka records both, and after a crash the second one counts.)
        if !self.is_leader(&event.member_id) || self.assigning == Some(self.generation) {
            return;
        }
        self.assigning = Some(self.generation);
        let record = self.to_record_with(&event.assignments);
        let then = Then::Assigned {
            group_id: self.group_id.clone(),
            generation: self.generation,
            assignments: event.assignments,
        };
        step.effects.append(vec![record], then);
    }

    /// The member asked for its assignment in time.
    fn synced(&mut self, member_id: &str, effects: &mut Effects) {
        self.pending_sync.remove(member_id);
        if self.pending_sync.is_empty() {
            effects.cancel_timer(&self.group_id, TimerKind::Sync);
        }
    }

    fn sync_response(&self, member_id: &str) -> SyncGroupResponse {
        SyncGroupResponse {
            protocol_type: self.protocol_type().map(str::to_owned),
            protocol_name: self.protocol_name().map(str::to_owned),
            assignment: self.members.get(member_id).map(|member| member.assignment.clone()).unwrap_or_default(),
            ..Default::default()
        }
    }

    /// The leader's assignment is durable, or was refused. If the group has moved on meanwhile, it counts for nothing.
    pub fn assigned(
        &mut self,
        generation: i32,
        mut assignments: BTreeMap<Rc<str>, Bytes>,
        outcome: Result<(), ErrorCode>,
        step: &mut Step<'_>,
    ) {
        if self.state != ClassicState::CompletingRebalance || generation != self.generation {
            return;
        }
        if let Err(error_code) = outcome {
            self.discard_assignments(error_code, step.effects);
            return self.prepare_rebalance(step);
        }
        let member_ids: Vec<Rc<str>> = self.members.keys().cloned().collect();
        for member_id in member_ids {
            self.set_assignment(&member_id, assignments.remove(&member_id).unwrap_or_default());
            let token = self.members.get_mut(&member_id).and_then(|member| member.awaiting_sync.take());
            if let Some(token) = token {
                step.effects.reply_sync(token, self.sync_response(&member_id));
                // While its request was parked its session could not end.
                self.restart_heartbeat(&member_id, step.effects);
            }
        }
        self.transition_to(ClassicState::Stable, step.now_ms);
    }

    /// A member says it is alive. In CompletingRebalance that is fine: clients start once they know their generation.
    pub fn heartbeat(
        &self,
        member_id: &str,
        group_instance_id: Option<&str>,
        generation: i32,
        effects: &mut Effects,
    ) -> ErrorCode {
        if self.state == ClassicState::Dead {
            return ErrorCode::COORDINATOR_NOT_AVAILABLE;
        }
        if let Err(error_code) = self.validate_member(member_id, group_instance_id) {
            return error_code;
        }
        if generation != self.generation {
            return ErrorCode::ILLEGAL_GENERATION;
        }
        self.restart_heartbeat(member_id, effects);
        match self.state {
            ClassicState::PreparingRebalance => ErrorCode::REBALANCE_IN_PROGRESS,
            _ => ErrorCode::NONE,
        }
    }

    /// Whether `who` may commit offsets now (ClassicGroup.validateOffsetCommit).
    pub fn validate_offset_commit(&self, who: Committer<'_>) -> Result<(), ErrorCode> {
        if self.state == ClassicState::Dead {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        if who.generation < 0 && self.state == ClassicState::Empty {
            // A tool, or a consumer that assigns its partitions itself.
            return Ok(());
        }
        if who.generation >= 0 || !who.member_id.is_empty() || who.group_instance_id.is_some() {
            self.validate_member(who.member_id, who.group_instance_id)?;
            if who.generation != self.generation {
                return Err(ErrorCode::ILLEGAL_GENERATION);
            }
        } else if !who.transactional && self.state != ClassicState::Empty {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if !who.transactional && self.state == ClassicState::CompletingRebalance {
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        Ok(())
    }

    /// A commit is a sign of life of the member it came from.
    pub fn committed(&self, member_id: &str, effects: &mut Effects) {
        if matches!(self.state, ClassicState::Stable | ClassicState::PreparingRebalance) {
            self.restart_heartbeat(member_id, effects);
        }
    }
}
