//! Equal shares for members that all subscribe to the same topics: everyone gets total / members partitions, some get
//! one more, and nobody loses what fits into its share.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Uuid;

use super::Candidate;
use crate::groups::consumer::partitions::Partitions;

/// See [`super::Assignor::assign`]; the members' topics are the same.
pub fn assign(members: &[Candidate<'_>], counts: &BTreeMap<Uuid, i32>) -> Vec<Partitions> {
    let Some(first) = members.first() else { return Vec::new() };
    let topics: BTreeMap<Uuid, i32> =
        first.topics.iter().map(|topic| (*topic, counts.get(topic).copied().unwrap_or(0))).collect();
    let total: usize = topics.values().map(|&count| usize::try_from(count).unwrap_or(0)).sum();
    let (share, mut extra) = (total / members.len(), total % members.len());
    let mut taken: BTreeSet<(Uuid, i32)> = BTreeSet::new();
    let mut result = vec![Partitions::new(); members.len()];
    let mut sizes = vec![0; members.len()];
    for (index, member) in members.iter().enumerate() {
        let valid = valid_partitions(member.had, &topics);
        // Who had more than its share keeps one of the larger shares, as long as there are some.
        let larger = extra > 0 && valid.clone().filter(|at| !taken.contains(at)).nth(share).is_some();
        extra -= usize::from(larger);
        for (topic, partition) in valid {
            if sizes[index] < share + usize::from(larger) && taken.insert((topic, partition)) {
                result[index].entry(topic).or_default().insert(partition);
                sizes[index] += 1;
            }
        }
    }
    let free = topics.iter().flat_map(|(&topic, &count)| (0..count).map(move |partition| (topic, partition)));
    let mut free = free.filter(|at| !taken.contains(at)).peekable();
    for (index, size) in sizes.iter_mut().enumerate() {
        let larger = *size <= share && extra > 0;
        extra -= usize::from(larger);
        while *size < share + usize::from(larger)
            && let Some((topic, partition)) = free.next()
        {
            result[index].entry(topic).or_default().insert(partition);
            *size += 1;
        }
    }
    debug_assert!(free.peek().is_none(), "every partition has an owner");
    result
}

/// What a member had and may still have.
fn valid_partitions<'a>(
    had: &'a Partitions,
    topics: &'a BTreeMap<Uuid, i32>,
) -> impl Iterator<Item = (Uuid, i32)> + Clone + 'a {
    had.iter().filter_map(|(topic, partitions)| Some((topic, partitions, *topics.get(topic)?))).flat_map(
        |(topic, partitions, count)| {
            partitions.iter().filter(move |partition| **partition < count).map(|partition| (*topic, *partition))
        },
    )
}
