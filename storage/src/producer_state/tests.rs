//! Scripts of batches, and what becomes of each.

use protocol::records::{EndTransactionMarker, increment_sequence};

use super::*;
use crate::error::AppendError;
use crate::log::Origin;

const MAX: i32 = i32::MAX;

/// One append: what is sent, and what is to come of it.
struct Step {
    batch: ProducerBatch,
    rules: ProducerCheck,
    expected: &'static str,
}

/// `count` records from a client, outside a transaction.
fn data(epoch: i16, base_sequence: i32, count: i32, expected: &'static str) -> Step {
    let batch = ProducerBatch {
        producer_id: 7,
        producer_epoch: epoch,
        base_sequence,
        last_sequence: increment_sequence(base_sequence, count - 1),
        base_offset: Offset(0),
        last_offset: Offset(i64::from(count) - 1),
        max_timestamp_ms: 1000,
        transactional: false,
        control: false,
        marker: None,
    };
    let rules = ProducerCheck { origin: Origin::Client, verification: Verification::Waived, transaction_version: 2 };
    Step { batch, rules, expected }
}

/// The same within a transaction.
fn txn(epoch: i16, base_sequence: i32, count: i32, expected: &'static str) -> Step {
    let mut step = data(epoch, base_sequence, count, expected);
    step.batch.transactional = true;
    step
}

/// A marker under a coordinator epoch.
fn marker(epoch: i16, commit: bool, coordinator_epoch: i32, expected: &'static str) -> Step {
    let mut step = txn(epoch, 0, 1, expected);
    (step.batch.base_sequence, step.batch.last_sequence, step.batch.control) = (-1, -1, true);
    step.batch.marker = Some(EndTransactionMarker { commit, coordinator_epoch });
    step.rules.origin = Origin::Coordinator;
    step
}

impl Step {
    fn of(mut self, producer_id: i64) -> Step {
        self.batch.producer_id = producer_id;
        self
    }
    fn with(mut self, change: impl FnOnce(&mut ProducerCheck)) -> Step {
        change(&mut self.rules);
        self
    }
}

fn name(error: &AppendError) -> &'static str {
    match error {
        AppendError::OutOfOrderSequence(_) => "sequence",
        AppendError::InvalidProducerEpoch(_) => "epoch",
        AppendError::InvalidTransactionState(_) => "state",
        AppendError::CoordinatorFenced(_) => "fenced",
        other => panic!("{other}"),
    }
}

/// Runs the steps one after the other; each appended batch also goes through `replay` into a second state, which must
/// end up the same.
fn check(steps: Vec<Step>) -> (ProducerState, Vec<AbortedTxn>) {
    let (mut state, mut replayed, mut aborted) = (ProducerState::default(), ProducerState::default(), vec![]);
    for (number, Step { mut batch, rules, expected }) in steps.into_iter().enumerate() {
        let delta = batch.last_offset.0;
        (batch.base_offset, batch.last_offset) = (state.end_offset(), state.end_offset().plus(delta));
        let got = match state.check(&batch, rules) {
            Ok(Admission::Duplicate(original)) => format!("{}..{}", original.first_offset().0, original.last_offset.0),
            Ok(Admission::Append(update)) => {
                let entry = state.apply(update);
                assert_eq!(replayed.replay(&batch), entry);
                aborted.extend(entry);
                "ok".into()
            }
            Err(error) => name(&error).into(),
        };
        assert_eq!(got, expected, "step {number}");
    }
    assert_eq!(state, replayed);
    (state, aborted)
}

#[test]
fn sequence_numbers_go_up_without_gaps() {
    check(vec![data(0, 0, 3, "ok"), data(0, 3, 1, "ok"), data(0, 5, 1, "sequence"), data(0, 4, 1, "ok")]);
    check(vec![data(0, 17, 3, "ok"), data(0, 20, 1, "ok")]);
    check(vec![data(0, MAX - 1, 2, "ok"), data(0, 0, 1, "ok"), data(0, 1, 1, "ok")]);
    check(vec![data(0, MAX - 1, 3, "ok"), data(0, 2, 1, "sequence"), data(0, 1, 1, "ok"), data(0, MAX - 1, 3, "0..2")]);
}

#[test]
fn the_last_five_batches_are_recognised() {
    let mut steps: Vec<_> = (0..6).map(|number| data(0, number * 2, 2, "ok")).collect();
    steps.extend([
        data(0, 0, 2, "sequence"),
        data(0, 2, 2, "2..3"),
        data(0, 10, 2, "10..11"),
        data(0, 10, 1, "sequence"),
    ]);
    steps.extend([data(0, 4, 4, "sequence"), data(0, 12, 1, "ok"), data(0, 2, 2, "sequence")]);
    check(steps);
}

#[test]
fn a_new_epoch_starts_at_zero_and_fences_the_old() {
    check(vec![
        data(0, 0, 3, "ok"),
        data(1, 3, 1, "sequence"),
        data(1, 0, 2, "ok"),
        data(0, 3, 1, "epoch"),
        data(0, 0, 3, "epoch"),
    ]);
    check(vec![data(0, 0, 3, "ok"), data(1, 0, 3, "ok"), data(1, 0, 3, "3..5"), data(1, 3, 1, "ok")]);
}

#[test]
fn coordinators_write_without_sequence_numbers() {
    let offsets = |epoch, expected| data(epoch, -1, 1, expected).with(|rules| rules.origin = Origin::Coordinator);
    check(vec![offsets(0, "ok"), offsets(0, "ok"), offsets(1, "ok"), offsets(0, "epoch")]);
}

#[test]
fn transactions_need_the_coordinators_word_once() {
    let unverified = |step: Step| step.with(|rules| rules.verification = Verification::None);
    let (state, _) = check(vec![
        unverified(txn(0, 0, 1, "state")),
        txn(0, 0, 1, "ok"),
        unverified(txn(0, 1, 1, "ok")),
        data(0, 2, 1, "state"),
        unverified(txn(1, 0, 1, "state")),
        marker(1, true, 5, "ok"),
        unverified(txn(0, 2, 1, "epoch")),
        unverified(txn(1, 0, 1, "state")),
        txn(1, 0, 1, "ok"),
    ]);
    assert_eq!(state.first_undecided_offset(), Some(Offset(3)));
    assert_eq!(state.first_unstable_offset(), Some(Offset(0)));
}

#[test]
fn markers_are_fenced_by_epochs() {
    let old = |step: Step| step.with(|rules| rules.transaction_version = 1);
    check(vec![
        txn(3, 0, 1, "ok"),
        marker(2, false, 1, "epoch"),
        marker(3, false, 1, "epoch"),
        old(marker(3, true, 4, "ok")),
        marker(3, true, 3, "fenced"),
        marker(3, true, 4, "ok"),
        old(marker(3, true, 5, "ok")),
        old(marker(2, true, 5, "epoch")),
        txn(4, 0, 1, "ok"),
        old(marker(5, true, 4, "fenced")),
        marker(5, true, 5, "ok"),
    ]);
    check(vec![txn(i16::MAX, 0, 1, "ok"), marker(i16::MAX, true, 1, "ok")]);
}

#[test]
fn aborts_go_to_the_index_with_their_stable_offset() {
    let (mut state, aborted) = check(vec![
        txn(0, 0, 2, "ok").of(1),
        txn(0, 0, 2, "ok").of(2),
        txn(0, 0, 1, "ok").of(3),
        marker(1, false, 1, "ok").of(2),
        marker(1, true, 1, "ok").of(3),
        marker(1, false, 1, "ok").of(9),
        marker(1, false, 1, "ok").of(1),
    ]);
    let entry = |producer_id, first, last, stable| AbortedTxn {
        producer_id,
        first_offset: Offset(first),
        last_offset: Offset(last),
        last_stable_offset: Offset(stable),
    };
    assert_eq!(aborted, [entry(2, 2, 5, 0), entry(1, 0, 8, 9)]);
    for (high_watermark, expected) in [(5, Some(0)), (8, Some(0)), (9, None)] {
        state.on_high_watermark(Offset(high_watermark));
        assert_eq!(state.first_unstable_offset(), expected.map(Offset), "{high_watermark}");
    }
    assert_eq!((state.first_undecided_offset(), state.end_offset()), (None, Offset(9)));
}

#[test]
fn idle_producers_expire_unless_in_a_transaction() {
    let (mut state, _) = check(vec![data(0, 0, 1, "ok").of(1), txn(0, 0, 1, "ok").of(2)]);
    state.remove_expired(1999, 1000);
    assert_eq!(state.producers().len(), 2);
    state.remove_expired(2000, 1000);
    assert_eq!(state.producers().map(|entry| entry.producer_id).collect::<Vec<_>>(), [2]);
}

#[test]
fn the_log_start_moves_the_end_and_drops_what_is_decided() {
    let (mut state, _) = check(vec![txn(0, 0, 2, "ok"), marker(1, true, 1, "ok")]);
    state.on_log_start(Offset(2));
    assert_eq!((state.first_unstable_offset(), state.end_offset()), (Some(Offset(0)), Offset(3)));
    state.on_log_start(Offset(10));
    assert_eq!((state.first_unstable_offset(), state.end_offset()), (None, Offset(10)));
    assert_eq!(state.producers().len(), 1);
}

const GOLDEN: &[u8] = include_bytes!("../../tests/golden/producers.snapshot");
const FOREVER: i64 = i64::MAX;

#[test]
fn javas_snapshot_is_read_and_written() {
    let state = ProducerState::from_snapshot(GOLDEN, Offset(124), 0, FOREVER).unwrap();
    assert_eq!(state.to_snapshot(), GOLDEN);
    let facts: Vec<_> = state
        .producers()
        .map(|entry| {
            let batch =
                entry.batches().first().map(|batch| (batch.first_sequence(), batch.last_sequence, batch.last_offset.0));
            let open = entry.current_txn_first_offset.map(|offset| offset.0);
            (entry.producer_id, entry.producer_epoch, entry.coordinator_epoch, entry.last_timestamp_ms, open, batch)
        })
        .collect();
    let expected = [
        (1, 0, -1, 1_700_000_000_000, None, Some((0, 9, 109))),
        (7, 2, 4, 1_700_000_000_888, None, None),
        (5_000_000_000, 32766, 17, 1_700_000_000_777, Some(120), Some((0, 3, 123))),
    ];
    assert_eq!(facts, expected);
    assert_eq!((state.first_undecided_offset(), state.end_offset()), (Some(Offset(120)), Offset(124)));
    let empty = include_bytes!("../../tests/golden/empty.snapshot");
    assert_eq!(ProducerState::default().to_snapshot(), empty);
    assert!(ProducerState::from_snapshot(empty, Offset(0), 0, 1).unwrap().is_empty());
}

#[test]
fn snapshots_keep_all_five_batches_and_leave_out_the_expired() {
    let (state, _) = check((0..7).map(|number| data(4, number * 3, 3, "ok")).chain([txn(4, 21, 1, "ok")]).collect());
    let bytes = state.to_snapshot();
    let again = ProducerState::from_snapshot(&bytes, state.end_offset(), 1000, FOREVER).unwrap();
    assert_eq!(again, state);
    assert_eq!(again.producer(7).unwrap().batches().len(), BATCHES_KEPT);
    let (idle, _) = check(vec![data(0, 0, 1, "ok")]);
    assert!(ProducerState::from_snapshot(&idle.to_snapshot(), Offset(1), 2000, 1000).unwrap().is_empty());
}

#[test]
fn damaged_snapshots_are_refused() {
    for at in 0..GOLDEN.len() {
        let mut damaged = GOLDEN.to_vec();
        damaged[at] ^= 0x10;
        assert!(ProducerState::from_snapshot(&damaged, Offset(0), 0, FOREVER).is_err(), "byte {at}");
        assert!(ProducerState::from_snapshot(&GOLDEN[..at], Offset(0), 0, FOREVER).is_err(), "cut at {at}");
    }
}
