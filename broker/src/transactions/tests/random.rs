//! Random traffic of several producers on a few transactional ids, with records that are refused and coordinators that
//! start anew from their log, held against a model of what must never happen.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use protocol::ErrorCode;

use crate::coordinator::StateMachine;
use crate::transactions::TopicPartition;
use crate::transactions::effects::{Append, Effects, Ended};
use crate::transactions::records::TransactionRecord;
use crate::transactions::settings::TransactionSettings;
use crate::transactions::state::{EndEvent, InitEvent, Initialised, Producer, Refusal, TransactionState};

/// A small generator: the seed makes the run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What a client believes.
#[derive(Clone, Copy)]
struct Client {
    id: usize,
    producer: Producer,
    version: i16,
}

#[derive(Default)]
struct World {
    now_ms: i64,
    log: Vec<TransactionRecord>,
    appends: Vec<Append>,
    ended: Vec<Ended>,
    retries: Vec<Rc<str>>,
    next_id: i64,
    /// Every pair of id and epoch that was told to a client: no two clients share one.
    told: BTreeSet<(i64, i16)>,
    /// Ends that were acknowledged, by producer and marker epoch: the decision.
    decided: BTreeMap<(i64, i16), bool>,
    /// Markers delivered, by producer and epoch.
    marked: BTreeMap<(i64, i16), bool>,
}

impl World {
    fn absorb(&mut self, effects: Effects) {
        self.appends.extend(effects.appends);
        self.ended.extend(effects.ended);
        self.retries.extend(effects.retries);
    }

    /// Settles the oldest append of a random transactional id.
    fn settle(&mut self, state: &mut TransactionState, dice: &mut Dice) {
        if self.appends.is_empty() {
            return;
        }
        let id = id_of(&self.appends[dice.roll(self.appends.len() as u64) as usize]).to_owned();
        self.settle_oldest(&id, state, dice);
    }

    /// Settles everything a transactional id has on its way: what is told next stands behind it.
    fn settle_all(&mut self, id: &str, state: &mut TransactionState, dice: &mut Dice) {
        while self.settle_oldest(id, state, dice) {}
    }

    fn settle_oldest(&mut self, id: &str, state: &mut TransactionState, dice: &mut Dice) -> bool {
        let Some(at) = self.appends.iter().position(|append| id_of(append) == id) else { return false };
        let append = self.appends.remove(at);
        let outcome = if dice.roll(8) == 0 { Err(ErrorCode::COORDINATOR_NOT_AVAILABLE) } else { Ok(()) };
        if outcome.is_ok() {
            self.log.extend(append.records.iter().cloned());
        }
        let mut effects = Effects::default();
        state.appended(append, outcome, self.now_ms, &mut effects);
        self.absorb(effects);
        true
    }

    /// Delivers some markers of a transaction.
    fn deliver(&mut self, state: &mut TransactionState, dice: &mut Dice) {
        if self.ended.is_empty() {
            return;
        }
        let at = dice.roll(self.ended.len() as u64) as usize;
        let ended = &mut self.ended[at];
        let producer = Producer { id: ended.producer_id, epoch: ended.producer_epoch };
        let before = self.marked.insert((producer.id, producer.epoch), ended.commit);
        if ended.client_version >= 2 {
            assert!(before.is_none_or(|before| before == ended.commit), "a transaction ended both ways");
        }
        let keep = dice.roll(ended.partitions.len() as u64 + 1) as usize;
        let done: Vec<TopicPartition> = ended.partitions.split_off(keep.min(ended.partitions.len()));
        let (id, finished) = (ended.transactional_id.clone(), ended.partitions.is_empty());
        if finished {
            self.ended.remove(at);
        }
        let mut effects = Effects::default();
        state.markers_written(&id, producer, &done, self.now_ms, &mut effects);
        self.absorb(effects);
    }

    /// The process is killed: what is not in the log never happened.
    fn restart(&mut self) -> TransactionState {
        self.appends.clear();
        self.ended.clear();
        self.retries.clear();
        let mut state = TransactionState::new(TransactionSettings::default());
        self.log.iter().for_each(|record| state.replay(record.clone(), 0));
        let mut effects = Effects::default();
        state.loaded(self.now_ms, &mut effects);
        self.absorb(effects);
        state
    }
}

fn id_of(append: &Append) -> &str {
    &append.records[0].transactional_id
}

fn name(id: usize) -> String {
    format!("id-{id}")
}

fn run(seed: u64) {
    let mut dice = Dice(seed);
    let mut world = World { now_ms: 1_000, next_id: 100, ..World::default() };
    let mut state = TransactionState::new(TransactionSettings::default());
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..600 {
        world.now_ms += dice.roll(500) as i64;
        let mut effects = Effects::default();
        match dice.roll(20) {
            0..=2 => {
                let id = dice.roll(3) as usize;
                world.next_id += 1;
                let event = InitEvent { timeout_ms: 30_000, expected: None, fresh_id: Some(world.next_id) };
                if let Ok(Initialised::As(producer)) =
                    state.init_producer_id(&name(id), event, world.now_ms, &mut effects)
                {
                    // Told once it is durable, which comes next or never.
                    let append = effects.appends.pop().expect("an epoch is recorded");
                    world.settle_all(&name(id), &mut state, &mut dice);
                    if dice.roll(8) > 0 {
                        world.log.extend(append.records.iter().cloned());
                        state.appended(append, Ok(()), world.now_ms, &mut effects);
                        assert!(
                            world.told.insert((producer.id, producer.epoch)),
                            "{producer:?} is told twice, seed {seed}"
                        );
                        clients.push(Client { id, producer, version: if dice.roll(2) == 0 { 0 } else { 2 } });
                    } else {
                        state.appended(append, Err(ErrorCode::NOT_COORDINATOR), world.now_ms, &mut effects);
                    }
                }
            }
            3..=7 if !clients.is_empty() => {
                let client = clients[dice.roll(clients.len() as u64) as usize];
                let partition = ("t".into(), dice.roll(4) as i32);
                let (producer, version) = (client.producer, client.version);
                let added =
                    state.add_partitions(&name(client.id), producer, &[partition], version, world.now_ms, &mut effects);
                let newest = clients.iter().rev().find(|other| other.id == client.id).expect("there is one");
                assert!(added.is_err() || newest.producer == producer, "a fenced producer went on, seed {seed}");
            }
            8..=11 if !clients.is_empty() => {
                let at = dice.roll(clients.len() as u64) as usize;
                let Client { id, producer, version } = clients[at];
                let commit = dice.roll(2) == 0;
                world.next_id += 1;
                let event = EndEvent { producer, commit, client_version: version, fresh_id: Some(world.next_id) };
                if let Ok(next) = state.end(&name(id), event, world.now_ms, &mut effects)
                    && let Some(append) = effects.appends.pop()
                {
                    world.settle_all(&name(id), &mut state, &mut dice);
                    world.log.extend(append.records.iter().cloned());
                    let marker_epoch = if version >= 2 { producer.epoch + 1 } else { producer.epoch };
                    if version >= 2 {
                        let before = world.decided.insert((producer.id, marker_epoch), commit);
                        assert_eq!(before, None, "a transaction was decided twice, seed {seed}");
                        clients[at].producer = next;
                    }
                    state.appended(append, Ok(()), world.now_ms, &mut effects);
                }
            }
            12..=14 => world.settle(&mut state, &mut dice),
            15..=17 => world.deliver(&mut state, &mut dice),
            18 => {
                for id in state.timed_out(world.now_ms) {
                    world.next_id += 1;
                    let aborted = state.abort_timed_out(&id, Some(world.next_id), world.now_ms, &mut effects);
                    assert!(!matches!(aborted, Err(Refusal::NeedsProducerId)));
                }
                for id in std::mem::take(&mut world.retries) {
                    state.retry_completion(&id, &mut effects);
                }
            }
            _ if dice.roll(5) == 0 => state = world.restart(),
            _ => {}
        }
        world.absorb(effects);
    }
    // Left alone, everything comes to an end, also after a crash.
    for _ in 0..2 {
        while !world.appends.is_empty() || !world.ended.is_empty() || !world.retries.is_empty() {
            for id in std::mem::take(&mut world.retries) {
                let mut effects = Effects::default();
                state.retry_completion(&id, &mut effects);
                world.absorb(effects);
            }
            world.settle(&mut state, &mut dice);
            world.deliver(&mut state, &mut dice);
        }
        let prepared = (0..3).filter_map(|id| state.get(&name(id))).filter(|now| now.status.is_prepared()).count();
        assert_eq!(prepared, 0, "a transaction hangs, seed {seed}");
        state = world.restart();
    }
    for (key, commit) in &world.decided {
        assert!(
            world.marked.get(key).is_none_or(|marked| marked == commit),
            "{key:?} was decided otherwise, seed {seed}"
        );
    }
}

#[test]
fn nothing_is_decided_twice_and_no_epoch_is_told_twice() {
    (0..400).for_each(run);
}
