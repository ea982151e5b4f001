//! One member's next step towards its target assignment (CurrentAssignmentBuilder.java): first it gives up what it must
//! not have any more, then its epoch moves on, then it gets what is free. A partition thus never has two owners.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use protocol::Uuid;

use super::member::{Member, MemberState};
use super::partitions::{Owned, Partitions, owns};

/// What a step depends on beside the member itself.
pub struct Goal<'a> {
    /// Epoch of the target assignment.
    pub epoch: i32,
    /// What the member is to have in the end.
    pub target: &'a Partitions,
    /// Topics it subscribes to now.
    pub subscribed: &'a BTreeSet<Uuid>,
    /// Its subscription changed with this heartbeat.
    pub subscription_changed: bool,
    /// What it says it still reads; `None` if it said nothing.
    pub reported: Option<&'a Partitions>,
    /// Whether nobody has a partition.
    pub is_free: &'a dyn Fn(Uuid, i32) -> bool,
}

/// The member after its next step; the same if it has to wait.
pub fn step(member: &Member, goal: &Goal<'_>) -> Member {
    match member.state {
        MemberState::Stable if member.epoch != goal.epoch => advance(member, member.epoch, goal),
        MemberState::Stable if goal.subscription_changed => drop_unsubscribed(member, goal),
        MemberState::Stable => member.clone(),
        MemberState::UnrevokedPartitions if still_reads(goal.reported, &member.revoking) => {
            if goal.subscription_changed { drop_unsubscribed(member, goal) } else { member.clone() }
        }
        MemberState::UnrevokedPartitions | MemberState::UnreleasedPartitions => advance(member, member.epoch, goal),
        // It has just joined anew and has nothing; see `Seat`.
        MemberState::Unknown => advance(member, goal.epoch, goal),
    }
}

/// Whether the member may still read one of `partitions`; assumed if it does not say.
fn still_reads(reported: Option<&Partitions>, partitions: &Owned) -> bool {
    let Some(reported) = reported else { return true };
    reported.iter().any(|(topic, numbers)| numbers.iter().any(|&number| owns(partitions, *topic, number)))
}

/// Takes topics it no longer subscribes to away at once, without waiting for the next assignment.
fn drop_unsubscribed(member: &Member, goal: &Goal<'_>) -> Member {
    if member.assigned.keys().all(|topic| goal.subscribed.contains(topic)) {
        return member.clone();
    }
    let (kept, dropped): (Owned, Owned) =
        member.assigned.iter().map(clone_entry).partition(|(topic, _)| goal.subscribed.contains(topic));
    let mut revoking = (*member.revoking).clone();
    for (topic, partitions) in dropped {
        revoking.entry(topic).or_default().extend(partitions);
    }
    let next = Member { assigned: Rc::new(kept), ..member.clone() }.in_epoch(member.epoch);
    if still_reads(goal.reported, &revoking) {
        Member { state: MemberState::UnrevokedPartitions, revoking: Rc::new(revoking), ..next }
    } else {
        next
    }
}

fn clone_entry((topic, partitions): (&Uuid, &BTreeMap<i32, i32>)) -> (Uuid, BTreeMap<i32, i32>) {
    (*topic, partitions.clone())
}

fn advance(member: &Member, epoch: i32, goal: &Goal<'_>) -> Member {
    let wanted = |topic: &Uuid| goal.subscribed.contains(topic).then(|| goal.target.get(topic)).flatten();
    let mut assigned = Owned::new();
    let mut revoking = Owned::new();
    for (topic, partitions) in member.assigned.iter() {
        for (&partition, &since) in partitions {
            let keep = wanted(topic).is_some_and(|target| target.contains(&partition));
            let side = if keep { &mut assigned } else { &mut revoking };
            side.entry(*topic).or_default().insert(partition, since);
        }
    }
    if !revoking.is_empty() && still_reads(goal.reported, &revoking) {
        let (state, assigned, revoking) = (MemberState::UnrevokedPartitions, Rc::new(assigned), Rc::new(revoking));
        return Member { state, assigned, revoking, ..member.clone() }.in_epoch(epoch);
    }
    let waits = take_free(member, goal, &mut assigned);
    let state = if waits { MemberState::UnreleasedPartitions } else { MemberState::Stable };
    Member { state, assigned: Rc::new(assigned), revoking: Rc::default(), ..member.clone() }.in_epoch(goal.epoch)
}

/// Adds what the member is to have and nobody else has; `true` if something is not free yet. What it was giving up
/// itself is free to itself.
fn take_free(member: &Member, goal: &Goal<'_>, assigned: &mut Owned) -> bool {
    let mut waits = false;
    for (topic, partitions) in goal.target.iter().filter(|(topic, _)| goal.subscribed.contains(topic)) {
        for &partition in partitions {
            if owns(assigned, *topic, partition) {
                continue;
            }
            if (goal.is_free)(*topic, partition) || owns(&member.revoking, *topic, partition) {
                assigned.entry(*topic).or_default().insert(partition, goal.epoch);
            } else {
                waits = true;
            }
        }
    }
    waits
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: Uuid = Uuid([1; 16]);
    const OTHER: Uuid = Uuid([2; 16]);

    fn set(partitions: &[i32]) -> Partitions {
        let set: BTreeSet<i32> = partitions.iter().copied().collect();
        if set.is_empty() { Partitions::new() } else { Partitions::from([(TOPIC, set)]) }
    }

    fn owned(partitions: &[(i32, i32)]) -> Rc<Owned> {
        let map: BTreeMap<i32, i32> = partitions.iter().copied().collect();
        Rc::new(if map.is_empty() { Owned::new() } else { Owned::from([(TOPIC, map)]) })
    }

    use MemberState::{Stable, UnreleasedPartitions as Unreleased, UnrevokedPartitions as Unrevoked};

    type Pairs = &'static [(i32, i32)];

    struct Case {
        state: MemberState,
        epoch: i32,
        has: Pairs,
        giving_up: Pairs,
        target: (i32, &'static [i32]),
        reported: Option<&'static [i32]>,
        taken: &'static [i32],
        next: (MemberState, i32, Pairs, Pairs),
    }

    #[test]
    fn a_member_gives_up_then_moves_on_then_gets_what_is_free() {
        let case = |state, epoch, has, giving_up, target, reported, taken, next| Case {
            state,
            epoch,
            has,
            giving_up,
            target,
            reported,
            taken,
            next,
        };
        for (name, case) in [
            ("joins", case(Stable, 0, &[], &[], (2, &[0, 1]), Some(&[]), &[], (Stable, 2, &[(0, 2), (1, 2)], &[]))),
            ("is done", case(Stable, 2, &[(0, 2)], &[], (2, &[0]), None, &[], (Stable, 2, &[(0, 2)], &[]))),
            (
                "must revoke",
                case(Stable, 2, &[(0, 2), (1, 2)], &[], (3, &[0]), None, &[0, 1], (Unrevoked, 2, &[(0, 2)], &[(1, 2)])),
            ),
            (
                "has given up before it was asked",
                case(Stable, 2, &[(0, 2), (1, 2)], &[], (3, &[0]), Some(&[0]), &[0, 1], (Stable, 3, &[(0, 2)], &[])),
            ),
            (
                "has not revoked yet",
                case(
                    Unrevoked,
                    2,
                    &[(0, 2)],
                    &[(1, 2)],
                    (3, &[0]),
                    Some(&[0, 1]),
                    &[],
                    (Unrevoked, 2, &[(0, 2)], &[(1, 2)]),
                ),
            ),
            (
                "does not say",
                case(Unrevoked, 2, &[(0, 2)], &[(1, 2)], (3, &[0]), None, &[], (Unrevoked, 2, &[(0, 2)], &[(1, 2)])),
            ),
            (
                "has revoked",
                case(Unrevoked, 2, &[(0, 2)], &[(1, 2)], (3, &[0]), Some(&[0]), &[], (Stable, 3, &[(0, 2)], &[])),
            ),
            (
                "gets back what it gave up",
                case(Unrevoked, 2, &[], &[(1, 2)], (4, &[1]), Some(&[]), &[1], (Stable, 4, &[(1, 4)], &[])),
            ),
            (
                "waits for others",
                case(Stable, 2, &[(0, 2)], &[], (3, &[0, 1, 2]), None, &[1], (Unreleased, 3, &[(0, 2), (2, 3)], &[])),
            ),
            (
                "still waits",
                case(Unreleased, 3, &[(0, 2)], &[], (3, &[0, 1]), None, &[1], (Unreleased, 3, &[(0, 2)], &[])),
            ),
            (
                "waited long enough",
                case(Unreleased, 3, &[(0, 2)], &[], (3, &[0, 1]), None, &[], (Stable, 3, &[(0, 2), (1, 3)], &[])),
            ),
        ] {
            let mut member = Member::new("m".into());
            member.state = case.state;
            member.epoch = case.epoch;
            (member.assigned, member.revoking) = (owned(case.has), owned(case.giving_up));
            let taken: BTreeSet<i32> = case.taken.iter().copied().collect();
            let reported = case.reported.map(set);
            let goal = Goal {
                epoch: case.target.0,
                target: &set(case.target.1),
                subscribed: &BTreeSet::from([TOPIC]),
                subscription_changed: false,
                reported: reported.as_ref(),
                is_free: &|_, partition| !taken.contains(&partition),
            };
            let next = step(&member, &goal);
            let (state, epoch, has, giving_up) = case.next;
            assert_eq!((next.state, next.epoch), (state, epoch), "{name}");
            assert_eq!((next.assigned, next.revoking), (owned(has), owned(giving_up)), "{name}");
        }
    }

    #[test]
    fn what_is_no_longer_subscribed_is_taken_away_at_once() {
        let mut member = Member::new("m".into());
        member.epoch = 2;
        member.assigned = Rc::new(Owned::from([(TOPIC, BTreeMap::from([(0, 2)])), (OTHER, BTreeMap::from([(0, 2)]))]));
        let mut goal = Goal {
            epoch: 2,
            target: &set(&[0]),
            subscribed: &BTreeSet::from([TOPIC]),
            subscription_changed: true,
            reported: None,
            is_free: &|_, _| false,
        };
        let next = step(&member, &goal);
        assert_eq!((next.state, next.epoch), (Unrevoked, 2));
        assert_eq!((next.assigned, next.revoking.len()), (owned(&[(0, 2)]), 1));
        let reported = set(&[0]);
        goal.reported = Some(&reported);
        let next = step(&member, &goal);
        assert_eq!((next.state, next.assigned, next.revoking.len()), (Stable, owned(&[(0, 2)]), 0));
    }
}
