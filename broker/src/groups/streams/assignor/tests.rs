use std::collections::BTreeSet;

use super::super::tasks::tests::set;
use super::*;

/// A member: its process, what it has, standby copies, and reported offsets (`"0:0=5"`).
type Member = (&'static str, &'static str, &'static str, &'static str);

fn offsets(words: &str) -> BTreeMap<TaskId, i64> {
    let offset = |word: &str| {
        let (task, offset) = word.split_once('=').expect("task=offset");
        (set(task).pop_first().expect("a task"), offset.parse().expect("a number"))
    };
    words.split_whitespace().map(offset).collect()
}

fn assigned(members: &[Member], all: &str, stateful: &str, standbys: usize) -> Vec<Tasks> {
    let copies: Vec<TaskSet> = members.iter().map(|(_, _, standby, _)| set(standby)).collect();
    let reported: Vec<_> = members.iter().map(|(.., reported)| offsets(reported)).collect();
    let candidate = |(at, (process_id, active, ..)): (usize, &Member)| Candidate {
        process_id,
        active: set(active),
        standby: &copies[at],
        offsets: Some(&reported[at]),
    };
    let candidates: Vec<Candidate<'_>> = members.iter().enumerate().map(candidate).collect();
    assign(&candidates, &set(all), &set(stateful), standbys)
}

fn words(tasks: &TaskSet) -> String {
    let task = |task: &TaskId| format!("{}:{}", task.subtopology, task.partition);
    tasks.iter().map(task).collect::<Vec<_>>().join(" ")
}

#[test]
fn active_tasks_are_shared_and_stay_where_they_are() {
    let check = |name: &str, members: &[Member], all: &str, expected: &[&str]| {
        let active: Vec<String> = assigned(members, all, "", 0).iter().map(|tasks| words(&tasks.active)).collect();
        assert_eq!(active, expected, "{name}");
    };
    check("nobody", &[], "0:0", &[]);
    check("one", &[("p", "", "", "")], "0:0 0:1 1:0", &["0:0 0:1 1:0"]);
    check("in turn", &[("p", "", "", ""), ("q", "", "", "")], "0:0 0:1 1:0 1:1", &["0:0 1:0", "0:1 1:1"]);
    check(
        "a process with two members gets twice as much",
        &[("p", "", "", ""), ("q", "", "", ""), ("q", "", "", "")],
        "0:0 0:1 0:2 0:3 0:4 0:5",
        &["0:0 0:3", "0:1 0:4", "0:2 0:5"],
    );
    check(
        "what there is stays",
        &[("p", "0:2 0:3", "", ""), ("q", "0:0 0:1", "", "")],
        "0:0 0:1 0:2 0:3",
        &["0:2 0:3", "0:0 0:1"],
    );
    check(
        "a newcomer gets its share, taken from the end",
        &[("p", "0:0 0:1 0:2 0:3", "", ""), ("q", "", "", "")],
        "0:0 0:1 0:2 0:3",
        &["0:0 0:1", "0:2 0:3"],
    );
    check(
        "of each subtopology",
        &[("p", "0:0 0:1 1:0 1:1", "", ""), ("q", "", "", "")],
        "0:0 0:1 1:0 1:1",
        &["0:0 1:0", "0:1 1:1"],
    );
    check("one that is gone", &[("p", "0:0", "", "")], "0:1", &["0:1"]);
    check(
        "who has a copy goes first",
        &[("p", "", "", ""), ("q", "", "0:0 0:1", "")],
        "0:0 0:1 0:2 0:3",
        &["0:2 0:3", "0:0 0:1"],
    );
    check(
        "who reported state goes before who did not",
        &[("p", "", "", ""), ("q", "", "", "0:0=5")],
        "0:0 0:1",
        &["0:1", "0:0"],
    );
    check(
        "a copy counts for more than a report, more state for more than less",
        &[("p", "", "", "0:0=9"), ("q", "", "0:0", "0:0=3"), ("r", "", "0:0 0:1", "0:0=4 0:1=1")],
        "0:0 0:1",
        &["0:1", "", "0:0"],
    );
    check(
        "who was restarted and who is new share what is left",
        &[("p", "0:0 0:1 0:2 0:6", "", ""), ("q", "", "0:3 0:4 0:5", ""), ("r", "", "", "")],
        "0:0 0:1 0:2 0:3 0:4 0:5 0:6",
        &["0:0 0:1 0:2", "0:3 0:4", "0:5 0:6"],
    );
    check(
        "all restarted, two threads of each process report its state",
        &[
            ("p", "", "", "0:0=9 0:1=9"),
            ("p", "", "", "0:0=9 0:1=9"),
            ("q", "", "", "0:2=9 0:3=9"),
            ("q", "", "", "0:2=9 0:3=9"),
        ],
        "0:0 0:1 0:2 0:3",
        &["0:0", "0:1", "0:2", "0:3"],
    );
    check(
        "whoever has a task, then a copy, then more of its state",
        &[("p", "0:0", "", ""), ("q", "", "0:0 0:1", ""), ("r", "", "", "0:0=99 0:1=99 0:2=9"), ("s", "", "", "0:2=5")],
        "0:0 0:1 0:2 0:3",
        &["0:0", "0:1", "0:2", "0:3"],
    );
}

#[test]
fn standby_copies_are_in_other_processes() {
    let check =
        |name: &str, members: &[Member], all: &str, stateful: &str, copies: usize, expected: &[(&str, &str)]| {
            let assigned = assigned(members, all, stateful, copies);
            let told: Vec<_> = assigned.iter().map(|tasks| (words(&tasks.active), words(&tasks.standby))).collect();
            let told: Vec<_> = told.iter().map(|(active, standby)| (active.as_str(), standby.as_str())).collect();
            assert_eq!(told, expected, "{name}");
        };
    let two = [("p", "", "", ""), ("q", "", "", "")];
    check("one process", &[("p", "", "", ""), ("p", "", "", "")], "0:0 0:1", "0:0 0:1", 1, &[("0:0", ""), ("0:1", "")]);
    check("two", &two, "0:0 0:1", "0:0 0:1", 1, &[("0:0", "0:1"), ("0:1", "0:0")]);
    check("more than there are processes", &two, "0:0 0:1", "0:0 0:1", 3, &[("0:0", "0:1"), ("0:1", "0:0")]);
    check("stateless tasks have none", &two, "0:0 1:0", "1:0", 1, &[("0:0", "1:0"), ("1:0", "")]);
    check(
        "who gives a task up keeps a copy",
        &[("p", "0:0 0:1", "", ""), ("q", "", "", ""), ("r", "", "", "")],
        "0:0 0:1",
        "0:0 0:1",
        1,
        &[("0:0", "0:1"), ("0:1", ""), ("", "0:0")],
    );
    check(
        "copies stay",
        &[("p", "0:0", "", ""), ("q", "0:1", "", ""), ("r", "", "0:0 0:1", "")],
        "0:0 0:1",
        "0:0 0:1",
        1,
        &[("0:0", ""), ("0:1", ""), ("", "0:0 0:1")],
    );
    check(
        "one copy becomes active, the other stays",
        &[("p", "", "0:2", ""), ("q", "0:0", "0:2", ""), ("r", "0:1", "", ""), ("s", "", "", "")],
        "0:0 0:1 0:2",
        "0:0 0:1 0:2",
        1,
        &[("0:2", "0:0"), ("0:0", "0:2"), ("0:1", ""), ("", "0:1")],
    );
}

#[test]
fn every_task_has_one_owner_and_its_copies_whatever_there_was() {
    // A generator of its own: the same cases in every build.
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    for _ in 0..300 {
        let (members, processes, tasks, copies) = (1 + random(6), 1 + random(4), random(12), random(3));
        let all: TaskSet = (0..tasks).map(|task| TaskId::new(&(task % 3).to_string().into(), task as i32)).collect();
        let mut owned: Vec<TaskSet> = vec![TaskSet::new(); members];
        let mut had: Vec<TaskSet> = vec![TaskSet::new(); members];
        for task in &all {
            owned[random(members)].insert(task.clone());
            had[random(members)].insert(task.clone());
        }
        let names: Vec<String> = (0..members).map(|_| random(processes).to_string()).collect();
        let candidate = |at: usize| Candidate {
            process_id: &names[at],
            active: owned[at].clone(),
            standby: &had[at],
            offsets: None,
        };
        let candidates: Vec<Candidate<'_>> = (0..members).map(candidate).collect();
        let assigned = assign(&candidates, &all, &all, copies);
        let there_are: BTreeSet<&String> = names.iter().collect();
        for task in &all {
            let owners = assigned.iter().filter(|tasks| tasks.active.contains(task)).count();
            let with_copy: Vec<usize> = (0..members).filter(|at| assigned[*at].standby.contains(task)).collect();
            let holders: Vec<usize> =
                (0..members).filter(|at| assigned[*at].active.contains(task) || with_copy.contains(at)).collect();
            let distinct: BTreeSet<&String> = holders.iter().map(|at| &names[*at]).collect();
            assert_eq!(owners, 1, "{task:?}");
            assert_eq!(with_copy.len(), copies.min(there_are.len() - 1), "{task:?} of {names:?}");
            assert_eq!(distinct.len(), holders.len(), "a process has {task:?} twice");
        }
        let most = assigned.iter().map(|tasks| tasks.active.len()).max().unwrap_or(0);
        if there_are.len() == members {
            assert!(most <= tasks.div_ceil(members), "{most} of {tasks} tasks for one of {members}");
        }
    }
}
