//! After a crash the records alone make the same state again, whatever compaction has left out of them.

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

/// What the cleaner makes of a log whose first records, `cleaned` of them, are in segments that nobody writes to any more:
/// the newest of each key; tombstones until their time is up.
pub fn compacted(log: &[GroupRecord], cleaned: usize, keep_tombstones: bool) -> Vec<GroupRecord> {
    let (clean, rest) = log.split_at(cleaned);
    let newest: BTreeMap<Bytes, usize> = clean.iter().enumerate().map(|(at, record)| (record.encode().0, at)).collect();
    let clean = clean.iter().enumerate().filter(|(at, record)| {
        let (key, value) = record.encode();
        newest[&key] == *at && (keep_tombstones || value.is_some())
    });
    clean.map(|(_, record)| record).chain(rest).cloned().collect()
}

/// The log makes a state that says the same, as it is and after compaction of some extent.
pub fn check_logs<T: PartialEq + std::fmt::Debug>(world: &World, say: impl Fn(&GroupState) -> T) {
    let said = say(&world.state);
    let count = world.log.len();
    for (cleaned, keep_tombstones) in
        [(0, true), (count, true), (count, false), (count * 2 / 3, true), (count / 3, false)]
    {
        let log = compacted(&world.log, cleaned, keep_tombstones);
        let again = replayed(&world.settings, &log, world.now_ms);
        assert_eq!(say(&again), said, "{cleaned} of {count} cleaned, tombstones {keep_tombstones}");
    }
}

fn check(story: impl FnOnce(&mut World)) {
    let mut world = World::new();
    story(&mut world);
    check_logs(&world, |state| (view(state), format!("{:?}", state.offsets())));
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
fn what_was_forgotten_for_its_age_stays_forgotten_and_what_came_after_does_not() {
    check(|world| {
        let ids = world.stable(&[Join::new("")]);
        world.commit(by(&ids[0], 1), 8, 7);
        world.commit_to("other", "t", NOBODY, 8, -1, 1, None);
        world.leave(&ids[0], None);
        world.advance(8 * 24 * 3_600_000);
        world.apply(|state, now_ms, effects| state.expire(now_ms, effects));
        assert_eq!(world.state.group_count(), 0);
        world.commit_to("other", "t", NOBODY, 8, -1, 2, None);
        let ids = world.stable(&[Join::new("")]);
        assert_eq!((ids.len(), world.state.offsets().len()), (1, 1));
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
fn a_record_of_the_middle_of_a_rebalance_tells_of_an_empty_group() {
    let mut world = World::new();
    let ids = world.stable(&[Join::new(""), Join::new("")]);
    world.commit(by(&ids[0], 1), 8, 7);
    world.join(&Join::new(&ids[0]).protocols(&[("range", "more")]));
    let mut again = World::new();
    again.state = replayed(&world.settings, &world.state.snapshot(), world.now_ms);
    assert_eq!((again.state_name(), again.group().generation()), ("Empty", 1));
    assert_eq!(again.state.offsets(), world.state.offsets());
    assert_eq!(again.heartbeat(&ids[0], 1), ErrorCode::UNKNOWN_MEMBER_ID);
}
