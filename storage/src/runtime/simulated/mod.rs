//! A whole machine on one thread, decided by a seed: cores, clock, chance and a disk that forgets what was not synced.
//!
//! The disk is harsher than a real one. A write is durable only after `sync_data` or as [`Durability::Durable`]; a
//! created, renamed or removed name only after `sync_directory`; until then a crash keeps, loses or tears each on its
//! own. A run that fails is its seed: the same seed gives the same schedule, down to the order of wake-ups.
//!
//! ```
//! use storage::runtime::simulated::{CrashPolicy, Simulation};
//!
//! let simulation = Simulation::new(42);
//! let runtime = simulation.runtime();
//! simulation.run(async move { runtime.disk().create_directory_all("data".as_ref()).await }).unwrap();
//! let after = simulation.crash(CrashPolicy::LoseAll);
//! let runtime = after.runtime();
//! assert!(after.run(async move { runtime.disk().stat("data".as_ref()).await }).is_err());
//! ```
//!
//! [`Durability::Durable`]: super::Durability::Durable

mod crash;
mod disk;
mod executor;
mod faults;
mod image;
mod namespace;
#[cfg(test)]
mod tests;
mod world;

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::random::Random;
use super::{Disk, LocalFuture, Monotonic, Platform, Runtime};
use namespace::Namespace;
use world::{Sleep, World};

pub use crash::CrashPolicy;
pub use faults::{Fault, FaultEffect, Operation, OperationKind};

/// The machine's habits.
#[derive(Debug, Clone)]
pub struct SimulationOptions {
    /// Shortest and longest time of a write, sync or name change, in nanoseconds.
    pub change_latency_ns: (u64, u64),
    /// Shortest and longest time of a read, in nanoseconds.
    pub read_latency_ns: (u64, u64),
    /// What the wall clock shows at the start, in milliseconds since the Unix epoch.
    pub wall_clock_start_ms: i64,
    /// Whether the file system allows direct I/O.
    pub direct: bool,
    /// Poll woken tasks in random order rather than in the order in which they were woken.
    pub shuffle_tasks: bool,
}

impl Default for SimulationOptions {
    fn default() -> SimulationOptions {
        SimulationOptions {
            change_latency_ns: (20_000, 400_000),
            read_latency_ns: (5_000, 200_000),
            wall_clock_start_ms: 1_767_225_600_000,
            direct: true,
            shuffle_tasks: false,
        }
    }
}

impl SimulationOptions {
    fn latency_of(&self, kind: OperationKind) -> (u64, u64) {
        if kind.is_change() { self.change_latency_ns } else { self.read_latency_ns }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// The future is done.
    Done(T),
    /// The world was stopped: by [`Simulation::stop_after_changes`] or [`Simulation::stop`].
    Stopped,
    /// Nothing is left that could happen, or the time was up, and the future is not done.
    Stalled,
}

/// A simulated machine. Dropping it drops its tasks.
pub struct Simulation {
    seed: u64,
    world: Rc<World>,
}

impl Simulation {
    /// A machine with an empty disk and the usual habits.
    pub fn new(seed: u64) -> Simulation {
        Simulation::with_options(seed, SimulationOptions::default())
    }

    /// A machine with an empty disk.
    pub fn with_options(seed: u64, options: SimulationOptions) -> Simulation {
        let world = World::new(options, Random::new(seed), Namespace::default(), Monotonic(0));
        Simulation { seed, world: Rc::new(world) }
    }

    /// What decides everything that happens here.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// A core of this machine: tasks, clock and disk are shared with its other cores, randomness is its own.
    pub fn runtime(&self) -> Runtime {
        let random = self.world.random.borrow_mut().fork();
        Runtime::new(Rc::new(SimulatedCore { world: self.world.clone(), random: RefCell::new(random) }))
    }

    /// Runs until `future` is done. Panics, naming the seed, when that cannot happen any more.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        match self.world.drive(future, None) {
            Outcome::Done(value) => value,
            Outcome::Stopped => panic!("seed {}: the world was stopped before the future was done", self.seed),
            Outcome::Stalled => panic!("seed {}: everything waits and nothing is left to happen", self.seed),
        }
    }

    /// Runs until `future` is done, the world stops, or nothing is left to happen.
    pub fn run_until_stopped<T>(&self, future: impl Future<Output = T>) -> Outcome<T> {
        self.world.drive(future, None)
    }

    /// Runs the spawned tasks until nothing is left to happen (never, while a task ticks: see [`Simulation::run_for`]).
    pub fn run_until_stalled(&self) {
        self.world.drive(std::future::pending::<()>(), None);
    }

    /// Runs the spawned tasks for `duration` of simulated time.
    pub fn run_for(&self, duration: Duration) {
        let until = self.world.now().plus(duration);
        self.world.drive(std::future::pending::<()>(), Some(until));
    }

    /// Monotonic time of all cores.
    pub fn now(&self) -> Monotonic {
        self.world.now()
    }

    /// Puts the wall clock this far ahead of (or behind) simulated time.
    pub fn set_wall_clock_offset_ms(&self, offset_ms: i64) {
        self.world.wall_offset_ms.set(offset_ms);
    }

    /// Plans a fault. Planned faults are tried in the order of planning; the first that fits an operation is met.
    pub fn inject(&self, fault: Fault) {
        self.world.faults.plan(fault);
    }

    /// Forgets planned faults.
    pub fn clear_faults(&self) {
        self.world.faults.clear();
    }

    /// Bounds the bytes of written blocks on the disk; `None` is no bound. Space that was only allocated is free.
    pub fn set_capacity_bytes(&self, capacity: Option<u64>) {
        self.world.capacity_bytes.set(capacity);
    }

    /// Flips one bit of a file, on the platter and for readers alike.
    pub fn flip_bit(&self, path: &Path, byte: u64, bit: u8) -> io::Result<()> {
        let file = self.world.names.borrow().file(path)?;
        let file = &mut *file.borrow_mut();
        for image in [&mut file.current, &mut file.durable] {
            if byte < image.bytes {
                let mut value = [0];
                image.read(byte, &mut value);
                image.write(byte, &[value[0] ^ (1 << (bit % 8))]);
            }
        }
        Ok(())
    }

    /// Stops the world right after the `changes`-th completed operation that changes the disk (counted from this
    /// machine's start): its effect is there, nobody has been told. What is then in flight is at [`Simulation::crash`]'s mercy.
    pub fn stop_after_changes(&self, changes: u64) {
        self.world.stop_after_changes.set(Some(changes));
    }

    /// Stops the world now.
    pub fn stop(&self) {
        self.world.stop();
    }

    /// How many operations that change the disk have completed.
    pub fn changes(&self) -> u64 {
        self.world.faults.changes()
    }

    /// The latest completed disk operations, in order of completion (at most 65,536).
    pub fn trace(&self) -> Vec<Operation> {
        self.world.faults.trace()
    }

    /// A hash over everything that happened, in order.
    pub fn schedule_hash(&self) -> u64 {
        self.world.digest()
    }

    /// Stops this machine and starts another from what its disk holds then. May be called again for another draw of
    /// what was kept. Time goes on where it stopped; planned faults and the capacity are forgotten.
    pub fn crash(&self, policy: CrashPolicy) -> Simulation {
        self.world.stop();
        let mut random = self.world.random.borrow_mut().fork();
        let names = crash::survivors(&self.world.names.borrow(), policy, &mut random);
        let world = World::new(self.world.options.clone(), random, names, self.world.now());
        world.wall_offset_ms.set(self.world.wall_offset_ms.get());
        Simulation { seed: self.seed, world: Rc::new(world) }
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        // Tasks hold the world, and the world the tasks.
        self.world.clear();
    }
}

/// One core of a simulated machine.
struct SimulatedCore {
    world: Rc<World>,
    random: RefCell<Random>,
}

impl Platform for SimulatedCore {
    fn disk(&self) -> &dyn Disk {
        self
    }

    fn now(&self) -> Monotonic {
        self.world.now()
    }

    fn wall_clock_ms(&self) -> i64 {
        self.world.wall_clock_ms()
    }

    fn random_u64(&self) -> u64 {
        self.random.borrow_mut().next_u64()
    }

    fn sleep_until(&self, at: Monotonic) -> LocalFuture<()> {
        Sleep::until(self.world.clone(), at)
    }

    fn spawn(&self, task: LocalFuture<()>) {
        self.world.executor.spawn(task);
    }

    fn run_aside(&self, work: Box<dyn FnOnce() + Send>) {
        self.world.executor.spawn(Box::pin(async move { work() }));
    }

    fn backend(&self) -> &'static str {
        "simulated"
    }
}
