//! Listing, describing and deleting groups, and forgetting what is too old.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use protocol::messages::delete_groups::DeletableGroupResult;
use protocol::messages::describe_groups::DescribedGroup;
use protocol::messages::list_groups::ListedGroup;
use protocol::{ErrorCode, Uuid};

use super::GroupState;
use crate::groups::classic::ClassicState;
use crate::groups::effects::{Effects, Then, TimerKind};
use crate::groups::group::{Group, describe_classic};
use crate::groups::records::GroupRecord;

/// Which groups ListGroups wants; an empty list is no filter. Compared without regard to case.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    states: Vec<String>,
    types: Vec<String>,
}

impl ListFilter {
    /// From the request's own lists.
    pub fn new(states: &[String], types: &[String]) -> ListFilter {
        ListFilter {
            // Kafka knows "NotReady" by this other name only.
            states: states.iter().map(|state| state.trim().to_lowercase().replace("not_ready", "notready")).collect(),
            types: types.iter().map(|name| name.to_lowercase()).collect(),
        }
    }

    fn wants(&self, group: &Group) -> bool {
        let state = group.state_name().to_lowercase();
        (self.states.is_empty() || self.states.contains(&state))
            && (self.types.is_empty() || self.types.iter().any(|name| name == group.type_name()))
    }
}

impl GroupState {
    /// The groups `filter` lets through.
    pub fn list(&self, filter: &ListFilter) -> Vec<ListedGroup> {
        self.groups.values().filter(|group| filter.wants(group)).map(Group::listed).collect()
    }

    /// Describes a classic group. An unknown one is "Dead"; from version 6 that is an error as well.
    pub fn describe(&self, group_id: &str, version: i16) -> DescribedGroup {
        match self.groups.get(group_id) {
            Some(Group::Classic(group)) => describe_classic(group),
            other => {
                let unknown = DescribedGroup {
                    group_id: group_id.to_owned(),
                    group_state: ClassicState::Dead.name().to_owned(),
                    ..Default::default()
                };
                if version < 6 {
                    return unknown;
                }
                let error_message = Some(match other {
                    Some(_) => format!("Group {group_id} is not a classic group."),
                    None => format!("Group {group_id} not found."),
                });
                DescribedGroup { error_code: ErrorCode::GROUP_ID_NOT_FOUND, error_message, ..unknown }
            }
        }
    }

    /// Deletes groups without members, with their offsets. The answer holds once the append asked for is durable.
    pub fn delete_groups(&mut self, group_ids: &[String], effects: &mut Effects) -> Vec<DeletableGroupResult> {
        let mut records = Vec::new();
        let mut groups = Vec::new();
        let mut results = Vec::with_capacity(group_ids.len());
        for group_id in group_ids {
            let group = self.groups.get(group_id.as_str()).ok_or(ErrorCode::GROUP_ID_NOT_FOUND);
            let error_code = group.and_then(Group::validate_delete).err().unwrap_or(ErrorCode::NONE);
            if error_code == ErrorCode::NONE {
                records.extend(self.offset_tombstones(group_id));
                self.take_for_deletion(group_id, &mut records, &mut groups, effects);
            }
            results.push(DeletableGroupResult { group_id: group_id.clone(), error_code, ..Default::default() });
        }
        self.append_deletion(records, groups, effects);
        results
    }

    /// Removes the group, with its tombstone and the end of its timers. Whoever asks for it from now on starts anew:
    /// what it writes comes after the tombstone.
    fn take_for_deletion(
        &mut self,
        group_id: &str,
        records: &mut Vec<GroupRecord>,
        groups: &mut Vec<Group>,
        effects: &mut Effects,
    ) {
        let Some(mut group) = self.remove(group_id) else { return };
        if let Group::Streams(group) = &mut group {
            // Its timer ends here; should the group come back, the next member sets another.
            group.stop_waiting();
        }
        records.extend(group.tombstones());
        effects.cancel_timer(group.group_id(), TimerKind::Join);
        effects.cancel_timer(group.group_id(), TimerKind::Sync);
        groups.push(group);
    }

    fn append_deletion(&mut self, records: Vec<GroupRecord>, groups: Vec<Group>, effects: &mut Effects) {
        if !records.is_empty() {
            effects.append(records, Then::Deleted { groups });
            self.watch_last_append(effects);
        }
    }

    /// Tombstones could not be written: the groups are still there, unless others have taken their names.
    pub(super) fn deleted(&mut self, groups: Vec<Group>, outcome: Result<(), ErrorCode>) {
        if outcome.is_err() {
            for group in groups {
                if !self.groups.contains_key(group.group_id()) {
                    self.insert(group);
                }
            }
        }
    }

    /// Tombstones for all offsets of a group, those on their way included.
    fn offset_tombstones(&self, group_id: &str) -> Vec<GroupRecord> {
        let mut partitions: BTreeSet<(Rc<str>, i32)> =
            self.in_flight_of(group_id).map(|(topic, partition)| (topic.clone(), partition)).collect();
        for (topic, committed) in self.offsets.of_group(group_id).into_iter().flatten() {
            partitions.extend(committed.keys().map(|&partition| (topic.clone(), partition)));
        }
        partitions.extend(self.pending.of_group(group_id));
        let group_id: Rc<str> = group_id.into();
        partitions.iter().map(|(topic, partition)| GroupRecord::offset(&group_id, topic, *partition, None)).collect()
    }

    /// Forgets offsets past their retention, and groups that have neither members nor offsets left. Asked for every
    /// `offsets.retention.check.interval.ms`.
    pub fn expire(&mut self, now_ms: i64, effects: &mut Effects) {
        self.pay_owed(effects);
        let mut records = Vec::new();
        let mut groups = Vec::new();
        let group_ids: Vec<Rc<str>> = self.groups.keys().cloned().collect();
        for group_id in group_ids {
            let all_expired = self.expire_offsets(&group_id, now_ms, &mut records);
            if all_expired && self.groups.get(&group_id).is_some_and(Group::is_empty) {
                self.take_for_deletion(&group_id, &mut records, &mut groups, effects);
            }
        }
        self.append_deletion(records, groups, effects);
    }

    /// Tombstones for the group's offsets past their retention; `true` if it has no others.
    fn expire_offsets(&self, group_id: &Rc<str>, now_ms: i64, records: &mut Vec<GroupRecord>) -> bool {
        let Some(group) = self.groups.get(group_id) else { return false };
        let in_flight = self.in_flight_of(group_id).next().is_some();
        let mut all_expired = !in_flight && self.pending.of_group(group_id).next().is_none();
        let base = group.expiry_base();
        for (topic, partitions) in self.offsets.of_group(group_id).into_iter().flatten() {
            let subscribed = group.is_subscribed_to(topic);
            for (&partition, offset) in partitions {
                // An offset that is just being committed again is young.
                let in_flight = || self.in_flight_of(group_id).any(|(name, n)| name == topic && n == partition);
                let expired = base.is_expired(offset, now_ms, self.settings.offsets_retention_ms);
                let pending = || self.pending.has(group_id, topic, partition);
                if !subscribed && expired && !in_flight() && !pending() {
                    records.push(GroupRecord::offset(group_id, topic, partition, None));
                } else {
                    all_expired = false;
                }
            }
        }
        all_expired
    }

    /// Topics were deleted: so are the offsets committed for them, by id where the commit had one.
    pub fn topics_deleted(&mut self, topics: &BTreeMap<String, Uuid>, effects: &mut Effects) {
        let mut records = Vec::new();
        for (group_id, committed) in self.offsets.groups() {
            for (topic, partitions) in committed {
                let Some(&topic_id) = topics.get(&**topic) else { continue };
                let gone =
                    partitions.iter().filter(|(_, offset)| offset.topic_id.is_zero() || offset.topic_id == topic_id);
                records.extend(gone.map(|(&partition, _)| GroupRecord::offset(group_id, topic, partition, None)));
            }
        }
        let waiting = self.pending.all().filter(|(_, topic, _)| topics.contains_key(&***topic));
        records
            .extend(waiting.map(|(group_id, topic, partition)| GroupRecord::offset(group_id, topic, partition, None)));
        self.append_offsets(records, effects);
    }
}
