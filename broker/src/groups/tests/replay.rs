//! After a crash the records alone make the same state again.

use super::*;

/// What clients see of a partition, leaving out who is just being asked to rejoin.
fn view(state: &GroupState) -> Vec<String> {
    let ids: Vec<Rc<str>> = state.group_ids().cloned().collect();
    let mut lines: Vec<String> = ids.iter().map(|id| format!("{:?}", state.describe(id, 6))).collect();
    lines.extend(ids.iter().map(|id| format!("{:?}", state.fetch_all_offsets(id))));
    lines
}

/// Reads a log back through the bytes it is kept in.
pub fn replayed(settings: &Rc<GroupSettings>, log: &[GroupRecord], now_ms: i64) -> GroupState {
    let mut state = GroupState::new(settings.clone());
    for record in log {
        let (key, value) = record.encode();
        let decoded = GroupRecord::decode(&key, value.as_deref()).expect("decodes").expect("is known");
        assert_eq!(decoded, *record);
        state.replay(decoded, now_ms);
    }
    state
}

fn check(story: impl FnOnce(&mut World)) {
    let mut world = World::new();
    story(&mut world);
    let again = replayed(&world.settings, &world.log, world.now_ms);
    assert_eq!(view(&again), view(&world.state));
    assert_eq!(again.offsets(), world.state.offsets());
    let rewritten = replayed(&world.settings, &world.state.snapshot().expect("nothing waits"), world.now_ms);
    assert_eq!(view(&rewritten), view(&world.state), "from a rewrite");
}

#[test]
fn a_stable_group_comes_back_with_members_and_assignments() {
    check(|world| {
        let ids = world.stable(&[Join::new(""), Join::instance("s"), Join::new("").version(3)]);
        world.commit(by(&ids[0], 1), 8, 7);
    });
}

#[test]
fn a_static_member_comes_back_under_its_last_id() {
    check(|world| {
        world.stable(&[Join::instance("s")]);
        let back = world.join(&Join::instance("s"));
        assert_eq!(world.joined(back).error_code, ErrorCode::NONE);
    });
}

#[test]
fn an_empty_group_comes_back_with_its_generation_and_offsets() {
    check(|world| {
        let ids = world.stable(&[Join::new("")]);
        world.commit(by(&ids[0], 1), 8, 7);
        world.leave(&ids[0], None);
        assert_eq!(world.group().generation(), 2);
    });
}

#[test]
fn offsets_without_a_group_come_back_and_what_was_deleted_does_not() {
    check(|world| {
        world.commit(NOBODY, 8, 7);
        world.commit(NOBODY, 8, 8);
        world.commit_to("other", "t", NOBODY, 2, 99, 1, Some("meta"));
        world.apply(|state, _, effects| state.delete_groups(&[GROUP.to_owned()], effects));
    });
}

#[test]
fn a_rebalance_cut_off_by_a_crash_leaves_the_generation_before_it() {
    let mut world = World::new();
    let ids = world.stable(&[Join::new(""), Join::new("")]);
    world.join(&Join::new(&ids[0]).protocols(&[("range", "more")]));
    assert_eq!(world.state_name(), "PreparingRebalance");
    let mut again = World::new();
    again.state = replayed(&world.settings, &world.log, world.now_ms);
    again.apply(|state, now_ms, effects| state.loaded(now_ms, effects));
    assert_eq!((again.state_name(), again.group().generation()), ("Stable", 1));
    assert_eq!(again.heartbeat(&ids[1], 1), ErrorCode::NONE);
    // The one whose request was lost asks again and is still known.
    again.join(&Join::new(&ids[0]).protocols(&[("range", "more")]));
    assert_eq!(again.state_name(), "PreparingRebalance");
}

#[test]
fn sessions_begin_anew_after_a_start() {
    let mut world = World::new();
    world.stable(&[Join::new("")]);
    let mut again = World::new();
    again.state = replayed(&world.settings, &world.log, world.now_ms);
    again.apply(|state, now_ms, effects| state.loaded(now_ms, effects));
    again.advance(9_999);
    assert_eq!(again.state_name(), "Stable");
    again.advance(1);
    assert_eq!(again.state_name(), "Empty");
}

#[test]
fn a_group_too_large_for_the_settings_of_today_is_rebalanced() {
    let mut world = World::new();
    world.stable(&[Join::new(""), Join::new("")]);
    let settings = Rc::new(GroupSettings { max_size: 1, ..Default::default() });
    let mut again = World::new();
    again.state = replayed(&settings, &world.log, world.now_ms);
    again.apply(|state, now_ms, effects| state.loaded(now_ms, effects));
    assert_eq!(again.state_name(), "PreparingRebalance");
}

#[test]
fn a_rewrite_in_the_middle_of_a_rebalance_tells_of_an_empty_group() {
    let mut world = World::new();
    let ids = world.stable(&[Join::new(""), Join::new("")]);
    world.commit(by(&ids[0], 1), 8, 7);
    world.join(&Join::new(&ids[0]).protocols(&[("range", "more")]));
    let mut again = World::new();
    again.state = replayed(&world.settings, &world.state.snapshot().expect("nothing waits"), world.now_ms);
    assert_eq!((again.state_name(), again.group().generation()), ("Empty", 1));
    assert_eq!(again.state.offsets(), world.state.offsets());
    assert_eq!(again.heartbeat(&ids[0], 1), ErrorCode::UNKNOWN_MEMBER_ID);
}
