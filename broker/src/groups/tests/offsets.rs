//! Committing, fetching, deleting and ageing offsets.

use std::collections::BTreeMap;

use protocol::ErrorCode;
use protocol::messages::offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use protocol::messages::offset_fetch::OffsetFetchRequestTopics;

use super::*;
use crate::groups::state::ListFilter;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

impl World {
    fn fetch(&self, topic: &str, topic_id: Uuid) -> (i64, i32, String, ErrorCode) {
        let asked = OffsetFetchRequestTopics { name: topic.to_owned(), topic_id, partition_indexes: vec![0] };
        let fetched = self.state.fetch_offsets(GROUP, &[asked]);
        let partition = &fetched[0].partitions[0];
        let metadata = partition.metadata.clone().expect("metadata is never null");
        (partition.committed_offset, partition.committed_leader_epoch, metadata, partition.error_code)
    }

    fn offset(&self, topic: &str) -> i64 {
        self.fetch(topic, Uuid::ZERO).0
    }

    fn expire(&mut self) {
        self.apply(|state, now_ms, effects| state.expire(now_ms, effects));
    }
}

fn nothing() -> (i64, i32, String, ErrorCode) {
    (-1, -1, String::new(), ErrorCode::NONE)
}

#[test]
fn what_was_committed_is_fetched_word_for_word_once_durable() {
    let mut world = World::new();
    assert_eq!(world.fetch("t", Uuid::ZERO), nothing());
    world.prompt = false;
    assert_eq!(world.commit_to(GROUP, "t", NOBODY, 8, -1, 42, Some("né")), ErrorCode::NONE);
    assert_eq!(world.fetch("t", Uuid::ZERO), nothing(), "not durable yet");
    world.settle(Ok(()));
    assert_eq!(world.fetch("t", Uuid::ZERO), (42, 3, "né".to_owned(), ErrorCode::NONE));
    assert_eq!(world.fetch("other", Uuid::ZERO), nothing());
    assert_eq!(world.fetch("t", TOPIC_ID).0, 42);
    assert_eq!(world.fetch("t", Uuid([1; 16])), nothing(), "another topic of that name");
    let all = world.state.fetch_all_offsets(GROUP);
    assert_eq!((all.len(), all[0].name.as_str(), all[0].partitions[0].committed_offset), (1, "t", 42));
    assert!(world.state.fetch_all_offsets("other").is_empty());
}

#[test]
fn a_refused_commit_never_happened() {
    let mut world = World::new();
    world.commit(NOBODY, 8, 1);
    world.prompt = false;
    world.commit(NOBODY, 8, 2);
    world.settle(Err(ErrorCode::COORDINATOR_NOT_AVAILABLE));
    assert_eq!(world.offset("t"), 1);
    assert!(!world.state.has_in_flight());
}

#[test]
fn metadata_is_bounded_as_java_counts_it() {
    let long = "x".repeat(4_096);
    let wide = "é".repeat(4_096);
    let pairs = "😀".repeat(2_049);
    for (metadata, expected) in [
        (long.clone(), ErrorCode::NONE),
        (wide, ErrorCode::NONE),
        (long + "x", ErrorCode::OFFSET_METADATA_TOO_LARGE),
        (pairs, ErrorCode::OFFSET_METADATA_TOO_LARGE),
    ] {
        let mut world = World::new();
        assert_eq!(world.commit_to(GROUP, "t", NOBODY, 8, -1, 1, Some(&metadata)), expected);
        assert_eq!(world.offset("t"), if expected == ErrorCode::NONE { 1 } else { -1 });
    }
}

#[test]
fn deleting_a_group_takes_offsets_on_their_way_with_it() {
    let mut world = World::new();
    world.commit(NOBODY, 8, 1);
    world.prompt = false;
    world.commit_to(GROUP, "u", NOBODY, 8, -1, 2, None);
    let deleted = world.apply(|state, _, effects| state.delete_groups(&[GROUP.to_owned()], effects));
    assert_eq!(deleted[0].error_code, ErrorCode::NONE);
    assert_eq!(world.state_name(), "Dead");
    world.settle(Ok(()));
    world.settle(Ok(()));
    assert!(world.state.offsets().is_empty());
    // Somebody commits while the tombstones are on their way: that is a new group.
    assert_eq!(world.commit_to(GROUP, "v", NOBODY, 8, -1, 3, None), ErrorCode::NONE);
    world.apply(|state, _, effects| state.delete_groups(&[GROUP.to_owned()], effects));
    world.commit_to(GROUP, "w", NOBODY, 8, -1, 4, None);
    while !world.pending.is_empty() {
        world.settle(Ok(()));
    }
    assert_eq!((world.offset("v"), world.offset("w")), (-1, 4));
}

#[test]
fn a_group_whose_tombstones_were_refused_is_still_there() {
    let mut world = World::new();
    world.commit(NOBODY, 8, 1);
    world.prompt = false;
    world.apply(|state, _, effects| state.delete_groups(&[GROUP.to_owned()], effects));
    world.settle(Err(ErrorCode::COORDINATOR_NOT_AVAILABLE));
    assert_eq!((world.state_name(), world.offset("t")), ("Empty", 1));
}

#[test]
fn offsets_are_deleted_but_for_topics_somebody_reads() {
    let mut world = World::new();
    let subscription = "\0\0\0\0\0\x01\0\x01t\u{0}\u{0}\u{0}\u{0}";
    let ids = world.stable(&[Join::new("").protocols(&[("range", subscription)])]);
    for topic in ["t", "u"] {
        assert_eq!(world.commit_to(GROUP, topic, by(&ids[0], 1), 8, -1, 1, None), ErrorCode::NONE);
    }
    let asked: Vec<OffsetDeleteRequestTopic> = ["t", "u"]
        .iter()
        .map(|name| OffsetDeleteRequestTopic {
            name: name.to_string(),
            partitions: vec![OffsetDeleteRequestPartition { partition_index: 0 }],
        })
        .collect();
    let deleted = world.apply(|state, _, effects| state.delete_offsets(GROUP, &asked, effects)).expect("no error");
    let codes: Vec<ErrorCode> = deleted.iter().map(|topic| topic.partitions[0].error_code).collect();
    assert_eq!(codes, [ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC, ErrorCode::NONE]);
    assert_eq!((world.offset("t"), world.offset("u")), (1, -1));
}

#[test]
fn offsets_age_from_the_commit_without_a_group_and_from_when_it_became_empty_with_one() {
    // Without membership.
    let mut world = World::new();
    world.commit(NOBODY, 8, 1);
    world.advance(7 * DAY_MS - 1);
    world.expire();
    assert_eq!((world.offset("t"), world.state_name()), (1, "Empty"));
    world.advance(1);
    world.expire();
    assert_eq!((world.offset("t"), world.state_name()), (-1, "Dead"));

    // With membership: nothing ages while it is stable and its subscription cannot be read.
    let mut world = World::new();
    let ids = world.stable(&[Join { session_ms: 1_800_000, ..Join::new("") }]);
    world.commit(by(&ids[0], 1), 8, 1);
    for _ in 0..500 {
        world.advance(1_700_000);
        world.heartbeat(&ids[0], 1);
    }
    world.expire();
    assert_eq!(world.offset("t"), 1);
    world.leave(&ids[0], None);
    world.advance(7 * DAY_MS - 1);
    world.expire();
    assert_eq!((world.offset("t"), world.state_name()), (1, "Empty"));
    world.advance(1);
    world.expire();
    assert_eq!((world.offset("t"), world.state_name()), (-1, "Dead"));
}

#[test]
fn a_stable_group_forgets_old_offsets_of_topics_it_no_longer_reads() {
    let mut world = World::new();
    let subscription = "\0\0\0\0\0\x01\0\x01t\u{0}\u{0}\u{0}\u{0}";
    let join = Join { session_ms: 1_800_000, ..Join::new("") }.protocols(&[("range", subscription)]);
    let ids = world.stable(&[join]);
    for topic in ["t", "u"] {
        world.commit_to(GROUP, topic, by(&ids[0], 1), 8, -1, 1, None);
    }
    for _ in 0..500 {
        world.advance(1_700_000);
        world.heartbeat(&ids[0], 1);
    }
    world.expire();
    assert_eq!((world.offset("t"), world.offset("u"), world.state_name()), (1, -1, "Stable"));
}

#[test]
fn old_clients_choose_how_long_their_offsets_live() {
    let mut world = World::new();
    world.commit_to(GROUP, "t", NOBODY, 2, 5_000, 1, None);
    world.commit_to(GROUP, "u", NOBODY, 2, 100 * DAY_MS, 1, None);
    world.advance(5_000);
    world.expire();
    assert_eq!((world.offset("t"), world.offset("u")), (-1, 1));
    world.advance(8 * DAY_MS);
    world.expire();
    assert_eq!(world.offset("u"), 1);
}

#[test]
fn an_offset_on_its_way_is_young() {
    let mut world = World::new();
    world.commit(NOBODY, 8, 1);
    world.advance(8 * DAY_MS);
    world.prompt = false;
    world.commit(NOBODY, 8, 2);
    world.expire();
    while !world.pending.is_empty() {
        world.settle(Ok(()));
    }
    assert_eq!((world.offset("t"), world.state_name()), (2, "Empty"));
}

#[test]
fn a_deleted_topic_takes_its_offsets_with_it_and_not_those_of_its_successor() {
    for (deleted, left) in [(TOPIC_ID, -1), (Uuid([1; 16]), 1)] {
        let mut world = World::new();
        world.commit(NOBODY, 8, 1);
        let topics = BTreeMap::from([("t".to_owned(), deleted)]);
        world.apply(|state, _, effects| state.topics_deleted(&topics, effects));
        assert_eq!(world.offset("t"), left);
    }
}

#[test]
fn groups_are_listed_by_state_and_type_and_described() {
    let mut world = World::new();
    let ids = world.stable(&[Join::new("")]);
    world.commit_to("simple", "t", NOBODY, 8, -1, 1, None);
    let list = |states: &[&str], types: &[&str]| -> Vec<String> {
        let owned = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let filter = ListFilter::new(&owned(states), &owned(types));
        world.state.list(&filter).into_iter().map(|group| group.group_id).collect()
    };
    assert_eq!(list(&[], &[]), ["g", "simple"]);
    assert_eq!(list(&[" stable "], &[]), ["g"]);
    assert_eq!(list(&["Empty", "Dead"], &["CLASSIC"]), ["simple"]);
    assert_eq!(list(&[], &["consumer"]), [""; 0]);
    assert_eq!(list(&["nonsense"], &[]), [""; 0]);

    let described = world.state.describe(GROUP, 6);
    assert_eq!((described.group_state.as_str(), described.protocol_data.as_str()), ("Stable", "range"));
    let member = &described.members[0];
    assert_eq!((&member.member_id, &member.member_metadata[..]), (&ids[0], &b"sub"[..]));
    assert_eq!((&member.member_assignment[..], member.client_host.as_str()), (&b"work"[..], "/127.0.0.1"));
    for (version, expected) in [(5, ErrorCode::NONE), (6, ErrorCode::GROUP_ID_NOT_FOUND)] {
        let unknown = world.state.describe("unknown", version);
        assert_eq!((unknown.group_state.as_str(), unknown.error_code), ("Dead", expected));
    }
}

#[test]
fn memory_for_new_offsets_is_bounded_while_known_ones_go_on() {
    let mut world = World::with(GroupSettings { state_bytes_max: 20_000, ..Default::default() });
    let mut refused = 0;
    for topic in 0..1_000 {
        let code = world.commit_to(GROUP, &format!("t{topic}"), NOBODY, 8, -1, 1, None);
        refused += i32::from(code == ErrorCode::COORDINATOR_NOT_AVAILABLE);
    }
    assert!(refused > 800, "{refused}");
    assert!(world.state.bytes() <= 20_000);
    assert_eq!(world.commit_to(GROUP, "t0", NOBODY, 8, -1, 2, None), ErrorCode::NONE);
    assert_eq!(world.offset("t0"), 2);
}
