//! Who may commit and fetch offsets of a consumer group.

use protocol::{ErrorCode, Uuid};

use super::{ConsumerGroup, Member};
use crate::groups::classic::Committer;

/// What members of the classic protocol are told where the others are told of a stale epoch.
fn stale(member: &Member) -> ErrorCode {
    if member.classic().is_some() { ErrorCode::ILLEGAL_GENERATION } else { ErrorCode::STALE_MEMBER_EPOCH }
}

impl ConsumerGroup {
    /// Whether `who` may commit offsets of these partitions now. A member that has not heard of its newest epoch may do
    /// so for partitions it has had since before (KIP-1251).
    pub fn validate_offset_commit(
        &self,
        who: Committer<'_>,
        version: i16,
        partitions: impl Iterator<Item = (Uuid, i32)>,
    ) -> Result<(), ErrorCode> {
        if who.generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        let nobody = who.generation == -1 && who.member_id.is_empty() && who.group_instance_id.is_none();
        if who.transactional && nobody {
            return Ok(());
        }
        let member = self.members.get(who.member_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if !who.transactional && member.classic().is_none() && version < 9 {
            return Err(ErrorCode::UNSUPPORTED_VERSION);
        }
        if who.generation == member.epoch {
            return Ok(());
        }
        if who.generation > member.epoch {
            return Err(stale(member));
        }
        let may = |(topic, partition)| member.epoch_of(topic, partition).is_some_and(|epoch| who.generation >= epoch);
        let mut partitions = partitions;
        if partitions.all(may) { Ok(()) } else { Err(stale(member)) }
    }

    /// Whether a client may fetch offsets; who takes no part in the group says neither id nor epoch.
    pub fn validate_offset_fetch(&self, member_id: Option<&str>, epoch: i32) -> Result<(), ErrorCode> {
        let Some(member_id) = member_id else {
            return if epoch < 0 { Ok(()) } else { Err(ErrorCode::UNKNOWN_MEMBER_ID) };
        };
        let member = self.members.get(member_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if epoch == member.epoch { Ok(()) } else { Err(stale(member)) }
    }
}
