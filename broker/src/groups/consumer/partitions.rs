//! Sets of partitions by topic id, and their forms in records and messages.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Uuid;
use protocol::messages::consumer_group_heartbeat::TopicPartitions as WirePartitions;
use protocol::messages::consumer_group_records::{TopicPartition as RecordTarget, TopicPartitions as RecordOwned};

/// Partitions by topic; no topic without partitions.
pub type Partitions = BTreeMap<Uuid, BTreeSet<i32>>;

/// Partitions by topic, each with the epoch in which its owner got it (KIP-1251); no topic without partitions.
pub type Owned = BTreeMap<Uuid, BTreeMap<i32, i32>>;

/// Whether `partition` is among `owned`.
pub fn owns(owned: &Owned, topic: Uuid, partition: i32) -> bool {
    owned.get(&topic).is_some_and(|partitions| partitions.contains_key(&partition))
}

/// How many partitions there are.
pub fn count(owned: &Owned) -> usize {
    owned.values().map(BTreeMap::len).sum()
}

/// The same partitions without epochs.
pub fn without_epochs(owned: &Owned) -> Partitions {
    owned.iter().map(|(topic, partitions)| (*topic, partitions.keys().copied().collect())).collect()
}

/// The same partitions, all of them got in `epoch`.
pub fn in_epoch(partitions: &Partitions, epoch: i32) -> Owned {
    let topic = |(topic, partitions): (&Uuid, &BTreeSet<i32>)| {
        (*topic, partitions.iter().map(|&partition| (partition, epoch)).collect())
    };
    partitions.iter().map(topic).collect()
}

/// As heartbeats tell it.
pub fn to_wire(owned: &Owned) -> Vec<WirePartitions> {
    let topic = |(&topic_id, partitions): (&Uuid, &BTreeMap<i32, i32>)| WirePartitions {
        topic_id,
        partitions: partitions.keys().copied().collect(),
    };
    owned.iter().map(topic).collect()
}

/// As records of target assignments say it.
pub fn target_to_record(partitions: &Partitions) -> Vec<RecordTarget> {
    let topic = |(&topic_id, partitions): (&Uuid, &BTreeSet<i32>)| RecordTarget {
        topic_id,
        partitions: partitions.iter().copied().collect(),
    };
    partitions.iter().map(topic).collect()
}

/// Reads [`target_to_record`].
pub fn target_from_record(topics: &[RecordTarget]) -> Partitions {
    let mut target = Partitions::new();
    for topic in topics.iter().filter(|topic| !topic.partitions.is_empty()) {
        target.entry(topic.topic_id).or_default().extend(&topic.partitions);
    }
    target
}

/// As records of current assignments say it.
pub fn owned_to_record(owned: &Owned) -> Vec<RecordOwned> {
    let topic = |(&topic_id, partitions): (&Uuid, &BTreeMap<i32, i32>)| RecordOwned {
        topic_id,
        partitions: partitions.keys().copied().collect(),
        assignment_epochs: Some(partitions.values().copied().collect()),
    };
    owned.iter().map(topic).collect()
}

/// Reads [`owned_to_record`]. Records older than KIP-1251 have no epochs: `member_epoch` is taken.
pub fn owned_from_record(topics: &[RecordOwned], member_epoch: i32) -> Owned {
    let mut owned = Owned::new();
    for topic in topics.iter().filter(|topic| !topic.partitions.is_empty()) {
        let epochs = topic.assignment_epochs.as_deref().unwrap_or_default();
        let epochs = if epochs.len() == topic.partitions.len() { epochs } else { &[] };
        let epoch = |index: usize| epochs.get(index).copied().unwrap_or(member_epoch);
        let partitions = topic.partitions.iter().enumerate().map(|(index, &partition)| (partition, epoch(index)));
        owned.entry(topic.topic_id).or_default().extend(partitions);
    }
    owned
}
