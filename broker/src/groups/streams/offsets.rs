//! How far a member has restored the state of tasks, as it reports from time to time: it tells who can take over a task
//! soonest. Not recorded.

use std::collections::BTreeMap;

use protocol::ErrorCode;
use protocol::messages::streams_group_describe as describe;
use protocol::messages::streams_group_heartbeat::TaskOffset;

use super::tasks::TaskId;
use crate::metadata::decide::ApiError;

/// Most offsets a member may report, of either kind: a member has far fewer tasks.
const OFFSETS_MAX: usize = 100_000;

/// What a member reported last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskOffsets {
    /// Sums over the changelogs of each task.
    pub offsets: BTreeMap<TaskId, i64>,
    ends: BTreeMap<TaskId, i64>,
}

impl TaskOffsets {
    /// What is known after a heartbeat; what it does not mention stays.
    pub fn updated(
        &self,
        offsets: Option<&[TaskOffset]>,
        ends: Option<&[TaskOffset]>,
    ) -> Result<TaskOffsets, ApiError> {
        Ok(TaskOffsets {
            offsets: offsets.map(read).transpose()?.unwrap_or_else(|| self.offsets.clone()),
            ends: ends.map(read).transpose()?.unwrap_or_else(|| self.ends.clone()),
        })
    }

    /// Memory held, roughly.
    pub fn bytes(&self) -> usize {
        let name = |task: &TaskId| 64 + task.subtopology.len();
        self.offsets.keys().chain(self.ends.keys()).map(name).sum()
    }

    /// As StreamsGroupDescribe tells them.
    pub fn described(&self) -> Vec<describe::TaskOffset> {
        described(&self.offsets)
    }

    /// The ends of the changelogs as StreamsGroupDescribe tells them.
    pub fn described_ends(&self) -> Vec<describe::TaskOffset> {
        described(&self.ends)
    }
}

fn read(reported: &[TaskOffset]) -> Result<BTreeMap<TaskId, i64>, ApiError> {
    let invalid = |message: String| ApiError::new(ErrorCode::INVALID_REQUEST, message);
    if reported.len() > OFFSETS_MAX {
        return Err(invalid(format!("More than {OFFSETS_MAX} task offsets.")));
    }
    let mut offsets = BTreeMap::new();
    for TaskOffset { subtopology_id, partition, offset } in reported {
        let task = TaskId { subtopology: subtopology_id.as_str().into(), partition: *partition };
        if offsets.insert(task, *offset).is_some() {
            return Err(invalid(format!(
                "Task offsets contain a duplicate entry for subtopology {subtopology_id} and partition {partition}."
            )));
        }
    }
    Ok(offsets)
}

fn described(offsets: &BTreeMap<TaskId, i64>) -> Vec<describe::TaskOffset> {
    let line = |(task, &offset): (&TaskId, &i64)| describe::TaskOffset {
        subtopology_id: task.subtopology.to_string(),
        partition: task.partition,
        offset,
    };
    offsets.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(partition: i32, offset: i64) -> TaskOffset {
        TaskOffset { subtopology_id: "0".to_owned(), partition, offset }
    }

    #[test]
    fn what_is_not_mentioned_stays_and_nothing_is_said_twice() {
        let first = TaskOffsets::default().updated(Some(&[offset(0, 5)]), Some(&[offset(0, 9)])).expect("valid");
        let next = first.updated(None, Some(&[])).expect("valid");
        assert_eq!((next.offsets.values().copied().collect::<Vec<_>>(), next.ends.len()), (vec![5], 0));
        let twice = first.updated(Some(&[offset(1, 5), offset(1, 5)]), None).expect_err("twice");
        assert_eq!(twice.code, ErrorCode::INVALID_REQUEST);
    }
}
