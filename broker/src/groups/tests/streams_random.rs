//! Threads that come, fall silent, restart and leave at random, while topics come, grow and go, settings change, the log
//! refuses now and then and the broker crashes.
//!
//! Held throughout: no task is active in two threads that are both in the group, and none is twice in a process; a
//! refused request changes nothing that a client has been told; and once everybody behaves, every task has one thread, the
//! group rests, and its records make the same group again.

use std::collections::{BTreeMap, BTreeSet};

use protocol::messages::streams_group_heartbeat as wire;

use super::consumer_random::Dice;
use super::replay::{compacted, replayed};
use super::streams_client::{Thread, check_replay, word_count};
use super::*;
use crate::groups::streams::StreamsSettings;
use crate::groups::streams::tasks::TaskId;
use crate::groups::streams::topology::tests::{info, reading};

struct Play {
    world: World,
    dice: Dice,
    threads: Vec<Thread>,
    /// Threads that were restarted count their ids up.
    lives: u32,
}

/// Counts words of `t`, and keeps what it reads from `u`.
fn topology() -> wire::Topology {
    let mut topology = word_count();
    let kept = wire::Subtopology { state_changelog_topics: vec![info("kept", 0)], ..reading("2", "u") };
    topology.subtopologies.push(kept);
    topology
}

const OWN_TOPICS: [&str; 3] = ["repartition", "counts", "kept"];

impl Play {
    fn new(seed: u64) -> Play {
        let mut dice = Dice(seed);
        let assignment_interval_ms = if dice.roll(2) == 0 { 0 } else { 1_000 };
        let initial_rebalance_delay_ms = if dice.roll(2) == 0 { 0 } else { 3_000 };
        let streams = StreamsSettings {
            assignment_interval_ms,
            initial_rebalance_delay_ms,
            standby_replicas: dice.roll(3) as i64,
            ..StreamsSettings::default()
        };
        // Every second game, all changes are too large for a batch.
        let batch_bytes_max = if seed.is_multiple_of(2) { 0 } else { usize::MAX };
        let mut world = World::with(GroupSettings { streams, batch_bytes_max, ..GroupSettings::default() });
        world.topic("t", 3);
        world.topic("u", 2);
        let mut play = Play { world, dice, threads: Vec::new(), lives: 0 };
        for number in 0..5 {
            let thread = play.thread(number);
            play.threads.push(thread);
        }
        play
    }

    fn thread(&mut self, number: usize) -> Thread {
        self.lives += 1;
        let mut thread = Thread::new(&format!("m{number}-{}", self.lives), &format!("p{}", number / 2), &topology());
        if number < 2 {
            thread.instance_id = Some(format!("s{number}"));
        }
        thread
    }

    fn step(&mut self) {
        let number = self.dice.roll(self.threads.len() as u64) as usize;
        match self.dice.roll(100) {
            0..65 => self.beat(number),
            65..76 => {
                let ms = self.dice.roll(3_000) as i64;
                self.advance(ms);
            }
            76..78 => self.advance(46_000),
            78..82 => self.restart(number),
            82..86 => drop(self.threads[number].leave(&mut self.world, -1)),
            86..89 => self.topics(),
            89..91 => {
                let standbys = self.dice.roll(3).to_string();
                self.world.configure("streams.num.standby.replicas", &standbys);
            }
            91..94 => self.crash(),
            94 => self.crash_within_a_change(number),
            _ => {
                self.world.outcome = match self.dice.roll(3) {
                    0 => Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
                    _ => Ok(()),
                }
            }
        }
        self.check();
    }

    fn beat(&mut self, number: usize) {
        let thread = &mut self.threads[number];
        let request = thread.request();
        self.world.refused = false;
        let result = self.world.streams_beat(&request);
        // The driver answers a refused append with its error; the client comes again with the same request.
        if !self.world.refused {
            thread.hear(&request, result);
        }
    }

    /// Who was silent for too long has nothing any more: its client has noticed, too.
    fn advance(&mut self, ms: i64) {
        self.world.advance(ms);
        self.notice();
    }

    fn notice(&mut self) {
        for thread in &mut self.threads {
            let known = match self.world.state.group(GROUP) {
                Some(Group::Streams(group)) => group.member(&thread.id).is_some(),
                _ => false,
            };
            if !known {
                thread.begin_anew();
            }
        }
    }

    fn restart(&mut self, number: usize) {
        if self.threads[number].instance_id.is_some() {
            self.threads[number].leave(&mut self.world, -2);
        }
        self.threads[number] = self.thread(number);
    }

    fn topics(&mut self) {
        let name = ["t", "u", OWN_TOPICS[self.dice.roll(3) as usize]][self.dice.roll(3) as usize];
        let count = self.world.image.topic(name).map_or(0, |topic| topic.partitions.len());
        if count > 0 && (count > 4 || OWN_TOPICS.contains(&name)) {
            self.world.delete_topic(name);
        } else if !OWN_TOPICS.contains(&name) {
            self.world.topic(name, count + 1);
        }
    }

    /// kill -9: what was not durable is gone, the rest is read back, perhaps after compaction.
    fn crash(&mut self) {
        let cleaned = self.dice.roll(self.world.log.len() as u64 + 1) as usize;
        self.world.log = compacted(&self.world.log, cleaned, self.dice.roll(2) == 0);
        self.world.state = replayed(&self.world.settings, &self.world.log, self.world.now_ms);
        self.world.timers = Default::default();
        self.world.apply(|state, now_ms, effects| state.loaded(now_ms, effects));
        self.notice();
    }

    /// The change of a heartbeat is cut off where a batch may end; nobody is answered.
    fn crash_within_a_change(&mut self, number: usize) {
        let before = self.world.log.len();
        let request = self.threads[number].request();
        let _ = self.world.streams_beat(&request);
        if self.world.settings.batch_bytes_max == 0 {
            let written = (self.world.log.len() - before) as u64;
            self.world.log.truncate(before + self.dice.roll(written + 1) as usize);
        }
        self.crash();
    }

    fn check(&self) {
        let Some(Group::Streams(group)) = self.world.state.group(GROUP) else { return };
        let mut active: BTreeMap<&TaskId, &str> = BTreeMap::new();
        let mut processes: BTreeSet<(&str, &TaskId)> = BTreeSet::new();
        for thread in self.threads.iter().filter(|thread| group.member(&thread.id).is_some()) {
            for task in &thread.has.active {
                let other = active.insert(task, &thread.id);
                assert_eq!(other, None, "{task:?} is active twice, in {}", thread.id);
            }
            for task in thread.has.active.iter().chain(&thread.has.standby) {
                assert!(processes.insert((&thread.process, task)), "{task:?} is twice in {}", thread.process);
            }
        }
    }

    fn settle(&mut self) {
        self.world.outcome = Ok(());
        // Topics of the application that no longer fit go, and are made anew.
        for name in OWN_TOPICS {
            if self.world.image.topic(name).is_some() {
                self.world.delete_topic(name);
            }
        }
        for name in ["t", "u"] {
            if self.world.image.topic(name).is_none() {
                self.world.topic(name, 2);
            }
        }
        for _ in 0..60 {
            for number in 0..self.threads.len() {
                self.beat(number);
                self.check();
            }
            self.advance(2_000);
        }
        assert_eq!(self.world.state_name(), "Stable", "{:?}", self.threads);
        let count = |name: &str| self.world.image.topic(name).map_or(0, |topic| topic.partitions.len());
        let active: usize = self.threads.iter().map(|thread| thread.has.active.len()).sum();
        assert_eq!(active, 2 * count("t") + count("u"), "every task has one thread");
        let copies: usize = self.threads.iter().map(|thread| thread.has.standby.len()).sum();
        let described = self.world.state.describe_streams_group(GROUP);
        let told = |tasks: &[protocol::messages::streams_group_describe::TaskIds]| -> usize {
            tasks.iter().map(|list| list.partitions.len()).sum()
        };
        let targets: usize = described.members.iter().map(|member| told(&member.target_assignment.standby_tasks)).sum();
        assert_eq!(copies, targets, "every copy is where it is to be");
        self.world.apply(|state, now_ms, effects| state.expire(now_ms, effects));
        check_replay(&self.world);
    }
}

#[test]
fn random_threads_never_share_a_task_and_come_to_rest() {
    for seed in 0..60 {
        let mut play = Play::new(seed);
        for _ in 0..300 {
            play.step();
        }
        play.settle();
    }
}
