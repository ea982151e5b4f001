//! Consumers that come, change their minds, fall silent, restart and leave at random, while topics come and grow, the log
//! refuses now and then and the broker crashes.
//!
//! Held throughout: no partition is read by two consumers that are both in the group; a refused request changes nothing
//! that a client has been told; and once everybody behaves, every partition of every subscribed topic has one reader, the
//! group rests, and its records make the same group again.

use std::collections::BTreeMap;

use super::consumer::{Consumer, check_replay};
use super::replay::{compacted, replayed};
use super::*;

pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

struct Play {
    world: World,
    dice: Dice,
    consumers: Vec<Consumer>,
    /// Consumers that were restarted count their ids up.
    lives: u32,
}

const TOPICS: [&str; 4] = ["t0", "t1", "t2", "other"];

impl Play {
    fn new(seed: u64) -> Play {
        let mut dice = Dice(seed);
        let interval = if dice.roll(2) == 0 { 0 } else { 1_000 };
        // Every second game, all changes are too large for a batch.
        let batch_bytes_max = if seed.is_multiple_of(2) { 0 } else { usize::MAX };
        let settings =
            GroupSettings { consumer_assignment_interval_ms: interval, batch_bytes_max, ..GroupSettings::default() };
        let mut world = World::with(settings);
        world.topic("t0", 4);
        world.topic("t1", 3);
        let mut play = Play { world, dice, consumers: Vec::new(), lives: 0 };
        for number in 0..5 {
            let consumer = play.consumer(number);
            play.consumers.push(consumer);
        }
        play
    }

    fn consumer(&mut self, number: usize) -> Consumer {
        self.lives += 1;
        let id = format!("m{number}-{}", self.lives);
        let mut consumer = match self.dice.roll(4) {
            0 => Consumer::by_pattern(&id, ["t.*", "t[01]"][self.dice.roll(2) as usize]),
            _ => {
                let topics: Vec<&str> = TOPICS.into_iter().filter(|_| self.dice.roll(2) == 0).collect();
                Consumer::new(&id, &topics)
            }
        };
        if number < 2 {
            consumer.instance_id = Some(format!("s{number}"));
        }
        consumer.assignor = [None, Some("range"), Some("uniform")][self.dice.roll(3) as usize].map(str::to_owned);
        consumer
    }

    fn step(&mut self) {
        let number = self.dice.roll(self.consumers.len() as u64) as usize;
        match self.dice.roll(100) {
            0..60 => self.beat(number),
            60..75 => {
                let ms = self.dice.roll(3_000) as i64;
                self.advance(ms);
            }
            75..78 => self.advance(46_000),
            78..82 => self.restart(number),
            82..86 => self.change_mind(number),
            86..90 => self.leave(number),
            90..93 => self.topics(),
            93..95 => self.crash(),
            95 => self.crash_within_a_change(number),
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
        let consumer = &mut self.consumers[number];
        let request = consumer.request();
        self.world.refused = false;
        let result = self.world.consumer_beat(&request);
        // The driver answers a refused append with its error; the client comes again with the same request.
        if !self.world.refused {
            consumer.hear(&request, result);
        }
    }

    /// Who was silent for too long reads no more: its client has noticed, too.
    fn advance(&mut self, ms: i64) {
        self.world.advance(ms);
        self.notice();
    }

    fn notice(&mut self) {
        for consumer in &mut self.consumers {
            let known = match self.world.state.group(GROUP) {
                Some(Group::Consumer(group)) => group.member(&consumer.id).is_some(),
                _ => false,
            };
            if !known {
                consumer.begin_anew();
            }
        }
    }

    fn restart(&mut self, number: usize) {
        if self.consumers[number].instance_id.is_some() {
            self.consumers[number].leave(&mut self.world, -2);
        }
        self.consumers[number] = self.consumer(number);
    }

    fn change_mind(&mut self, number: usize) {
        let other = self.consumer(number);
        let consumer = &mut self.consumers[number];
        if consumer.epoch == 0 || consumer.pattern.is_some() || other.pattern.is_some() {
            return;
        }
        consumer.topics = other.topics;
        let mut request = consumer.request();
        request.subscribed_topic_names.clone_from(&consumer.topics);
        self.world.refused = false;
        let result = self.world.consumer_beat(&request);
        if !self.world.refused {
            consumer.hear(&request, result);
        } else {
            // The client says it again until it is taken; beginning anew says everything.
            consumer.leave(&mut self.world, -1);
        }
    }

    fn leave(&mut self, number: usize) {
        self.consumers[number].leave(&mut self.world, -1);
    }

    fn topics(&mut self) {
        let name = TOPICS[self.dice.roll(4) as usize];
        let count = self.world.image.topic(name).map_or(0, |topic| topic.partitions.len());
        if count > 6 {
            self.world.delete_topic(name);
        } else {
            self.world.topic(name, count + 1 + self.dice.roll(2) as usize);
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
        let request = self.consumers[number].request();
        let _ = self.world.consumer_beat(&request);
        if self.world.settings.batch_bytes_max == 0 {
            let written = (self.world.log.len() - before) as u64;
            self.world.log.truncate(before + self.dice.roll(written + 1) as usize);
        }
        self.crash();
    }

    fn check(&self) {
        let Some(Group::Consumer(group)) = self.world.state.group(GROUP) else { return };
        let mut readers: BTreeMap<(Uuid, i32), &str> = BTreeMap::new();
        for consumer in self.consumers.iter().filter(|consumer| group.member(&consumer.id).is_some()) {
            for (topic, numbers) in &consumer.reads {
                for number in numbers {
                    let other = readers.insert((*topic, *number), &consumer.id);
                    assert_eq!(other, None, "{topic} {number} is read twice, by {}", consumer.id);
                }
            }
        }
    }

    fn settle(&mut self) {
        self.world.outcome = Ok(());
        for consumer in &mut self.consumers {
            // Whoever changed its mind says so again.
            if consumer.epoch > 0 && self.world.refused {
                consumer.leave(&mut self.world, -1);
            }
        }
        for _ in 0..60 {
            for number in 0..self.consumers.len() {
                self.beat(number);
                self.check();
            }
            self.advance(2_000);
        }
        assert_eq!(self.world.state_name(), "Stable", "{:?}", self.consumers);
        let mut read = 0;
        let mut expected = 0;
        for topic in self.world.image.topics() {
            let group = self.world.consumers();
            if group.is_subscribed_to(&topic.name) {
                expected += topic.partitions.len();
            }
            read += self
                .consumers
                .iter()
                .filter_map(|c| c.reads.get(&topic.id))
                .map(|numbers| numbers.len())
                .sum::<usize>();
        }
        assert_eq!(read, expected, "every partition has one reader");
        self.world.apply(|state, now_ms, effects| state.expire(now_ms, effects));
        check_replay(&self.world);
    }
}

#[test]
fn random_consumers_never_share_a_partition_and_come_to_rest() {
    for seed in 0..60 {
        let mut play = Play::new(seed);
        for _ in 0..300 {
            play.step();
        }
        play.settle();
    }
}
