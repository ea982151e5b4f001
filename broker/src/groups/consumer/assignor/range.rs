//! Ranges of each topic, in the order of the members: static ones first, by instance id, then the others by member id,
//! so that who comes back under another member id gets the same range.

use std::collections::BTreeMap;

use protocol::Uuid;

use super::Candidate;
use crate::groups::consumer::partitions::Partitions;

/// What is left of a topic while its subscribers take their ranges.
struct Topic {
    subscribers: i32,
    next: i32,
    /// How many more get one partition more than others.
    extra: i32,
    share: i32,
}

/// See [`super::Assignor::assign`].
pub fn assign(members: &[Candidate<'_>], counts: &BTreeMap<Uuid, i32>) -> Vec<Partitions> {
    let mut topics: BTreeMap<Uuid, Topic> = BTreeMap::new();
    for topic in members.iter().flat_map(|member| member.topics.iter()) {
        topics.entry(*topic).or_insert(Topic { subscribers: 0, next: 0, extra: 0, share: 0 }).subscribers += 1;
    }
    for (id, topic) in &mut topics {
        let count = counts.get(id).copied().unwrap_or(0);
        (topic.share, topic.extra) = (count / topic.subscribers, count % topic.subscribers);
    }
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by_key(|&index| {
        let member = &members[index];
        (member.instance_id.is_none(), member.instance_id.unwrap_or(&member.member_id))
    });
    let mut result = vec![Partitions::new(); members.len()];
    for index in order {
        for id in members[index].topics.iter() {
            if let Some(topic) = topics.get_mut(id) {
                take_range(*id, topic, &mut result[index]);
            }
        }
    }
    result
}

fn take_range(id: Uuid, topic: &mut Topic, into: &mut Partitions) {
    let length = topic.share + i32::from(topic.extra > 0);
    topic.extra -= i32::from(topic.extra > 0);
    if length > 0 {
        into.insert(id, (topic.next..topic.next + length).collect());
        topic.next += length;
    }
}
