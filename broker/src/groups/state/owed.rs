//! Records of groups that the log refused. The group has changed all the same; what it says now about the same things is
//! written with its next change. So a full disk that was freed leaves no group that the log explains otherwise.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::GroupState;
use crate::groups::consumer::{ConsumerKey, ConsumerRecord};
use crate::groups::effects::{Effects, Then};
use crate::groups::group::Group;
use crate::groups::records::GroupRecord;
use crate::groups::streams::{StreamsKey, StreamsRecord};

/// What a refused record was about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum OwedKey {
    /// The record of a classic group.
    Classic,
    /// A record of a consumer group.
    Consumer(ConsumerKey),
    /// A record of a streams group.
    Streams(StreamsKey),
}

impl GroupState {
    /// Appends records of a group, if there are any.
    pub(super) fn append_group_records(&mut self, records: Vec<GroupRecord>, then: Then, effects: &mut Effects) {
        if !records.is_empty() {
            effects.append(self.marked(records), then);
        }
    }

    /// Appends records of a group and replies in turn, even if there is nothing to append.
    pub(super) fn append_group_records_and_reply(
        &mut self,
        records: Vec<GroupRecord>,
        then: Then,
        effects: &mut Effects,
    ) {
        effects.append(self.marked(records), then);
    }

    /// Remembers what the log refused.
    pub(super) fn owe(&mut self, records: &[GroupRecord]) {
        for record in records {
            let (group_id, key) = match record {
                GroupRecord::Group { group_id, .. } => (group_id, OwedKey::Classic),
                GroupRecord::Consumer { group_id, record } => (group_id, OwedKey::Consumer(record.key())),
                GroupRecord::Streams { group_id, record } => (group_id, OwedKey::Streams(record.key())),
                GroupRecord::Offset { .. } => continue,
            };
            self.owed.entry(group_id.clone()).or_default().insert(key);
        }
    }

    /// What is owed of a group, as it is now. What names the group (its epoch) comes last.
    pub(super) fn take_owed(&mut self, group_id: &str) -> Vec<GroupRecord> {
        let Some((group_id, keys)) = self.owed.remove_entry(group_id) else { return Vec::new() };
        self.current_records(&group_id, &keys)
    }

    fn current_records(&self, group_id: &Rc<str>, keys: &BTreeSet<OwedKey>) -> Vec<GroupRecord> {
        let group = self.groups.get(group_id);
        let (mut gone, mut there) = (Vec::new(), Vec::new());
        for key in keys {
            let record = match (key, group) {
                (OwedKey::Classic, Some(Group::Classic(group))) => Some(group.snapshot_record()),
                (OwedKey::Consumer(key), Some(Group::Consumer(group))) => {
                    group.record_of(key).map(|record| GroupRecord::consumer(group_id, record))
                }
                (OwedKey::Streams(key), Some(Group::Streams(group))) => {
                    group.record_of(key).map(|record| GroupRecord::streams(group_id, record))
                }
                (OwedKey::Classic | OwedKey::Consumer(_) | OwedKey::Streams(_), _) => None,
            };
            match (record, key) {
                (Some(record), _) => there.push(record),
                (None, OwedKey::Classic) => gone.push(GroupRecord::Group { group_id: group_id.clone(), value: None }),
                (None, OwedKey::Consumer(key)) => {
                    gone.push(GroupRecord::consumer(group_id, ConsumerRecord::tombstone(key)));
                }
                (None, OwedKey::Streams(key)) => {
                    gone.push(GroupRecord::streams(group_id, StreamsRecord::tombstone(key)));
                }
            }
        }
        // That there is a member is taken back last: what compaction drops first of the rest must not bring it back.
        gone.reverse();
        gone.extend(there);
        gone
    }

    /// Writes what is owed of all groups. Asked for from time to time, since a group nobody asks for owes as well.
    pub(super) fn pay_owed(&mut self, effects: &mut Effects) {
        let group_ids: Vec<Rc<str>> = self.owed.keys().cloned().collect();
        for group_id in group_ids {
            let records = self.take_owed(&group_id);
            self.append_group_records(records, Then::Consumer, effects);
        }
    }
}
