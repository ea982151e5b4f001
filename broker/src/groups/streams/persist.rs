//! A streams group as records, and back.

use std::rc::Rc;

use protocol::messages::streams_group_records::{
    LastAssignmentConfig, StreamsGroupMetadataValue, StreamsGroupTargetAssignmentMemberValue,
    StreamsGroupTargetAssignmentMetadataValue,
};

use super::member::{LEAVE_EPOCH, StreamsMember};
use super::record::UNFINISHED_EPOCH;
use super::tasks::{self, Tasks};
use super::topology::Topology;
use super::{StreamsGroup, StreamsKey, StreamsRecord};
use crate::groups::records::GroupRecord;

impl StreamsGroup {
    /// Takes in one record of the group, in the order of the log. [`StreamsRecord::Epoch`] without a value ends the group,
    /// which the caller sees to.
    pub fn apply(&mut self, record: &StreamsRecord) {
        match record {
            StreamsRecord::Epoch(Some(value)) => self.set_epoch(value),
            StreamsRecord::Epoch(None) => {}
            StreamsRecord::Topology(value) => {
                self.set_topology(value.as_ref().map(|value| Rc::new(Topology::of_record(value))));
            }
            StreamsRecord::TargetEpoch(Some(value)) => {
                (self.assignment_epoch, self.assigned_at_ms) = (value.assignment_epoch, value.assignment_timestamp);
            }
            StreamsRecord::TargetEpoch(None) => (self.assignment_epoch, self.assigned_at_ms) = (UNFINISHED_EPOCH, 0),
            StreamsRecord::Target(id, value) => self.set_target(id, value.as_ref().map(target_of)),
            StreamsRecord::Member(id, Some(value)) => {
                let member = self.members.get(id).cloned().unwrap_or_else(|| StreamsMember::new(id.clone()));
                self.put_member(StreamsMember { about: Rc::new(value.clone()), ..member });
            }
            StreamsRecord::Member(id, None) => self.drop_member(id),
            StreamsRecord::Current(id, Some(value)) => {
                let member = self.members.get(id).cloned().unwrap_or_else(|| StreamsMember::new(id.clone()));
                self.put_member(member.with_record(value));
            }
            StreamsRecord::Current(id, None) => {
                if let Some(member) = self.members.get(id).cloned() {
                    let (assigned, revoking) = (Rc::default(), Rc::default());
                    let (epoch, previous_epoch) = (LEAVE_EPOCH, LEAVE_EPOCH);
                    self.put_member(StreamsMember { epoch, previous_epoch, assigned, revoking, ..member });
                }
            }
        }
    }

    fn set_epoch(&mut self, value: &StreamsGroupMetadataValue) {
        (self.epoch, self.metadata_hash) = (value.epoch, value.metadata_hash);
        self.validated_topology_epoch = value.validated_topology_epoch;
        self.description_epochs = (value.stored_description_topology_epoch, value.failed_description_topology_epoch);
        let configs = value.last_assignment_configs.iter().flatten();
        self.assignment_configs = configs.map(|config| (config.key.clone(), config.value.clone())).collect();
    }

    fn set_topology(&mut self, topology: Option<Rc<Topology>>) {
        let bytes = |topology: &Option<Rc<Topology>>| topology.as_ref().map_or(0, |topology| topology.bytes());
        self.bytes += bytes(&topology);
        let previous = std::mem::replace(&mut self.topology, topology);
        self.bytes -= bytes(&previous);
        self.set_configured(None);
    }

    fn set_target(&mut self, member_id: &Rc<str>, target: Option<Rc<Tasks>>) {
        let bytes = |target: &Rc<Tasks>| 128 + 64 * target.count();
        self.bytes += target.as_ref().map_or(0, bytes);
        let previous = match target {
            Some(target) => self.targets.insert(member_id.clone(), target),
            None => self.targets.remove(member_id),
        };
        self.bytes -= previous.as_ref().map_or(0, bytes);
    }

    /// Replaces or adds a member, with the books on instance ids and owners kept.
    fn put_member(&mut self, member: StreamsMember) {
        let id = member.member_id.clone();
        self.take_member(&id);
        self.bytes += member.bytes();
        let process_id: Rc<str> = member.process_id().into();
        self.owners.add(&member.assigned, &process_id);
        self.owners.add(&member.revoking, &process_id);
        if let Some(instance_id) = member.instance_id() {
            self.static_members.insert(instance_id.into(), id.clone());
        }
        self.members.insert(id, member);
    }

    fn take_member(&mut self, member_id: &Rc<str>) {
        let Some(member) = self.members.remove(member_id) else { return };
        self.bytes -= member.bytes();
        let process_id: Rc<str> = member.process_id().into();
        self.owners.remove(&member.assigned, &process_id);
        self.owners.remove(&member.revoking, &process_id);
        if let Some(instance_id) = member.instance_id()
            && self.static_members.get(instance_id).is_some_and(|current| current == member_id)
        {
            self.static_members.remove(instance_id);
        }
    }

    fn drop_member(&mut self, member_id: &Rc<str>) {
        self.take_member(member_id);
        self.set_offsets(member_id, None);
        if self.members.is_empty() {
            // Who comes next begins anew.
            self.shutdown_by = None;
        }
    }

    /// What the group says about `key` now; `None` if nothing.
    pub fn record_of(&self, key: &StreamsKey) -> Option<StreamsRecord> {
        match key {
            StreamsKey::Epoch => Some(self.epoch_record()),
            StreamsKey::Topology => {
                self.topology.as_ref().map(|topology| StreamsRecord::Topology(Some(topology.to_record())))
            }
            StreamsKey::TargetEpoch => Some(target_epoch_record(self.assignment_epoch, self.assigned_at_ms)),
            StreamsKey::Member(id) => self.members.get(id).map(member_record),
            StreamsKey::Current(id) => self.members.get(id).map(current_record),
            StreamsKey::Target(id) => self.targets.get(id).map(|target| target_record(id, target)),
        }
    }

    /// The records that make this group, in the order in which they are made.
    pub fn snapshot_records(&self) -> Vec<GroupRecord> {
        let mut keys: Vec<StreamsKey> = self.members.keys().cloned().map(StreamsKey::Member).collect();
        keys.extend([StreamsKey::Topology, StreamsKey::Epoch]);
        keys.extend(self.targets.keys().cloned().map(StreamsKey::Target));
        keys.push(StreamsKey::TargetEpoch);
        keys.extend(self.members.keys().cloned().map(StreamsKey::Current));
        let records = keys.iter().filter_map(|key| self.record_of(key));
        records.map(|record| GroupRecord::streams(&self.group_id, record)).collect()
    }

    /// The records that end this group, in Kafka's order, in which its replay wants them.
    pub fn tombstones(&self) -> Vec<GroupRecord> {
        let mut keys: Vec<StreamsKey> = self.members.keys().cloned().map(StreamsKey::Current).collect();
        keys.extend(self.targets.keys().cloned().map(StreamsKey::Target));
        keys.push(StreamsKey::TargetEpoch);
        keys.extend(self.members.keys().cloned().map(StreamsKey::Member));
        keys.extend([StreamsKey::Epoch, StreamsKey::Topology]);
        let records = keys.iter().map(StreamsRecord::tombstone);
        records.map(|record| GroupRecord::streams(&self.group_id, record)).collect()
    }

    pub(super) fn epoch_record(&self) -> StreamsRecord {
        let config = |(key, value): (&String, &String)| LastAssignmentConfig { key: key.clone(), value: value.clone() };
        let (stored, failed) = self.description_epochs;
        StreamsRecord::Epoch(Some(StreamsGroupMetadataValue {
            epoch: self.epoch,
            metadata_hash: self.metadata_hash,
            validated_topology_epoch: self.validated_topology_epoch,
            last_assignment_configs: Some(self.assignment_configs.iter().map(config).collect()),
            stored_description_topology_epoch: stored,
            failed_description_topology_epoch: failed,
        }))
    }
}

fn target_of(value: &StreamsGroupTargetAssignmentMemberValue) -> Rc<Tasks> {
    Rc::new(Tasks {
        active: tasks::from_lists(&value.active_tasks),
        standby: tasks::from_lists(&value.standby_tasks),
        warmup: tasks::from_lists(&value.warmup_tasks),
    })
}

/// What a member says about itself.
pub(super) fn member_record(member: &StreamsMember) -> StreamsRecord {
    StreamsRecord::Member(member.member_id.clone(), Some((*member.about).clone()))
}

/// What a member has.
pub(super) fn current_record(member: &StreamsMember) -> StreamsRecord {
    StreamsRecord::Current(member.member_id.clone(), Some(member.to_record()))
}

/// What a member is to have.
pub(super) fn target_record(member_id: &Rc<str>, target: &Tasks) -> StreamsRecord {
    let value = StreamsGroupTargetAssignmentMemberValue {
        active_tasks: tasks::to_lists(&target.active),
        standby_tasks: tasks::to_lists(&target.standby),
        warmup_tasks: tasks::to_lists(&target.warmup),
    };
    StreamsRecord::Target(member_id.clone(), Some(value))
}

/// The epoch of the target assignment and when it was made.
pub(super) fn target_epoch_record(assignment_epoch: i32, assignment_timestamp: i64) -> StreamsRecord {
    let value = StreamsGroupTargetAssignmentMetadataValue { assignment_epoch, assignment_timestamp };
    StreamsRecord::TargetEpoch(Some(value))
}
