//! Tasks, sets of them by role, and their forms in records and messages. A task is one number of a subtopology: it reads
//! that partition of each of the subtopology's source topics.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use protocol::messages::streams_group_describe as describe;
use protocol::messages::streams_group_heartbeat as heartbeat;
use protocol::messages::streams_group_records::{CurrentTaskIds, TaskIds as RecordTaskIds};

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// The subtopology it runs.
    pub subtopology: Rc<str>,
    /// The partition it reads.
    pub partition: i32,
}

/// Tasks without order of their own.
pub type TaskSet = BTreeSet<TaskId>;

/// Tasks a member is to have, or says it has, by role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tasks {
    /// Those it processes.
    pub active: TaskSet,
    /// Those whose state it keeps a copy of.
    pub standby: TaskSet,
    /// Those whose state it restores, to process them later.
    pub warmup: TaskSet,
}

/// Tasks a member has, by role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldTasks {
    /// Those it processes, each with the epoch in which it got it: offsets of that epoch or a later one may be committed.
    pub active: BTreeMap<TaskId, i32>,
    /// Those whose state it keeps a copy of.
    pub standby: TaskSet,
    /// Those whose state it restores, to process them later.
    pub warmup: TaskSet,
}

impl TaskId {
    /// The task of this number.
    pub fn new(subtopology: &Rc<str>, partition: i32) -> TaskId {
        TaskId { subtopology: subtopology.clone(), partition }
    }
}

impl Tasks {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty() && self.standby.is_empty() && self.warmup.is_empty()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.active.len() + self.standby.len() + self.warmup.len()
    }

    /// What a member says it has; `None` unless it says so for each role.
    pub fn reported(request: &protocol::messages::StreamsGroupHeartbeatRequest) -> Option<Tasks> {
        Some(Tasks {
            active: from_lists(request.active_tasks.as_deref()?),
            standby: from_lists(request.standby_tasks.as_deref()?),
            warmup: from_lists(request.warmup_tasks.as_deref()?),
        })
    }
}

impl HeldTasks {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty() && self.standby.is_empty() && self.warmup.is_empty()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.active.len() + self.standby.len() + self.warmup.len()
    }

    /// Whether `tasks` has one of these, in the same role.
    pub fn overlaps(&self, tasks: &Tasks) -> bool {
        tasks.active.iter().any(|task| self.active.contains_key(task))
            || !self.standby.is_disjoint(&tasks.standby)
            || !self.warmup.is_disjoint(&tasks.warmup)
    }

    /// Whether these have all of `tasks`, in the same roles.
    pub fn include(&self, tasks: &Tasks) -> bool {
        tasks.active.iter().all(|task| self.active.contains_key(task))
            && tasks.standby.is_subset(&self.standby)
            && tasks.warmup.is_subset(&self.warmup)
    }

    /// As a member that comes back under another id may use them: got in epoch 0.
    pub fn since_zero(&self) -> HeldTasks {
        HeldTasks { active: self.active.keys().map(|task| (task.clone(), 0)).collect(), ..self.clone() }
    }
}

/// A list of a message or record: a subtopology and its partitions.
pub trait TaskList {
    /// The subtopology.
    fn subtopology_id(&self) -> &str;
    /// Its tasks.
    fn partitions(&self) -> &[i32];
    /// Makes one.
    fn make(subtopology_id: String, partitions: Vec<i32>) -> Self;
}

macro_rules! task_list {
    ($($list:ty),*) => { $(
        impl TaskList for $list {
            fn subtopology_id(&self) -> &str {
                &self.subtopology_id
            }

            fn partitions(&self) -> &[i32] {
                &self.partitions
            }

            #[allow(clippy::needless_update, reason = "one of them has epochs as well")]
            fn make(subtopology_id: String, partitions: Vec<i32>) -> Self {
                Self { subtopology_id, partitions, ..Default::default() }
            }
        }
    )* };
}
task_list!(heartbeat::TaskIds, describe::TaskIds, RecordTaskIds, CurrentTaskIds);

/// The tasks of lists; a subtopology may come several times.
pub fn from_lists<L: TaskList>(lists: &[L]) -> TaskSet {
    let mut tasks = TaskSet::new();
    for list in lists {
        let subtopology: Rc<str> = list.subtopology_id().into();
        tasks.extend(list.partitions().iter().map(|&partition| TaskId::new(&subtopology, partition)));
    }
    tasks
}

/// One list a subtopology, both in order.
pub fn to_lists<'a, L: TaskList>(tasks: impl IntoIterator<Item = &'a TaskId>) -> Vec<L> {
    let mut by_subtopology: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for task in tasks {
        by_subtopology.entry(&task.subtopology).or_default().push(task.partition);
    }
    by_subtopology.into_iter().map(|(id, partitions)| L::make(id.to_owned(), partitions)).collect()
}

/// Active tasks as records of current assignments say them.
pub fn to_epoch_lists(active: &BTreeMap<TaskId, i32>) -> Vec<CurrentTaskIds> {
    let mut by_subtopology: BTreeMap<&str, (Vec<i32>, Vec<i32>)> = BTreeMap::new();
    for (task, &epoch) in active {
        let (partitions, epochs) = by_subtopology.entry(&task.subtopology).or_default();
        partitions.push(task.partition);
        epochs.push(epoch);
    }
    let list = |(id, (partitions, epochs)): (&str, _)| CurrentTaskIds {
        subtopology_id: id.to_owned(),
        partitions,
        assignment_epochs: Some(epochs),
    };
    by_subtopology.into_iter().map(list).collect()
}

/// Reads [`to_epoch_lists`]. Records of Kafka 4.1 have no epochs: `member_epoch` is taken.
pub fn from_epoch_lists(lists: &[CurrentTaskIds], member_epoch: i32) -> BTreeMap<TaskId, i32> {
    let mut active = BTreeMap::new();
    for list in lists {
        let subtopology: Rc<str> = list.subtopology_id.as_str().into();
        let epochs = list.assignment_epochs.as_deref().unwrap_or_default();
        let epochs = if epochs.len() == list.partitions.len() { epochs } else { &[] };
        let epoch = |index: usize| epochs.get(index).copied().unwrap_or(member_epoch);
        let tasks = list.partitions.iter().enumerate();
        active.extend(tasks.map(|(index, &partition)| (TaskId::new(&subtopology, partition), epoch(index))));
    }
    active
}

/// As StreamsGroupDescribe tells what a member is to have.
pub fn described(tasks: &Tasks) -> describe::Assignment {
    describe::Assignment {
        active_tasks: to_lists(&tasks.active),
        standby_tasks: to_lists(&tasks.standby),
        warmup_tasks: to_lists(&tasks.warmup),
    }
}

/// As StreamsGroupDescribe tells what a member has.
pub fn described_held(tasks: &HeldTasks) -> describe::Assignment {
    describe::Assignment {
        active_tasks: to_lists(tasks.active.keys()),
        standby_tasks: to_lists(&tasks.standby),
        warmup_tasks: to_lists(&tasks.warmup),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Tasks in a few words: `"0:1 1:0"`.
    pub fn set(words: &str) -> TaskSet {
        let task = |word: &str| {
            let (subtopology, partition) = word.split_once(':').expect("subtopology:partition");
            TaskId::new(&subtopology.into(), partition.parse().expect("a number"))
        };
        words.split_whitespace().map(task).collect()
    }

    /// Active tasks in a few words, each with its epoch: `"0:1@3"`.
    pub fn since(words: &str) -> BTreeMap<TaskId, i32> {
        let task = |word: &str| {
            let (task, epoch) = word.split_once('@').expect("task@epoch");
            (set(task).pop_first().expect("a task"), epoch.parse().expect("a number"))
        };
        words.split_whitespace().map(task).collect()
    }

    #[test]
    fn tasks_come_back_from_their_lists_in_order() {
        let tasks = set("1:2 1:0 0:7");
        let lists: Vec<heartbeat::TaskIds> = to_lists(&tasks);
        let told: Vec<_> = lists.iter().map(|list| (list.subtopology_id.as_str(), list.partitions.clone())).collect();
        assert_eq!(told, [("0", vec![7]), ("1", vec![0, 2])]);
        assert_eq!(from_lists(&lists), tasks);
    }

    #[test]
    fn epochs_come_back_and_old_records_have_that_of_the_member() {
        let active = since("0:0@3 0:1@4 1:0@5");
        let mut lists = to_epoch_lists(&active);
        assert_eq!(from_epoch_lists(&lists, 9), active);
        for wrong in [Some(Vec::new()), Some(vec![3]), None] {
            lists[0].assignment_epochs = wrong;
            assert_eq!(from_epoch_lists(&lists, 9), since("0:0@9 0:1@9 1:0@5"));
        }
    }

    #[test]
    fn tasks_are_compared_role_by_role() {
        let held = HeldTasks { active: since("0:0@1"), standby: set("0:1"), warmup: set("0:2") };
        let tasks = |active: &str, standby: &str, warmup: &str| Tasks {
            active: set(active),
            standby: set(standby),
            warmup: set(warmup),
        };
        for (said, overlaps, included) in [
            (tasks("", "", ""), false, true),
            (tasks("0:0", "0:1", "0:2"), true, true),
            (tasks("0:1", "0:2", "0:0"), false, false),
            (tasks("0:0 0:1", "", ""), true, false),
            (tasks("", "0:1 0:3", ""), true, false),
            (tasks("", "", "0:2"), true, true),
        ] {
            assert_eq!((held.overlaps(&said), held.include(&said)), (overlaps, included), "{said:?}");
        }
    }
}
