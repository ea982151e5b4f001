//! Consumer groups, told as short stories.

use std::collections::BTreeSet;

use protocol::messages::consumer_group_heartbeat::TopicPartitions;
use protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use super::replay::check_logs;
use super::*;
use crate::groups::consumer::{ConsumerGroup, Heartbeat, MemberState, Partitions};
use crate::metadata::decide::ApiError;

/// A consumer that does what Kafka's does: it reports what it reads when that changed, gives up at once what it no
/// longer has, and begins anew when it is fenced.
#[derive(Debug, Clone)]
pub struct Consumer {
    pub id: String,
    pub instance_id: Option<String>,
    pub topics: Option<Vec<String>>,
    pub pattern: Option<String>,
    pub assignor: Option<String>,
    pub epoch: i32,
    pub reads: Partitions,
    /// What it last reported.
    reported: Option<Partitions>,
}

impl Consumer {
    pub fn new(id: &str, topics: &[&str]) -> Consumer {
        Consumer {
            id: id.to_owned(),
            instance_id: None,
            topics: Some(topics.iter().map(|name| name.to_string()).collect()),
            pattern: None,
            assignor: None,
            epoch: 0,
            reads: Partitions::new(),
            reported: None,
        }
    }

    pub fn named(id: &str, instance_id: &str, topics: &[&str]) -> Consumer {
        Consumer { instance_id: Some(instance_id.to_owned()), ..Consumer::new(id, topics) }
    }

    pub fn by_pattern(id: &str, pattern: &str) -> Consumer {
        Consumer { topics: None, pattern: Some(pattern.to_owned()), ..Consumer::new(id, &[]) }
    }

    pub fn request(&self) -> ConsumerGroupHeartbeatRequest {
        let joins = self.epoch == 0;
        let reads: Vec<TopicPartitions> = self
            .reads
            .iter()
            .map(|(&topic_id, numbers)| TopicPartitions { topic_id, partitions: numbers.iter().copied().collect() })
            .collect();
        let tell = joins || self.reported.as_ref() != Some(&self.reads);
        ConsumerGroupHeartbeatRequest {
            group_id: GROUP.to_owned(),
            member_id: self.id.clone(),
            member_epoch: self.epoch,
            instance_id: self.instance_id.clone(),
            rebalance_timeout_ms: if joins { 60_000 } else { -1 },
            subscribed_topic_names: self.topics.clone().filter(|_| joins),
            subscribed_topic_regex: self.pattern.clone().filter(|_| joins),
            server_assignor: self.assignor.clone().filter(|_| joins),
            topic_partitions: tell.then_some(reads),
            ..Default::default()
        }
    }

    /// Sends a heartbeat and does what the answer says.
    pub fn beat(&mut self, world: &mut World) -> ErrorCode {
        let request = self.request();
        let result = world.consumer_beat(&request);
        self.hear(&request, result)
    }

    pub fn hear(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
        result: Result<ConsumerGroupHeartbeatResponse, ApiError>,
    ) -> ErrorCode {
        match result {
            Ok(response) => {
                self.epoch = response.member_epoch;
                if request.topic_partitions.is_some() {
                    self.reported = Some(self.reads.clone());
                }
                if let Some(assignment) = response.assignment {
                    self.reads = assignment
                        .topic_partitions
                        .iter()
                        .map(|topic| (topic.topic_id, topic.partitions.iter().copied().collect()))
                        .collect();
                }
                ErrorCode::NONE
            }
            Err(error) => {
                if matches!(error.code, ErrorCode::FENCED_MEMBER_EPOCH | ErrorCode::UNKNOWN_MEMBER_ID) {
                    self.begin_anew();
                }
                error.code
            }
        }
    }

    pub fn begin_anew(&mut self) {
        (self.epoch, self.reads, self.reported) = (0, Partitions::new(), None);
    }

    pub fn leave(&mut self, world: &mut World, epoch: i32) -> ErrorCode {
        let request = ConsumerGroupHeartbeatRequest {
            group_id: GROUP.to_owned(),
            member_id: self.id.clone(),
            instance_id: self.instance_id.clone(),
            member_epoch: epoch,
            ..Default::default()
        };
        self.begin_anew();
        world.consumer_beat(&request).map_or_else(|error| error.code, |_| ErrorCode::NONE)
    }

    pub fn count(&self) -> usize {
        self.reads.values().map(BTreeSet::len).sum()
    }
}

impl World {
    pub fn consumer_beat(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<ConsumerGroupHeartbeatResponse, ApiError> {
        let event = Heartbeat { request, client_id: "client", client_host: "/127.0.0.1", new_id: Uuid([3; 16]) };
        self.apply(|state, now_ms, effects| state.consumer_heartbeat(&event, now_ms, effects))
    }

    pub fn consumers(&self) -> &ConsumerGroup {
        match self.state.group(GROUP) {
            Some(Group::Consumer(group)) => group,
            other => panic!("no consumer group: {other:?}"),
        }
    }

    /// A group whose next assignment need not wait.
    pub fn eager() -> World {
        World::with(GroupSettings { consumer_assignment_interval_ms: 0, ..GroupSettings::default() })
    }
}

/// Lets consumers beat until nothing changes any more.
pub fn converge(world: &mut World, consumers: &mut [&mut Consumer]) {
    for _ in 0..20 {
        let before: Vec<(i32, Partitions)> = consumers.iter().map(|c| (c.epoch, c.reads.clone())).collect();
        for consumer in consumers.iter_mut() {
            consumer.beat(world);
        }
        let after: Vec<(i32, Partitions)> = consumers.iter().map(|c| (c.epoch, c.reads.clone())).collect();
        if before == after && world.state_name() == "Stable" {
            return;
        }
    }
    panic!("the group does not come to rest: {} {consumers:?}", world.state_name());
}

/// The records alone make the same group again.
pub fn check_replay(world: &World) {
    check_logs(world, GroupState::snapshot);
}

#[test]
fn a_first_member_gets_everything_with_its_first_answer() {
    let mut world = World::new();
    let topic = world.topic("t", 3);
    let mut first = Consumer::new("a", &["t", "missing"]);
    assert_eq!(first.beat(&mut world), ErrorCode::NONE);
    assert_eq!((first.epoch, &first.reads), (2, &Partitions::from([(topic, BTreeSet::from([0, 1, 2]))])));
    assert_eq!(world.state_name(), "Stable");
    let response = world.consumer_beat(&first.request()).expect("alive");
    assert_eq!((response.heartbeat_interval_ms, response.assignment), (5_000, None), "nothing new to tell");
    check_replay(&world);
}

#[test]
fn a_second_member_waits_until_the_first_has_given_up_its_share() {
    let mut world = World::eager();
    world.topic("t", 4);
    let (mut first, mut second) = (Consumer::new("a", &["t"]), Consumer::new("b", &["t"]));
    first.beat(&mut world);
    second.beat(&mut world);
    assert_eq!((second.epoch, second.count()), (3, 0));
    assert_eq!(world.state_name(), "Reconciling");
    assert_eq!(world.consumers().member("b").map(|member| member.state), Some(MemberState::UnreleasedPartitions));
    first.beat(&mut world);
    assert_eq!((first.epoch, first.count()), (2, 2), "asked to give up two, in its old epoch");
    second.beat(&mut world);
    assert_eq!(second.count(), 0, "not yet given up");
    first.beat(&mut world);
    assert_eq!(first.epoch, 3);
    second.beat(&mut world);
    assert_eq!((first.count(), second.count(), world.state_name()), (2, 2, "Stable"));
    check_replay(&world);
}

#[test]
fn members_that_come_together_are_assigned_together() {
    let mut world = World::new();
    world.topic("t", 6);
    let mut members: Vec<Consumer> = ["a", "b", "c"].iter().map(|id| Consumer::new(id, &["t"])).collect();
    for member in &mut members {
        member.beat(&mut world);
    }
    assert_eq!((world.consumers().epoch(), world.consumers().assignment_epoch()), (4, 2));
    assert_eq!(world.state_name(), "Assigning");
    world.advance(999);
    members[1].beat(&mut world);
    assert_eq!(world.consumers().assignment_epoch(), 2);
    world.advance(1);
    members[1].beat(&mut world);
    assert_eq!(world.consumers().assignment_epoch(), 4);
}

#[test]
fn more_partitions_new_topics_and_deleted_ones_are_followed() {
    let mut world = World::eager();
    world.topic("t", 1);
    let mut member = Consumer::new("a", &["t", "later"]);
    converge(&mut world, &mut [&mut member]);
    let check = |world: &mut World, member: &mut Consumer, count: usize| {
        let epoch = world.consumers().epoch();
        converge(world, &mut [member]);
        assert_eq!((member.count(), world.consumers().epoch()), (count, epoch + 1));
    };
    world.topic("t", 3);
    check(&mut world, &mut member, 3);
    world.topic("later", 2);
    check(&mut world, &mut member, 5);
    world.delete_topic("t");
    check(&mut world, &mut member, 2);
    world.topic("t", 1);
    check(&mut world, &mut member, 3);
    world.topic("other", 1);
    let epoch = world.consumers().epoch();
    converge(&mut world, &mut [&mut member]);
    assert_eq!(world.consumers().epoch(), epoch, "what is not subscribed does not matter");
    check_replay(&world);
}

#[test]
fn a_pattern_finds_topics_now_and_later() {
    let mut world = World::eager();
    world.topic("logs-a", 2);
    world.topic("audit", 2);
    let mut member = Consumer::by_pattern("a", "logs-.*");
    converge(&mut world, &mut [&mut member]);
    assert_eq!(member.count(), 2);
    world.topic("logs-b", 1);
    world.advance(10_001);
    converge(&mut world, &mut [&mut member]);
    assert_eq!(member.count(), 3);
    check_replay(&world);
    // The last member with a pattern takes it along.
    let mut other = Consumer::new("b", &["audit"]);
    other.beat(&mut world);
    member.leave(&mut world, -1);
    converge(&mut world, &mut [&mut other]);
    assert!(!world.consumers().is_subscribed_to("logs-a"));
    check_replay(&world);
}

#[test]
fn a_changed_subscription_takes_partitions_away_and_brings_others() {
    let mut world = World::new();
    let (t, u) = (world.topic("t", 2), world.topic("u", 2));
    let mut member = Consumer::new("a", &["t"]);
    member.beat(&mut world);
    let mut request = member.request();
    request.subscribed_topic_names = Some(vec!["u".to_owned()]);
    let result = world.consumer_beat(&request);
    assert_eq!(member.hear(&request, result), ErrorCode::NONE);
    assert!(!member.reads.contains_key(&t), "at once, though the next assignment waits for its interval");
    world.advance(1_000);
    converge(&mut world, &mut [&mut member]);
    assert_eq!(member.reads, Partitions::from([(u, BTreeSet::from([0, 1]))]));
    check_replay(&world);
}

#[test]
fn silence_ends_a_session_and_slow_revocation_ends_it_too() {
    let mut world = World::eager();
    world.topic("t", 4);
    let (mut first, mut second) = (Consumer::new("a", &["t"]), Consumer::new("b", &["t"]));
    first.beat(&mut world);
    second.beat(&mut world);
    // The first keeps beating and never gives up what it should.
    for _ in 0..13 {
        let mut request = first.request();
        request.topic_partitions = None;
        let _ = world.consumer_beat(&request);
        world.advance(5_000);
        second.beat(&mut world);
    }
    assert!(world.consumers().member("a").is_none(), "its rebalance timeout is over");
    converge(&mut world, &mut [&mut second]);
    assert_eq!(second.count(), 4);
    world.advance(44_999);
    assert_eq!(world.state_name(), "Stable");
    world.advance(1);
    assert_eq!(world.state_name(), "Empty");
    check_replay(&world);
}

#[test]
fn a_static_member_that_leaves_for_now_gets_the_same_back() {
    let mut world = World::eager();
    world.topic("t", 4);
    let mut members = [Consumer::named("a", "s1", &["t"]), Consumer::named("b", "s2", &["t"])];
    let [first, second] = &mut members;
    converge(&mut world, &mut [first, second]);
    let (had, epoch) = (members[0].reads.clone(), world.consumers().epoch());
    assert_eq!(members[0].leave(&mut world, -2), ErrorCode::NONE);
    let mut back = Consumer::named("a2", "s1", &["t"]);
    assert_eq!(back.beat(&mut world), ErrorCode::NONE);
    assert_eq!((back.reads.clone(), world.consumers().epoch()), (had, epoch));
    check_replay(&world);
    // Who did not say goodbye keeps its place until its session ends.
    let mut thief = Consumer::named("c", "s1", &["t"]);
    assert_eq!(thief.beat(&mut world), ErrorCode::UNRELEASED_INSTANCE_ID);
    world.advance(45_000);
    assert_eq!(thief.beat(&mut world), ErrorCode::NONE);
}

#[test]
fn the_assignor_most_members_ask_for_is_used() {
    let mut world = World::eager();
    world.topic("t", 4);
    world.topic("u", 4);
    let mut members: Vec<Consumer> = ["a", "b", "c"].iter().map(|id| Consumer::new(id, &["t", "u"])).collect();
    members[0].assignor = Some("range".to_owned());
    members[1].assignor = Some("range".to_owned());
    members[2].assignor = Some("uniform".to_owned());
    let mut all: Vec<&mut Consumer> = members.iter_mut().collect();
    converge(&mut world, &mut all);
    let described = world.state.describe_consumer_group(GROUP, &world.image);
    assert_eq!((described.assignor_name.as_str(), described.group_state.as_str()), ("range", "Stable"));
    let sizes: Vec<usize> = members.iter().map(Consumer::count).collect();
    assert_eq!(sizes, [4, 2, 2], "two of each topic for the first, as ranges go");
    let first = &described.members[0];
    assert_eq!((first.member_id.as_str(), first.member_type, first.member_epoch), ("a", 1, described.group_epoch));
    assert_eq!(first.assignment, first.target_assignment);
    assert_eq!(first.assignment.topic_partitions.len(), 2);
}

#[test]
fn settings_of_the_group_come_before_those_of_the_broker() {
    let mut world = World::new();
    world.topic("t", 1);
    world.configure("consumer.heartbeat.interval.ms", "7000");
    world.configure("consumer.session.timeout.ms", "50000");
    let mut member = Consumer::new("a", &["t"]);
    let response = world.consumer_beat(&member.request()).expect("joined");
    assert_eq!(response.heartbeat_interval_ms, 7_000);
    member.beat(&mut world);
    world.advance(49_999);
    assert_eq!(world.state_name(), "Stable");
    world.advance(1);
    assert_eq!(world.state_name(), "Empty");
}

#[test]
fn a_member_may_commit_what_it_had_before_its_newest_epoch() {
    let mut world = World::eager();
    world.topic("t", 4);
    let (mut first, mut second) = (Consumer::new("a", &["t"]), Consumer::new("b", &["t"]));
    first.beat(&mut world);
    converge(&mut world, &mut [&mut first, &mut second]);
    let id = world.image.topic("t").expect("exists").id;
    let kept = *first.reads[&id].first().expect("has some");
    let moved = *second.reads[&id].first().expect("has some");
    let check = |world: &mut World, member: &str, epoch: i32, partition: i32, version: i16, code: ErrorCode| {
        let commit = OffsetToCommit { partition, offset: 1, leader_epoch: -1, metadata: None };
        let topics = [TopicToCommit { name: "t".to_owned(), topic_id: id, partitions: vec![commit] }];
        let event = CommitEvent { who: by(member, epoch), version, retention_ms: -1, topics: &topics };
        let result = world.apply(|state, now_ms, effects| state.commit_offsets(GROUP, event, now_ms, effects));
        assert_eq!(result.err().unwrap_or(ErrorCode::NONE), code, "{member} {epoch} {partition} {version}");
    };
    check(&mut world, "a", 3, kept, 9, ErrorCode::NONE);
    check(&mut world, "a", 2, kept, 9, ErrorCode::NONE);
    check(&mut world, "a", 1, kept, 9, ErrorCode::STALE_MEMBER_EPOCH);
    check(&mut world, "a", 4, kept, 9, ErrorCode::STALE_MEMBER_EPOCH);
    check(&mut world, "a", 2, moved, 9, ErrorCode::STALE_MEMBER_EPOCH);
    check(&mut world, "b", 2, moved, 9, ErrorCode::STALE_MEMBER_EPOCH);
    check(&mut world, "b", 3, moved, 9, ErrorCode::NONE);
    check(&mut world, "b", 3, moved, 8, ErrorCode::UNSUPPORTED_VERSION);
    check(&mut world, "c", 3, moved, 9, ErrorCode::UNKNOWN_MEMBER_ID);
    check(&mut world, "", -1, moved, 9, ErrorCode::UNKNOWN_MEMBER_ID);
    let fetch =
        |world: &World, member: Option<&str>, epoch: i32| world.state.validate_offset_fetch(GROUP, member, epoch);
    assert_eq!(fetch(&world, None, -1), Ok(()));
    assert_eq!(fetch(&world, Some("a"), 3), Ok(()));
    assert_eq!(fetch(&world, Some("a"), 2), Err(ErrorCode::STALE_MEMBER_EPOCH));
    assert_eq!(fetch(&world, Some("x"), 2), Err(ErrorCode::UNKNOWN_MEMBER_ID));
}

#[test]
fn what_the_log_refused_is_written_with_the_next_change() {
    let mut world = World::eager();
    world.topic("t", 2);
    let mut member = Consumer::new("a", &["t"]);
    world.outcome = Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
    let request = member.request();
    assert!(world.consumer_beat(&request).is_ok(), "the driver tells the client of the refused append");
    assert!(world.log.is_empty());
    world.outcome = Ok(());
    converge(&mut world, &mut [&mut member]);
    assert_eq!(member.count(), 2);
    check_replay(&world);
    // A group that nobody asks for is written when offsets are looked through.
    world.outcome = Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
    world.advance(45_000);
    world.outcome = Ok(());
    world.apply(|state, now_ms, effects| state.expire(now_ms, effects));
    assert_eq!(world.state.group_count(), 0, "without members and offsets it is gone");
    check_replay(&world);
}

#[test]
fn five_hundred_members_come_to_rest_in_a_few_beats() {
    let mut world = World::new();
    for number in 0..10 {
        world.topic(&format!("t{number}"), 100);
    }
    let names: Vec<String> = (0..10).map(|number| format!("t{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut members: Vec<Consumer> = (0..500).map(|number| Consumer::new(&format!("m{number}"), &names)).collect();
    for _ in 0..4 {
        for member in &mut members {
            member.beat(&mut world);
        }
        world.advance(1_000);
    }
    assert_eq!(world.state_name(), "Stable");
    assert!(members.iter().all(|member| member.count() == 2));
    check_replay(&world);
}
