//! Committed offsets, kept apart from membership: groups of every type commit here.
//!
//! Offsets change in one place, [`Offsets::apply`], in the order of the log: when a partition is loaded and when an
//! append has become durable. So a reader never sees what a crash could take back, and a refused append needs no undo.
//! Pending offsets of transactions belong beside `committed`, keyed by producer id, and move over at the commit marker.

use std::collections::BTreeMap;
use std::rc::Rc;

use protocol::Uuid;

/// What was committed for one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next offset to read.
    pub offset: i64,
    /// Epoch of the last record read.
    pub leader_epoch: Option<i32>,
    /// The client's own words.
    pub metadata: Rc<str>,
    /// Wall clock of the commit.
    pub commit_timestamp_ms: i64,
    /// An own end of life, from OffsetCommit version 2 to 4.
    pub expire_timestamp_ms: Option<i64>,
    /// The topic it is meant for; zero where the client did not know.
    pub topic_id: Uuid,
}

/// Partitions of a topic, by number.
pub type PartitionOffsets = BTreeMap<i32, CommittedOffset>;
/// Topics of a group, by name.
pub type TopicOffsets = BTreeMap<Rc<str>, PartitionOffsets>;

/// All offsets of one `__consumer_offsets` partition.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    committed: BTreeMap<Rc<str>, TopicOffsets>,
    bytes: usize,
    count: usize,
}

impl Offsets {
    /// Sets (or with `None` removes) what is committed for a partition.
    pub fn apply(&mut self, group_id: &Rc<str>, topic: &Rc<str>, partition: i32, value: Option<CommittedOffset>) {
        match value {
            Some(value) => self.put(group_id, topic, partition, value),
            None => self.remove(group_id, topic, partition),
        }
    }

    fn put(&mut self, group_id: &Rc<str>, topic: &Rc<str>, partition: i32, value: CommittedOffset) {
        self.bytes += entry_bytes(topic, &value);
        self.count += 1;
        if let Some(known) = self.committed.get_mut(group_id).and_then(|topics| topics.get_mut(topic)) {
            if let Some(previous) = known.insert(partition, value) {
                self.bytes -= entry_bytes(topic, &previous);
                self.count -= 1;
            }
            return;
        }
        let topics = self.committed.entry(group_id.clone()).or_default();
        topics.entry(topic.clone()).or_default().insert(partition, value);
    }

    fn remove(&mut self, group_id: &str, topic: &str, partition: i32) {
        let Some(topics) = self.committed.get_mut(group_id) else { return };
        let Some(partitions) = topics.get_mut(topic) else { return };
        if let Some(previous) = partitions.remove(&partition) {
            self.bytes -= entry_bytes(topic, &previous);
            self.count -= 1;
        }
        if partitions.is_empty() {
            topics.remove(topic);
        }
        if topics.is_empty() {
            self.committed.remove(group_id);
        }
    }

    /// What is committed for a partition.
    pub fn get(&self, group_id: &str, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.committed.get(group_id)?.get(topic)?.get(&partition)
    }

    /// Everything a group has committed.
    pub fn of_group(&self, group_id: &str) -> Option<&TopicOffsets> {
        self.committed.get(group_id)
    }

    /// All groups with offsets.
    pub fn groups(&self) -> impl Iterator<Item = (&Rc<str>, &TopicOffsets)> {
        self.committed.iter()
    }

    /// Partitions with an offset, all groups together.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing is committed.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Memory held, roughly.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

fn entry_bytes(topic: &str, value: &CommittedOffset) -> usize {
    // The topic's name is shared by its partitions; counting it for each errs on the safe side.
    128 + topic.len() + value.metadata.len()
}
