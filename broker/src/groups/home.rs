//! One `__consumer_offsets` partition on its core: its state machine, from being read to being closed, and the queue of
//! what is to be appended ([`super::writer`]).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use protocol::ErrorCode;
use storage::LogId;
use storage::producer_state::{FirstBatch, VerificationGuard};
use tokio::sync::{Notify, oneshot};

use super::effects::{Append, Effects, Then};
use super::loading;
use super::settings::GroupSettings;
use super::state::GroupState;
use crate::config::BrokerConfig;
use crate::metadata::MetadataImage;
use crate::partition::Partition;
use crate::shard::Shard;
use crate::transactions::markers::Marker;

/// Offsets that wait for their turn in a partition; beyond it clients are told to come again.
const QUEUED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Whether a partition's groups can be asked.
pub(super) enum Phase {
    /// The log is being read.
    Loading,
    /// In charge.
    Active(Box<GroupState>),
    /// The log cannot be read, or the partition was taken away.
    Closed,
}

/// An append that waits for its turn.
pub(super) struct Queued {
    pub(super) append: Append,
    pub(super) done: oneshot::Sender<Result<(), ErrorCode>>,
}

/// When everything one change asked for is durable.
pub struct Settled(Vec<oneshot::Receiver<Result<(), ErrorCode>>>);

impl Settled {
    /// Waits for `offsets.commit.timeout.ms` at most; the code is the one clients are to see. What took too long may
    /// still become durable: clients say it again.
    pub async fn wait(self, shard: &Shard) -> Result<(), ErrorCode> {
        let timeout_ms = u64::try_from(shard.config().offsets_commit_timeout_ms).unwrap_or(0);
        let settled = shard.runtime().timeout(Duration::from_millis(timeout_ms), self.all()).await;
        settled.unwrap_or(Err(ErrorCode::COORDINATOR_NOT_AVAILABLE))
    }

    /// This, or if the change asked for nothing, everything asked for so far: what the answer tells of may be on its way.
    pub fn or_so_far(self, home: &Rc<Home>, shard: &Rc<Shard>) -> Settled {
        if self.0.is_empty() { home.settled_so_far(shard) } else { self }
    }

    async fn all(self) -> Result<(), ErrorCode> {
        for done in self.0 {
            done.await.unwrap_or(Err(ErrorCode::NOT_COORDINATOR))?;
        }
        Ok(())
    }
}

/// One `__consumer_offsets` partition on its core.
pub struct Home {
    pub(super) partition: Rc<Partition>,
    settings: RefCell<Rc<GroupSettings>>,
    /// What `settings` was made of.
    config: RefCell<Arc<BrokerConfig>>,
    /// Metadata without topics: the state machine has the metadata in force only while it changes, so that a partition
    /// that nobody asks for does not keep an old one.
    nothing: Arc<MetadataImage>,
    pub(super) phase: RefCell<Phase>,
    pub(super) queue: RefCell<VecDeque<Queued>>,
    /// Bytes in `queue`; see [`Home::check_room`].
    pub(super) queued_bytes: Cell<usize>,
    pub(super) queued: Notify,
    pub(super) writing: Cell<bool>,
    /// Bytes in the log since everything alive was written anew.
    pub(super) grown_bytes: Cell<u64>,
}

impl Home {
    /// Takes charge of a partition: at once if it is empty, else when its log has been read.
    pub(super) fn open(shard: &Rc<Shard>, partition: Rc<Partition>) -> Rc<Home> {
        let config = shard.config();
        let settings = Rc::new(GroupSettings::of(&config));
        let empty = partition.log().log_start_offset() == partition.log().log_end_offset();
        let phase = if empty { Phase::Active(Box::new(GroupState::new(settings.clone()))) } else { Phase::Loading };
        let home = Rc::new(Home {
            partition,
            settings: RefCell::new(settings.clone()),
            config: RefCell::new(config),
            nothing: Arc::default(),
            phase: RefCell::new(phase),
            queue: RefCell::default(),
            queued_bytes: Cell::new(0),
            queued: Notify::new(),
            writing: Cell::new(false),
            grown_bytes: Cell::new(0),
        });
        shard.groups().set_expiry(shard, home.id(), settings.offsets_retention_check_interval_ms);
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

    /// The settings in force.
    pub fn settings(&self) -> Rc<GroupSettings> {
        self.settings.borrow().clone()
    }

    async fn load(self: &Rc<Home>, shard: &Rc<Shard>) {
        let log = self.partition.log();
        let started = shard.runtime().now();
        let loaded = loading::load(log, self.settings(), shard.runtime()).await;
        let mut effects = Effects::default();
        match (loaded, &mut *self.phase.borrow_mut()) {
            (Ok(mut state), phase @ Phase::Loading) => {
                self.tell(shard, &mut state);
                state.loaded(shard.runtime().wall_clock_ms(), &mut effects);
                state.set_image(self.nothing.clone());
                let took_ms = shard.runtime().now().since(started).as_millis() as u64;
                let (groups, offsets) = (state.group_count(), state.offsets().len());
                tracing::info!(partition = self.id().partition, groups, offsets, took_ms, "groups loaded");
                *phase = Phase::Active(Box::new(state));
            }
            (Err(error), phase @ Phase::Loading) => {
                // Kept closed: starting anew without the records would hand members and offsets that are known
                // otherwise. Clients look for another coordinator until the log can be read again.
                tracing::error!(partition = self.id().partition, %error, "the groups cannot be loaded");
                *phase = Phase::Closed;
            }
            // Taken away meanwhile.
            (_, Phase::Active(_) | Phase::Closed) => {}
        }
        self.grown_bytes.set(log.bytes());
        let _ = shard.groups().carry_out(shard, self, effects);
    }

    /// Reads the state.
    pub fn read<T>(&self, read: impl FnOnce(&GroupState) -> T) -> Result<T, ErrorCode> {
        match &*self.phase.borrow() {
            Phase::Loading => Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            Phase::Active(state) => Ok(read(state)),
            Phase::Closed => Err(ErrorCode::NOT_COORDINATOR),
        }
    }

    /// Changes the state and does what that asks for. The change is seen at once, but for offsets, which are seen once
    /// they are durable; answer clients when [`Settled`] is.
    pub fn change<T>(
        self: &Rc<Home>,
        shard: &Rc<Shard>,
        change: impl FnOnce(&mut GroupState, i64, &mut Effects) -> T,
    ) -> Result<(T, Settled), ErrorCode> {
        let mut effects = Effects::default();
        let result = match &mut *self.phase.borrow_mut() {
            Phase::Loading => return Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            Phase::Active(state) => {
                self.tell(shard, state);
                let result = change(state, shard.runtime().wall_clock_ms(), &mut effects);
                state.set_image(self.nothing.clone());
                result
            }
            Phase::Closed => return Err(ErrorCode::NOT_COORDINATOR),
        };
        Ok((result, shard.groups().carry_out(shard, self, effects)))
    }

    /// Tells the state machine of the metadata and the settings in force.
    fn tell(&self, shard: &Shard, state: &mut GroupState) {
        state.set_image(shard.image());
        let config = shard.config();
        if !Arc::ptr_eq(&config, &self.config.borrow()) {
            let settings = Rc::new(GroupSettings::of(&config));
            state.set_settings(settings.clone());
            *self.settings.borrow_mut() = settings;
            *self.config.borrow_mut() = config;
        }
    }

    /// Whether more offsets may be committed: not while the disk takes so long that much is waiting already.
    /// (Membership needs no such check, its records are few.)
    pub fn check_room(&self) -> Result<(), ErrorCode> {
        if self.queued_bytes.get() < QUEUED_BYTES_MAX { Ok(()) } else { Err(ErrorCode::COORDINATOR_NOT_AVAILABLE) }
    }

    /// The end of a transaction goes to the log behind what was asked for before; offsets that wait for it then count, or
    /// never.
    pub fn end_transaction(self: &Rc<Home>, shard: &Rc<Shard>, marker: Marker) -> Result<Settled, ErrorCode> {
        let ((), settled) =
            self.change(shard, |_, _, effects| effects.append(Vec::new(), Then::TransactionEnded(marker)))?;
        Ok(settled)
    }

    /// See `storage::Log::begin_verification`.
    pub fn begin_verification(&self, first: FirstBatch) -> Option<VerificationGuard> {
        self.partition.log().begin_verification(first)
    }

    /// Settles when everything asked for so far has.
    pub fn settled_so_far(self: &Rc<Home>, shard: &Rc<Shard>) -> Settled {
        if !self.writing.get() {
            return Settled(Vec::new());
        }
        self.enqueue(shard, vec![Append { records: Rc::default(), then: Then::Nothing, transaction: None }])
    }

    pub(super) fn close(self: &Rc<Home>, shard: &Rc<Shard>) {
        let phase = std::mem::replace(&mut *self.phase.borrow_mut(), Phase::Closed);
        if let Phase::Active(mut state) = phase {
            let mut effects = Effects::default();
            state.close(ErrorCode::NOT_COORDINATOR, shard.runtime().wall_clock_ms(), &mut effects);
            let _ = shard.groups().carry_out(shard, self, effects);
        }
    }

    pub(super) fn enqueue(self: &Rc<Home>, shard: &Rc<Shard>, appends: Vec<Append>) -> Settled {
        let mut settled = Vec::with_capacity(appends.len());
        for append in appends {
            let (done, receiver) = oneshot::channel();
            self.queued_bytes.set(self.queued_bytes.get() + append.bytes());
            self.queue.borrow_mut().push_back(Queued { append, done });
            settled.push(receiver);
        }
        if !settled.is_empty() {
            self.queued.notify_one();
            if !self.writing.replace(true) {
                let (home, on) = (self.clone(), shard.clone());
                shard.runtime().spawn(async move { home.write(&on).await });
            }
        }
        Settled(settled)
    }
}
