//! Who may commit and fetch offsets of a streams group.

use protocol::ErrorCode;

use super::tasks::TaskId;
use super::{StreamsGroup, StreamsMember};
use crate::groups::classic::Committer;

impl StreamsGroup {
    /// Whether `who` may commit offsets of these partitions, by topic name, now. A member that has not heard of its newest
    /// epoch may do so for tasks it has had since before (KIP-1251).
    pub fn validate_offset_commit<'a>(
        &self,
        who: Committer<'_>,
        version: i16,
        mut partitions: impl Iterator<Item = (&'a str, i32)>,
    ) -> Result<(), ErrorCode> {
        if who.generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        let nobody = who.generation == -1 && who.member_id.is_empty() && who.group_instance_id.is_none();
        if who.transactional && nobody {
            return Ok(());
        }
        let member = self.members.get(who.member_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if !who.transactional && version < 9 {
            return Err(ErrorCode::UNSUPPORTED_VERSION);
        }
        if who.generation == member.epoch {
            return Ok(());
        }
        let may = |(topic, partition): (&str, i32)| {
            self.epoch_of(member, topic, partition).is_some_and(|epoch| who.generation >= epoch)
        };
        if who.generation < member.epoch && partitions.all(may) {
            return Ok(());
        }
        Err(ErrorCode::STALE_MEMBER_EPOCH)
    }

    /// The epoch in which a member got the task that reads a partition, if it has it or is giving it up.
    fn epoch_of(&self, member: &StreamsMember, topic: &str, partition: i32) -> Option<i32> {
        let task = TaskId::new(self.topology.as_ref()?.reader_of(topic)?, partition);
        let held = member.assigned.active.get(&task).or_else(|| member.revoking.active.get(&task));
        held.copied()
    }

    /// Whether a client may fetch offsets; who takes no part in the group says neither id nor epoch.
    pub fn validate_offset_fetch(&self, member_id: Option<&str>, epoch: i32) -> Result<(), ErrorCode> {
        let Some(member_id) = member_id else {
            return if epoch < 0 { Ok(()) } else { Err(ErrorCode::UNKNOWN_MEMBER_ID) };
        };
        let member = self.members.get(member_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if epoch == member.epoch { Ok(()) } else { Err(ErrorCode::STALE_MEMBER_EPOCH) }
    }
}
