//! Reading a partition back, and writing all of it anew.

use std::rc::Rc;

use super::GroupState;
use crate::groups::classic::{ClassicGroup, Step};
use crate::groups::consumer::{ConsumerGroup, ConsumerRecord};
use crate::groups::effects::Effects;
use crate::groups::group::Group;
use crate::groups::records::GroupRecord;
use crate::groups::streams::{StreamsGroup, StreamsRecord};

impl GroupState {
    /// Takes in one record of the log, in order, while the partition is loaded.
    pub fn replay(&mut self, record: GroupRecord, now_ms: i64) {
        match record {
            GroupRecord::Offset { group_id, topic, partition, value } => {
                if value.is_some() && !self.groups.contains_key(&group_id) {
                    // Committed without membership: such a group has no record of its own.
                    self.insert(Group::Classic(ClassicGroup::new(group_id.clone(), now_ms)));
                }
                self.pending.overtaken(&group_id, &topic, partition, value.is_none());
                self.offsets.apply(&group_id, &topic, partition, value);
            }
            GroupRecord::Group { group_id, value: Some(value) } => {
                self.insert(Group::Classic(ClassicGroup::from_record(group_id, value)));
            }
            GroupRecord::Group { group_id, value: None } => {
                // Said again after the group has become a consumer group, it means nothing.
                if matches!(self.groups.get(&group_id), Some(Group::Classic(_))) {
                    self.remove(&group_id);
                }
            }
            GroupRecord::Consumer { group_id, record } => self.replay_consumer(&group_id, &record),
            GroupRecord::Streams { group_id, record } => self.replay_streams(&group_id, &record),
        }
    }

    fn replay_consumer(&mut self, group_id: &Rc<str>, record: &ConsumerRecord) {
        let known = matches!(self.groups.get(group_id), Some(Group::Consumer(_)));
        if record.is_tombstone() && !known {
            return;
        }
        if *record == ConsumerRecord::Epoch(None) {
            self.remove(group_id);
            return;
        }
        if !known {
            // Where there was a classic group (its offsets came first, say) this is what it has become.
            self.insert(Group::Consumer(ConsumerGroup::new(group_id.clone())));
        }
        if let Some(Group::Consumer(group)) = self.groups.get_mut(group_id) {
            self.group_bytes -= group.bytes();
            group.apply(record);
            self.group_bytes += group.bytes();
        }
    }

    fn replay_streams(&mut self, group_id: &Rc<str>, record: &StreamsRecord) {
        let known = matches!(self.groups.get(group_id), Some(Group::Streams(_)));
        if record.is_tombstone() && !known {
            return;
        }
        if *record == StreamsRecord::Epoch(None) {
            self.remove(group_id);
            return;
        }
        if !known {
            self.insert(Group::Streams(StreamsGroup::new(group_id.clone())));
        }
        if let Some(Group::Streams(group)) = self.groups.get_mut(group_id) {
            self.group_bytes -= group.bytes();
            group.apply(record);
            self.group_bytes += group.bytes();
        }
    }

    /// The log was read to its end: sessions begin anew.
    pub fn loaded(&mut self, now_ms: i64, effects: &mut Effects) {
        // A group that was converted, and the record of what it became was refused: its offsets are all there is.
        let orphans = self.offsets.groups().map(|(group_id, _)| group_id.clone());
        let orphans: Vec<Rc<str>> = orphans.filter(|group_id| !self.groups.contains_key(group_id)).collect();
        for group_id in orphans {
            self.insert(Group::Classic(ClassicGroup::new(group_id, now_ms)));
        }
        let group_ids: Vec<Rc<str>> = self.groups.keys().cloned().collect();
        for group_id in group_ids {
            self.with_consumer(&group_id, now_ms, effects, &mut Vec::new(), |group, turn| group.loaded(turn));
            self.with_streams(&group_id, now_ms, effects, &mut Vec::new(), |group, turn| group.loaded(turn));
            self.with_classic(&group_id, now_ms, effects, |group, step: &mut Step<'_>| group.loaded(step));
        }
        self.mend_unfinished(now_ms, effects);
    }

    /// Everything the partition says now, as records that make the same state when replayed alone. Offsets come after
    /// their group. Only complete while nothing is on its way.
    pub fn snapshot(&self) -> Vec<GroupRecord> {
        let mut records: Vec<GroupRecord> = self.groups.values().flat_map(Group::snapshot_records).collect();
        for (group_id, topics) in self.offsets.groups() {
            for (topic, partitions) in topics {
                let offset = |(&partition, value): (&i32, &_)| {
                    GroupRecord::offset(group_id, topic, partition, Some(Clone::clone(value)))
                };
                records.extend(partitions.iter().map(offset));
            }
        }
        records
    }

    /// Whether changes of offsets are on their way to disk.
    pub fn has_in_flight(&self) -> bool {
        !self.in_flight.is_empty()
    }
}
