//! Offsets that are committed as part of a transaction: they wait for its end beside those that are seen
//! (OffsetMetadataManager.java).

use std::rc::Rc;

use protocol::ErrorCode;
use protocol::messages::offset_commit::OffsetCommitResponseTopic;
use protocol::messages::offset_fetch::OffsetFetchResponseTopics;

use super::offsets::OffsetRecords;
use super::{CommitEvent, GroupState};
use crate::coordinator::InTransaction;
use crate::groups::effects::Effects;
use crate::groups::records::GroupRecord;

impl GroupState {
    /// Commits offsets as part of a transaction. The answer holds once the append asked for is durable.
    pub fn commit_offsets_in_transaction(
        &mut self,
        group_id: &str,
        event: CommitEvent<'_>,
        transaction: InTransaction,
        now_ms: i64,
        effects: &mut Effects,
    ) -> Result<Vec<OffsetCommitResponseTopic>, ErrorCode> {
        let OffsetRecords { records, responses, .. } = self.offset_records(group_id, event, now_ms)?;
        if !records.is_empty() {
            effects.append_in_transaction(records, transaction);
            self.watch_last_append(effects);
        }
        Ok(responses)
    }

    pub(super) fn pending_appended(
        &mut self,
        records: &Rc<Vec<GroupRecord>>,
        producer_id: i64,
        outcome: Result<(), ErrorCode>,
    ) {
        self.landed(records);
        if outcome.is_ok() {
            records.iter().for_each(|record| self.add_pending(record.clone(), producer_id));
        }
    }

    pub(super) fn add_pending(&mut self, record: GroupRecord, producer_id: i64) {
        if let GroupRecord::Offset { group_id, topic, partition, value: Some(value) } = record {
            self.pending.add(producer_id, (group_id, topic, partition), value);
        }
    }

    /// A transaction ended: its offsets are seen from now on, but for those that were committed anew since, or are
    /// forgotten.
    pub(super) fn transaction_ended(&mut self, producer_id: i64, commit: bool) {
        for ((group_id, topic, partition), value) in self.pending.end(producer_id, commit) {
            self.offsets.apply(&group_id, &topic, partition, Some(value));
        }
    }

    /// For a reader that wants stable offsets: those that a transaction is about to change are told as such.
    pub fn mark_unstable(&self, group_id: &str, topics: &mut [OffsetFetchResponseTopics]) {
        if self.pending.is_empty() {
            return;
        }
        for topic in topics {
            for partition in &mut topic.partitions {
                if self.pending.has(group_id, &topic.name, partition.partition_index) {
                    partition.error_code = ErrorCode::UNSTABLE_OFFSET_COMMIT;
                    (partition.committed_offset, partition.committed_leader_epoch) = (-1, -1);
                    partition.metadata = Some(String::new());
                }
            }
        }
    }
}
