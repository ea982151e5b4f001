//! A change of a consumer group that is too large for one batch.
//!
//! A crash between its batches leaves the first of them alone. A member's record may then be there without the epoch that
//! counts it, and since the member says nothing new when it comes again, nobody would ever assign it a partition. So such
//! a change opens with a mark, which its last record takes back. A group that is loaded with the mark begins its next
//! epoch: everyone is assigned anew. (Kafka refuses changes that do not fit into a batch.)

use super::GroupState;
use crate::groups::consumer::{ConsumerKey, ConsumerRecord};
use crate::groups::effects::{Effects, Then};
use crate::groups::group::Group;
use crate::groups::records::GroupRecord;

impl GroupState {
    /// `records` as they are to be written: with the mark around them if they need several batches.
    pub(super) fn marked(&self, mut records: Vec<GroupRecord>) -> Vec<GroupRecord> {
        let bytes: usize = records.iter().map(GroupRecord::bytes).sum();
        let group_id = records.iter().find_map(|record| match record {
            GroupRecord::Consumer { group_id, .. } => Some(group_id.clone()),
            GroupRecord::Group { .. } | GroupRecord::Offset { .. } => None,
        });
        let Some(group_id) = group_id.filter(|_| bytes > self.settings.batch_bytes_max) else { return records };
        records.retain(|record| !says_target_epoch(record));
        records.insert(0, GroupRecord::consumer(&group_id, ConsumerRecord::unfinished()));
        if let Some(Group::Consumer(group)) = self.groups.get(&group_id)
            && let Some(record) = group.record_of(&ConsumerKey::TargetEpoch)
        {
            records.push(GroupRecord::consumer(&group_id, record));
        }
        records
    }

    /// Mends the groups whose last change a crash has cut off.
    pub(super) fn mend_unfinished(&mut self, now_ms: i64, effects: &mut Effects) {
        let unfinished = self.groups.values().filter(|group| match group {
            Group::Consumer(group) => group.is_unfinished(),
            Group::Classic(_) => false,
        });
        let group_ids: Vec<_> = unfinished.map(|group| group.group_id().clone()).collect();
        for group_id in group_ids {
            tracing::info!(group = &*group_id, "the last change of a group was cut off: it is assigned anew");
            let mut records = Vec::new();
            self.with_consumer(&group_id, now_ms, effects, &mut records, |group, turn| group.bump_epoch(turn));
            self.append_group_records(records, Then::Consumer, effects);
        }
    }
}

/// Would take back the mark too early. A tombstone does not.
fn says_target_epoch(record: &GroupRecord) -> bool {
    matches!(record, GroupRecord::Consumer { record, .. } if matches!(**record, ConsumerRecord::TargetEpoch(Some(_))))
}
