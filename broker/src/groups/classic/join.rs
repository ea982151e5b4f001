//! JoinGroup: who may come in, under which id, and what follows (GroupMetadataManager.classicGroupJoin*).

use std::rc::Rc;

use bytes::Bytes;
use protocol::messages::JoinGroupRequest;
use protocol::{ErrorCode, Uuid};

use super::{ClassicGroup, ClassicState, Member, Protocol, Step};
use crate::groups::effects::{Effects, Then, TimerKind, Token};

/// A JoinGroup request as the state machine sees it.
#[derive(Debug, Clone)]
pub struct JoinEvent {
    token: Token,
    pub(in crate::groups) version: i16,
    member_id: String,
    /// Random part of the id a new member gets.
    pub(in crate::groups) new_id: Uuid,
    pub(in crate::groups) group_instance_id: Option<Rc<str>>,
    pub(in crate::groups) client_id: String,
    pub(in crate::groups) client_host: String,
    pub(in crate::groups) session_timeout_ms: i32,
    pub(in crate::groups) rebalance_timeout_ms: i32,
    pub(in crate::groups) protocol_type: Rc<str>,
    pub(in crate::groups) protocols: Vec<Protocol>,
}

impl JoinEvent {
    /// Takes what matters out of `request`. Opaque bytes are copied, so that a member kept for weeks does not keep the
    /// frame it came in.
    pub fn new(
        request: &JoinGroupRequest,
        version: i16,
        client: (&str, &str),
        new_id: Uuid,
        token: Token,
    ) -> JoinEvent {
        let mut protocols: Vec<Protocol> = Vec::with_capacity(request.protocols.len());
        for protocol in &request.protocols {
            if protocols.iter().all(|known| *known.name != *protocol.name) {
                let metadata = Bytes::copy_from_slice(&protocol.metadata);
                protocols.push(Protocol { name: protocol.name.as_str().into(), metadata });
            }
        }
        // Version 0 knows one timeout only.
        let rebalance_timeout_ms = if version == 0 { request.session_timeout_ms } else { request.rebalance_timeout_ms };
        JoinEvent {
            token,
            version,
            member_id: request.member_id.clone(),
            new_id,
            group_instance_id: request.group_instance_id.as_deref().map(Into::into),
            client_id: client.0.to_owned(),
            client_host: client.1.to_owned(),
            session_timeout_ms: request.session_timeout_ms,
            rebalance_timeout_ms,
            protocol_type: request.protocol_type.as_str().into(),
            protocols,
        }
    }

    /// The id the client calls itself by; empty for a newcomer.
    pub fn member_id(&self) -> &str {
        &self.member_id
    }

    /// Where the answer goes.
    pub fn token(&self) -> Token {
        self.token
    }

    /// Memory a member made of this would hold, roughly.
    pub fn bytes(&self) -> usize {
        self.protocols.iter().map(|p| p.name.len() + p.metadata.len() + 64).sum::<usize>() + 512
    }

    fn new_member_id(&self) -> Rc<str> {
        let prefix = self.group_instance_id.as_deref().unwrap_or(&self.client_id);
        format!("{prefix}-{}", hyphenated(self.new_id)).into()
    }

    fn to_member(&self, member_id: Rc<str>) -> Member {
        Member {
            member_id,
            group_instance_id: self.group_instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            protocol_type: self.protocol_type.clone(),
            protocols: self.protocols.clone(),
            assignment: Bytes::new(),
            awaiting_join: Some(self.token),
            awaiting_sync: None,
            is_new: true,
        }
    }
}

/// The form Java prints a UUID in: 8-4-4-4-12 hexadecimal digits.
fn hyphenated(id: Uuid) -> String {
    let digits: String = id.0.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

/// A static member that came back while the group was stable: what to answer once its new id is durable, and what to
/// put back if it cannot be made so.
#[derive(Debug, Clone)]
pub struct StaticReplacement {
    new_member_id: Rc<str>,
    old_member: Member,
    old_leader: String,
    version: i16,
}

impl ClassicGroup {
    /// A member wants to join. The group exists (it was made for a newcomer if need be).
    pub fn join(&mut self, event: &JoinEvent, step: &mut Step<'_>) {
        if !self.accepts(&event.member_id, step.settings.max_size) {
            self.remove_member(&event.member_id, ErrorCode::GROUP_MAX_SIZE_REACHED, step.effects);
            step.effects.refuse_join(event.token, "", ErrorCode::GROUP_MAX_SIZE_REACHED);
        } else if !self.supports(&event.protocol_type, &event.protocols) {
            step.effects.refuse_join(event.token, &event.member_id, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        } else if event.member_id.is_empty() {
            self.join_newcomer(event, step);
        } else {
            self.join_known(event, step);
        }
    }

    /// Whether there is room (GroupMetadataManager.acceptJoiningMember). While members rejoin, those that did are
    /// counted, so that a group that is too large loses the slowest.
    fn accepts(&self, member_id: &str, max_size: usize) -> bool {
        match self.state {
            ClassicState::Empty | ClassicState::Dead => true,
            ClassicState::PreparingRebalance => {
                let awaiting = self.members.get(member_id).is_some_and(|member| member.awaiting_join.is_some());
                awaiting || self.awaiting_join < max_size
            }
            ClassicState::CompletingRebalance | ClassicState::Stable => {
                self.members.contains_key(member_id) || self.members.len() < max_size
            }
        }
    }

    fn join_newcomer(&mut self, event: &JoinEvent, step: &mut Step<'_>) {
        let new_member_id = event.new_member_id();
        let current = event.group_instance_id.as_ref().and_then(|id| self.static_members.get(id)).cloned();
        match (&event.group_instance_id, current) {
            (Some(_), Some(old_member_id)) => self.replace_static_member(event, &old_member_id, new_member_id, step),
            (None, _) if event.version >= 4 => {
                // KIP-394: the id is handed out first, so that a client that times out does not leave a member behind.
                let heartbeat = TimerKind::Heartbeat(new_member_id.clone());
                step.effects.set_timer(&self.group_id, heartbeat, i64::from(event.session_timeout_ms));
                step.effects.refuse_join(event.token, &new_member_id, ErrorCode::MEMBER_ID_REQUIRED);
                self.pending_join.insert(new_member_id);
            }
            (Some(_), None) | (None, _) => self.add_and_rebalance(event, new_member_id, step),
        }
    }

    fn join_known(&mut self, event: &JoinEvent, step: &mut Step<'_>) {
        let instance_id = event.group_instance_id.as_deref();
        if let Some(pending) = self.pending_join.get(event.member_id.as_str()).cloned() {
            if instance_id.is_some() {
                // Only dynamic members are ever pending; Kafka trips over an assertion here and says the same.
                step.effects.refuse_join(event.token, "", ErrorCode::UNKNOWN_SERVER_ERROR);
            } else {
                self.add_and_rebalance(event, pending, step);
            }
            return;
        }
        if let Err(error_code) = self.validate_member(&event.member_id, instance_id) {
            step.effects.refuse_join(event.token, &event.member_id, error_code);
            return;
        }
        self.rejoin(event, step);
    }

    fn rejoin(&mut self, event: &JoinEvent, step: &mut Step<'_>) {
        let leads = self.is_leader(&event.member_id);
        let same = self.members.get(event.member_id.as_str()).is_some_and(|m| m.protocols == event.protocols);
        let rebalance = match self.state {
            ClassicState::PreparingRebalance => true,
            // With the same metadata the answer to the first request may have been lost: tell it again.
            ClassicState::CompletingRebalance => !same,
            // A leader that rejoins saw something that affects the assignment, such as more partitions.
            ClassicState::Stable => leads || !same,
            ClassicState::Empty | ClassicState::Dead => {
                step.effects.refuse_join(event.token, &event.member_id, ErrorCode::UNKNOWN_MEMBER_ID);
                return;
            }
        };
        if rebalance {
            self.update_member(&event.member_id, event, step.effects);
            self.rebalance_or_complete(step);
        } else {
            let with_members = leads && self.state == ClassicState::CompletingRebalance;
            step.effects.reply_join(event.token, self.join_response(&event.member_id, with_members));
        }
    }

    fn add_and_rebalance(&mut self, event: &JoinEvent, member_id: Rc<str>, step: &mut Step<'_>) {
        if self.state == ClassicState::PreparingRebalance && self.previous_state == ClassicState::Empty {
            self.new_member_added = true;
        }
        self.add_member(event.to_member(member_id.clone()));
        // It has no id to send heartbeats with yet; what is limited here is how long its request may be parked.
        let timeout_ms = i64::from(step.settings.new_member_join_timeout_ms);
        step.effects.set_timer(&self.group_id, TimerKind::Heartbeat(member_id), timeout_ms);
        self.rebalance_or_complete(step);
    }

    /// Takes over what a rejoining member says now and parks its request.
    fn update_member(&mut self, member_id: &str, event: &JoinEvent, effects: &mut Effects) {
        let Some(mut member) = self.members.remove(member_id) else { return };
        self.bytes -= member.bytes();
        self.uncount_protocols(&member.protocols);
        self.count_protocols(&event.protocols);
        member.protocols = event.protocols.clone();
        member.rebalance_timeout_ms = event.rebalance_timeout_ms;
        member.session_timeout_ms = event.session_timeout_ms;
        self.bytes += member.bytes();
        self.members.insert(member.member_id.clone(), member);
        self.park_join(member_id, Some(event.token), effects);
    }

    /// A static member came back without its id, usually after a restart (KIP-345). The old id is fenced at once. In a
    /// stable group whose protocol stays the same nothing else changes: no rebalance.
    fn replace_static_member(&mut self, event: &JoinEvent, old_id: &str, new_id: Rc<str>, step: &mut Step<'_>) {
        let old_leader = self.leader_or_empty();
        let Some(old_member) = self.rename_static_member(old_id, new_id.clone(), step.effects) else { return };
        self.update_member(&new_id, event, step.effects);
        self.restart_heartbeat(&new_id, step.effects);
        match self.state {
            ClassicState::Stable if self.protocol_name.is_some() && self.select_protocol() == self.protocol_name => {
                let replacement =
                    StaticReplacement { new_member_id: new_id, old_member, old_leader, version: event.version };
                let then = Then::Replaced { group_id: self.group_id.clone(), replacement: Box::new(replacement) };
                step.effects.append(vec![self.to_record()], then);
            }
            ClassicState::Stable => self.rebalance_or_complete(step),
            // The leader may already assign to the old id, so the new one would get nothing.
            ClassicState::CompletingRebalance => self.prepare_rebalance(step),
            ClassicState::PreparingRebalance => self.maybe_complete_join(step),
            ClassicState::Empty | ClassicState::Dead => unreachable!("only groups with members have static members"),
        }
    }

    /// Gives a static member another id; requests parked under the old one are fenced. Returns the member as it was,
    /// without them.
    fn rename_static_member(&mut self, old_id: &str, new_id: Rc<str>, effects: &mut Effects) -> Option<Member> {
        if let Some(token) = self.take_join(old_id) {
            effects.refuse_join(token, old_id, ErrorCode::FENCED_INSTANCE_ID);
        }
        let mut old_member = self.members.remove(old_id)?;
        self.bytes -= old_member.bytes();
        if let Some(token) = old_member.awaiting_sync.take() {
            effects.refuse_sync(token, ErrorCode::FENCED_INSTANCE_ID);
        }
        effects.cancel_timer(&self.group_id, TimerKind::Heartbeat(old_member.member_id.clone()));
        if self.pending_sync.remove(old_id) {
            self.pending_sync.insert(new_id.clone());
        }
        if self.is_leader(old_id) {
            self.leader = Some(new_id.clone());
        }
        if let Some(instance_id) = &old_member.group_instance_id {
            self.static_members.insert(instance_id.clone(), new_id.clone());
        }
        let member = Member { member_id: new_id.clone(), is_new: false, ..old_member.clone() };
        self.bytes += member.bytes();
        self.members.insert(new_id, member);
        Some(old_member)
    }

    /// The record with a static member's new id is durable, or was refused.
    pub fn static_member_replaced(
        &mut self,
        done: StaticReplacement,
        outcome: Result<(), ErrorCode>,
        step: &mut Step<'_>,
    ) {
        let new_id = &done.new_member_id;
        // If a rebalance began meanwhile, the parked request belongs to it and is answered when it completes.
        if !self.members.contains_key(new_id) || self.state != ClassicState::Stable {
            return;
        }
        match outcome {
            Ok(()) => {
                let Some(token) = self.take_join(new_id) else { return };
                // KIP-814: from version 9 a leader can be told that it leads but need not assign.
                let leads = done.version >= 9 && self.is_leader(new_id);
                let mut response = self.join_response(new_id, leads);
                response.skip_assignment = leads;
                if done.version < 9 {
                    // An older client that found itself leader would assign: it is shown the id it no longer has.
                    response.leader = done.old_leader;
                }
                step.effects.reply_join(token, response);
            }
            Err(error_code) => self.restore_static_member(done, error_code, step),
        }
    }

    fn restore_static_member(&mut self, done: StaticReplacement, error_code: ErrorCode, step: &mut Step<'_>) {
        if let Some(token) = self.take_join(&done.new_member_id) {
            let mut response = self.join_response("", false);
            response.error_code = error_code;
            response.leader = done.old_leader.clone();
            step.effects.reply_join(token, response);
        }
        let Some(replaced) = self.members.get(&done.new_member_id).map(|member| member.protocols.clone()) else {
            return;
        };
        let old_id = done.old_member.member_id.clone();
        self.rename_static_member(&done.new_member_id, old_id.clone(), step.effects);
        self.uncount_protocols(&replaced);
        self.count_protocols(&done.old_member.protocols);
        if let Some(member) = self.members.get_mut(&old_id) {
            self.bytes = self.bytes + done.old_member.bytes() - member.bytes();
            *member = Member { awaiting_join: None, awaiting_sync: None, ..done.old_member };
        }
        self.restart_heartbeat(&old_id, step.effects);
    }
}
