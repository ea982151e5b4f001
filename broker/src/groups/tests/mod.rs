//! The state machine in a world of its own: a clock that is set by hand, a log that fails when told to.

mod consumer;
mod consumer_random;
mod consumer_wrong_use;
mod driver;
mod membership;
mod migration;
mod offsets;
mod random;
mod replay;
mod streams;
mod streams_client;
mod streams_random;
mod streams_wrong_use;
mod wrong_use;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use protocol::messages::join_group::JoinGroupRequestProtocol;
use protocol::messages::leave_group::MemberIdentity;
use protocol::messages::sync_group::SyncGroupRequestAssignment;
use protocol::messages::{HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, SyncGroupRequest, SyncGroupResponse};
use protocol::{ErrorCode, Uuid};
use storage::runtime::Monotonic;

use super::classic::{ClassicGroup, Committer, JoinEvent, SyncEvent};
use super::effects::{Append, Effects, Reply, TimerKey, Token};
use super::group::Group;
use super::records::GroupRecord;
use super::settings::GroupSettings;
use super::state::{CommitEvent, GroupState, OffsetToCommit, TopicToCommit};
use super::timers::Timers;
use crate::coordinator::{InternalRecord, StateMachine};
use crate::metadata::{MetadataImage, MetadataRecord, PartitionRecord, ResourceId, ResourceKind};
use storage::Offset;

pub const GROUP: &str = "g";
pub const TOPIC_ID: Uuid = Uuid([9; 16]);

/// A partition's state machine, its timers and its log.
pub struct World {
    pub state: GroupState,
    pub settings: Rc<GroupSettings>,
    pub now_ms: i64,
    pub timers: Timers<TimerKey>,
    /// Appends that are neither durable nor refused yet.
    pub pending: VecDeque<Append>,
    /// What is durable.
    pub log: Vec<GroupRecord>,
    pub replies: BTreeMap<Token, Reply>,
    /// Make appends durable at once.
    pub prompt: bool,
    /// What becomes of appends that are settled at once.
    pub outcome: Result<(), ErrorCode>,
    /// Whether one was refused since this was last cleared.
    pub refused: bool,
    pub image: Arc<MetadataImage>,
    tokens: u64,
}

/// A JoinGroup request in a few words.
#[derive(Clone)]
pub struct Join {
    pub member_id: String,
    pub instance_id: Option<String>,
    pub version: i16,
    pub session_ms: i32,
    pub rebalance_ms: i32,
    pub protocol_type: String,
    pub protocols: Vec<(String, String)>,
}

impl Join {
    pub fn new(member_id: &str) -> Join {
        Join {
            member_id: member_id.to_owned(),
            instance_id: None,
            version: 9,
            session_ms: 10_000,
            rebalance_ms: 60_000,
            protocol_type: "consumer".to_owned(),
            protocols: vec![("range".to_owned(), "sub".to_owned())],
        }
    }

    pub fn instance(instance_id: &str) -> Join {
        Join::new("").with_instance(instance_id)
    }

    pub fn with_instance(self, instance_id: &str) -> Join {
        Join { instance_id: Some(instance_id.to_owned()), ..self }
    }

    pub fn version(self, version: i16) -> Join {
        Join { version, ..self }
    }

    pub fn protocols(self, protocols: &[(&str, &str)]) -> Join {
        let protocols = protocols.iter().map(|(name, said)| (name.to_string(), said.to_string())).collect();
        Join { protocols, ..self }
    }

    pub fn request(&self) -> JoinGroupRequest {
        let protocols = self.protocols.iter().map(|(name, said)| JoinGroupRequestProtocol {
            name: name.clone(),
            metadata: Bytes::copy_from_slice(said.as_bytes()),
        });
        JoinGroupRequest {
            group_id: GROUP.to_owned(),
            session_timeout_ms: self.session_ms,
            rebalance_timeout_ms: self.rebalance_ms,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            protocol_type: self.protocol_type.clone(),
            protocols: protocols.collect(),
            ..Default::default()
        }
    }
}

impl World {
    pub fn new() -> World {
        World::with(GroupSettings::default())
    }

    pub fn with(settings: GroupSettings) -> World {
        let settings = Rc::new(settings);
        World {
            state: GroupState::new(settings.clone()),
            settings,
            now_ms: 1_000_000,
            timers: Timers::default(),
            pending: VecDeque::new(),
            log: Vec::new(),
            replies: BTreeMap::new(),
            prompt: true,
            outcome: Ok(()),
            refused: false,
            image: Arc::default(),
            tokens: 0,
        }
    }

    fn monotonic(&self, after_ms: i64) -> Monotonic {
        Monotonic((self.now_ms + after_ms) as u64)
    }

    pub fn carry_out(&mut self, effects: Effects) {
        for (key, after_ms) in effects.timers {
            match after_ms {
                Some(after_ms) => self.timers.set(key, self.monotonic(after_ms)),
                None => self.timers.cancel(&key),
            }
        }
        for (token, reply) in effects.replies {
            assert!(token.0 <= self.tokens, "a reply to nobody");
            assert!(self.replies.insert(token, reply).is_none(), "two replies to {token:?}");
        }
        self.pending.extend(effects.appends);
        while self.prompt && !self.pending.is_empty() {
            self.refused |= self.outcome.is_err();
            self.settle(self.outcome);
        }
    }

    /// Creates a topic, or gives one more partitions; returns its id.
    pub fn topic(&mut self, name: &str, partitions: usize) -> Uuid {
        let mut image = (*self.image).clone();
        let known = image.topic(name).map(|topic| (topic.id, topic.partitions.len()));
        let next = image.next_offset.0;
        let (id, before) = known.unwrap_or_else(|| (Uuid::from_random(next as u64 + 1, 9), 0));
        if known.is_none() {
            image.apply(&MetadataRecord::TopicCreated { name: name.to_owned(), id }).expect("fits");
        }
        let partition = PartitionRecord {
            leader: 1,
            leader_epoch: 0,
            partition_epoch: 0,
            replicas: vec![1],
            isr: vec![1],
            directories: vec![Uuid([1; 16])],
        };
        let partitions = vec![partition; partitions - before];
        image.apply(&MetadataRecord::PartitionsAdded { topic: id, partitions }).expect("fits");
        image.next_offset = Offset(next + 1);
        self.image = Arc::new(image);
        id
    }

    pub fn delete_topic(&mut self, name: &str) {
        let mut image = (*self.image).clone();
        let id = image.topic(name).expect("exists").id;
        image.apply(&MetadataRecord::TopicDeleted { id }).expect("fits");
        image.next_offset = Offset(image.next_offset.0 + 1);
        self.image = Arc::new(image);
    }

    /// Sets a config of the group.
    pub fn configure(&mut self, name: &str, value: &str) {
        let mut image = (*self.image).clone();
        let resource = ResourceId { kind: ResourceKind::Group, name: GROUP.to_owned() };
        let (name, value) = (name.to_owned(), Some(value.to_owned()));
        image.apply(&MetadataRecord::ConfigChanged { resource, name, value }).expect("fits");
        image.next_offset = Offset(image.next_offset.0 + 1);
        self.image = Arc::new(image);
    }

    /// The oldest pending append is durable, or refused.
    pub fn settle(&mut self, outcome: Result<(), ErrorCode>) {
        let append = self.pending.pop_front().expect("an append is pending");
        if outcome.is_ok() {
            self.log.extend(append.records.iter().cloned());
        }
        let mut effects = Effects::default();
        self.state.appended(append, outcome, self.now_ms, &mut effects);
        self.carry_out(effects);
    }

    /// Lets time pass; timers go off at their moment.
    pub fn advance(&mut self, ms: i64) {
        let until = self.now_ms + ms;
        while let Some(at) = self.timers.next().filter(|at| at.0 as i64 <= until) {
            self.now_ms = self.now_ms.max(at.0 as i64);
            while let Some(key) = self.timers.pop_due(self.monotonic(0)) {
                self.apply(|state, now_ms, effects| state.timer(&key, now_ms, effects));
            }
        }
        self.now_ms = until;
    }

    pub fn apply<T>(&mut self, change: impl FnOnce(&mut GroupState, i64, &mut Effects) -> T) -> T {
        let mut effects = Effects::default();
        self.state.set_image(self.image.clone());
        let result = change(&mut self.state, self.now_ms, &mut effects);
        self.carry_out(effects);
        result
    }

    pub fn token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    /// Sends a JoinGroup request; the reply may be there at once or later.
    pub fn join(&mut self, join: &Join) -> Token {
        let token = self.token();
        let new_id = Uuid::from_random(token.0, 7);
        let event = JoinEvent::new(&join.request(), join.version, ("client", "/127.0.0.1"), new_id, token);
        self.apply(|state, now_ms, effects| state.join(GROUP, &event, now_ms, effects));
        token
    }

    pub fn sync(&mut self, member_id: &str, generation: i32, assignments: &[(&str, &str)]) -> Token {
        let assignments = assignments.iter().map(|(member_id, given)| SyncGroupRequestAssignment {
            member_id: member_id.to_string(),
            assignment: Bytes::copy_from_slice(given.as_bytes()),
        });
        let request = SyncGroupRequest {
            group_id: GROUP.to_owned(),
            generation_id: generation,
            member_id: member_id.to_owned(),
            assignments: assignments.collect(),
            ..Default::default()
        };
        self.sync_request(&request)
    }

    pub fn sync_request(&mut self, request: &SyncGroupRequest) -> Token {
        let token = self.token();
        let event = SyncEvent::new(request, token);
        self.apply(|state, now_ms, effects| state.sync(&request.group_id, event, now_ms, effects));
        token
    }

    pub fn heartbeat(&mut self, member_id: &str, generation: i32) -> ErrorCode {
        self.heartbeat_as(member_id, None, generation)
    }

    pub fn heartbeat_as(&mut self, member_id: &str, instance_id: Option<&str>, generation: i32) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: GROUP.to_owned(),
            generation_id: generation,
            member_id: member_id.to_owned(),
            group_instance_id: instance_id.map(str::to_owned),
        };
        self.apply(|state, _, effects| state.heartbeat(&request, effects))
    }

    pub fn leave(&mut self, member_id: &str, instance_id: Option<&str>) -> ErrorCode {
        let member = MemberIdentity {
            member_id: member_id.to_owned(),
            group_instance_id: instance_id.map(str::to_owned),
            ..Default::default()
        };
        self.apply(|state, now_ms, effects| state.leave(GROUP, &[member], now_ms, effects))[0].error_code
    }

    /// Commits one offset of partition 0 of topic `t`.
    pub fn commit(&mut self, who: Committer<'_>, version: i16, offset: i64) -> ErrorCode {
        self.commit_to(GROUP, "t", who, version, -1, offset, None)
    }

    #[allow(clippy::too_many_arguments, reason = "a commit has many fields, and tests vary them all")]
    pub fn commit_to(
        &mut self,
        group_id: &str,
        topic: &str,
        who: Committer<'_>,
        version: i16,
        retention_ms: i64,
        offset: i64,
        metadata: Option<&str>,
    ) -> ErrorCode {
        let metadata = metadata.map(str::to_owned);
        let commit = OffsetToCommit { partition: 0, offset, leader_epoch: 3, metadata };
        let topics = [TopicToCommit { name: topic.to_owned(), topic_id: TOPIC_ID, partitions: vec![commit] }];
        let result = self.apply(|state, now_ms, effects| {
            let event = CommitEvent { who, version, retention_ms, topics: &topics };
            state.commit_offsets(group_id, event, now_ms, effects)
        });
        result.map_or_else(|error_code| error_code, |topics| topics[0].partitions[0].error_code)
    }

    /// The reply to a JoinGroup request that must have been answered.
    pub fn joined(&mut self, token: Token) -> JoinGroupResponse {
        match self.replies.remove(&token) {
            Some(Reply::Join(response)) => response,
            other => panic!("no reply to the join: {other:?}"),
        }
    }

    /// The reply to a SyncGroup request that must have been answered.
    pub fn synced(&mut self, token: Token) -> SyncGroupResponse {
        match self.replies.remove(&token) {
            Some(Reply::Sync(response)) => response,
            other => panic!("no reply to the sync: {other:?}"),
        }
    }

    pub fn is_parked(&self, token: Token) -> bool {
        !self.replies.contains_key(&token)
    }

    pub fn group(&self) -> &ClassicGroup {
        match self.state.group(GROUP) {
            Some(Group::Classic(group)) => group,
            Some(group) => panic!("the group is a {} group", group.type_name()),
            None => panic!("the group is gone"),
        }
    }

    /// The group's state by name, "Dead" if there is none.
    pub fn state_name(&self) -> &'static str {
        self.state.group(GROUP).map_or("Dead", Group::state_name)
    }

    /// Gets an id for a dynamic member, and joins with it. The request stays parked until the phase ends.
    pub fn enter(&mut self, join: Join) -> (String, Token) {
        let id = if join.instance_id.is_none() && join.version >= 4 {
            let token = self.join(&join);
            let response = self.joined(token);
            assert_eq!(response.error_code, ErrorCode::MEMBER_ID_REQUIRED);
            response.member_id
        } else {
            String::new()
        };
        let token = self.join(&Join { member_id: id.clone(), ..join });
        (id, token)
    }

    /// A stable group of these joiners, the first one leading. Returns the members' ids.
    pub fn stable(&mut self, joins: &[Join]) -> Vec<String> {
        let ids = self.completing(joins);
        let generation = self.group().generation();
        let assignments: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "work")).collect();
        let leader = self.group().leader().expect("a leader").to_owned();
        for id in ids.iter().filter(|id| **id != leader) {
            self.sync(id, generation, &[]);
        }
        self.sync(&leader, generation, &assignments);
        assert_eq!(self.state_name(), "Stable");
        self.replies.clear();
        ids
    }

    /// A group that has completed its first join phase.
    pub fn completing(&mut self, joins: &[Join]) -> Vec<String> {
        let tokens: Vec<Token> = joins.iter().map(|join| self.enter(join.clone()).1).collect();
        self.advance(10_000);
        let ids = tokens.into_iter().map(|token| self.joined(token).member_id).collect();
        assert_eq!(self.state_name(), "CompletingRebalance");
        ids
    }
}

/// A commit by a member.
pub fn by<'a>(member_id: &'a str, generation: i32) -> Committer<'a> {
    Committer { member_id, group_instance_id: None, generation, transactional: false }
}

/// A commit by a client that does not take part in the group.
pub const NOBODY: Committer<'static> =
    Committer { member_id: "", group_instance_id: None, generation: -1, transactional: false };
