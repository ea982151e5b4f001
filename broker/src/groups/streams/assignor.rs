//! Who is to have which task: the `sticky` assignor (StickyTaskAssignor.java), a pure function of the members, their
//! processes, what they have and how many tasks there are.
//!
//! Tasks stay where they are as long as nobody has more than its share; a task that moves goes to a member that has a
//! standby copy of it, or at least reported some of its state; the rest goes to the process with the least work for each of
//! its members. Standby copies go to other processes than the one that has the task. Client tags are not looked at, as in
//! Kafka.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};

use super::tasks::{TaskId, TaskSet, Tasks};

/// The name of the only assignor there is, as clients and settings know it.
pub const STICKY: &str = "sticky";

/// A member as the assignor sees it.
#[derive(Debug)]
pub struct Candidate<'a> {
    /// Names its process.
    pub process_id: &'a str,
    /// What it processes now.
    pub active: TaskSet,
    /// What it has standby copies of now.
    pub standby: &'a TaskSet,
    /// How far it has restored tasks, wherever they are.
    pub offsets: Option<&'a BTreeMap<TaskId, i64>>,
}

/// Work of a process per member, to be compared without division.
#[derive(Debug, Clone, Copy)]
struct Load {
    tasks: usize,
    members: usize,
}

impl Ord for Load {
    fn cmp(&self, other: &Load) -> Ordering {
        (self.tasks * other.members).cmp(&(other.tasks * self.members))
    }
}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Load) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Load {
    fn eq(&self, other: &Load) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Load {}

#[derive(Debug, Default)]
struct Process {
    /// Places of its members.
    members: Vec<usize>,
    /// In whatever role.
    tasks: TaskSet,
    /// As `tasks.len()`, but for tasks it has twice.
    count: usize,
}

/// The share of a member: what is left to give, divided by those who have not got theirs.
#[derive(Debug)]
struct Quota {
    tasks: usize,
    members: usize,
}

impl Quota {
    fn share(&self) -> usize {
        if self.members == 0 { 0 } else { self.tasks.div_ceil(self.members) }
    }

    /// A member has `count` tasks now; who has its share takes no part in the next ones.
    fn given(&mut self, count: usize) {
        if count == self.share() {
            self.members = self.members.saturating_sub(1);
            self.tasks = self.tasks.saturating_sub(count);
        }
    }
}

struct Assignment<'a> {
    processes: Vec<Process>,
    /// The process of each member.
    process_of: Vec<usize>,
    counts: Vec<usize>,
    result: Vec<Tasks>,
    /// Who processes a task now.
    had_active: BTreeMap<&'a TaskId, usize>,
    /// Who has state of a task, the most of it first.
    had_state: BTreeMap<&'a TaskId, Vec<usize>>,
    active_quota: Quota,
    quota: Quota,
}

/// Gives every task to one member, and each of `stateful` to `standbys` more in other processes as far as there are any.
/// One result a candidate, in their order; nothing at all if there is none.
pub fn assign(candidates: &[Candidate<'_>], all: &TaskSet, stateful: &TaskSet, standbys: usize) -> Vec<Tasks> {
    if candidates.is_empty() {
        return Vec::new();
    }
    // With more standby copies than other processes the share would be one that nobody can reach.
    let mut assignment = Assignment::new(candidates, all.len(), all.len() + stateful.len() * standbys);
    assignment.assign_active(all);
    if standbys > 0 {
        assignment.assign_standby(stateful, standbys);
    }
    assignment.result
}

fn by_partition(a: &&TaskId, b: &&TaskId) -> Ordering {
    (a.partition, &a.subtopology).cmp(&(b.partition, &b.subtopology))
}

impl<'a> Assignment<'a> {
    fn new(candidates: &'a [Candidate<'a>], active: usize, total: usize) -> Assignment<'a> {
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let mut processes: Vec<Process> = Vec::new();
        let mut process_of = Vec::with_capacity(candidates.len());
        let mut had_active = BTreeMap::new();
        for (member, candidate) in candidates.iter().enumerate() {
            let place = *places.entry(candidate.process_id).or_insert_with(|| {
                processes.push(Process::default());
                processes.len() - 1
            });
            processes[place].members.push(member);
            process_of.push(place);
            had_active.extend(candidate.active.iter().map(|task| (task, member)));
        }
        let members = candidates.len();
        Assignment {
            processes,
            process_of,
            counts: vec![0; members],
            result: vec![Tasks::default(); members],
            had_active,
            had_state: had_state(candidates),
            active_quota: Quota { tasks: active, members },
            quota: Quota { tasks: total, members },
        }
    }

    fn load(&self, process: usize) -> Load {
        let Process { members, count, .. } = &self.processes[process];
        Load { tasks: *count, members: members.len() }
    }

    fn by_load(&self) -> BinaryHeap<Reverse<(Load, usize)>> {
        (0..self.processes.len()).map(|process| Reverse((self.load(process), process))).collect()
    }

    fn give(&mut self, member: usize, task: &TaskId, active: bool) {
        let tasks = &mut self.result[member];
        let role = if active { &mut tasks.active } else { &mut tasks.standby };
        role.insert(task.clone());
        let process = &mut self.processes[self.process_of[member]];
        process.tasks.insert(task.clone());
        process.count += 1;
        self.counts[member] += 1;
        if active {
            self.active_quota.given(self.counts[member]);
        }
        self.quota.given(self.counts[member]);
    }

    fn least_loaded_of(&self, process: usize) -> Option<usize> {
        self.processes[process].members.iter().copied().min_by_key(|member| self.counts[*member])
    }

    fn assign_active(&mut self, all: &TaskSet) {
        // As what they have is ranges of partitions, partition by partition takes as much of each.
        let mut left: Vec<&TaskId> = all.iter().collect();
        left.sort_by(by_partition);
        left.retain(|task| {
            let member = self.had_active.get(*task).copied();
            !self.give_active(member, task)
        });
        left.retain(|task| {
            let member = self.least_loaded_with_state(task, false);
            !self.give_active(member, task)
        });
        // Ranges of partitions of a subtopology.
        left.sort();
        let mut by_load = self.by_load();
        for task in left {
            let Some(Reverse((_, process))) = by_load.pop() else { return };
            if let Some(member) = self.least_loaded_of(process) {
                self.give(member, task, true);
            }
            by_load.push(Reverse((self.load(process), process)));
        }
    }

    /// Gives the task to `member` if that has not got its share; `true` if so.
    fn give_active(&mut self, member: Option<usize>, task: &TaskId) -> bool {
        let Some(member) = member.filter(|member| self.counts[*member] < self.active_quota.share()) else {
            return false;
        };
        self.give(member, task, true);
        true
    }

    /// Of those with state of the task the one with the least work, in doubt the one with the most state. `elsewhere`: not
    /// in a process that has the task already.
    fn least_loaded_with_state(&self, task: &TaskId, elsewhere: bool) -> Option<usize> {
        let mut best: Option<(usize, Load, usize)> = None;
        for &member in self.had_state.get(task).into_iter().flatten() {
            let process = self.process_of[member];
            if elsewhere && self.processes[process].tasks.contains(task) {
                continue;
            }
            let (load, count) = (self.load(process), self.counts[member]);
            if best.is_none_or(|(_, best_load, best_count)| load < best_load && count < best_count) {
                best = Some((member, load, count));
            }
        }
        best.map(|(member, ..)| member)
    }

    fn assign_standby(&mut self, stateful: &TaskSet, standbys: usize) {
        let mut left: Vec<(&TaskId, usize)> = Vec::new();
        let mut tasks: Vec<&TaskId> = stateful.iter().collect();
        tasks.sort_by(|a, b| by_partition(b, a));
        for task in tasks {
            let given = (0..standbys).take_while(|_| self.give_back_standby(task)).count();
            if given < standbys {
                left.push((task, standbys - given));
            }
        }
        left.sort_by(|(a, _), (b, _)| b.cmp(a));
        let mut by_load = self.by_load();
        for (task, copies) in left {
            let given = (0..copies).take_while(|_| self.give_standby_anywhere(task, &mut by_load)).count();
            if given < copies {
                let missing = copies - given;
                tracing::debug!(?task, missing, "there are too few processes for standby copies of a task");
            }
        }
    }

    /// Gives a standby copy to who processed the task before, or had a copy; `false` if none of them may have it.
    fn give_back_standby(&mut self, task: &TaskId) -> bool {
        let share = self.quota.share();
        let before = self.had_active.get(task).copied();
        let before = before.filter(|member| !self.processes[self.process_of[*member]].tasks.contains(task));
        let fits = |member: &usize| self.counts[*member] < share;
        let member = before.filter(fits).or_else(|| self.least_loaded_with_state(task, true).filter(fits));
        let Some(member) = member else { return false };
        self.give(member, task, false);
        true
    }

    /// Gives a standby copy to the process with the least work that does not have the task.
    fn give_standby_anywhere(&mut self, task: &TaskId, by_load: &mut BinaryHeap<Reverse<(Load, usize)>>) -> bool {
        let mut passed = Vec::new();
        let mut found = None;
        while let Some(Reverse((load, process))) = by_load.pop() {
            if !self.processes[process].tasks.contains(task) {
                found = Some(process);
                break;
            }
            passed.push(Reverse((load, process)));
        }
        by_load.extend(passed);
        let Some(process) = found else { return false };
        if let Some(member) = self.least_loaded_of(process) {
            self.give(member, task, false);
        }
        by_load.push(Reverse((self.load(process), process)));
        true
    }
}

/// What state of a task is worth, the best first: whether it is a mere report, how much was restored; and who has it.
type Rank = (bool, Reverse<i64>, usize);

/// Who has state of each task: those with a standby copy first, each kind by how much was restored.
fn had_state<'a>(candidates: &'a [Candidate<'a>]) -> BTreeMap<&'a TaskId, Vec<usize>> {
    let mut ranked: BTreeMap<&TaskId, Vec<Rank>> = BTreeMap::new();
    for (member, candidate) in candidates.iter().enumerate() {
        for task in candidate.standby {
            let offset = candidate.offsets.and_then(|offsets| offsets.get(task)).copied().unwrap_or(0);
            ranked.entry(task).or_default().push((false, Reverse(offset), member));
        }
        for (task, &offset) in candidate.offsets.into_iter().flatten() {
            if !candidate.standby.contains(task) {
                ranked.entry(task).or_default().push((true, Reverse(offset), member));
            }
        }
    }
    let members = |mut ranked: Vec<Rank>| {
        ranked.sort();
        ranked.into_iter().map(|(.., member)| member).collect()
    };
    ranked.into_iter().map(|(task, ranked)| (task, members(ranked))).collect()
}

#[cfg(test)]
mod tests;
