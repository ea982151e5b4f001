use protocol::messages::streams_group_records::StreamsGroupMemberMetadataValue;

use super::super::tasks::tests::{set, since as active_since};
use super::MemberState::{Stable, UnreleasedTasks as Unreleased, UnrevokedTasks as Unrevoked};
use super::*;

/// Active tasks with epochs, standby and warm-up tasks.
type Held = (&'static str, &'static str, &'static str);
/// The same without epochs.
type Named = (&'static str, &'static str, &'static str);

const NOTHING: Held = ("", "", "");

fn held((active, standby, warmup): Held) -> HeldTasks {
    HeldTasks { active: active_since(active), standby: set(standby), warmup: set(warmup) }
}

fn tasks((active, standby, warmup): Named) -> Tasks {
    Tasks { active: set(active), standby: set(standby), warmup: set(warmup) }
}

struct Case {
    name: &'static str,
    state: MemberState,
    has: Held,
    giving_up: Held,
    target: Named,
    reported: Option<Named>,
    /// What others have: the process, and its tasks.
    others: &'static [(&'static str, Held)],
    next: (MemberState, i32, Held, Held),
}

/// A member of process `p` in epoch 2 that is to go to epoch 5.
fn check(case: Case) {
    let about = StreamsGroupMemberMetadataValue { process_id: "p".to_owned(), ..Default::default() };
    let member = StreamsMember {
        epoch: 2,
        previous_epoch: 1,
        state: case.state,
        about: Rc::new(about),
        assigned: Rc::new(held(case.has)),
        revoking: Rc::new(held(case.giving_up)),
        ..StreamsMember::new("m".into())
    };
    let mut owners = Owners::default();
    owners.add(&member.assigned, &"p".into());
    owners.add(&member.revoking, &"p".into());
    for (process, has) in case.others {
        owners.add(&held(*has), &(*process).into());
    }
    let reported = case.reported.map(tasks);
    let goal = Goal { epoch: 5, target: &tasks(case.target), reported: reported.as_ref(), owners: &owners };
    let next = step(&member, &goal);
    let (state, epoch, has, giving_up) = case.next;
    assert_eq!((next.state, next.epoch), (state, epoch), "{}", case.name);
    assert_eq!((&*next.assigned, &*next.revoking), (&held(has), &held(giving_up)), "{}", case.name);
    let previous = if next == member { 1 } else { 2 };
    assert_eq!(next.previous_epoch, previous, "{}", case.name);
}

/// A stable member that has, is to have, says it has, while others have; and what becomes of it.
fn stable(
    name: &'static str,
    has: Held,
    target: Named,
    reported: Option<Named>,
    others: &'static [(&'static str, Held)],
    next: (MemberState, i32, Held, Held),
) {
    check(Case { name, state: Stable, has, giving_up: NOTHING, target, reported, others, next });
}

#[test]
fn a_member_gives_up_then_moves_on_then_gets_what_is_free() {
    stable(
        "gets more",
        ("0:0@2", "", ""),
        ("0:0 0:1", "1:0", "1:1"),
        None,
        &[],
        (Stable, 5, ("0:0@2 0:1@5", "1:0", "1:1"), NOTHING),
    );
    stable(
        "must revoke",
        ("0:0@2 0:1@2", "1:0", "1:1"),
        ("0:0 0:2", "", ""),
        None,
        &[],
        (Unrevoked, 2, ("0:0@2", "", ""), ("0:1@2", "1:0", "1:1")),
    );
    stable(
        "has given up before it was asked",
        ("0:0@2 0:1@2", "", ""),
        ("0:0", "", ""),
        Some(("0:0", "", "")),
        &[],
        (Stable, 5, ("0:0@2", "", ""), NOTHING),
    );
    let revoking = |name, reported, next| {
        let (has, giving_up, target) = (("0:0@2", "", ""), ("0:1@2", "1:0", ""), ("0:0 0:2", "", ""));
        check(Case { name, state: Unrevoked, has, giving_up, target, reported, others: &[], next });
    };
    revoking("does not say", None, (Unrevoked, 2, ("0:0@2", "", ""), ("0:1@2", "1:0", "")));
    revoking("has the copy", Some(("0:0", "1:0", "")), (Unrevoked, 2, ("0:0@2", "", ""), ("0:1@2", "1:0", "")));
    revoking("has it in another role", Some(("0:0", "0:1", "")), (Stable, 5, ("0:0@2 0:2@5", "", ""), NOTHING));
    revoking("has revoked", Some(("0:0", "", "")), (Stable, 5, ("0:0@2 0:2@5", "", ""), NOTHING));
    check(Case {
        name: "must give up even more",
        state: Unrevoked,
        has: ("0:0@2", "", ""),
        giving_up: ("0:1@2", "", ""),
        target: ("0:2", "", ""),
        reported: Some(("0:0", "", "")),
        others: &[],
        next: (Unrevoked, 3, NOTHING, ("0:0@2", "", "")),
    });
    let waiting = |name, others, next| {
        let (has, target) = (("0:0@2", "", ""), ("0:0 0:1", "", ""));
        check(Case { name, state: Unreleased, has, giving_up: NOTHING, target, reported: None, others, next });
    };
    waiting("still waits", &[("q", ("0:1@2", "", ""))], (Unreleased, 5, ("0:0@2", "", ""), NOTHING));
    waiting("waited long enough", &[], (Stable, 5, ("0:0@2 0:1@5", "", ""), NOTHING));
}

#[test]
fn a_task_is_active_once_and_once_in_a_process() {
    let wait = |name, target, others: &'static [(&'static str, Held)]| {
        stable(name, NOTHING, target, None, others, (Unreleased, 5, NOTHING, NOTHING));
    };
    wait("active elsewhere", ("0:0", "", ""), &[("q", ("0:0@2", "", ""))]);
    wait("a copy of this process", ("0:0", "", ""), &[("p", ("", "0:0", ""))]);
    wait("warming up in this process", ("0:0", "", ""), &[("p", ("", "", "0:0"))]);
    wait("a copy, active in this process", ("", "0:0", ""), &[("p", ("0:0@2", "", ""))]);
    wait("a copy, twice in this process", ("", "0:0", ""), &[("p", ("", "0:0", ""))]);
    wait("to warm up, active in this process", ("", "", "0:0"), &[("p", ("0:0@2", "", ""))]);
    wait("to warm up, a copy of this process", ("", "", "0:0"), &[("p", ("", "0:0", ""))]);
    let free = |name, target, others: &'static [(&'static str, Held)], has: Held| {
        stable(name, NOTHING, target, None, others, (Stable, 5, has, NOTHING));
    };
    free("a copy of another process", ("0:0", "", ""), &[("q", ("", "0:0", ""))], ("0:0@5", "", ""));
    free("a copy, active in another process", ("", "0:0", ""), &[("q", ("0:0@2", "", ""))], ("", "0:0", ""));
    free("a copy in two processes", ("", "0:0", ""), &[("q", ("", "0:0", ""))], ("", "0:0", ""));
}

#[test]
fn roles_change_within_a_member_at_once() {
    stable(
        "active becomes a copy, and is given up as well",
        ("0:0@2", "", ""),
        ("", "0:0", ""),
        None,
        &[],
        (Unrevoked, 2, ("", "0:0", ""), ("0:0@2", "", "")),
    );
    stable("a copy warms up", ("", "0:0", ""), ("", "", "0:0"), None, &[], (Stable, 5, ("", "", "0:0"), NOTHING));
    stable(
        "what warmed up becomes a copy",
        ("", "", "0:0"),
        ("", "0:0", ""),
        None,
        &[],
        (Stable, 5, ("", "0:0", ""), NOTHING),
    );
    stable(
        "a copy becomes active",
        ("", "0:0", ""),
        ("0:0", "", ""),
        None,
        &[],
        (Stable, 5, ("0:0@5", "", ""), NOTHING),
    );
    stable(
        "a copy stays until the task is given up elsewhere",
        ("", "0:0", ""),
        ("0:0", "", ""),
        None,
        &[("q", ("0:0@2", "", ""))],
        (Unreleased, 5, ("", "0:0", ""), NOTHING),
    );
    stable(
        "and until the member itself has given up what it must",
        ("0:1@2", "", "0:0"),
        ("0:0", "", ""),
        None,
        &[],
        (Unrevoked, 2, ("", "", "0:0"), ("0:1@2", "", "")),
    );
}

#[test]
fn owners_forget_only_what_is_theirs() {
    let (p, q): (Rc<str>, Rc<str>) = ("p".into(), "q".into());
    let mut owners = Owners::default();
    owners.add(&held(("0:0@1", "0:1", "0:2")), &p);
    owners.add(&held(("0:0@2", "0:1", "")), &q);
    owners.remove(&held(("0:0@1", "0:1", "0:2")), &p);
    let left = |set: BTreeSet<(TaskId, Rc<str>)>| set.into_iter().map(|(_, process)| process).collect::<Vec<_>>();
    let active: Vec<Rc<str>> = owners.active.into_values().collect();
    assert_eq!((active, left(owners.standby), left(owners.warmup)), (vec![q.clone()], vec![q], vec![]));
}
