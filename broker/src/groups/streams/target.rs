//! The target assignment: made anew when the group's epoch has moved on, but neither before members that come together had
//! time to come, nor more often than the assignment interval allows. And the way of each member towards it.

use std::rc::Rc;

use super::assignor::{self, Candidate};
use super::settings::{GroupValues, standbys};
use super::tasks::{TaskId, TaskSet, Tasks};
use super::{MemberState, StreamsGroup, StreamsMember, Turn, persist, reconcile};
use crate::groups::effects::TimerKind;

/// Why there is no assignment of the newest epoch yet, as members are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delay {
    /// The group was empty a short while ago.
    Initial,
    /// The last assignment was made a short while ago.
    Interval,
}

impl Delay {
    pub(super) fn detail(self) -> &'static str {
        match self {
            Delay::Initial => "Assignment delayed due to the configured initial rebalance delay.",
            Delay::Interval => "Assignment delayed due to the configured assignment interval.",
        }
    }
}

impl StreamsGroup {
    /// The group was empty: more members may come, and should be assigned together.
    pub(super) fn delay_first_assignment(&mut self, turn: &mut Turn<'_>) {
        let delay_ms = GroupValues::of(turn, &self.group_id).initial_rebalance_delay_ms();
        if delay_ms > 0 && !self.is_delayed {
            self.is_delayed = true;
            turn.effects.set_timer(&self.group_id, TimerKind::Join, delay_ms);
        }
    }

    /// Nobody waits for more members any more.
    pub fn stop_waiting(&mut self) {
        self.is_delayed = false;
    }

    /// Members had time to come.
    pub fn delay_is_over(&mut self, turn: &mut Turn<'_>) {
        self.is_delayed = false;
        if !self.members.is_empty() && self.configured.is_some() {
            self.update_target(turn);
        }
    }

    /// Makes the target assignment of the group's epoch, if it is not made; tells if that has to wait.
    pub(super) fn update_target(&mut self, turn: &mut Turn<'_>) -> Option<Delay> {
        if self.is_delayed {
            return Some(Delay::Initial);
        }
        if self.assignment_epoch >= self.epoch {
            return None;
        }
        if !self.may_assign(turn) {
            return Some(Delay::Interval);
        }
        for (member_id, target) in self.assign() {
            if self.targets.get(&member_id).is_none_or(|known| **known != target) {
                self.record(persist::target_record(&member_id, &target), turn);
            }
        }
        self.record(persist::target_epoch_record(self.epoch, turn.now_ms), turn);
        None
    }

    fn may_assign(&self, turn: &Turn<'_>) -> bool {
        let interval_ms = GroupValues::of(turn, &self.group_id).assignment_interval_ms();
        self.assigned_at_ms == 0 || interval_ms == 0 || turn.now_ms >= self.assigned_at_ms.saturating_add(interval_ms)
    }

    /// What every member is to have: nothing as long as topics are missing.
    fn assign<'a>(&'a self) -> Vec<(Rc<str>, Tasks)> {
        let ids = self.members.keys().cloned();
        let Some(configured) = self.ready() else { return ids.map(|id| (id, Tasks::default())).collect() };
        let (mut all, mut stateful) = (TaskSet::new(), TaskSet::new());
        for (id, subtopology) in &configured.subtopologies {
            let tasks = (0..subtopology.tasks).map(|partition| TaskId::new(id, partition));
            all.extend(tasks.clone());
            stateful.extend(tasks.filter(|_| subtopology.is_stateful));
        }
        let candidate = |member: &'a StreamsMember| Candidate {
            process_id: member.process_id(),
            active: member.assigned.active.keys().cloned().collect(),
            standby: &member.assigned.standby,
            offsets: self.offsets.get(&member.member_id).map(|offsets| &offsets.offsets),
        };
        let candidates: Vec<Candidate<'a>> = self.members.values().map(candidate).collect();
        let assigned = assignor::assign(&candidates, &all, &stateful, standbys(&self.assignment_configs));
        ids.zip(assigned).collect()
    }

    /// One step of a member towards its target; recorded if it made one.
    pub(super) fn reconcile(&mut self, member_id: &Rc<str>, reported: Option<&Tasks>, turn: &mut Turn<'_>) {
        let Some(member) = self.members.get(member_id) else { return };
        if member.is_reconciled_to(self.assignment_epoch) {
            return;
        }
        let target = self.target(member_id);
        let goal = reconcile::Goal { epoch: self.assignment_epoch, target: &target, reported, owners: &self.owners };
        let next = reconcile::step(member, &goal);
        if next == *member {
            return;
        }
        let kind = TimerKind::Revocation(member_id.clone());
        if next.state == MemberState::UnrevokedTasks {
            let timeout_ms = i64::from(next.about.rebalance_timeout_ms);
            turn.effects.set_timer(&self.group_id, kind, timeout_ms);
        } else {
            turn.effects.cancel_timer(&self.group_id, kind);
        }
        self.record(persist::current_record(&next), turn);
    }
}
