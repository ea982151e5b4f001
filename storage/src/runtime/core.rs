//! Core threads: one operating system thread per core, with a single-threaded tokio runtime, a disk and a clock.

use std::cell::{Cell, OnceCell};
use std::future::Future;
use std::rc::Rc;
use std::sync::{Once, OnceLock, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::thread::CpuSet;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use super::backend::{self, Backend, BackendError};
use super::background::lower_priority;
use super::file_thread::FileThread;
use super::{Disk, LocalFuture, Monotonic, Platform, Runtime};

/// A core to start.
#[derive(Debug, Clone, Copy)]
pub struct CoreOptions {
    /// Number of the core, from zero; names its threads.
    pub core: usize,
    /// The CPU it is pinned to, if any: see [`pin_plan`].
    pub cpu: Option<usize>,
    /// How it reaches the disk.
    pub backend: Backend,
}

/// A running core.
pub struct CoreThread {
    thread: JoinHandle<()>,
}

impl CoreThread {
    /// Waits until the core's main task is done and its disk operations are drained. Blocks: not for use on a core.
    pub fn join(self) {
        // A panic on a core has ended the process before this could see it.
        let _ = self.thread.join();
    }
}

/// Starts a core that runs `main` and ends with it. Returns once the core's disk is open.
pub fn start<M, F>(options: CoreOptions, main: M) -> Result<CoreThread, BackendError>
where
    M: FnOnce(Runtime) -> F + Send + 'static,
    F: Future<Output = ()> + 'static,
{
    let (opened, is_open) = mpsc::channel();
    let body = move || {
        end_process_on_panic();
        let run = |core: &Core| {
            // Only now: the file threads were started before and stay free to run on any CPU.
            options.cpu.inspect(|cpu| pin_to(*cpu));
            // The starter waits for it.
            let _ = opened.send(Ok(()));
            core.run(main(core.runtime.clone()));
        };
        match Core::open(options.core, options.backend) {
            Ok(core) => run(&core),
            Err(error) => {
                let _ = opened.send(Err(error));
            }
        }
    };
    let refuse = |reason: String| BackendError { backend: options.backend, reason };
    let thread = std::thread::Builder::new()
        .name(format!("core-{}", options.core))
        .spawn(body)
        .map_err(|error| refuse(error.to_string()))?;
    is_open.recv().map_err(|_| refuse("the core thread ended at once".to_owned()))??;
    Ok(CoreThread { thread })
}

/// Runs `main` as a core on the calling thread, unpinned: for tools, tests and benchmarks.
pub fn block_on<M, F, T>(backend: Backend, main: M) -> Result<T, BackendError>
where
    M: FnOnce(Runtime) -> F,
    F: Future<Output = T>,
{
    let core = Core::open(0, backend)?;
    Ok(core.tokio.block_on(main(core.runtime.clone())))
}

/// A core's parts in the order of their end: tokio with all tasks, then the disk with what is in flight.
struct Core {
    /// Not a `LocalSet`: there every wake-up would run the main task, and each wake-up of that one look for events once
    /// more, with a call of the system.
    tokio: LocalRuntime,
    runtime: Runtime,
}

impl Core {
    fn open(number: usize, backend: Backend) -> Result<Core, BackendError> {
        let tokio = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
            .map_err(|error| BackendError { backend, reason: error.to_string() })?;
        let (disk, backend) = {
            let _tokio = tokio.enter();
            backend::open(backend, number)?
        };
        let runtime = Runtime::new(Rc::new(NativePlatform { disk, backend, number, aside: OnceCell::new() }));
        Ok(Core { tokio, runtime })
    }

    /// Runs `main` as a task like any other: woken by one of its core, it waits its turn and costs no call of the system.
    fn run(&self, main: impl Future<Output = ()> + 'static) {
        // A panic on a core ends the process.
        let _ = self.tokio.block_on(self.tokio.spawn_local(main));
    }
}

/// Time, chance and tasks from the operating system and tokio.
struct NativePlatform {
    disk: Box<dyn Disk>,
    backend: &'static str,
    number: usize,
    /// For [`Platform::run_aside`]; started when it is needed.
    aside: OnceCell<Option<FileThread>>,
}

impl NativePlatform {
    fn start_aside(&self) -> Option<FileThread> {
        let thread = FileThread::start(&format!("aside-{}", self.number));
        let thread =
            thread.inspect_err(|error| tracing::warn!(%error, "no thread for work aside: cores do it")).ok()?;
        // Runs at once; nobody waits for it.
        drop(thread.run(|| {
            lower_priority();
            Ok(())
        }));
        Some(thread)
    }
}

impl Platform for NativePlatform {
    fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    fn now(&self) -> Monotonic {
        monotonic()
    }

    fn wall_clock_ms(&self) -> i64 {
        wall_clock_ms()
    }

    fn random_u64(&self) -> u64 {
        random_u64()
    }

    fn sleep_until(&self, at: Monotonic) -> LocalFuture<()> {
        let at = process_start() + Duration::from_nanos(at.0);
        Box::pin(tokio::time::sleep_until(at.into()))
    }

    fn spawn(&self, task: LocalFuture<()>) {
        #[expect(clippy::disallowed_methods, reason = "this is the runtime's own spawn")]
        tokio::task::spawn_local(task);
    }

    fn run_aside(&self, work: Box<dyn FnOnce() + Send>) {
        match self.aside.get_or_init(|| self.start_aside()) {
            Some(thread) => drop(thread.run(move || {
                work();
                Ok(())
            })),
            None => work(),
        }
    }

    fn backend(&self) -> &'static str {
        self.backend
    }
}

/// One start for all cores, so that their times compare.
fn process_start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "this is the runtime's own clock")]
    *START.get_or_init(Instant::now)
}

/// Time since the process started, on any thread; the same clock as every core's [`Runtime::now`].
pub fn monotonic() -> Monotonic {
    Monotonic::default().plus(process_start().elapsed())
}

/// Milliseconds since the Unix epoch, on any thread.
pub fn wall_clock_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "this is the runtime's own clock")]
    let now = SystemTime::now();
    match now.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    }
}

/// A random number from the operating system, on any thread.
pub fn random_u64() -> u64 {
    // Fails only where the kernel has no random source at all; identifiers must not repeat, so nothing can go on then.
    getrandom::u64().expect("the operating system has a random source")
}

/// How many cores to start when the operator does not say: the CPUs this process may use, by affinity and by the
/// quota of its control group, at least one.
pub fn default_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The CPU of each of `cores` cores. Nothing is pinned where a quota is in force (another container may have chosen the
/// same CPU, and neither could move away) nor where there are fewer CPUs than cores.
pub fn pin_plan(cores: usize) -> Vec<Option<usize>> {
    let allowed = allowed_cpus();
    plan_pins(cores, &allowed, default_cores() < allowed.len())
}

fn plan_pins(cores: usize, allowed: &[usize], has_quota: bool) -> Vec<Option<usize>> {
    let pin = !has_quota && cores <= allowed.len();
    (0..cores).map(|core| allowed.get(core).copied().filter(|_| pin)).collect()
}

fn allowed_cpus() -> Vec<usize> {
    match rustix::thread::sched_getaffinity(None) {
        Ok(set) => (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect(),
        Err(_) => Vec::new(),
    }
}

fn pin_to(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    if let Err(error) = rustix::thread::sched_setaffinity(None, &set) {
        tracing::warn!(cpu, %error, "the core thread stays unpinned");
    }
}

thread_local! {
    static ENDS_PROCESS: Cell<bool> = const { Cell::new(false) };
}

/// From here on a panic on this thread ends the process: a core whose task is gone would hang its partitions, and
/// silence is worse than a restart, from which every acknowledged record comes back.
pub(super) fn end_process_on_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            print(panic);
            if ENDS_PROCESS.get() {
                let thread = std::thread::current();
                eprintln!("msgloop ends: {} panicked, which is a bug", thread.name().unwrap_or("a core"));
                std::process::abort();
            }
        }));
    });
    ENDS_PROCESS.set(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_follow_what_is_allowed() {
        let check = |cores, allowed: &[usize], quota, expected: &[Option<usize>]| {
            assert_eq!(plan_pins(cores, allowed, quota), expected);
        };
        check(2, &[4, 6, 7], false, &[Some(4), Some(6)]);
        check(2, &[4, 6, 7], true, &[None, None]);
        check(2, &[4], false, &[None, None]);
        check(1, &[], false, &[None]);
    }

    #[test]
    fn a_core_runs_its_main_task_and_what_it_spawns() {
        let (sender, receiver) = mpsc::channel();
        let options = CoreOptions { core: 7, cpu: allowed_cpus().first().copied(), backend: Backend::Threads };
        let core = start(options, |runtime| async move {
            let start = runtime.now();
            let spawned = runtime.spawn_with_result(async { 41 });
            runtime.sleep(Duration::from_millis(2)).await;
            let slept = runtime.now().since(start) >= Duration::from_millis(2);
            let name = std::thread::current().name().map(str::to_owned);
            sender.send((spawned.await, slept, name, runtime.backend())).unwrap();
        });
        core.unwrap().join();
        assert_eq!(receiver.recv().unwrap(), (Some(41), true, Some("core-7".to_owned()), "threads"));
    }

    #[test]
    fn work_aside_leaves_the_core_free() {
        let done = block_on(Backend::Threads, |runtime| async move {
            let (release, held) = mpsc::channel::<()>();
            let aside = runtime.aside(move || (held.recv().is_ok(), std::thread::current().name().map(str::to_owned)));
            // Reached only because the core does not wait.
            release.send(()).unwrap();
            aside.await
        });
        assert_eq!(done.unwrap(), Some((true, Some("aside-0".to_owned()))));
    }

    #[test]
    fn an_explicit_choice_that_cannot_be_had_is_refused() {
        if cfg!(not(feature = "glommio")) {
            let options = CoreOptions { core: 0, cpu: None, backend: Backend::Glommio };
            let error = start(options, |_| async {}).err().unwrap();
            assert!(error.to_string().contains("cargo feature `glommio`"), "{error}");
        }
    }

    #[test]
    fn clocks_and_chance_work_on_any_thread() {
        assert!(monotonic() <= monotonic());
        assert!(wall_clock_ms() > 1_700_000_000_000);
        assert_ne!(random_u64(), random_u64());
        assert!(default_cores() >= 1);
    }
}
