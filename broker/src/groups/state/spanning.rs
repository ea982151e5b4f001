//! A change of a consumer or streams group that is too large for one batch.
//!
//! A crash between its batches leaves the first of them alone. A member's record may then be there without the epoch that
//! counts it, and since the member says nothing new when it comes again, nobody would ever assign it a partition. So such
//! a change opens with a mark, which its last record takes back. A group that is loaded with the mark begins its next
//! epoch: everyone is assigned anew. (Kafka refuses changes that do not fit into a batch.)

use super::GroupState;
use crate::coordinator::InternalRecord;
use crate::groups::consumer::{ConsumerKey, ConsumerRecord};
use crate::groups::effects::{Effects, Then};
use crate::groups::group::Group;
use crate::groups::records::GroupRecord;
use crate::groups::streams::{StreamsKey, StreamsRecord};

impl GroupState {
    /// `records` as they are to be written: with the mark around them if they need several batches.
    pub(super) fn marked(&self, mut records: Vec<GroupRecord>) -> Vec<GroupRecord> {
        let bytes: usize = records.iter().map(GroupRecord::bytes).sum();
        if bytes <= self.settings.batch_bytes_max {
            return records;
        }
        let opening = records.iter().find_map(|record| match record {
            GroupRecord::Consumer { group_id, .. } => {
                Some(GroupRecord::consumer(group_id, ConsumerRecord::unfinished()))
            }
            GroupRecord::Streams { group_id, .. } => Some(GroupRecord::streams(group_id, StreamsRecord::unfinished())),
            GroupRecord::Group { .. } | GroupRecord::Offset { .. } => None,
        });
        let Some(opening) = opening else { return records };
        let closing = self.closing_mark(&opening);
        records.retain(|record| !says_target_epoch(record));
        records.insert(0, opening);
        records.extend(closing);
        records
    }

    /// What takes back the mark, if the group is still there.
    fn closing_mark(&self, opening: &GroupRecord) -> Option<GroupRecord> {
        match opening {
            GroupRecord::Consumer { group_id, .. } => match self.groups.get(group_id) {
                Some(Group::Consumer(group)) => {
                    group.record_of(&ConsumerKey::TargetEpoch).map(|record| GroupRecord::consumer(group_id, record))
                }
                _ => None,
            },
            GroupRecord::Streams { group_id, .. } => match self.groups.get(group_id) {
                Some(Group::Streams(group)) => {
                    group.record_of(&StreamsKey::TargetEpoch).map(|record| GroupRecord::streams(group_id, record))
                }
                _ => None,
            },
            GroupRecord::Group { .. } | GroupRecord::Offset { .. } => None,
        }
    }

    /// Mends the groups whose last change a crash has cut off.
    pub(super) fn mend_unfinished(&mut self, now_ms: i64, effects: &mut Effects) {
        let unfinished = self.groups.values().filter(|group| match group {
            Group::Consumer(group) => group.is_unfinished(),
            Group::Streams(group) => group.is_unfinished(),
            Group::Classic(_) => false,
        });
        let group_ids: Vec<_> = unfinished.map(|group| group.group_id().clone()).collect();
        for group_id in group_ids {
            tracing::info!(group = &*group_id, "the last change of a group was cut off: it is assigned anew");
            let mut records = Vec::new();
            self.with_consumer(&group_id, now_ms, effects, &mut records, |group, turn| group.bump_epoch(turn));
            self.with_streams(&group_id, now_ms, effects, &mut records, |group, turn| group.bump_epoch(turn));
            self.append_group_records(records, Then::Consumer, effects);
        }
    }
}

/// Would take back the mark too early. A tombstone does not.
fn says_target_epoch(record: &GroupRecord) -> bool {
    match record {
        GroupRecord::Consumer { record, .. } => matches!(**record, ConsumerRecord::TargetEpoch(Some(_))),
        GroupRecord::Streams { record, .. } => matches!(**record, StreamsRecord::TargetEpoch(Some(_))),
        GroupRecord::Group { .. } | GroupRecord::Offset { .. } => false,
    }
}
