//! Joining, assigning, leaving and time running out, told as short stories.

use protocol::ErrorCode;

use super::*;
use crate::groups::records::GroupRecord;

#[test]
fn a_first_rebalance_waits_for_more_members_and_tells_only_the_leader_who_they_are() {
    let mut world = World::new();
    let (first, first_join) = world.enter(Join::new(""));
    assert!(first.starts_with("client-"), "{first}");
    assert_eq!(first.len(), "client-".len() + 36, "{first}");
    world.advance(2_000);
    let (second, second_join) = world.enter(Join::new(""));
    world.advance(2_000);
    assert!(world.is_parked(first_join), "the second joiner extends the delay");
    world.advance(2_000);
    let (first_join, second_join) = (world.joined(first_join), world.joined(second_join));
    assert_eq!((first_join.generation_id, first_join.leader.as_str()), (1, first.as_str()));
    assert_eq!(first_join.protocol_name.as_deref(), Some("range"));
    assert_eq!(first_join.protocol_type.as_deref(), Some("consumer"));
    let known: Vec<&str> = first_join.members.iter().map(|member| member.member_id.as_str()).collect();
    assert_eq!(known.len(), 2);
    assert!(known.contains(&second.as_str()));
    assert_eq!((second_join.leader, second_join.members.len()), (first, 0));
}

#[test]
fn the_first_delay_ends_with_the_rebalance_timeout_however_many_join() {
    let mut world = World::new();
    let join = Join { rebalance_ms: 7_000, ..Join::new("") };
    let (_, parked) = world.enter(join.clone());
    for _ in 0..6 {
        world.advance(1_000);
        world.enter(join.clone());
        assert!(world.is_parked(parked));
    }
    world.advance(1_000);
    assert!(!world.is_parked(parked));
}

#[test]
fn versions_below_4_join_without_being_given_an_id_first() {
    let mut world = World::new();
    let token = world.join(&Join::new("").version(3));
    assert!(world.is_parked(token));
    world.advance(3_000);
    assert!(world.joined(token).member_id.starts_with("client-"));
}

#[test]
fn version_0_has_one_timeout_for_session_and_rebalance() {
    let mut world = World::new();
    world.stable(&[Join { session_ms: 20_000, rebalance_ms: -1, ..Join::new("").version(0) }]);
    let member = world.group().members().next().expect("a member");
    assert_eq!((member.session_timeout_ms, member.rebalance_timeout_ms), (20_000, 20_000));
}

#[test]
fn an_id_that_was_handed_out_expires_with_the_session_and_holds_up_a_rebalance_until_then() {
    let mut world = World::new();
    let ids = world.stable(&[Join::new("").version(3)]);
    world.join(&Join { session_ms: 6_000, ..Join::new("") });
    let rejoin = world.join(&Join::new(&ids[0]));
    world.advance(5_999);
    assert!(world.is_parked(rejoin));
    world.advance(1);
    assert_eq!(world.joined(rejoin).generation_id, 2);
}

#[test]
fn members_get_what_the_leader_gave_them_and_nothing_if_it_forgot_them() {
    let mut world = World::new();
    let ids = world.completing(&[Join::new(""), Join::new(""), Join::new("")]);
    let leader = world.group().leader().expect("a leader").to_owned();
    let others: Vec<&String> = ids.iter().filter(|id| **id != leader).collect();
    let waiting = world.sync(others[0], 1, &[]);
    assert!(world.is_parked(waiting));
    let given = world.sync(&leader, 1, &[(&leader, "lead"), (others[0], "work"), ("stranger", "x")]);
    let late = world.sync(others[1], 1, &[]);
    let mut got = |token| String::from_utf8(world.synced(token).assignment.to_vec()).expect("text");
    assert_eq!([got(given), got(waiting), got(late)], ["lead", "work", ""]);
}

#[test]
fn nothing_is_assigned_before_it_is_durable() {
    let mut world = World::new();
    let ids = world.completing(&[Join::new("")]);
    world.prompt = false;
    let parked = world.sync(&ids[0], 1, &[(&ids[0], "work")]);
    assert!(world.is_parked(parked));
    assert_eq!(world.state_name(), "CompletingRebalance");
    world.settle(Ok(()));
    assert_eq!(world.synced(parked).assignment, "work");
    assert_eq!(world.state_name(), "Stable");
}

#[test]
fn an_assignment_that_could_not_be_recorded_is_told_and_the_group_rebalances() {
    let mut world = World::new();
    let ids = world.completing(&[Join::new("")]);
    world.prompt = false;
    let parked = world.sync(&ids[0], 1, &[(&ids[0], "work")]);
    world.settle(Err(ErrorCode::NOT_COORDINATOR));
    assert_eq!(world.synced(parked).error_code, ErrorCode::NOT_COORDINATOR);
    assert_eq!(world.state_name(), "PreparingRebalance");
    assert!(world.group().members().all(|member| member.assignment.is_empty()));
}

#[test]
fn what_a_leader_says_twice_in_a_generation_is_recorded_once() {
    let mut world = World::new();
    let ids = world.completing(&[Join::new("")]);
    world.prompt = false;
    let first = world.sync(&ids[0], 1, &[(&ids[0], "first")]);
    let second = world.sync(&ids[0], 1, &[(&ids[0], "second")]);
    assert_eq!(world.synced(first).error_code, ErrorCode::REBALANCE_IN_PROGRESS);
    while !world.pending.is_empty() {
        world.settle(Ok(()));
    }
    assert_eq!(world.synced(second).assignment, "first");
    let again = super::replay::replayed(&world.settings, &world.log, world.now_ms);
    assert_eq!(again.describe(GROUP, 5).members[0].member_assignment, "first");
}

#[test]
fn an_assignment_of_a_generation_that_is_over_counts_for_nothing() {
    let mut world = World::new();
    let ids = world.completing(&[Join::new("")]);
    world.prompt = false;
    let parked = world.sync(&ids[0], 1, &[(&ids[0], "work")]);
    let rejoin = world.join(&Join::new(&ids[0]).protocols(&[("range", "other")]));
    assert_eq!(world.synced(parked).error_code, ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(world.joined(rejoin).generation_id, 2);
    world.settle(Ok(()));
    assert_eq!(world.state_name(), "CompletingRebalance");
}

#[test]
fn the_protocol_is_the_one_all_know_and_most_prefer() {
    let cases: &[(&[&[&str]], &str)] = &[
        (&[&["range", "sticky"], &["sticky", "range"], &["sticky", "range"]], "sticky"),
        (&[&["range", "sticky"], &["mine", "range"]], "range"),
        (&[&["b", "a"], &["a", "b"]], "b"),
    ];
    for (members, expected) in cases {
        let mut world = World::new();
        let joins: Vec<Join> = members
            .iter()
            .map(|names| Join::new("").protocols(&names.iter().map(|name| (*name, name.trim())).collect::<Vec<_>>()))
            .collect();
        // The first one leads, so that a tie is its to break.
        world.completing(&joins);
        assert_eq!(world.group().protocol_name(), Some(*expected), "{members:?}");
    }
}

#[test]
fn who_does_not_rejoin_in_time_is_out_and_somebody_else_leads() {
    let mut world = World::new();
    let joins = [Join { session_ms: 1_000_000, ..Join::new("") }, Join { session_ms: 1_000_000, ..Join::new("") }];
    let ids = world.stable(&joins);
    let leader = world.group().leader().expect("a leader").to_owned();
    let other = ids.iter().find(|id| **id != leader).expect("a follower");
    let rejoin = world.join(&Join::new(other).protocols(&[("range", "more")]));
    world.advance(59_999);
    assert!(world.is_parked(rejoin));
    world.advance(1);
    let response = world.joined(rejoin);
    assert_eq!((&response.leader, response.members.len()), (other, 1));
    assert_eq!(world.heartbeat(&leader, 2), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_silent_member_is_out_after_its_session_and_an_empty_group_is_recorded() {
    let mut world = World::new();
    let ids = world.stable(&[Join::new("")]);
    for _ in 0..5 {
        world.advance(9_000);
        assert_eq!(world.heartbeat(&ids[0], 1), ErrorCode::NONE);
    }
    world.advance(9_999);
    assert_eq!(world.state_name(), "Stable");
    world.advance(1);
    assert_eq!((world.state_name(), world.group().generation()), ("Empty", 2));
    let Some(GroupRecord::Group { value: Some(value), .. }) = world.log.last() else { panic!("no record") };
    assert_eq!((value.generation, value.members.len(), value.protocol_type.as_str()), (2, 0, "consumer"));
    assert!(world.timers.is_empty(), "{:?}", world.timers);
}

#[test]
fn a_commit_is_a_sign_of_life() {
    let mut world = World::new();
    let ids = world.stable(&[Join::new("")]);
    for _ in 0..5 {
        world.advance(9_000);
        assert_eq!(world.commit(by(&ids[0], 1), 8, 5), ErrorCode::NONE);
    }
    assert_eq!(world.state_name(), "Stable");
}

#[test]
fn who_never_asks_for_its_assignment_is_out() {
    let mut world = World::new();
    let joins = [Join { rebalance_ms: 20_000, ..Join::new("") }, Join { rebalance_ms: 20_000, ..Join::new("") }];
    let ids = world.completing(&joins);
    let leader = world.group().leader().expect("a leader").to_owned();
    world.sync(&leader, 1, &[]);
    for _ in 0..3 {
        world.advance(5_000);
        for id in &ids {
            assert_eq!(world.heartbeat(id, 1), ErrorCode::NONE);
        }
    }
    world.advance(5_000);
    assert_eq!(world.state_name(), "PreparingRebalance");
    assert_eq!(world.group().members().count(), 1);
    assert_eq!(world.heartbeat(&leader, 1), ErrorCode::REBALANCE_IN_PROGRESS);
}

#[test]
fn a_full_group_refuses_more() {
    let settings = GroupSettings { max_size: 2, ..Default::default() };
    let mut world = World::with(settings);
    world.stable(&[Join::new(""), Join::new("")]);
    let refused = world.join(&Join::new(""));
    let response = world.joined(refused);
    assert_eq!((response.error_code, response.member_id.as_str()), (ErrorCode::GROUP_MAX_SIZE_REACHED, ""));
    assert_eq!(world.state_name(), "Stable");
}

#[test]
fn a_static_member_comes_back_under_a_new_id_without_a_rebalance() {
    for (version, leads) in [(9, false), (9, true), (8, true)] {
        let mut world = World::new();
        let others = [Join::new(""), Join::instance("s")];
        let order: Vec<Join> = if leads { others.into_iter().rev().collect() } else { others.to_vec() };
        let ids = world.stable(&order);
        let old = if leads { ids[0].clone() } else { ids[1].clone() };
        assert!(old.starts_with("s-"), "{old}");
        assert_eq!(world.group().leader() == Some(old.as_str()), leads);
        world.prompt = false;
        let back = world.join(&Join::instance("s").version(version));
        assert!(world.is_parked(back), "the new id must be durable first");
        world.settle(Ok(()));
        let response = world.joined(back);
        assert_eq!(response.error_code, ErrorCode::NONE);
        assert_ne!(response.member_id, old);
        assert_eq!((response.generation_id, world.state_name()), (1, "Stable"));
        assert_eq!(response.skip_assignment, leads && version == 9);
        assert_eq!(response.members.len(), if leads && version == 9 { 2 } else { 0 });
        if leads && version < 9 {
            assert_eq!(response.leader, old, "an older leader must not think that it leads");
        }
        assert_eq!(world.heartbeat_as(&old, Some("s"), 1), ErrorCode::FENCED_INSTANCE_ID);
        assert_eq!(world.heartbeat_as(&response.member_id, Some("s"), 1), ErrorCode::NONE);
        let synced = world.sync(&response.member_id, 1, &[]);
        assert_eq!(world.synced(synced).assignment, "work", "what it had before");
    }
}

#[test]
fn a_static_member_whose_new_id_cannot_be_recorded_keeps_the_old_one() {
    let mut world = World::new();
    let ids = world.stable(&[Join::instance("s")]);
    world.prompt = false;
    let back = world.join(&Join::instance("s").protocols(&[("range", "other")]));
    world.settle(Err(ErrorCode::COORDINATOR_NOT_AVAILABLE));
    assert_eq!(world.joined(back).error_code, ErrorCode::COORDINATOR_NOT_AVAILABLE);
    assert_eq!(world.heartbeat_as(&ids[0], Some("s"), 1), ErrorCode::NONE);
    assert_eq!(world.group().members().next().map(|member| member.metadata(Some("range"))), Some("sub".into()));
    assert_eq!(world.group().leader(), Some(ids[0].as_str()));
}

#[test]
fn two_clients_with_one_instance_id_fence_each_other_while_their_requests_are_parked() {
    let mut world = World::new();
    let (_, first) = world.enter(Join::instance("s"));
    let (_, second) = world.enter(Join::instance("s"));
    assert_eq!(world.joined(first).error_code, ErrorCode::FENCED_INSTANCE_ID);
    world.advance(10_000);
    assert_eq!(world.joined(second).error_code, ErrorCode::NONE);
    assert_eq!(world.group().members().count(), 1);
}

#[test]
fn a_static_member_that_is_away_keeps_its_place_through_a_rebalance_until_its_session_ends() {
    let mut world = World::new();
    let away = Join { session_ms: 100_000, ..Join::instance("s") };
    let ids = world.stable(&[Join { session_ms: 100_000, rebalance_ms: 10_000, ..Join::new("") }, away.clone()]);
    let rejoin = world.join(&Join::new(&ids[0]).protocols(&[("range", "more")]));
    world.advance(60_000);
    assert_eq!(world.joined(rejoin).members.len(), 2, "the leader still assigns to it");
    let before = world.group().generation();
    let back = world.join(&away);
    assert!(world.is_parked(back));
    assert_eq!((world.state_name(), world.group().generation()), ("PreparingRebalance", before));
}

#[test]
fn a_group_of_static_members_of_which_none_is_there_waits_for_one() {
    let mut world = World::new();
    let join = |name| Join { session_ms: 500_000, rebalance_ms: 10_000, ..Join::instance(name) };
    let ids = world.stable(&[join("s"), join("t")]);
    world.apply(|state, now_ms, effects| {
        let member = MemberIdentity { group_instance_id: Some("t".to_owned()), ..Default::default() };
        state.leave(GROUP, &[member], now_ms, effects)
    });
    world.advance(60_000);
    assert_eq!(world.state_name(), "PreparingRebalance");
    let back = world.join(&join("s"));
    assert_eq!(world.joined(back).generation_id, 2);
    assert_ne!(world.group().members().next().map(|member| member.member_id.to_string()), Some(ids[0].clone()));
}

#[test]
fn a_follow_up_rebalance_is_allowed_at_once_and_metadata_passes_through() {
    let mut world = World::new();
    let ids = world.stable(&[Join::new("")]);
    for generation in 2..5 {
        let said = format!("owned in {generation}");
        let rejoin = world.join(&Join::new(&ids[0]).protocols(&[("range", &said)]));
        let response = world.joined(rejoin);
        assert_eq!((response.generation_id, &response.members[0].metadata[..]), (generation, said.as_bytes()));
        let synced = world.sync(&ids[0], generation, &[(&ids[0], "x")]);
        assert_eq!(world.synced(synced).error_code, ErrorCode::NONE);
    }
}

#[test]
fn a_repeated_request_takes_the_place_of_the_parked_one() {
    let mut world = World::new();
    let ids = world.stable(&[Join::new(""), Join::new("")]);
    let changed = Join::new(&ids[0]).protocols(&[("range", "more")]);
    let (first, second) = (world.join(&changed), world.join(&changed));
    assert_eq!(world.joined(first).error_code, ErrorCode::REBALANCE_IN_PROGRESS);
    assert!(world.is_parked(second));
    world.join(&Join::new(&ids[1]));
    assert_eq!(world.joined(second).generation_id, 2);
}

#[test]
fn a_group_whose_first_record_is_refused_never_was() {
    let mut world = World::new();
    world.prompt = false;
    let parked = world.join(&Join::new("").version(3));
    world.settle(Err(ErrorCode::NOT_COORDINATOR));
    assert_eq!(world.joined(parked).error_code, ErrorCode::NOT_COORDINATOR);
    assert_eq!(world.state_name(), "Dead");
    assert!(world.timers.is_empty());
}

#[test]
fn memory_is_bounded_and_said_so_in_a_way_clients_retry() {
    let mut world = World::with(GroupSettings { state_bytes_max: 20_000, ..Default::default() });
    let mut refused = None;
    for _ in 0..1_000 {
        let token = world.join(&Join::new("").version(3));
        refused = refused.or_else(|| world.replies.remove(&token));
    }
    let Some(Reply::Join(response)) = refused else { panic!("nobody was refused") };
    assert_eq!(response.error_code, ErrorCode::COORDINATOR_NOT_AVAILABLE);
    assert!(world.state.bytes() <= 20_000);
}

#[test]
fn closing_answers_every_parked_request() {
    let mut world = World::new();
    let (_, parked) = world.enter(Join::new(""));
    world.apply(|state, now_ms, effects| state.close(now_ms, effects));
    assert_eq!(world.joined(parked).error_code, ErrorCode::NOT_COORDINATOR);
    assert_eq!(world.state.bytes(), 0);
}
