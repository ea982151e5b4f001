//! What every assignor promises, on tables and on random groups.

use super::*;

fn topic(number: u8) -> Uuid {
    Uuid([number; 16])
}

/// Members by id, what they subscribe to and what they had; instance ids are ids that begin with `s`.
struct Setup {
    members: Vec<(String, BTreeSet<Uuid>, Partitions)>,
    counts: BTreeMap<Uuid, i32>,
}

impl Setup {
    fn new(members: &[(&str, &[u8])], counts: &[(u8, i32)]) -> Setup {
        let member = |(id, topics): &(&str, &[u8])| {
            (id.to_string(), topics.iter().map(|number| topic(*number)).collect(), Partitions::new())
        };
        Setup {
            members: members.iter().map(member).collect(),
            counts: counts.iter().map(|(number, count)| (topic(*number), *count)).collect(),
        }
    }

    fn assign(&self, assignor: Assignor) -> Vec<Partitions> {
        let candidates: Vec<Candidate<'_>> = self
            .members
            .iter()
            .map(|(id, topics, had)| Candidate {
                member_id: id.as_str().into(),
                instance_id: id.starts_with('s').then_some(id.as_str()),
                topics: Rc::new(topics.clone()),
                had,
            })
            .collect();
        let assigned = assignor.assign(&candidates, &self.counts);
        self.check(&assigned);
        assigned
    }

    /// Every partition of a subscribed topic has exactly one owner, which subscribes to it.
    fn check(&self, assigned: &[Partitions]) {
        assert_eq!(assigned.len(), self.members.len());
        let mut seen = BTreeSet::new();
        for ((id, topics, _), partitions) in self.members.iter().zip(assigned) {
            for (topic, numbers) in partitions {
                assert!(topics.contains(topic), "{id} does not subscribe");
                assert!(!numbers.is_empty());
                for number in numbers {
                    assert!(*number < self.counts[topic] && seen.insert((*topic, *number)), "{topic} {number}");
                }
            }
        }
        let subscribed: BTreeSet<Uuid> = self.members.iter().flat_map(|(_, topics, _)| topics.clone()).collect();
        let expected: i32 = subscribed.iter().map(|topic| self.counts[topic]).sum();
        assert_eq!(seen.len(), expected as usize, "every partition has an owner");
    }

    fn settle(&mut self, assignor: Assignor) -> Vec<usize> {
        let assigned = self.assign(assignor);
        for (member, partitions) in self.members.iter_mut().zip(&assigned) {
            member.2 = partitions.clone();
        }
        assigned.iter().map(size).collect()
    }
}

fn size(partitions: &Partitions) -> usize {
    partitions.values().map(BTreeSet::len).sum()
}

/// How many partitions have another owner than before.
fn moves(before: &[(String, BTreeSet<Uuid>, Partitions)], after: &Setup) -> usize {
    let owner = |members: &[(String, BTreeSet<Uuid>, Partitions)]| {
        let mut owners = BTreeMap::new();
        for (id, _, partitions) in members {
            for (topic, numbers) in partitions {
                owners.extend(numbers.iter().map(|number| ((*topic, *number), id.clone())));
            }
        }
        owners
    };
    let (before, after) = (owner(before), owner(&after.members));
    after.iter().filter(|(at, id)| before.get(*at).is_some_and(|had| had != *id)).count()
}

#[test]
fn range_gives_the_same_numbers_of_topics_that_are_alike() {
    let setup = Setup::new(&[("b", &[1, 2]), ("a", &[1, 2]), ("s1", &[1, 2])], &[(1, 7), (2, 7)]);
    let assigned = setup.assign(Assignor::Range);
    let numbers = |index: usize, number: u8| assigned[index][&topic(number)].iter().copied().collect::<Vec<_>>();
    for number in [1, 2] {
        assert_eq!(numbers(2, number), [0, 1, 2], "static members come first");
        assert_eq!(numbers(1, number), [3, 4]);
        assert_eq!(numbers(0, number), [5, 6]);
    }
    let mixed = Setup::new(&[("a", &[1]), ("b", &[1, 2]), ("c", &[2])], &[(1, 3), (2, 1)]);
    let sizes: Vec<usize> = mixed.assign(Assignor::Range).iter().map(size).collect();
    assert_eq!(sizes, [2, 2, 0]);
}

#[test]
fn uniform_shares_differ_by_one_at_most_and_few_partitions_move() {
    let mut setup = Setup::new(&[("a", &[1, 2]), ("b", &[1, 2]), ("c", &[1, 2])], &[(1, 5), (2, 6)]);
    let mut sizes = setup.settle(Assignor::Uniform);
    sizes.sort_unstable();
    assert_eq!(sizes, [3, 4, 4]);
    // A fourth member takes what is beyond the new shares and nothing else moves.
    let before = setup.members.clone();
    setup.members.push(("d".to_owned(), before[0].1.clone(), Partitions::new()));
    assert_eq!(setup.settle(Assignor::Uniform).iter().sum::<usize>(), 11);
    assert_eq!(moves(&before, &setup), 2);
    // One goes: only its partitions move.
    let gone = setup.members.remove(0);
    let before = setup.members.clone();
    setup.settle(Assignor::Uniform);
    assert_eq!(moves(&before, &setup), 0);
    assert!(size(&gone.2) > 0);
    // New partitions move nobody else's.
    let before = setup.members.clone();
    setup.counts.insert(topic(1), 9);
    setup.settle(Assignor::Uniform);
    assert_eq!(moves(&before, &setup), 0);
}

#[test]
fn uniform_is_as_equal_as_different_subscriptions_allow() {
    let mut setup = Setup::new(&[("a", &[1]), ("b", &[1, 2]), ("c", &[2, 3])], &[(1, 2), (2, 4), (3, 2)]);
    let mut sizes = setup.settle(Assignor::Uniform);
    sizes.sort_unstable();
    assert_eq!(sizes, [2, 3, 3]);
    // What was equal before and is no longer, after b stopped reading topic 2.
    setup.members[1].1 = BTreeSet::from([topic(1)]);
    let sizes = setup.settle(Assignor::Uniform);
    assert_eq!(sizes, [1, 1, 6]);
}

#[test]
fn random_groups_have_every_partition_owned_once_and_settle() {
    let mut seed = 7_u64;
    let mut roll = |sides: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % sides
    };
    for round in 0..400 {
        let counts: Vec<(u8, i32)> = (0..1 + roll(5)).map(|n| (n as u8, roll(9) as i32)).collect();
        let alike = roll(2) == 0;
        let mut setup = Setup::new(&[], &counts);
        for number in 0..1 + roll(8) {
            let topics = counts.iter().filter(|_| alike || roll(2) == 0).map(|(number, _)| topic(*number)).collect();
            setup.members.push((format!("m{number}"), topics, Partitions::new()));
        }
        for assignor in [Assignor::Uniform, Assignor::Range] {
            setup.settle(assignor);
            let before = setup.members.clone();
            let mut sizes = setup.settle(assignor);
            assert_eq!(moves(&before, &setup), 0, "round {round}: nothing changed, so nothing moves");
            sizes.sort_unstable();
            if alike && assignor == Assignor::Uniform {
                assert!(sizes[sizes.len() - 1] - sizes[0] <= 1, "round {round}: {sizes:?}");
            }
            if setup.members.len() > 1 && roll(2) == 0 {
                setup.members.remove(0);
            }
        }
    }
}
