//! Shares as equal as subscriptions allow, for members that subscribe to different topics. Everyone keeps what it had;
//! what is free goes to the least loaded subscriber; then partitions move from the most to the least loaded subscriber
//! of their topic while that makes shares more equal.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Uuid;

use super::Candidate;
use crate::groups::consumer::partitions::Partitions;

/// Walks over all topics to balance them; a move for one topic may make room for another. Kafka stops there, too.
const ROUNDS_MAX: usize = 16;

/// A topic, its subscribers and who has what.
struct Topic {
    id: Uuid,
    subscribers: Vec<usize>,
    owners: Vec<Option<usize>>,
}

/// See [`super::Assignor::assign`].
pub fn assign(members: &[Candidate<'_>], counts: &BTreeMap<Uuid, i32>) -> Vec<Partitions> {
    let mut topics = topics_of(members, counts);
    let mut loads = vec![0_usize; members.len()];
    for topic in &mut topics {
        keep(topic, members, &mut loads);
    }
    for topic in &mut topics {
        give_free(topic, &mut loads);
    }
    for _ in 0..ROUNDS_MAX {
        let moved: usize = topics.iter_mut().map(|topic| balance(topic, &mut loads)).sum();
        if moved == 0 {
            break;
        }
    }
    let mut result = vec![Partitions::new(); members.len()];
    for topic in topics {
        for (partition, owner) in topic.owners.iter().enumerate() {
            if let Some(owner) = owner {
                result[*owner].entry(topic.id).or_default().insert(partition as i32);
            }
        }
    }
    result
}

/// The topics, those first that have the most partitions for each subscriber: they decide how large shares become, and
/// what has more subscribers can even things out later.
fn topics_of(members: &[Candidate<'_>], counts: &BTreeMap<Uuid, i32>) -> Vec<Topic> {
    let mut subscribers: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
    for (index, member) in members.iter().enumerate() {
        for topic in member.topics.iter() {
            subscribers.entry(*topic).or_default().push(index);
        }
    }
    let topic = |(id, subscribers)| {
        let count = counts.get(&id).and_then(|&count| usize::try_from(count).ok()).unwrap_or(0);
        Topic { id, subscribers, owners: vec![None; count] }
    };
    let mut topics: Vec<Topic> = subscribers.into_iter().map(topic).collect();
    topics.sort_by(|a, b| {
        let (a_each, b_each) = (a.owners.len() * b.subscribers.len(), b.owners.len() * a.subscribers.len());
        b_each.cmp(&a_each).then(a.subscribers.len().cmp(&b.subscribers.len())).then(a.id.cmp(&b.id))
    });
    topics
}

fn keep(topic: &mut Topic, members: &[Candidate<'_>], loads: &mut [usize]) {
    for &index in &topic.subscribers {
        for &partition in members[index].had.get(&topic.id).into_iter().flatten() {
            let slot = usize::try_from(partition).ok().and_then(|partition| topic.owners.get_mut(partition));
            if let Some(owner @ None) = slot {
                *owner = Some(index);
                loads[index] += 1;
            }
        }
    }
}

fn by_load(topic: &Topic, loads: &[usize]) -> BTreeSet<(usize, usize)> {
    topic.subscribers.iter().map(|&index| (loads[index], index)).collect()
}

fn give_free(topic: &mut Topic, loads: &mut [usize]) {
    if topic.owners.iter().all(Option::is_some) {
        return;
    }
    let mut queue = by_load(topic, loads);
    for owner in topic.owners.iter_mut().filter(|owner| owner.is_none()) {
        let Some((load, index)) = queue.pop_first() else { return };
        *owner = Some(index);
        loads[index] = load + 1;
        queue.insert((load + 1, index));
    }
}

/// Moves partitions of one topic; returns how many.
fn balance(topic: &mut Topic, loads: &mut [usize]) -> usize {
    let mut queue = by_load(topic, loads);
    let least = |queue: &BTreeSet<(usize, usize)>| queue.first().map_or(0, |(load, _)| *load);
    if queue.last().is_none_or(|(most, _)| *most <= least(&queue) + 1) {
        return 0;
    }
    let mut held: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (partition, owner) in topic.owners.iter().enumerate() {
        held.entry(owner.unwrap_or(usize::MAX)).or_default().push(partition);
    }
    // Those that have something to give, the most loaded last.
    let mut givers: BTreeSet<(usize, usize)> =
        queue.iter().filter(|(_, index)| held.contains_key(index)).copied().collect();
    let mut moved = 0;
    while let Some((load, giver)) = givers.pop_last() {
        let Some(&(least_load, taker)) = queue.first() else { break };
        if load <= least_load + 1 {
            break;
        }
        let Some(partition) = held.get_mut(&giver).and_then(Vec::pop) else { continue };
        topic.owners[partition] = Some(taker);
        held.entry(taker).or_default().push(partition);
        for (index, before, after) in [(giver, load, load - 1), (taker, least_load, least_load + 1)] {
            queue.remove(&(before, index));
            queue.insert((after, index));
            givers.remove(&(before, index));
            givers.insert((after, index));
            loads[index] = after;
        }
        moved += 1;
    }
    moved
}
