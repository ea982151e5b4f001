//! Tasks of the simulated machine: polled one at a time, in the order in which they were woken.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

use super::super::LocalFuture;

/// The future handed to `run` itself.
pub(super) const MAIN_TASK: u64 = 0;

/// All tasks of all simulated cores.
pub(super) struct Executor {
    ready: Arc<ReadyQueue>,
    tasks: RefCell<BTreeMap<u64, Task>>,
    next_task: Cell<u64>,
}

struct Task {
    future: LocalFuture<()>,
    waker: Arc<TaskWaker>,
}

/// Behind a lock only because a [`Waker`] has to be `Send`: one thread ever takes it.
#[derive(Default)]
struct ReadyQueue(Mutex<VecDeque<u64>>);

struct TaskWaker {
    task: u64,
    queued: AtomicBool,
    ready: Arc<ReadyQueue>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.ready.push(self.task);
        }
    }
}

impl ReadyQueue {
    fn push(&self, task: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(task);
    }

    fn take(&self, pick: impl FnOnce(usize) -> usize) -> Option<u64> {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.is_empty() {
            return None;
        }
        let index = pick(queue.len());
        queue.remove(index)
    }
}

/// The wake-up of the future handed to `run`.
pub(super) struct MainWaker(Arc<TaskWaker>);

impl MainWaker {
    /// To be called before the main future is polled: from here on a wake-up queues it again.
    pub(super) fn unqueue(&self) -> Waker {
        self.0.queued.store(false, Ordering::Relaxed);
        Waker::from(self.0.clone())
    }
}

impl Executor {
    pub(super) fn new() -> Executor {
        Executor { ready: Arc::default(), tasks: RefCell::default(), next_task: Cell::new(MAIN_TASK + 1) }
    }

    pub(super) fn spawn(&self, future: LocalFuture<()>) {
        let id = self.next_task.replace(self.next_task.get() + 1);
        let waker = self.waker(id);
        waker.clone().wake();
        self.tasks.borrow_mut().insert(id, Task { future, waker });
    }

    /// A waker for the main future, already queued.
    pub(super) fn main(&self) -> MainWaker {
        let waker = self.waker(MAIN_TASK);
        waker.clone().wake();
        MainWaker(waker)
    }

    /// The next woken task; `pick` chooses among that many.
    pub(super) fn next_ready(&self, pick: impl FnOnce(usize) -> usize) -> Option<u64> {
        self.ready.take(pick)
    }

    /// Polls a task once; a finished or unknown one is forgotten.
    pub(super) fn poll(&self, id: u64) {
        // Taken out while it runs: it may spawn.
        let Some(mut task) = self.tasks.borrow_mut().remove(&id) else { return };
        task.waker.queued.store(false, Ordering::Relaxed);
        let waker = Waker::from(task.waker.clone());
        if task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            self.tasks.borrow_mut().insert(id, task);
        }
    }

    /// Drops every task. What they drop may spawn or wake; that is dropped too.
    pub(super) fn clear(&self) {
        loop {
            let tasks = std::mem::take(&mut *self.tasks.borrow_mut());
            if tasks.is_empty() {
                return;
            }
        }
    }

    fn waker(&self, task: u64) -> Arc<TaskWaker> {
        Arc::new(TaskWaker { task, queued: AtomicBool::new(false), ready: self.ready.clone() })
    }
}
