//! Time and order of the simulated machine: events by (nanosecond, sequence), tasks between them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::super::random::Random;
use super::super::{LocalFuture, Monotonic};
use super::executor::{Executor, MAIN_TASK};
use super::faults::{Faults, Operation};
use super::namespace::Namespace;
use super::{Outcome, SimulationOptions};

/// Polls without time moving on before a run is taken to be stuck.
const POLLS_AT_ONE_TIME_MAX: u64 = 10_000_000;

/// When something happens: nanosecond, then order of planning.
type EventKey = (u64, u64);

enum Event {
    Wake(Waker),
    Complete(Box<dyn FnOnce(&World)>),
}

/// One simulated machine.
pub(super) struct World {
    pub(super) options: SimulationOptions,
    pub(super) executor: Executor,
    pub(super) random: RefCell<Random>,
    pub(super) names: RefCell<Namespace>,
    pub(super) faults: Faults,
    pub(super) capacity_bytes: Cell<Option<u64>>,
    pub(super) wall_offset_ms: Cell<i64>,
    pub(super) stop_after_changes: Cell<Option<u64>>,
    now: Cell<u64>,
    sequence: Cell<u64>,
    events: RefCell<BTreeMap<EventKey, Event>>,
    digest: Cell<u64>,
    stopped: Cell<bool>,
}

impl World {
    pub(super) fn new(options: SimulationOptions, random: Random, names: Namespace, now: Monotonic) -> World {
        World {
            options,
            executor: Executor::new(),
            random: RefCell::new(random),
            names: RefCell::new(names),
            faults: Faults::default(),
            capacity_bytes: Cell::new(None),
            wall_offset_ms: Cell::new(0),
            stop_after_changes: Cell::new(None),
            now: Cell::new(now.0),
            sequence: Cell::new(0),
            events: RefCell::default(),
            digest: Cell::new(0xcbf2_9ce4_8422_2325),
            stopped: Cell::new(false),
        }
    }

    pub(super) fn now(&self) -> Monotonic {
        Monotonic(self.now.get())
    }

    pub(super) fn wall_clock_ms(&self) -> i64 {
        self.options.wall_clock_start_ms + (self.now.get() / 1_000_000) as i64 + self.wall_offset_ms.get()
    }

    pub(super) fn digest(&self) -> u64 {
        self.digest.get()
    }

    pub(super) fn stopped(&self) -> bool {
        self.stopped.get()
    }

    pub(super) fn stop(&self) {
        self.stopped.set(true);
    }

    /// Plans `complete` for `delay_ns` from now.
    pub(super) fn plan(&self, delay_ns: u64, complete: impl FnOnce(&World) + 'static) {
        self.insert(self.now.get().saturating_add(delay_ns), Event::Complete(Box::new(complete)));
    }

    /// Notes a finished disk operation, and stops the world if it was the last one wanted.
    pub(super) fn note_completed(&self, operation: Operation) {
        self.mix(operation.kind as u64 ^ operation.offset.rotate_left(8) ^ operation.length.rotate_left(24));
        let is_change = operation.kind.is_change();
        let changes = self.faults.complete(operation);
        if is_change && self.stop_after_changes.get().is_some_and(|last| changes >= last) {
            self.stop();
        }
    }

    /// Polls and lets time pass until `main` is done, the world stops, nothing is left to happen, or it is `until`.
    pub(super) fn drive<T>(&self, main: impl Future<Output = T>, until: Option<Monotonic>) -> Outcome<T> {
        let mut main = std::pin::pin!(main);
        let waker = self.executor.main();
        let mut polls = 0;
        loop {
            if self.stopped() {
                return Outcome::Stopped;
            }
            if let Some(task) = self.executor.next_ready(|waiting| self.pick(waiting)) {
                polls += 1;
                assert!(polls < POLLS_AT_ONE_TIME_MAX, "tasks wake each other forever at {:?}", self.now());
                self.mix(task);
                if task != MAIN_TASK {
                    self.executor.poll(task);
                } else if let Poll::Ready(value) = main.as_mut().poll(&mut Context::from_waker(&waker.unqueue())) {
                    return Outcome::Done(value);
                }
            } else if self.step(until) {
                polls = 0;
            } else {
                return Outcome::Stalled;
            }
        }
    }

    fn pick(&self, waiting: usize) -> usize {
        if self.options.shuffle_tasks { self.random.borrow_mut().below(waiting as u64) as usize } else { 0 }
    }

    /// Moves time to the next event and lets it happen; false if there is none up to `until`, which it then is.
    fn step(&self, until: Option<Monotonic>) -> bool {
        let next = self.events.borrow().first_key_value().map(|(key, _)| *key);
        let Some(key) = next.filter(|(at, _)| until.is_none_or(|until| *at <= until.0)) else {
            if let Some(until) = until {
                self.now.set(self.now.get().max(until.0));
            }
            return false;
        };
        self.now.set(key.0);
        self.mix(key.0);
        self.mix(key.1);
        let event = self.events.borrow_mut().remove(&key);
        match event {
            Some(Event::Wake(waker)) => waker.wake(),
            Some(Event::Complete(complete)) => complete(self),
            None => {}
        }
        true
    }

    fn insert(&self, at: u64, event: Event) -> EventKey {
        let key = (at, self.sequence.replace(self.sequence.get() + 1));
        self.events.borrow_mut().insert(key, event);
        key
    }

    /// Folds one number into the hash of the schedule.
    fn mix(&self, value: u64) {
        self.digest.set((self.digest.get() ^ value).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23));
    }

    /// Drops every task and event, and with them their hold on this world.
    pub(super) fn clear(&self) {
        self.stop();
        self.executor.clear();
        let events = std::mem::take(&mut *self.events.borrow_mut());
        drop(events);
    }
}

/// A timer; leaves no event behind when dropped.
pub(super) struct Sleep {
    pub(super) world: Rc<World>,
    pub(super) at: Monotonic,
    pub(super) event: Option<EventKey>,
}

impl Sleep {
    pub(super) fn until(world: Rc<World>, at: Monotonic) -> LocalFuture<()> {
        Box::pin(Sleep { world, at, event: None })
    }

    fn forget_event(&mut self) {
        if let Some(key) = self.event.take() {
            let event = self.world.events.borrow_mut().remove(&key);
            drop(event);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.forget_event();
        if self.world.now() >= self.at {
            return Poll::Ready(());
        }
        let event = self.world.insert(self.at.0, Event::Wake(context.waker().clone()));
        self.event = Some(event);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.forget_event();
    }
}
