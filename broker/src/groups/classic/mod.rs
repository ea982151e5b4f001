//! A classic group: members that elect a leader among themselves, which assigns the work (ClassicGroup.java).
//!
//! This file holds the state and the changes every request is made of; [`join`], [`rebalance`], [`sync`] and [`leave`]
//! hold the protocol. Nothing here waits, reads a clock or draws a number.

mod join;
mod leave;
mod member;
mod persist;
mod rebalance;
mod subscription;
mod sync;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::messages::JoinGroupResponse;
use protocol::messages::join_group::JoinGroupResponseMember;

pub use join::{JoinEvent, StaticReplacement};
pub use member::{Member, Protocol};
pub use sync::{Committer, SyncEvent};

use super::effects::{Effects, TimerKind, Token};
use super::settings::GroupSettings;

/// The protocol type of consumers; the only one whose metadata the coordinator looks into.
pub const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// Where a classic group is in its life (ClassicGroupState.java).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassicState {
    /// No members; may hold offsets.
    Empty,
    /// Members are asked to rejoin.
    PreparingRebalance,
    /// A generation began; the leader owes the assignment.
    CompletingRebalance,
    /// Everyone works on what the leader assigned.
    Stable,
    /// Removed. A dead group is never found by a request; clients see the name in place of an unknown group.
    Dead,
}

impl ClassicState {
    /// As clients see it.
    pub fn name(self) -> &'static str {
        match self {
            ClassicState::Empty => "Empty",
            ClassicState::PreparingRebalance => "PreparingRebalance",
            ClassicState::CompletingRebalance => "CompletingRebalance",
            ClassicState::Stable => "Stable",
            ClassicState::Dead => "Dead",
        }
    }

    /// Which states may follow which.
    fn may_follow(self, previous: ClassicState) -> bool {
        use ClassicState::{CompletingRebalance, Dead, Empty, PreparingRebalance, Stable};
        match self {
            Empty => previous == PreparingRebalance,
            PreparingRebalance => matches!(previous, Stable | CompletingRebalance | Empty),
            CompletingRebalance => previous == PreparingRebalance,
            Stable => previous == CompletingRebalance,
            Dead => true,
        }
    }
}

/// What a change may use: the settings, the time, and where to leave its wishes.
pub struct Step<'a> {
    /// The broker's settings.
    pub settings: &'a GroupSettings,
    /// Wall clock, milliseconds since the epoch.
    pub now_ms: i64,
    /// What the world is asked for.
    pub effects: &'a mut Effects,
}

/// How long an empty group still waits for more members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct InitialDelay {
    delay_ms: i32,
    remaining_ms: i32,
}

/// A classic group.
#[derive(Debug)]
pub struct ClassicGroup {
    group_id: Rc<str>,
    state: ClassicState,
    previous_state: ClassicState,
    /// When the state changed last; `None` in records older than Kafka 2.1.
    state_timestamp_ms: Option<i64>,
    generation: i32,
    protocol_type: Option<Rc<str>>,
    protocol_name: Option<Rc<str>>,
    leader: Option<Rc<str>>,
    members: BTreeMap<Rc<str>, Member>,
    /// Instance id to member id.
    static_members: BTreeMap<Rc<str>, Rc<str>>,
    /// Ids handed out with MEMBER_ID_REQUIRED whose owner has not come back yet.
    pending_join: BTreeSet<Rc<str>>,
    /// Members of the current generation that have not asked for their assignment yet.
    pending_sync: BTreeSet<Rc<str>>,
    /// The generation whose assignment is on its way to disk, or was last.
    assigning: Option<i32>,
    /// Members with a parked JoinGroup request.
    awaiting_join: usize,
    /// How many members can live with a protocol.
    supported: BTreeMap<Rc<str>, usize>,
    /// What a group of consumers reads; `None` if that cannot be told.
    subscribed_topics: Option<BTreeSet<String>>,
    new_member_added: bool,
    initial_delay: Option<InitialDelay>,
    bytes: usize,
}

impl ClassicGroup {
    /// A group nobody has joined yet.
    pub fn new(group_id: Rc<str>, now_ms: i64) -> ClassicGroup {
        let bytes = 512 + 2 * group_id.len();
        ClassicGroup {
            group_id,
            state: ClassicState::Empty,
            previous_state: ClassicState::Dead,
            state_timestamp_ms: Some(now_ms),
            generation: 0,
            protocol_type: None,
            protocol_name: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_join: BTreeSet::new(),
            pending_sync: BTreeSet::new(),
            assigning: None,
            awaiting_join: 0,
            supported: BTreeMap::new(),
            subscribed_topics: None,
            new_member_added: false,
            initial_delay: None,
            bytes,
        }
    }

    /// Its name.
    pub fn group_id(&self) -> &Rc<str> {
        &self.group_id
    }

    /// Where it is in its life.
    pub fn state(&self) -> ClassicState {
        self.state
    }

    /// Counts completed join phases.
    pub fn generation(&self) -> i32 {
        self.generation
    }

    /// `consumer`, `connect`, ...; `None` as long as nobody joined.
    pub fn protocol_type(&self) -> Option<&str> {
        self.protocol_type.as_deref()
    }

    /// The protocol of the current generation.
    pub fn protocol_name(&self) -> Option<&str> {
        self.protocol_name.as_deref()
    }

    /// The member that assigns.
    pub fn leader(&self) -> Option<&str> {
        self.leader.as_deref()
    }

    /// All members, by id.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// When the state changed last.
    pub fn state_timestamp_ms(&self) -> Option<i64> {
        self.state_timestamp_ms
    }

    /// Memory this group holds, roughly.
    pub fn bytes(&self) -> usize {
        self.bytes + 96 * self.pending_join.len()
    }

    /// Nobody is in it, nor on the way.
    pub fn is_without_members(&self) -> bool {
        self.state == ClassicState::Empty
    }

    /// Whether the members are consumers, whose subscriptions can be read.
    pub fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type() == Some(CONSUMER_PROTOCOL_TYPE)
    }

    /// Whether some member reads `topic`; assumed of consumers whose subscription cannot be read.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }

    /// Whether the topics the members read are known.
    pub fn knows_subscription(&self) -> bool {
        self.subscribed_topics.is_some()
    }

    fn is_leader(&self, member_id: &str) -> bool {
        self.leader() == Some(member_id)
    }

    fn leader_or_empty(&self) -> String {
        self.leader().unwrap_or_default().to_owned()
    }

    /// Moves to `state`. Panics if it may not follow: that is our mistake, no request can ask for it.
    fn transition_to(&mut self, state: ClassicState, now_ms: i64) {
        assert!(state.may_follow(self.state), "group {}: {:?} after {:?}", self.group_id, state, self.state);
        self.previous_state = self.state;
        self.state = state;
        self.state_timestamp_ms = Some(now_ms);
    }

    /// Ends the group's life: parked requests are refused, timers cancelled.
    pub fn bury(&mut self, error_code: ErrorCode, step: &mut Step<'_>) {
        let members: Vec<Rc<str>> = self.members.keys().cloned().collect();
        for member_id in members {
            self.remove_member(&member_id, error_code, step.effects);
        }
        for member_id in std::mem::take(&mut self.pending_join) {
            step.effects.cancel_timer(&self.group_id, TimerKind::Heartbeat(member_id));
        }
        step.effects.cancel_timer(&self.group_id, TimerKind::Join);
        step.effects.cancel_timer(&self.group_id, TimerKind::Sync);
        self.transition_to(ClassicState::Dead, step.now_ms);
    }

    /// The checks every request of a member passes (ClassicGroup.validateMember).
    pub fn validate_member(&self, member_id: &str, group_instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = group_instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(current) if **current != *member_id => return Err(ErrorCode::FENCED_INSTANCE_ID),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UNKNOWN_MEMBER_ID) }
    }

    /// Whether a member with these protocols could take part: one of them is known to all others.
    fn supports(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if self.state == ClassicState::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type() == Some(protocol_type)
            && protocols.iter().any(|p| self.supported.get(&p.name).copied().unwrap_or(0) == self.members.len())
    }

    /// The protocol all members know that most of them prefer; a tie goes to the one preferred by the leader, or else
    /// to the first in the alphabet. `None` if there is none.
    fn select_protocol(&self) -> Option<Rc<str>> {
        let common = |p: &&Protocol| self.supported.get(&p.name) == Some(&self.members.len());
        let mut votes: BTreeMap<Rc<str>, usize> = BTreeMap::new();
        for member in self.members.values() {
            let vote = member.protocols.iter().find(common)?;
            *votes.entry(vote.name.clone()).or_default() += 1;
        }
        let most = votes.values().copied().max()?;
        let leader = self.leader.as_ref().and_then(|id| self.members.get(id));
        let preferred = leader.and_then(|member| member.protocols.iter().find(|p| votes.get(&p.name) == Some(&most)));
        preferred.map(|p| p.name.clone()).or_else(|| votes.into_iter().find(|(_, n)| *n == most).map(|(name, _)| name))
    }

    fn count_protocols(&mut self, protocols: &[Protocol]) {
        for protocol in protocols {
            *self.supported.entry(protocol.name.clone()).or_default() += 1;
        }
    }

    fn uncount_protocols(&mut self, protocols: &[Protocol]) {
        for protocol in protocols {
            if let Some(count) = self.supported.get_mut(&protocol.name) {
                *count -= 1;
                if *count == 0 {
                    self.supported.remove(&protocol.name);
                }
            }
        }
    }

    /// Adds a member; the first one leads. The caller has checked that its protocols fit.
    fn add_member(&mut self, member: Member) {
        if self.members.is_empty() {
            self.protocol_type = Some(member.protocol_type.clone());
        }
        if let Some(instance_id) = &member.group_instance_id {
            self.static_members.insert(instance_id.clone(), member.member_id.clone());
        }
        self.leader.get_or_insert_with(|| member.member_id.clone());
        self.count_protocols(&member.protocols);
        self.awaiting_join += usize::from(member.awaiting_join.is_some());
        self.pending_join.remove(&member.member_id);
        self.bytes += member.bytes();
        let previous = self.members.insert(member.member_id.clone(), member);
        assert!(previous.is_none(), "group {}: a member id was given twice", self.group_id);
    }

    /// Removes a member or pending member. Requests it has parked are refused with `error_code`: every request gets an
    /// answer. If it led, the first of those left leads.
    fn remove_member(&mut self, member_id: &str, error_code: ErrorCode, effects: &mut Effects) {
        self.pending_join.remove(member_id);
        self.pending_sync.remove(member_id);
        let Some(member) = self.members.remove(member_id) else { return };
        effects.cancel_timer(&self.group_id, TimerKind::Heartbeat(member.member_id.clone()));
        self.bytes -= member.bytes();
        self.uncount_protocols(&member.protocols);
        if let Some(token) = member.awaiting_join {
            self.awaiting_join -= 1;
            effects.refuse_join(token, "", error_code);
        }
        if let Some(token) = member.awaiting_sync {
            effects.refuse_sync(token, error_code);
        }
        if let Some(instance_id) = &member.group_instance_id {
            self.static_members.remove(instance_id);
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    /// Parks a JoinGroup request of a member. One it had parked before is told to try again: its client has given it
    /// up, but a connection answers in order. (Kafka leaves it without an answer.)
    fn park_join(&mut self, member_id: &str, token: Option<Token>, effects: &mut Effects) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        self.awaiting_join += usize::from(token.is_some());
        if let Some(previous) = std::mem::replace(&mut member.awaiting_join, token) {
            self.awaiting_join -= 1;
            effects.refuse_join(previous, member_id, ErrorCode::REBALANCE_IN_PROGRESS);
        }
    }

    /// Takes a member's parked JoinGroup request to answer it.
    fn take_join(&mut self, member_id: &str) -> Option<Token> {
        let token = self.members.get_mut(member_id)?.awaiting_join.take()?;
        self.awaiting_join -= 1;
        Some(token)
    }

    fn set_assignment(&mut self, member_id: &str, assignment: Bytes) {
        if let Some(member) = self.members.get_mut(member_id) {
            self.bytes = self.bytes + assignment.len() - member.assignment.len();
            member.assignment = assignment;
        }
    }

    fn has_all_members_joined(&self) -> bool {
        self.members.len() == self.awaiting_join && self.pending_join.is_empty()
    }

    /// Sets a member's heartbeat timer anew.
    pub fn restart_heartbeat(&self, member_id: &str, effects: &mut Effects) {
        if let Some(member) = self.members.get(member_id) {
            let timeout_ms = i64::from(member.session_timeout_ms);
            effects.set_timer(&self.group_id, TimerKind::Heartbeat(member.member_id.clone()), timeout_ms);
        }
    }

    /// What a member learns of the current generation; only the leader gets the list of members.
    fn join_response(&self, member_id: &str, with_members: bool) -> JoinGroupResponse {
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: self.protocol_type().map(str::to_owned),
            protocol_name: self.protocol_name().map(str::to_owned),
            leader: self.leader_or_empty(),
            member_id: member_id.to_owned(),
            members: if with_members { self.join_response_members() } else { Vec::new() },
            ..Default::default()
        }
    }

    fn join_response_members(&self) -> Vec<JoinGroupResponseMember> {
        let described = self.members.values().map(|member| JoinGroupResponseMember {
            member_id: member.member_id.to_string(),
            group_instance_id: member.group_instance_id.as_deref().map(str::to_owned),
            metadata: member.metadata(self.protocol_name()),
        });
        described.collect()
    }
}
