//! A table of what clients do and what Kafka answers (TransactionCoordinator.scala, the tables in its comments).

use std::rc::Rc;

use protocol::ErrorCode;

use crate::coordinator::StateMachine;
use crate::transactions::TopicPartition;
use crate::transactions::effects::{Append, Effects, Ended, Then};
use crate::transactions::records::TransactionRecord;
use crate::transactions::settings::TransactionSettings;
use crate::transactions::state::{EndEvent, InitEvent, Initialised, Producer, Refusal, TransactionState};
use crate::transactions::transaction::{CLIENT_EPOCH_MAX, Status, Transaction};

const ID: &str = "id";
const FRESH: i64 = 1_000;

/// What a client or the clock does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    /// InitProducerId, with who the producer says it was.
    Init(Option<(i64, i16)>),
    /// Partitions 0 to this one join; the client's id, epoch and protocol.
    Add(i64, i16, i16, i32),
    /// EndTxn: id, epoch, commit, protocol.
    End(i64, i16, bool, i16),
    /// The record on its way is durable, or refused.
    Durable,
    Refused,
    /// Every partition has its marker.
    Marked,
    /// So many milliseconds pass, and the clock is looked at.
    Pass(i64),
}
use Step::*;

/// The state machine and the world around it.
struct World {
    state: TransactionState,
    now_ms: i64,
    appends: Vec<Append>,
    ended: Vec<Ended>,
    retries: Vec<Rc<str>>,
}

fn partitions(last: i32) -> Vec<TopicPartition> {
    (0..=last).map(|partition| (Rc::from("t"), partition)).collect()
}

impl World {
    fn new() -> World {
        let state = TransactionState::new(TransactionSettings::default());
        World { state, now_ms: 10_000, appends: Vec::new(), ended: Vec::new(), retries: Vec::new() }
    }

    /// One id with this history, nothing on its way.
    fn with(epoch: i16, status: Status) -> World {
        let mut world = World::new();
        let mut now = Transaction::new(7, 60_000, world.now_ms);
        (now.producer_epoch, now.status, now.start_ms) = (epoch, status, world.now_ms);
        if status != Status::Empty && !matches!(status, Status::CompleteCommit | Status::CompleteAbort) {
            now.partitions = partitions(1).into_iter().collect();
        }
        world.state.replay(TransactionRecord { transactional_id: ID.into(), value: Some(now) }, 0);
        world
    }

    /// The answer in short: a code, `id/epoch`, or `retry`.
    fn step(&mut self, step: Step) -> String {
        let mut effects = Effects::default();
        let now_ms = self.now_ms;
        let producer = |id, epoch| Producer { id, epoch };
        let said = |refusal: Refusal| match refusal {
            Refusal::Code(code) => code.name().to_owned(),
            Refusal::NeedsProducerId => "needs an id".to_owned(),
        };
        let answer = match step {
            Init(expected) => {
                let expected = expected.map(|(id, epoch)| producer(id, epoch));
                let event = InitEvent { timeout_ms: 60_000, expected, fresh_id: Some(FRESH) };
                match self.state.init_producer_id(ID, event, now_ms, &mut effects) {
                    Ok(Initialised::As(producer)) => format!("{}/{}", producer.id, producer.epoch),
                    Ok(Initialised::Retry) => "retry".to_owned(),
                    Err(refusal) => said(refusal),
                }
            }
            Add(id, epoch, version, last) => {
                let added = self.state.add_partitions(
                    ID,
                    producer(id, epoch),
                    &partitions(last),
                    version,
                    now_ms,
                    &mut effects,
                );
                added.err().unwrap_or(ErrorCode::NONE).name().to_owned()
            }
            End(id, epoch, commit, client_version) => {
                let event = EndEvent { producer: producer(id, epoch), commit, client_version, fresh_id: Some(FRESH) };
                match self.state.end(ID, event, now_ms, &mut effects) {
                    Ok(producer) => format!("{}/{}", producer.id, producer.epoch),
                    Err(refusal) => said(refusal),
                }
            }
            Durable | Refused => {
                let outcome = if matches!(step, Durable) { Ok(()) } else { Err(ErrorCode::COORDINATOR_NOT_AVAILABLE) };
                let append = self.appends.remove(0);
                self.state.appended(append, outcome, now_ms, &mut effects);
                self.status()
            }
            Marked => {
                let ended = self.ended.remove(0);
                let producer = producer(ended.producer_id, ended.producer_epoch);
                self.state.markers_written(&ended.transactional_id, producer, &ended.partitions, now_ms, &mut effects);
                self.status()
            }
            Pass(ms) => {
                self.now_ms += ms;
                for id in self.state.timed_out(self.now_ms) {
                    let aborted = self.state.abort_timed_out(&id, Some(FRESH), self.now_ms, &mut effects);
                    assert_eq!(aborted, Ok(()));
                }
                self.state.expire(self.now_ms, &mut effects);
                self.status()
            }
        };
        self.appends.extend(effects.appends);
        self.ended.extend(effects.ended);
        self.retries.extend(effects.retries);
        answer
    }

    fn status(&self) -> String {
        let now = self.state.get(ID);
        now.map_or("gone".to_owned(), |now| format!("{} {}/{}", now.status.name(), now.producer_id, now.producer_epoch))
    }
}

fn check(mut world: World, steps: &[(Step, &str)]) {
    for (number, (step, expected)) in steps.iter().enumerate() {
        assert_eq!(world.step(*step), *expected, "step {number}: {step:?}");
    }
}

#[test]
fn a_new_id_gets_a_producer_and_the_next_one_fences_it() {
    check(
        World::new(),
        &[
            (Add(7, 0, 0, 0), "INVALID_PRODUCER_ID_MAPPING"),
            (End(7, 0, true, 0), "INVALID_PRODUCER_ID_MAPPING"),
            (Init(None), "1000/0"),
            (Init(None), "CONCURRENT_TRANSACTIONS"),
            (Durable, "Empty 1000/0"),
            (Init(None), "1000/1"),
            (Durable, "Empty 1000/1"),
            (Add(1000, 0, 0, 0), "PRODUCER_FENCED"),
            (Add(999, 1, 0, 0), "INVALID_PRODUCER_ID_MAPPING"),
            (End(1000, 0, false, 2), "PRODUCER_FENCED"),
        ],
    );
}

#[test]
fn a_refused_record_changes_nothing() {
    check(
        World::with(3, Status::Empty),
        &[
            (Init(None), "7/4"),
            (Refused, "Empty 7/3"),
            (Add(7, 3, 2, 1), "NONE"),
            (Refused, "Empty 7/3"),
            (Add(7, 3, 2, 1), "NONE"),
            (Add(7, 3, 2, 1), "CONCURRENT_TRANSACTIONS"),
            (Durable, "Ongoing 7/3"),
            (Add(7, 3, 2, 1), "NONE"),
            (End(7, 3, true, 2), "7/4"),
            (Refused, "Ongoing 7/3"),
            (End(7, 3, true, 2), "7/4"),
            (Durable, "PrepareCommit 7/4"),
        ],
    );
}

#[test]
fn producers_that_keep_their_epoch() {
    check(
        World::with(3, Status::Empty),
        &[
            (End(7, 3, true, 0), "INVALID_TXN_STATE"),
            (End(7, 3, false, 0), "INVALID_TXN_STATE"),
            (Add(7, 3, 0, 1), "NONE"),
            (Durable, "Ongoing 7/3"),
            (End(7, 3, true, 0), "-1/-1"),
            (Durable, "PrepareCommit 7/3"),
            (Add(7, 3, 0, 1), "CONCURRENT_TRANSACTIONS"),
            (End(7, 3, true, 0), "CONCURRENT_TRANSACTIONS"),
            (Init(None), "CONCURRENT_TRANSACTIONS"),
            (Marked, "CompleteCommit 7/3"),
            (Durable, "CompleteCommit 7/3"),
            (End(7, 3, true, 0), "-1/-1"),
            (End(7, 3, false, 0), "INVALID_TXN_STATE"),
            (Add(7, 3, 0, 0), "NONE"),
            (Durable, "Ongoing 7/3"),
            (End(7, 3, false, 0), "-1/-1"),
            (Durable, "PrepareAbort 7/3"),
            (Marked, "CompleteAbort 7/3"),
            (Durable, "CompleteAbort 7/3"),
            (End(7, 3, false, 0), "-1/-1"),
            (End(7, 3, true, 0), "INVALID_TXN_STATE"),
        ],
    );
}

#[test]
fn producers_that_get_an_epoch_with_every_end() {
    let commit = |epoch| End(7, epoch, true, 2);
    let abort = |epoch| End(7, epoch, false, 2);
    check(
        World::with(3, Status::Ongoing),
        &[
            (commit(2), "PRODUCER_FENCED"),
            (commit(4), "PRODUCER_FENCED"),
            (commit(3), "7/4"),
            (Durable, "PrepareCommit 7/4"),
            (commit(3), "CONCURRENT_TRANSACTIONS"),
            (Marked, "CompleteCommit 7/4"),
            (Durable, "CompleteCommit 7/4"),
            (commit(3), "7/4"),
            (abort(3), "INVALID_TXN_STATE"),
            (commit(4), "INVALID_TXN_STATE"),
            (abort(4), "7/5"),
            // There is no partition to tell.
            (Durable, "CompleteAbort 7/5"),
            (Durable, "CompleteAbort 7/5"),
            (abort(4), "7/5"),
            (commit(4), "INVALID_TXN_STATE"),
            (commit(5), "INVALID_TXN_STATE"),
            (Add(7, 4, 2, 0), "PRODUCER_FENCED"),
            (Add(7, 5, 2, 0), "NONE"),
            (Durable, "Ongoing 7/5"),
            (commit(4), "PRODUCER_FENCED"),
        ],
    );
    check(
        World::with(3, Status::Empty),
        &[
            (abort(2), "PRODUCER_FENCED"),
            (commit(3), "INVALID_TXN_STATE"),
            (abort(3), "7/4"),
            (Durable, "CompleteAbort 7/4"),
        ],
    );
}

#[test]
fn a_second_producer_aborts_the_open_transaction_first() {
    check(
        World::with(3, Status::Ongoing),
        &[
            (Init(None), "retry"),
            (Init(None), "CONCURRENT_TRANSACTIONS"),
            (Durable, "PrepareAbort 7/4"),
            (Init(None), "CONCURRENT_TRANSACTIONS"),
            (End(7, 3, true, 2), "CONCURRENT_TRANSACTIONS"),
            (Marked, "CompleteAbort 7/4"),
            (Durable, "CompleteAbort 7/4"),
            (Init(None), "7/5"),
            (Durable, "Empty 7/5"),
            (End(7, 3, true, 0), "PRODUCER_FENCED"),
        ],
    );
}

#[test]
fn a_producer_that_names_itself_goes_on_and_may_ask_twice() {
    check(
        World::with(3, Status::Empty),
        &[
            (Init(Some((7, 2))), "PRODUCER_FENCED"),
            (Init(Some((8, 3))), "PRODUCER_FENCED"),
            (Init(Some((7, 3))), "7/4"),
            (Durable, "Empty 7/4"),
            (Init(Some((7, 3))), "7/4"),
            (Durable, "Empty 7/4"),
            (Init(Some((7, 2))), "PRODUCER_FENCED"),
            (Init(None), "7/5"),
            (Durable, "Empty 7/5"),
            (Init(Some((7, 4))), "PRODUCER_FENCED"),
        ],
    );
}

#[test]
fn a_used_up_producer_id_gives_way_to_the_next() {
    let last = CLIENT_EPOCH_MAX;
    check(
        World::with(last, Status::Empty),
        &[(Init(None), "1000/0"), (Durable, "Empty 1000/0"), (Init(Some((7, last))), "PRODUCER_FENCED")],
    );
    check(
        World::with(last, Status::Empty),
        &[(Init(Some((7, last))), "1000/0"), (Durable, "Empty 1000/0"), (Init(Some((7, last))), "1000/0")],
    );
    check(
        World::with(last, Status::Ongoing),
        &[
            (End(7, last, true, 2), "1000/0"),
            (Durable, "PrepareCommit 7/32767"),
            (End(7, last, true, 2), "CONCURRENT_TRANSACTIONS"),
            (Marked, "CompleteCommit 1000/0"),
            (Durable, "CompleteCommit 1000/0"),
            (End(7, last, true, 2), "1000/0"),
            (End(7, last, false, 2), "INVALID_TXN_STATE"),
            (Add(1000, 0, 2, 0), "NONE"),
        ],
    );
    check(
        World::with(last, Status::Ongoing),
        &[
            (Init(None), "retry"),
            (Durable, "PrepareAbort 7/32767"),
            (Marked, "CompleteAbort 1000/0"),
            (Durable, "CompleteAbort 1000/0"),
            (Init(None), "1000/1"),
        ],
    );
}

#[test]
fn the_clock_aborts_and_forgets() {
    check(
        World::with(3, Status::Ongoing),
        &[
            (Pass(60_000), "Ongoing 7/3"),
            (Pass(1), "Ongoing 7/3"),
            (Durable, "PrepareAbort 7/4"),
            (Marked, "CompleteAbort 7/4"),
            (Durable, "CompleteAbort 7/4"),
            (End(7, 3, true, 2), "INVALID_TXN_STATE"),
            (End(7, 3, true, 0), "PRODUCER_FENCED"),
            (Pass(604_799_999), "CompleteAbort 7/4"),
            (Pass(1), "CompleteAbort 7/4"),
            (Add(7, 4, 2, 0), "CONCURRENT_TRANSACTIONS"),
            (Durable, "gone"),
            (Init(None), "1000/0"),
        ],
    );
}

#[test]
fn timeouts_have_bounds() {
    for (timeout_ms, expected) in [
        (0, Err(Refusal::Code(ErrorCode::INVALID_TRANSACTION_TIMEOUT))),
        (-1, Err(Refusal::Code(ErrorCode::INVALID_TRANSACTION_TIMEOUT))),
        (900_001, Err(Refusal::Code(ErrorCode::INVALID_TRANSACTION_TIMEOUT))),
        (900_000, Ok(Initialised::As(Producer { id: 1, epoch: 0 }))),
    ] {
        let mut world = World::new();
        let event = InitEvent { timeout_ms, expected: None, fresh_id: Some(1) };
        assert_eq!(world.state.init_producer_id(ID, event, 0, &mut Effects::default()), expected, "{timeout_ms}");
    }
}

#[test]
fn a_start_completes_what_was_decided() {
    for (status, expected) in [(Status::PrepareCommit, true), (Status::PrepareAbort, false)] {
        let mut world = World::with(3, status);
        let mut effects = Effects::default();
        world.state.loaded(20_000, &mut effects);
        assert_eq!(effects.ended.len(), 1);
        assert_eq!((effects.ended[0].commit, effects.ended[0].partitions.len()), (expected, 2));
        world.ended = effects.ended;
        assert_eq!(world.step(Add(7, 3, 0, 0)), "CONCURRENT_TRANSACTIONS");
        world.step(Marked);
    }
}

#[test]
fn the_next_transaction_begins_behind_the_record_of_a_completion() {
    check(
        World::with(3, Status::Ongoing),
        &[
            (End(7, 3, true, 2), "7/4"),
            (Durable, "PrepareCommit 7/4"),
            (Add(7, 4, 2, 0), "CONCURRENT_TRANSACTIONS"),
            (Marked, "CompleteCommit 7/4"),
            (Add(7, 4, 2, 0), "NONE"),
            (Add(7, 4, 2, 0), "CONCURRENT_TRANSACTIONS"),
            (Durable, "CompleteCommit 7/4"),
            (Durable, "Ongoing 7/4"),
        ],
    );
}

/// Whether a retry records the completion once more, and what is asked for.
fn retry(world: &mut World) -> bool {
    let mut effects = Effects::default();
    world.state.retry_completion(&ID.into(), &mut effects);
    let completions = effects.appends.iter().filter(|append| matches!(append.then, Then::Complete(_))).count();
    assert_eq!(completions, effects.appends.len());
    completions == 1
}

#[test]
fn a_refused_completion_is_recorded_once_more_unless_something_follows_it() {
    for follower in [None, Some(Durable), Some(Refused)] {
        let mut world = World::with(3, Status::Ongoing);
        let before = [End(7, 3, true, 2), Durable, Marked].map(|step| world.step(step));
        assert_eq!(before[2], "CompleteCommit 7/4");
        assert_eq!(world.step(Refused), "CompleteCommit 7/4");
        assert_eq!(world.retries.len(), 1);
        if let Some(outcome) = follower {
            assert_eq!(world.step(Add(7, 4, 2, 0)), "NONE");
            assert!(!retry(&mut world), "it is on its way");
            world.step(outcome);
        }
        let expected = follower != Some(Durable);
        assert_eq!(retry(&mut world), expected, "{follower:?}");
        assert_eq!(world.retries.len(), 1 + usize::from(follower == Some(Refused)));
    }
}

#[test]
fn partitions_are_verified_without_a_change() {
    let world = World::with(3, Status::Ongoing);
    let asked = partitions(2);
    let verify = |id, epoch| world.state.verify_partitions(ID, Producer { id, epoch }, &asked);
    assert_eq!(verify(7, 3), Ok(vec![true, true, false]));
    assert_eq!(verify(7, 2), Err(ErrorCode::PRODUCER_FENCED));
    assert_eq!(verify(8, 3), Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING));
    let prepared = World::with(3, Status::PrepareCommit);
    let verified = prepared.state.verify_partitions(ID, Producer { id: 7, epoch: 3 }, &asked);
    assert_eq!(verified, Err(ErrorCode::CONCURRENT_TRANSACTIONS));
}
