//! The join phase: it begins, waits, and completes into the next generation; and what happens when time is up
//! (GroupMetadataManager.prepareRebalance, completeClassicGroupJoin, expire*).

use std::rc::Rc;

use bytes::Bytes;
use protocol::ErrorCode;

use super::{ClassicGroup, ClassicState, InitialDelay, Step};
use crate::groups::effects::{Then, TimerKind};

impl ClassicGroup {
    /// Something changed that asks for a new generation; if a join phase is already on, see whether it is over.
    pub(super) fn rebalance_or_complete(&mut self, step: &mut Step<'_>) {
        if ClassicState::PreparingRebalance.may_follow(self.state) {
            self.prepare_rebalance(step);
        } else {
            self.maybe_complete_join(step);
        }
    }

    /// Begins a join phase. The first one of an empty group waits for more members, so that a group that starts
    /// together is not rebalanced member by member.
    pub(super) fn prepare_rebalance(&mut self, step: &mut Step<'_>) {
        if self.state == ClassicState::CompletingRebalance {
            self.discard_assignments(ErrorCode::REBALANCE_IN_PROGRESS, step.effects);
        }
        self.pending_sync.clear();
        step.effects.cancel_timer(&self.group_id, TimerKind::Sync);
        let initial = self.state == ClassicState::Empty;
        self.transition_to(ClassicState::PreparingRebalance, step.now_ms);
        if initial {
            let delay_ms = step.settings.initial_rebalance_delay_ms;
            let remaining_ms = self.rebalance_timeout_ms().saturating_sub(delay_ms).max(0);
            self.initial_delay = Some(InitialDelay { delay_ms, remaining_ms });
            step.effects.set_timer(&self.group_id, TimerKind::Join, i64::from(delay_ms));
        } else if self.has_all_members_joined() {
            self.complete_join(step);
        } else {
            step.effects.set_timer(&self.group_id, TimerKind::Join, i64::from(self.rebalance_timeout_ms()));
        }
    }

    /// Completes the join phase if everyone is there; the first phase of an empty group ends by its timer only.
    pub(super) fn maybe_complete_join(&mut self, step: &mut Step<'_>) {
        let waiting = self.state == ClassicState::PreparingRebalance && self.previous_state != ClassicState::Empty;
        if waiting && self.has_all_members_joined() {
            self.complete_join(step);
        }
    }

    /// The slowest member decides.
    fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0).max(0)
    }

    /// Ends the join phase: those that did not rejoin are out (static members stay until their session ends), and the
    /// rest is the next generation. An empty one is recorded; a new one is told its members.
    fn complete_join(&mut self, step: &mut Step<'_>) {
        step.effects.cancel_timer(&self.group_id, TimerKind::Join);
        self.initial_delay = None;
        self.new_member_added = false;
        let gone = |member: &&super::Member| member.awaiting_join.is_none() && !member.is_static();
        let missing: Vec<Rc<str>> = self.members.values().filter(gone).map(|member| member.member_id.clone()).collect();
        for member_id in missing {
            self.remove_member(&member_id, ErrorCode::UNKNOWN_MEMBER_ID, step.effects);
        }
        if !self.elect_joined_leader() && !self.members.is_empty() {
            // Only static members are left and none of them is here: wait until one comes or their sessions end.
            step.effects.set_timer(&self.group_id, TimerKind::Join, i64::from(self.rebalance_timeout_ms()));
            return;
        }
        self.generation = next_generation(self.generation);
        self.pending_sync.clear();
        self.protocol_name = self.select_protocol();
        self.subscribed_topics = self.compute_subscribed_topics();
        if self.members.is_empty() {
            self.transition_to(ClassicState::Empty, step.now_ms);
            // Should this record be lost with a crash, the previous generation comes back and times out.
            step.effects.append(vec![self.to_record()], Then::Nothing);
        } else {
            self.transition_to(ClassicState::CompletingRebalance, step.now_ms);
            self.announce_generation(step);
        }
    }

    /// A leader that did not rejoin is replaced by one that did. `false` if there is nobody to lead.
    fn elect_joined_leader(&mut self) -> bool {
        let joined = |id: &Rc<str>| self.members.get(id).is_some_and(|member| member.awaiting_join.is_some());
        if self.leader.as_ref().is_some_and(joined) {
            return true;
        }
        let candidate = self.members.values().find(|member| member.awaiting_join.is_some());
        let Some(candidate) = candidate.map(|member| member.member_id.clone()) else { return false };
        self.leader = Some(candidate);
        true
    }

    fn announce_generation(&mut self, step: &mut Step<'_>) {
        let member_ids: Vec<Rc<str>> = self.members.keys().cloned().collect();
        for member_id in &member_ids {
            if let Some(token) = self.take_join(member_id) {
                let response = self.join_response(member_id, self.is_leader(member_id));
                step.effects.reply_join(token, response);
            }
            if let Some(member) = self.members.get_mut(member_id) {
                member.is_new = false;
            }
            self.restart_heartbeat(member_id, step.effects);
        }
        self.pending_sync.extend(member_ids);
        step.effects.set_timer(&self.group_id, TimerKind::Sync, i64::from(self.rebalance_timeout_ms()));
    }

    /// Takes back what was assigned in a generation that never became stable; those waiting for it are told why.
    pub(super) fn discard_assignments(&mut self, error_code: ErrorCode, effects: &mut crate::groups::effects::Effects) {
        let member_ids: Vec<Rc<str>> = self.members.keys().cloned().collect();
        for member_id in member_ids {
            self.set_assignment(&member_id, Bytes::new());
            let token = self.members.get_mut(&member_id).and_then(|member| member.awaiting_sync.take());
            if let Some(token) = token {
                effects.refuse_sync(token, error_code);
                self.restart_heartbeat(&member_id, effects);
            }
        }
    }

    /// The join timer went off.
    pub fn join_timer(&mut self, step: &mut Step<'_>) {
        if self.state != ClassicState::PreparingRebalance {
            return;
        }
        let Some(InitialDelay { delay_ms, remaining_ms }) = self.initial_delay else { return self.complete_join(step) };
        if !self.new_member_added || remaining_ms == 0 {
            return self.complete_join(step);
        }
        self.new_member_added = false;
        let next = InitialDelay {
            delay_ms: step.settings.initial_rebalance_delay_ms.min(remaining_ms),
            remaining_ms: remaining_ms.saturating_sub(delay_ms).max(0),
        };
        self.initial_delay = Some(next);
        step.effects.set_timer(&self.group_id, TimerKind::Join, i64::from(next.delay_ms));
    }

    /// The sync timer went off: members that never asked for their assignment are out.
    pub fn sync_timer(&mut self, step: &mut Step<'_>) {
        let expected = matches!(self.state, ClassicState::CompletingRebalance | ClassicState::Stable);
        if !expected || self.pending_sync.is_empty() {
            return;
        }
        for member_id in std::mem::take(&mut self.pending_sync) {
            self.remove_member(&member_id, ErrorCode::UNKNOWN_MEMBER_ID, step.effects);
        }
        self.prepare_rebalance(step);
    }

    /// A heartbeat timer went off: the member's session is over, unless a parked request shows it alive.
    pub fn heartbeat_timer(&mut self, member_id: &str, step: &mut Step<'_>) {
        if self.pending_join.remove(member_id) {
            if self.state == ClassicState::PreparingRebalance && self.has_all_members_joined() {
                self.complete_join(step);
            }
            return;
        }
        let Some(member) = self.members.get(member_id) else { return };
        if member.has_satisfied_heartbeat() {
            return;
        }
        self.remove_member(member_id, ErrorCode::UNKNOWN_MEMBER_ID, step.effects);
        match self.state {
            ClassicState::Stable | ClassicState::CompletingRebalance => self.prepare_rebalance(step),
            ClassicState::PreparingRebalance if self.has_all_members_joined() => self.complete_join(step),
            ClassicState::PreparingRebalance | ClassicState::Empty | ClassicState::Dead => {}
        }
    }

    /// Begins a join phase: the group was made of another one, whose members must hear of it.
    pub fn rebalance(&mut self, step: &mut Step<'_>) {
        if ClassicState::PreparingRebalance.may_follow(self.state) {
            self.prepare_rebalance(step);
        }
    }

    /// The group was read back from the log: sessions begin anew, and one that is too large for the settings of today
    /// is rebalanced to lose its slowest members.
    pub fn loaded(&mut self, step: &mut Step<'_>) {
        for member_id in self.members.keys() {
            self.restart_heartbeat(member_id, step.effects);
        }
        if self.members.len() > step.settings.max_size {
            self.prepare_rebalance(step);
        }
    }
}

/// Kafka lets the number wrap after 2^31 generations; zero follows instead, since negative ones mean "none".
fn next_generation(generation: i32) -> i32 {
    generation.checked_add(1).unwrap_or(0)
}
