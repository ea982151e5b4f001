//! Groups that change their kind while their members work.

use protocol::messages::consumer_protocol::{self, ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use protocol::messages::coordinator_record::to_versioned_bytes;

use super::consumer::{Consumer, check_replay};
use super::*;
use crate::groups::settings::Migration;

/// A subscription to `t`, as classic consumers send it; version 1, so that its bytes are text.
fn subscription(owned: &[i32]) -> String {
    let owned_partitions = match owned {
        [] => Vec::new(),
        _ => vec![consumer_protocol::TopicPartition { topic: "t".to_owned(), partitions: owned.to_vec() }],
    };
    let said = ConsumerProtocolSubscription {
        topics: vec!["t".to_owned()],
        user_data: Some(Bytes::new()),
        owned_partitions,
        ..Default::default()
    };
    String::from_utf8(to_versioned_bytes(&said, 1).to_vec()).expect("small numbers are text")
}

fn assignment(numbers: &[i32]) -> String {
    let topic = consumer_protocol::TopicPartition { topic: "t".to_owned(), partitions: numbers.to_vec() };
    let given = ConsumerProtocolAssignment { assigned_partitions: vec![topic], user_data: Some(Bytes::new()) };
    String::from_utf8(to_versioned_bytes(&given, 1).to_vec()).expect("small numbers are text")
}

fn join(id: &str, owned: &[i32]) -> Join {
    Join::new(id).protocols(&[("range", &subscription(owned))])
}

fn given(response: &SyncGroupResponse) -> Vec<i32> {
    let read: ConsumerProtocolAssignment = consumer_protocol::decode(response.assignment.clone()).expect("reads");
    read.assigned_partitions.into_iter().flat_map(|topic| topic.partitions).collect()
}

/// A stable classic group of two members with three partitions each.
fn classic(world: &mut World) -> Vec<String> {
    let ids = world.completing(&[join("", &[]), join("", &[])]);
    let leader = world.group().leader().expect("a leader").to_owned();
    let follower = ids.iter().find(|id| **id != leader).expect("a follower").clone();
    world.sync(&follower, 1, &[]);
    world.sync(&leader, 1, &[(&leader, &assignment(&[0, 1, 2])), (&follower, &assignment(&[3, 4, 5]))]);
    world.replies.clear();
    vec![leader, follower]
}

/// A classic member that was told to rejoin does so, and reads what it is given.
fn rejoin(world: &mut World, id: &str, owned: &[i32]) -> (i32, Vec<i32>) {
    let token = world.join(&join(id, owned));
    let joined = world.joined(token);
    assert_eq!(joined.error_code, ErrorCode::NONE);
    let token = world.sync(id, joined.generation_id, &[]);
    let synced = world.synced(token);
    assert_eq!(synced.error_code, ErrorCode::NONE);
    (joined.generation_id, given(&synced))
}

#[test]
fn a_classic_group_is_upgraded_while_it_works_and_downgraded_again() {
    let mut world = World::eager();
    world.topic("t", 6);
    let ids = classic(&mut world);
    world.commit(by(&ids[0], 1), 8, 5);
    // A member of the new protocol comes.
    let mut new = Consumer::new("new", &["t"]);
    assert_eq!(new.beat(&mut world), ErrorCode::NONE);
    assert_eq!(world.consumers().members().count(), 3);
    assert_eq!(new.count(), 0);
    check_replay(&world);
    // The others hear of it, give up and go on.
    assert_eq!(world.heartbeat(&ids[0], 1), ErrorCode::REBALANCE_IN_PROGRESS);
    let (generation, kept) = rejoin(&mut world, &ids[0], &[0, 1, 2]);
    assert_eq!((generation, kept.len()), (1, 2), "asked to give one up, in its old epoch");
    assert_eq!(world.heartbeat(&ids[0], 1), ErrorCode::REBALANCE_IN_PROGRESS);
    let (generation, _) = rejoin(&mut world, &ids[0], &kept);
    assert_eq!(world.heartbeat(&ids[0], generation), ErrorCode::NONE);
    assert_eq!(world.heartbeat(&ids[1], 1), ErrorCode::REBALANCE_IN_PROGRESS);
    let (_, seconds) = rejoin(&mut world, &ids[1], &[3, 4, 5]);
    let (last, _) = rejoin(&mut world, &ids[1], &seconds);
    new.beat(&mut world);
    assert_eq!((new.count(), world.state_name()), (2, "Stable"));
    assert_eq!(world.commit(by(&ids[1], last), 8, 6), ErrorCode::NONE);
    assert_eq!(world.commit(by(&ids[1], last - 1), 8, 7), ErrorCode::ILLEGAL_GENERATION, "a topic it never had");
    let described = world.state.describe_consumer_group(GROUP, &world.image);
    let types: Vec<i8> = described.members.iter().map(|member| member.member_type).collect();
    assert_eq!(types.iter().filter(|kind| **kind == 0).count(), 2);
    check_replay(&world);
    // It goes, and the group is a classic one again.
    new.leave(&mut world, -1);
    assert_eq!(world.state_name(), "PreparingRebalance");
    assert_eq!(world.state.offsets().get(GROUP, "t", 0).map(|offset| offset.offset), Some(6));
    let generation = world.group().generation();
    assert_eq!(world.heartbeat(&ids[0], generation), ErrorCode::REBALANCE_IN_PROGRESS);
    let tokens = [world.join(&join(&ids[0], &[])), world.join(&join(&ids[1], &[]))];
    let joined = tokens.map(|token| world.joined(token));
    assert!(joined.iter().all(|response| response.generation_id == generation + 1));
}

#[test]
fn the_last_classic_member_that_goes_leaves_a_consumer_group() {
    let mut world = World::eager();
    world.topic("t", 6);
    let ids = classic(&mut world);
    let mut new = Consumer::new("new", &["t"]);
    new.beat(&mut world);
    assert_eq!(world.leave(&ids[0], None), ErrorCode::NONE);
    assert_eq!(world.leave("stranger", None), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(world.leave(&ids[1], None), ErrorCode::NONE);
    super::consumer::converge(&mut world, &mut [&mut new]);
    assert_eq!(new.count(), 6);
    check_replay(&world);
}

#[test]
fn a_static_classic_member_in_place_of_the_last_new_one_downgrades_without_a_rebalance() {
    let mut world = World::eager();
    world.topic("t", 6);
    let mut new = Consumer::named("new", "s", &["t"]);
    super::consumer::converge(&mut world, &mut [&mut new]);
    new.leave(&mut world, -2);
    let token = world.join(&Join::instance("s").protocols(&[("range", &subscription(&[]))]));
    let joined = world.joined(token);
    assert_eq!((joined.error_code, world.state_name()), (ErrorCode::NONE, "Stable"));
    let token = world.sync(&joined.member_id, joined.generation_id, &[]);
    assert_eq!(given(&world.synced(token)), [0, 1, 2, 3, 4, 5]);
    check_replay(&world);
}

#[test]
fn groups_without_members_change_their_kind_freely() {
    let mut world = World::eager();
    world.topic("t", 1);
    world.commit(NOBODY, 8, 7);
    let mut new = Consumer::new("new", &["t"]);
    assert_eq!(new.beat(&mut world), ErrorCode::NONE);
    check_replay(&world);
    new.leave(&mut world, -1);
    let ids = world.stable(&[join("", &[])]);
    assert_eq!(world.heartbeat(&ids[0], 1), ErrorCode::NONE);
    assert_eq!(world.state.offsets().get(GROUP, "t", 0).map(|offset| offset.offset), Some(7));
    let again = super::replay::replayed(&world.settings, &world.log, world.now_ms);
    assert_eq!(again.describe(GROUP, 6), world.state.describe(GROUP, 6));
    assert_eq!(again.offsets(), world.state.offsets());
}

#[test]
fn the_policy_says_which_way() {
    for (policy, up, mixed, down) in [
        (Migration::Bidirectional, true, true, true),
        (Migration::Upgrade, true, true, false),
        (Migration::Downgrade, false, true, true),
        (Migration::Disabled, false, false, false),
    ] {
        let settings =
            GroupSettings { migration: policy, consumer_assignment_interval_ms: 0, ..GroupSettings::default() };
        let mut world = World::with(settings.clone());
        world.topic("t", 6);
        classic(&mut world);
        let code = Consumer::new("new", &["t"]).beat(&mut world);
        assert_eq!(code, if up { ErrorCode::NONE } else { ErrorCode::GROUP_ID_NOT_FOUND }, "{policy:?}");

        let mut world = World::with(settings);
        world.topic("t", 6);
        let mut new = Consumer::new("new", &["t"]);
        new.beat(&mut world);
        let (_, token) = match mixed {
            true => world.enter(join("", &[])),
            false => (String::new(), world.join(&join("", &[]))),
        };
        let code = world.joined(token).error_code;
        assert_eq!(code == ErrorCode::NONE, mixed, "{policy:?}");
        if mixed {
            new.leave(&mut world, -1);
            let is_classic = matches!(world.state.group(GROUP), Some(Group::Classic(_)));
            assert_eq!(is_classic, down, "{policy:?}");
        }
    }
}

#[test]
fn requests_of_classic_members_get_kafkas_codes() {
    let mut world = World::eager();
    world.topic("t", 6);
    let ids = classic(&mut world);
    let parked = world.join(&join(&ids[0], &[]));
    assert!(world.is_parked(parked));
    let mut new = Consumer::new("new", &["t"]);
    new.beat(&mut world);
    assert_eq!(world.joined(parked).error_code, ErrorCode::REBALANCE_IN_PROGRESS, "to join the new group");
    assert_eq!(world.heartbeat("new", new.epoch), ErrorCode::UNKNOWN_MEMBER_ID, "speaks the new protocol");
    assert_eq!(world.heartbeat(&ids[0], 9), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(world.heartbeat_as(&ids[0], Some("x"), 1), ErrorCode::UNKNOWN_MEMBER_ID);
    let code = |world: &mut World, id: &str, generation: i32| {
        let token = world.sync(id, generation, &[]);
        world.synced(token).error_code
    };
    assert_eq!(code(&mut world, "x", 1), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(code(&mut world, &ids[0], 9), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(code(&mut world, &ids[0], 1), ErrorCode::REBALANCE_IN_PROGRESS);
    let joined = |world: &mut World, join: &Join| {
        let token = world.join(join);
        world.joined(token).error_code
    };
    let other = Join::new("x").protocols(&[("mine", &subscription(&[]))]);
    assert_eq!(joined(&mut world, &other), ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    let broken = Join::new("x").protocols(&[("range", "no")]);
    assert_eq!(joined(&mut world, &broken), ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    let connect = Join { protocol_type: "connect".to_owned(), ..join("x", &[]) };
    assert_eq!(joined(&mut world, &connect), ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    // Told to rejoin and did not: out after its rebalance timeout.
    assert_eq!(world.heartbeat(&ids[0], 1), ErrorCode::REBALANCE_IN_PROGRESS);
    for _ in 0..13 {
        world.advance(5_000);
        let _ = (world.heartbeat(&ids[0], 1), world.heartbeat(&ids[1], 1), new.beat(&mut world));
    }
    assert!(world.consumers().member(&ids[0]).is_none());
}
