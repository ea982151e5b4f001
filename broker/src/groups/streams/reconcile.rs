//! One member's next step towards its target assignment (streams/CurrentAssignmentBuilder.java): first it gives up what it
//! must not have any more, then its epoch moves on, then it gets what is free. A task is thus never active twice, and never
//! twice in a process, whose members share the state on its disk.
//!
//! A change of role within the member needs nobody else and happens at once, so that the client turns the task over instead
//! of closing it; only what becomes active has to wait for who had it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::member::{MemberState, StreamsMember};
use super::tasks::{HeldTasks, TaskId, TaskSet, Tasks};

/// Which processes have a task, whether they still must give it up or not.
#[derive(Debug, Default)]
pub struct Owners {
    active: BTreeMap<TaskId, Rc<str>>,
    standby: BTreeSet<(TaskId, Rc<str>)>,
    warmup: BTreeSet<(TaskId, Rc<str>)>,
}

impl Owners {
    /// A process has these tasks.
    pub fn add(&mut self, tasks: &HeldTasks, process_id: &Rc<str>) {
        self.active.extend(tasks.active.keys().map(|task| (task.clone(), process_id.clone())));
        self.standby.extend(tasks.standby.iter().map(|task| (task.clone(), process_id.clone())));
        self.warmup.extend(tasks.warmup.iter().map(|task| (task.clone(), process_id.clone())));
    }

    /// It does not have them any more.
    pub fn remove(&mut self, tasks: &HeldTasks, process_id: &Rc<str>) {
        for task in tasks.active.keys() {
            if self.active.get(task).is_some_and(|owner| owner == process_id) {
                self.active.remove(task);
            }
        }
        for task in &tasks.standby {
            self.standby.remove(&(task.clone(), process_id.clone()));
        }
        for task in &tasks.warmup {
            self.warmup.remove(&(task.clone(), process_id.clone()));
        }
    }
}

/// What a step depends on beside the member itself.
pub struct Goal<'a> {
    /// Epoch of the target assignment.
    pub epoch: i32,
    /// What the member is to have in the end.
    pub target: &'a Tasks,
    /// What it says it still has; `None` if it said nothing.
    pub reported: Option<&'a Tasks>,
    /// Who has what.
    pub owners: &'a Owners,
}

/// The member after its next step; the same if it has to wait.
pub fn step(member: &StreamsMember, goal: &Goal<'_>) -> StreamsMember {
    match member.state {
        MemberState::Stable if member.epoch == goal.epoch => member.clone(),
        MemberState::UnrevokedTasks if still_has(goal.reported, &member.revoking) => member.clone(),
        MemberState::Stable | MemberState::UnreleasedTasks => advance(member, member.epoch, goal),
        MemberState::UnrevokedTasks => advance(member, member.epoch.saturating_add(1), goal),
        // It has just said that it has nothing.
        MemberState::Unknown => advance(member, goal.epoch, goal),
    }
}

/// Whether the member may still have one of `tasks`; assumed if it does not say.
fn still_has(reported: Option<&Tasks>, tasks: &HeldTasks) -> bool {
    reported.is_none_or(|reported| tasks.overlaps(reported))
}

/// A role on the way: what stays, what is to be given up, what is added.
struct Change {
    kept: TaskSet,
    revoked: TaskSet,
    added: TaskSet,
    /// Something that is to be added is not free yet.
    waits: bool,
}

impl Change {
    fn of(has: &TaskSet, target: &TaskSet, is_taken: impl Fn(&TaskId) -> bool) -> Change {
        let wanted: TaskSet = target.difference(has).cloned().collect();
        let count = wanted.len();
        let added: TaskSet = wanted.into_iter().filter(|task| !is_taken(task)).collect();
        Change {
            kept: has.intersection(target).cloned().collect(),
            revoked: has.difference(target).cloned().collect(),
            waits: added.len() < count,
            added,
        }
    }

    /// What is to be added of `tasks` is there already, in another role.
    fn take_over(&mut self, tasks: &TaskSet) -> TaskSet {
        let taken: TaskSet = self.added.intersection(tasks).cloned().collect();
        self.added.retain(|task| !taken.contains(task));
        self.kept.extend(taken.iter().cloned());
        taken
    }

    /// These become active: nobody needs to hear that they were given up.
    fn forgive(&mut self, tasks: &TaskSet) {
        self.revoked.retain(|task| !tasks.contains(task));
    }
}

fn advance(member: &StreamsMember, epoch: i32, goal: &Goal<'_>) -> StreamsMember {
    let (has, target) = (&*member.assigned, goal.target);
    let has_active: TaskSet = has.active.keys().cloned().collect();
    let process: Rc<str> = member.process_id().into();
    let book = Book { owners: goal.owners, process: &process, has, has_active: &has_active };

    let mut active = Change::of(&has_active, &target.active, |task| book.is_taken_as_active(task));
    let mut standby = Change::of(&has.standby, &target.standby, |task| book.is_taken_as_standby(task));
    let mut warmup = Change::of(&has.warmup, &target.warmup, |task| book.is_taken_as_warmup(task));
    let waits = active.waits || standby.waits || warmup.waits;

    standby.take_over(&has_active);
    let converted = warmup.take_over(&has.standby);
    standby.forgive(&converted);
    let converted = standby.take_over(&has.warmup);
    warmup.forgive(&converted);

    standby.forgive(&target.active);
    warmup.forgive(&target.active);
    let revoking = HeldTasks {
        active: since(&active.revoked, has, goal.epoch),
        standby: std::mem::take(&mut standby.revoked),
        warmup: std::mem::take(&mut warmup.revoked),
    };
    let must_revoke = !revoking.is_empty() && still_has(goal.reported, &revoking);
    // Until a task is active here, the member keeps the state it has of it.
    let not_yet = |task: &&TaskId| target.active.contains(*task) && (must_revoke || !active.added.contains(*task));
    standby.kept.extend(has.standby.iter().filter(not_yet).cloned());
    warmup.kept.extend(has.warmup.iter().filter(not_yet).cloned());

    if must_revoke {
        let assigned =
            HeldTasks { active: since(&active.kept, has, goal.epoch), standby: standby.kept, warmup: warmup.kept };
        return moved(member, MemberState::UnrevokedTasks, epoch, assigned, revoking);
    }
    active.kept.append(&mut active.added);
    standby.kept.append(&mut standby.added);
    warmup.kept.append(&mut warmup.added);
    let state = if waits { MemberState::UnreleasedTasks } else { MemberState::Stable };
    let assigned =
        HeldTasks { active: since(&active.kept, has, goal.epoch), standby: standby.kept, warmup: warmup.kept };
    moved(member, state, goal.epoch, assigned, HeldTasks::default())
}

fn moved(
    member: &StreamsMember,
    state: MemberState,
    epoch: i32,
    assigned: HeldTasks,
    revoking: HeldTasks,
) -> StreamsMember {
    StreamsMember {
        state,
        previous_epoch: member.epoch,
        epoch,
        assigned: Rc::new(assigned),
        revoking: Rc::new(revoking),
        ..member.clone()
    }
}

/// Tasks with the epoch they were got in, which is `epoch` for those that are new.
fn since(tasks: &TaskSet, has: &HeldTasks, epoch: i32) -> BTreeMap<TaskId, i32> {
    tasks.iter().map(|task| (task.clone(), has.active.get(task).copied().unwrap_or(epoch))).collect()
}

/// Who has what, as seen by one member.
struct Book<'a> {
    owners: &'a Owners,
    process: &'a Rc<str>,
    has: &'a HeldTasks,
    has_active: &'a TaskSet,
}

impl Book<'_> {
    fn at(&self, task: &TaskId) -> (TaskId, Rc<str>) {
        (task.clone(), self.process.clone())
    }

    fn is_active_here(&self, task: &TaskId) -> bool {
        self.owners.active.get(task).is_some_and(|owner| owner == self.process)
    }

    fn is_standby_of_another(&self, task: &TaskId) -> bool {
        self.owners.standby.contains(&self.at(task)) && !self.has.standby.contains(task)
    }

    fn is_warmup_of_another(&self, task: &TaskId) -> bool {
        self.owners.warmup.contains(&self.at(task)) && !self.has.warmup.contains(task)
    }

    fn is_taken_as_active(&self, task: &TaskId) -> bool {
        self.owners.active.contains_key(task) || self.is_standby_of_another(task) || self.is_warmup_of_another(task)
    }

    fn is_taken_as_standby(&self, task: &TaskId) -> bool {
        (self.is_active_here(task) && !self.has_active.contains(task))
            || self.owners.standby.contains(&self.at(task))
            || self.is_warmup_of_another(task)
    }

    fn is_taken_as_warmup(&self, task: &TaskId) -> bool {
        self.is_active_here(task) || self.is_standby_of_another(task) || self.owners.warmup.contains(&self.at(task))
    }
}

#[cfg(test)]
mod tests;
