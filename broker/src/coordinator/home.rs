//! One partition of an internal topic on its core: its state machine, from being read to being closed, and the queue of
//! what is to be appended ([`super::writer`]).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use protocol::ErrorCode;
use storage::LogId;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, oneshot};

use super::{AppendOf, Driven, loading};
use crate::config::BrokerConfig;
use crate::partition::Partition;
use crate::shard::Shard;

/// What may wait for its turn in a partition before requests that can wait are told to come again.
const QUEUED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Whether a partition can be asked.
pub(super) enum Phase<S> {
    /// The log is being read.
    Loading,
    /// In charge.
    Active(Box<S>),
    /// The log cannot be read, or the partition was taken away.
    Closed,
}

/// An append that waits for its turn.
pub(super) struct Queued<S: Driven> {
    pub(super) append: AppendOf<S>,
    pub(super) done: oneshot::Sender<Result<(), ErrorCode>>,
}

/// When everything one change asked for is durable.
#[must_use]
pub struct Settled {
    written: Vec<oneshot::Receiver<Result<(), ErrorCode>>>,
    timeout_ms: fn(&BrokerConfig) -> i64,
}

impl Settled {
    /// Waits for [`Driven::write_timeout_ms`] at most; the code is the one clients are to see. What took too long may
    /// still become durable: clients say it again.
    pub async fn wait(self, shard: &Shard) -> Result<(), ErrorCode> {
        let timeout_ms = u64::try_from((self.timeout_ms)(&shard.config())).unwrap_or(0);
        let all = async {
            for written in self.written {
                written.await.unwrap_or(Err(ErrorCode::NOT_COORDINATOR))?;
            }
            Ok(())
        };
        let settled = shard.runtime().timeout(Duration::from_millis(timeout_ms), all).await;
        settled.unwrap_or(Err(ErrorCode::COORDINATOR_NOT_AVAILABLE))
    }

    /// Whether the change asked for nothing.
    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }
}

/// One partition of an internal topic on its core.
pub struct Home<S: Driven> {
    pub(super) partition: Rc<Partition>,
    pub(super) phase: RefCell<Phase<S>>,
    pub(super) queue: RefCell<VecDeque<Queued<S>>>,
    /// Bytes in `queue`; see [`Home::check_room`].
    pub(super) queued_bytes: Cell<usize>,
    pub(super) queued: Notify,
    pub(super) writing: Cell<bool>,
    pub(super) settled: Notify,
}

impl<S: Driven> Home<S> {
    /// Takes charge of a partition: at once if it is empty, else when its log has been read.
    pub(super) fn open(shard: &Rc<Shard>, partition: Rc<Partition>) -> Rc<Home<S>> {
        let empty = partition.log().log_start_offset() == partition.log().log_end_offset();
        let home = Rc::new(Home {
            partition,
            phase: RefCell::new(if empty { Phase::Active(Box::new(S::empty(shard))) } else { Phase::Loading }),
            queue: RefCell::default(),
            queued_bytes: Cell::new(0),
            queued: Notify::new(),
            writing: Cell::new(false),
            settled: Notify::new(),
        });
        S::opened(shard, home.id());
        if !empty {
            let (loading, on) = (home.clone(), shard.clone());
            shard.runtime().spawn(async move { loading.load(&on).await });
        }
        home
    }

    /// Topic id and number of the partition.
    pub fn id(&self) -> LogId {
        self.partition.id()
    }

    /// The partition itself.
    pub fn partition(&self) -> &Rc<Partition> {
        &self.partition
    }

    /// Whether the partition was taken away, or cannot be read.
    pub fn is_closed(&self) -> bool {
        matches!(&*self.phase.borrow(), Phase::Closed)
    }

    async fn load(self: &Rc<Self>, shard: &Rc<Shard>) {
        let _turn = S::homes(shard).turn_to_load().await;
        if self.is_closed() {
            return;
        }
        let (log, topic, partition) = (self.partition.log(), S::TOPIC, self.id().partition);
        let started = shard.runtime().now();
        let mut state = S::empty(shard);
        let bytes_max = S::load_bytes_max(&shard.config());
        let loaded = loading::load(log, &mut state, bytes_max, shard.runtime()).await;
        if self.is_closed() {
            return;
        }
        let mut effects = S::Effects::default();
        let phase = match loaded {
            Ok(()) => {
                let now_ms = shard.runtime().wall_clock_ms();
                state.informed(shard, |state| state.loaded(now_ms, &mut effects));
                let took_ms = shard.runtime().now().since(started).as_millis() as u64;
                tracing::info!(topic, partition, state = state.summary(), took_ms, "loaded");
                Phase::Active(Box::new(state))
            }
            Err(error) => {
                // Kept closed: starting anew without the records would contradict what clients were told. They look for
                // another coordinator until the log can be read again.
                tracing::error!(topic, partition, %error, "cannot be loaded");
                Phase::Closed
            }
        };
        *self.phase.borrow_mut() = phase;
        let _ = self.carry_out(shard, effects);
    }

    /// Reads the state.
    pub fn read<T>(&self, read: impl FnOnce(&S) -> T) -> Result<T, ErrorCode> {
        match &*self.phase.borrow() {
            Phase::Loading => Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            Phase::Active(state) => Ok(read(state)),
            Phase::Closed => Err(ErrorCode::NOT_COORDINATOR),
        }
    }

    /// Changes the state and does what that asks for; answer clients when [`Settled`] is.
    pub fn change<T>(
        self: &Rc<Self>,
        shard: &Rc<Shard>,
        change: impl FnOnce(&mut S, i64, &mut S::Effects) -> T,
    ) -> Result<(T, Settled), ErrorCode> {
        let mut effects = S::Effects::default();
        let result = match &mut *self.phase.borrow_mut() {
            Phase::Loading => return Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            Phase::Active(state) => {
                let now_ms = shard.runtime().wall_clock_ms();
                state.informed(shard, |state| change(state, now_ms, &mut effects))
            }
            Phase::Closed => return Err(ErrorCode::NOT_COORDINATOR),
        };
        Ok((result, self.carry_out(shard, effects)))
    }

    /// Does what a change asks for. The result settles when its appends are durable.
    pub(super) fn carry_out(self: &Rc<Self>, shard: &Rc<Shard>, effects: S::Effects) -> Settled {
        let appends = S::carry_out(shard, self, effects);
        self.append(shard, appends)
    }

    /// Appends records in turn.
    pub fn append(self: &Rc<Self>, shard: &Rc<Shard>, appends: Vec<AppendOf<S>>) -> Settled {
        let mut written = Vec::with_capacity(appends.len());
        for append in appends {
            let (done, receiver) = oneshot::channel();
            self.queued_bytes.set(self.queued_bytes.get() + append.bytes());
            self.queue.borrow_mut().push_back(Queued { append, done });
            written.push(receiver);
        }
        if !written.is_empty() {
            self.queued.notify_one();
            if !self.writing.replace(true) {
                let (home, on) = (self.clone(), shard.clone());
                shard.runtime().spawn(async move { home.write(&on).await });
            }
        }
        Settled { written, timeout_ms: S::write_timeout_ms }
    }

    /// Whether records are on their way to disk.
    pub fn is_writing(&self) -> bool {
        self.writing.get()
    }

    /// Whether more may be asked for: not while the disk takes so long that much is waiting already.
    pub fn check_room(&self) -> Result<(), ErrorCode> {
        if self.queued_bytes.get() < QUEUED_BYTES_MAX { Ok(()) } else { Err(ErrorCode::COORDINATOR_NOT_AVAILABLE) }
    }

    /// Completes when something settles, or the partition is closed: a change that was refused because of another one on
    /// its way may be tried again.
    pub fn next_settled(&self) -> Notified<'_> {
        self.settled.notified()
    }

    /// Something has settled that no record was waited for.
    pub fn tell_settled(&self) {
        self.settled.notify_waiters();
    }

    pub(super) fn close(self: &Rc<Self>, shard: &Rc<Shard>) {
        let phase = std::mem::replace(&mut *self.phase.borrow_mut(), Phase::Closed);
        if let Phase::Active(mut state) = phase {
            let mut effects = S::Effects::default();
            state.close(shard.runtime().wall_clock_ms(), &mut effects);
            let _ = self.carry_out(shard, effects);
        }
        self.settled.notify_waiters();
    }
}
