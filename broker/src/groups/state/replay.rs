//! What the records of a partition make of it: reading them back, and what follows an append.

use std::rc::Rc;

use protocol::ErrorCode;

use super::{GroupState, Parked};
use crate::coordinator::StateMachine;
use crate::groups::OFFSETS_TOPIC;
use crate::groups::classic::{ClassicGroup, Step};
use crate::groups::consumer::{ConsumerGroup, ConsumerRecord};
use crate::groups::effects::{Append, Effects, Then};
use crate::groups::group::Group;
use crate::groups::records::GroupRecord;
use crate::groups::streams::{StreamsGroup, StreamsRecord};

impl StateMachine for GroupState {
    const TOPIC: &'static str = OFFSETS_TOPIC;
    type Record = GroupRecord;
    type Then = Then;
    type Effects = Effects;

    fn replay(&mut self, record: GroupRecord, now_ms: i64) {
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

    fn replay_in_transaction(&mut self, record: GroupRecord, producer_id: i64, now_ms: i64) {
        if let GroupRecord::Offset { group_id, value: Some(_), .. } = &record
            && !self.groups.contains_key(group_id)
        {
            self.insert(Group::Classic(ClassicGroup::new(group_id.clone(), now_ms)));
        }
        self.add_pending(record, producer_id);
    }

    fn replay_transaction_end(&mut self, producer_id: i64, commit: bool) {
        self.transaction_ended(producer_id, commit);
    }

    /// Sessions begin anew.
    fn loaded(&mut self, now_ms: i64, effects: &mut Effects) {
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

    fn appended(&mut self, append: Append, outcome: Result<(), ErrorCode>, now_ms: i64, effects: &mut Effects) {
        match append.then {
            Then::Nothing => {}
            Then::Consumer => self.owe_if_refused(&append.records, outcome),
            Then::ConsumerJoined { group_id, token, joined } => {
                self.owe_if_refused(&append.records, outcome);
                self.consumer_joined(&group_id, token, *joined, outcome, effects);
            }
            Then::ConsumerSynced { token, response } => {
                self.owe_if_refused(&append.records, outcome);
                self.consumer_synced(token, *response, outcome, effects);
            }
            Then::Offsets => self.offsets_appended(&append.records, outcome),
            Then::OffsetsInTransaction(producer_id) => self.pending_appended(&append.records, producer_id, outcome),
            Then::TransactionEnded { producer_id, commit } if outcome.is_ok() => {
                self.transaction_ended(producer_id, commit);
            }
            Then::TransactionEnded { .. } => {}
            Then::Created { group_id } => self.created(&group_id, outcome, now_ms, effects),
            Then::Assigned { group_id, generation, assignments } => {
                self.with_classic(&group_id, now_ms, effects, |group, step| {
                    group.assigned(generation, assignments, outcome, step);
                });
            }
            Then::Replaced { group_id, replacement } => {
                self.with_classic(&group_id, now_ms, effects, |group, step| {
                    group.static_member_replaced(*replacement, outcome, step);
                });
            }
            Then::Deleted { groups } => {
                self.offsets_appended(&append.records, outcome);
                self.deleted(groups, outcome);
            }
        }
    }

    fn close(&mut self, now_ms: i64, effects: &mut Effects) {
        let error_code = ErrorCode::NOT_COORDINATOR;
        let mut step = Step { settings: &self.settings, now_ms, effects };
        for group in self.groups.values_mut() {
            match group {
                Group::Classic(group) => group.bury(error_code, &mut step),
                // Its members wait for nothing; those of the classic protocol are parked here.
                Group::Consumer(_) | Group::Streams(_) => {}
            }
        }
        for (token, parked) in std::mem::take(&mut self.parked) {
            match parked {
                Parked::Join => effects.refuse_join(token, "", error_code),
                Parked::Sync => effects.refuse_sync(token, error_code),
            }
        }
        self.groups.clear();
        self.group_bytes = 0;
    }

    fn summary(&self) -> String {
        format!("{} groups, {} offsets", self.group_count(), self.offsets.len())
    }
}

impl GroupState {
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

    /// Whether changes of offsets are on their way to disk.
    pub fn has_in_flight(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// All of it but offsets that wait for the end of a transaction, as records: two states that say the same have the same.
    #[cfg(test)]
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
}
