//! The target assignment: made anew when the group's epoch has moved on, but no more often than the group's assignment
//! interval allows, so that members that come together are assigned together (KIP-1263).

use std::collections::BTreeMap;
use std::rc::Rc;

use protocol::Uuid;

use super::assignor::Candidate;
use super::member::Member;
use super::partitions::Partitions;
use super::{ConsumerGroup, Turn, persist, reconcile};
use crate::groups::effects::TimerKind;

impl ConsumerGroup {
    /// Makes the target assignment of the group's epoch, if it is not made and may be.
    pub(super) fn update_target(&mut self, turn: &mut Turn<'_>) {
        if self.assignment_epoch >= self.epoch || !self.may_assign(turn) {
            return;
        }
        for (member_id, target) in self.assign(turn) {
            if self.targets.get(&member_id).is_none_or(|known| **known != target) {
                self.record(persist::target_record(&member_id, &target), turn);
            }
        }
        self.record(persist::target_epoch_record(self.epoch, turn.now_ms), turn);
    }

    fn may_assign(&self, turn: &Turn<'_>) -> bool {
        let interval_ms = turn.assignment_interval_ms(&self.group_id);
        self.assigned_at_ms == 0 || interval_ms == 0 || turn.now_ms >= self.assigned_at_ms.saturating_add(interval_ms)
    }

    fn assign(&self, turn: &Turn<'_>) -> Vec<(Rc<str>, Partitions)> {
        let nothing = Partitions::new();
        let topics = self.topics_of_all(turn.image);
        let mut counts: BTreeMap<Uuid, i32> = BTreeMap::new();
        for id in topics.iter().flat_map(|topics| topics.iter()) {
            let count = turn.image.topic_by_id(*id).map_or(0, |topic| topic.partitions.len());
            counts.insert(*id, i32::try_from(count).unwrap_or(i32::MAX));
        }
        let candidate = |(member, topics): (&'_ Member, &Rc<_>)| (member.member_id.clone(), Rc::clone(topics));
        let ids: Vec<_> = self.members.values().zip(&topics).map(candidate).collect();
        let candidates: Vec<Candidate<'_>> = ids
            .iter()
            .zip(self.members.values())
            .map(|((member_id, topics), member)| Candidate {
                member_id: member_id.clone(),
                instance_id: member.instance_id(),
                topics: topics.clone(),
                had: self.targets.get(member_id).map_or(&nothing, Rc::as_ref),
            })
            .collect();
        let assigned = self.assignor(turn.settings).assign(&candidates, &counts);
        ids.into_iter().map(|(member_id, _)| member_id).zip(assigned).collect()
    }

    /// One step of a member towards its target; recorded if it made one.
    pub(super) fn reconcile(
        &mut self,
        member_id: &Rc<str>,
        subscription_changed: bool,
        reported: Option<&Partitions>,
        turn: &mut Turn<'_>,
    ) {
        let Some(member) = self.members.get(member_id) else { return };
        if !subscription_changed && member.is_reconciled_to(self.assignment_epoch) {
            return;
        }
        let (target, subscribed) = (self.target(member_id), self.topics_of(member, turn.image));
        let goal = reconcile::Goal {
            epoch: self.assignment_epoch,
            target: &target,
            subscribed: &subscribed,
            subscription_changed,
            reported,
            is_free: &|topic, partition| self.is_free(topic, partition),
        };
        let next = reconcile::step(member, &goal);
        if next == *member {
            return;
        }
        // Members of the classic protocol are bounded by how long they may take to join and to sync.
        if next.classic().is_none() {
            let kind = TimerKind::Revocation(member_id.clone());
            if next.state == super::MemberState::UnrevokedPartitions {
                let timeout_ms = i64::from(next.about.rebalance_timeout_ms);
                turn.effects.set_timer(&self.group_id, kind, timeout_ms);
            } else {
                turn.effects.cancel_timer(&self.group_id, kind);
            }
        }
        self.record(persist::current_record(&next), turn);
    }
}
