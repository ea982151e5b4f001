//! A consumer group as records, and back.

use std::rc::Rc;

use protocol::messages::consumer_group_records::{
    ConsumerGroupMetadataValue, ConsumerGroupTargetAssignmentMemberValue, ConsumerGroupTargetAssignmentMetadataValue,
};

use super::member::{LEAVE_EPOCH, Member, MemberState};
use super::record::UNFINISHED_EPOCH;
use super::subscription::Resolved;
use super::{ConsumerGroup, ConsumerKey, ConsumerRecord, partitions};
use crate::groups::records::GroupRecord;

impl ConsumerGroup {
    /// Takes in one record of the group, in the order of the log. [`ConsumerRecord::Epoch`] without a value ends the
    /// group, which the caller sees to.
    pub fn apply(&mut self, record: &ConsumerRecord) {
        match record {
            ConsumerRecord::Epoch(Some(value)) => (self.epoch, self.metadata_hash) = (value.epoch, value.metadata_hash),
            ConsumerRecord::Epoch(None) => {}
            ConsumerRecord::OldTopics(value) => self.has_old_topics = value.is_some(),
            ConsumerRecord::TargetEpoch(Some(value)) => {
                (self.assignment_epoch, self.assigned_at_ms) = (value.assignment_epoch, value.assignment_timestamp);
            }
            ConsumerRecord::TargetEpoch(None) => (self.assignment_epoch, self.assigned_at_ms) = (UNFINISHED_EPOCH, 0),
            ConsumerRecord::Target(id, value) => {
                let target = value.as_ref().map(|value| partitions::target_from_record(&value.topic_partitions));
                self.set_target(id, target.map(Rc::new));
            }
            ConsumerRecord::Member(id, Some(value)) => {
                let mut member = self.members.get(id).cloned().unwrap_or_else(|| Member::new(id.clone()));
                member.about = Rc::new(value.clone());
                self.put_member(member);
            }
            ConsumerRecord::Member(id, None) => drop(self.take_member(id)),
            ConsumerRecord::Current(id, Some(value)) => {
                let member = self.members.get(id).cloned().unwrap_or_else(|| Member::new(id.clone()));
                self.put_member(member.with_record(value));
            }
            ConsumerRecord::Current(id, None) => {
                if let Some(member) = self.members.get(id).cloned() {
                    let (assigned, revoking) = (Rc::default(), Rc::default());
                    let (epoch, previous_epoch) = (LEAVE_EPOCH, LEAVE_EPOCH);
                    self.put_member(Member { epoch, previous_epoch, assigned, revoking, ..member });
                }
            }
            ConsumerRecord::Pattern(pattern, value) => {
                self.set_pattern(pattern, value.as_ref().map(Resolved::of_record));
            }
        }
    }

    fn set_target(&mut self, member_id: &Rc<str>, target: Option<Rc<super::Partitions>>) {
        let bytes = |target: &Rc<super::Partitions>| {
            128 + target.values().map(|numbers| 64 + 16 * numbers.len()).sum::<usize>()
        };
        self.bytes += target.as_ref().map_or(0, bytes);
        let previous = match target {
            Some(target) => self.targets.insert(member_id.clone(), target),
            None => self.targets.remove(member_id),
        };
        self.bytes -= previous.as_ref().map_or(0, bytes);
    }

    fn set_pattern(&mut self, pattern: &Rc<str>, resolved: Option<Resolved>) {
        self.bytes += resolved.as_ref().map_or(0, |resolved| resolved.bytes() + pattern.len());
        let previous = match resolved {
            Some(resolved) => self.patterns.insert(pattern.clone(), resolved),
            None => self.patterns.remove(pattern),
        };
        self.bytes -= previous.map_or(0, |previous| previous.bytes() + pattern.len());
    }

    /// Replaces or adds a member, with the books on instance ids and owners kept.
    fn put_member(&mut self, member: Member) {
        let id = member.member_id.clone();
        drop(self.take_member(&id));
        self.bytes += member.bytes();
        for owned in [&member.assigned, &member.revoking] {
            for (topic, numbers) in owned.iter() {
                self.owners.extend(numbers.keys().map(|number| ((*topic, *number), id.clone())));
            }
        }
        if let Some(instance_id) = member.instance_id() {
            self.static_members.insert(instance_id.into(), id.clone());
        }
        self.members.insert(id, member);
    }

    fn take_member(&mut self, member_id: &Rc<str>) -> Option<Member> {
        let member = self.members.remove(member_id)?;
        self.bytes -= member.bytes();
        for owned in [&member.assigned, &member.revoking] {
            for (topic, numbers) in owned.iter() {
                for number in numbers.keys() {
                    let at = (*topic, *number);
                    if self.owners.get(&at).is_some_and(|owner| owner == member_id) {
                        self.owners.remove(&at);
                    }
                }
            }
        }
        if let Some(instance_id) = member.instance_id()
            && self.static_members.get(instance_id).is_some_and(|current| current == member_id)
        {
            self.static_members.remove(instance_id);
        }
        Some(member)
    }

    /// What the group says about `key` now; `None` if nothing.
    pub fn record_of(&self, key: &ConsumerKey) -> Option<ConsumerRecord> {
        match key {
            ConsumerKey::Epoch => Some(self.epoch_record()),
            ConsumerKey::OldTopics => None,
            ConsumerKey::TargetEpoch => Some(target_epoch_record(self.assignment_epoch, self.assigned_at_ms)),
            ConsumerKey::Member(id) => self.members.get(id).map(member_record),
            ConsumerKey::Current(id) => self.members.get(id).map(current_record),
            ConsumerKey::Target(id) => self.targets.get(id).map(|target| target_record(id, target)),
            ConsumerKey::Pattern(pattern) => self
                .patterns
                .get(pattern)
                .map(|resolved| ConsumerRecord::Pattern(pattern.clone(), Some(resolved.to_record()))),
        }
    }

    /// Everything there is to say about the group, in the order in which it is said when a group is made.
    fn keys(&self) -> Vec<ConsumerKey> {
        let mut keys: Vec<ConsumerKey> = self.members.keys().cloned().map(ConsumerKey::Member).collect();
        keys.push(ConsumerKey::Epoch);
        keys.extend(self.targets.keys().cloned().map(ConsumerKey::Target));
        keys.push(ConsumerKey::TargetEpoch);
        keys.extend(self.members.keys().cloned().map(ConsumerKey::Current));
        keys.extend(self.patterns.keys().cloned().map(ConsumerKey::Pattern));
        keys
    }

    /// The records that make this group.
    pub fn snapshot_records(&self) -> Vec<GroupRecord> {
        let records = self.keys().into_iter().filter_map(|key| self.record_of(&key));
        records.map(|record| GroupRecord::consumer(&self.group_id, record)).collect()
    }

    /// The records that end this group, the one that names it last.
    pub fn tombstones(&self) -> Vec<GroupRecord> {
        let mut keys: Vec<ConsumerKey> = self.members.keys().cloned().map(ConsumerKey::Current).collect();
        keys.extend(self.targets.keys().cloned().map(ConsumerKey::Target));
        keys.push(ConsumerKey::TargetEpoch);
        keys.extend(self.members.keys().cloned().map(ConsumerKey::Member));
        keys.extend(self.patterns.keys().cloned().map(ConsumerKey::Pattern));
        keys.extend([ConsumerKey::OldTopics, ConsumerKey::Epoch]);
        keys.iter().map(|key| GroupRecord::consumer(&self.group_id, ConsumerRecord::tombstone(key))).collect()
    }

    pub(super) fn epoch_record(&self) -> ConsumerRecord {
        let value = ConsumerGroupMetadataValue { epoch: self.epoch, metadata_hash: self.metadata_hash };
        ConsumerRecord::Epoch(Some(value))
    }
}

/// What a member says about itself.
pub(super) fn member_record(member: &Member) -> ConsumerRecord {
    ConsumerRecord::Member(member.member_id.clone(), Some((*member.about).clone()))
}

/// What a member has.
pub(super) fn current_record(member: &Member) -> ConsumerRecord {
    ConsumerRecord::Current(member.member_id.clone(), Some(member.to_record()))
}

/// What a member is to have.
pub(super) fn target_record(member_id: &Rc<str>, target: &super::Partitions) -> ConsumerRecord {
    let topic_partitions = partitions::target_to_record(target);
    ConsumerRecord::Target(member_id.clone(), Some(ConsumerGroupTargetAssignmentMemberValue { topic_partitions }))
}

/// The epoch of the target assignment and when it was made.
pub(super) fn target_epoch_record(assignment_epoch: i32, assignment_timestamp: i64) -> ConsumerRecord {
    let value = ConsumerGroupTargetAssignmentMetadataValue { assignment_epoch, assignment_timestamp };
    ConsumerRecord::TargetEpoch(Some(value))
}

impl Member {
    /// A member whose records are those of a member that left to come back.
    pub(super) fn gone_for_now(&self) -> Member {
        let since_zero = partitions::in_epoch(&partitions::without_epochs(&self.assigned), 0);
        Member {
            epoch: super::LEAVE_STATIC_EPOCH,
            assigned: Rc::new(since_zero),
            revoking: Rc::default(),
            ..self.clone()
        }
    }

    /// Whether its state was written by a Kafka we do not know.
    pub(super) fn is_unknown(&self) -> bool {
        self.state == MemberState::Unknown
    }
}
