//! One core's coordinator: carries out what the state machines of its `__consumer_offsets` partitions ask for.
//!
//! A request comes in on the core that owns its group's partition ([`Homes::at`]), changes the state there and then,
//! and what it asks for is done at once, but for appends, which the partition's writer gathers. There is one timer task a
//! core, and it sleeps until the earliest deadline of all groups.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use protocol::{ErrorCode, Uuid};
use storage::LogId;
use storage::runtime::Monotonic;
use tokio::sync::{Notify, oneshot};

use super::effects::{Append, Effects, Reply, Then, TimerKey, Token};
use super::settings::GroupSettings;
use super::state::GroupState;
use super::timers::Timers;
use crate::config::BrokerConfig;
use crate::coordinator::{Driven, Home, Homes, Settled};
use crate::metadata::MetadataImage;
use crate::metrics::GroupActivity;
use crate::shard::Shard;
use crate::transactions::markers::Marker;

/// A `__consumer_offsets` partition on its core.
pub type GroupHome = Home<GroupState>;
/// The `__consumer_offsets` partitions of a core, and the way to a group.
pub type GroupHomes = Homes<GroupState>;

/// What goes off at a moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    /// A timer of a group.
    Group(LogId, TimerKey),
    /// Time to look for offsets past their retention.
    Expiry(LogId),
}

impl Alarm {
    fn home(&self) -> LogId {
        match self {
            Alarm::Group(id, _) | Alarm::Expiry(id) => *id,
        }
    }
}

/// Settings of the groups, and what they were made of.
#[derive(Default)]
struct SettingsInForce {
    settings: Rc<GroupSettings>,
    config: Option<Arc<BrokerConfig>>,
}

/// The group coordinator of one core.
#[derive(Default)]
pub struct GroupCoordinator {
    homes: GroupHomes,
    settings: RefCell<SettingsInForce>,
    /// Metadata without topics: a state machine has the metadata in force only while it changes, so that a partition that
    /// nobody asks for does not keep an old one.
    nothing: Arc<MetadataImage>,
    alarms: RefCell<Timers<Alarm>>,
    /// The earliest alarm is another one than before.
    alarms_changed: Notify,
    ringing: Cell<bool>,
    /// JoinGroup and SyncGroup requests that wait. Each belongs to a request of a connection, which bounds them.
    waiting: RefCell<BTreeMap<Token, oneshot::Sender<Reply>>>,
    tokens: Cell<u64>,
    activity: Cell<GroupActivity>,
}

impl GroupCoordinator {
    /// The partitions of this core.
    pub fn homes(&self) -> &GroupHomes {
        &self.homes
    }

    /// The settings in force.
    pub fn settings(&self, shard: &Shard) -> Rc<GroupSettings> {
        let config = shard.config();
        let mut in_force = self.settings.borrow_mut();
        if in_force.config.as_ref().is_none_or(|made_of| !Arc::ptr_eq(made_of, &config)) {
            *in_force = SettingsInForce { settings: Rc::new(GroupSettings::of(&config)), config: Some(config) };
        }
        in_force.settings.clone()
    }

    /// Topics were deleted: offsets committed for them are forgotten. Not waited for: a later look for offsets past
    /// their retention finds what a crash in between leaves.
    pub fn topics_deleted(&self, shard: &Rc<Shard>, topics: &BTreeMap<String, Uuid>) {
        for home in self.homes.all() {
            // A partition that is being read keeps them until their retention is over.
            let _ = home.change(shard, |state, _, effects| state.topics_deleted(topics, effects));
        }
    }

    /// A name for a request that will wait, and where its answer arrives.
    pub fn wait(&self) -> (Token, oneshot::Receiver<Reply>) {
        let token = Token(self.tokens.get());
        self.tokens.set(token.0 + 1);
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(token, sender);
        (token, receiver)
    }

    fn count(&self, appends: &[Append]) {
        let mut activity = self.activity.get();
        for append in appends {
            match append.then {
                Then::Assigned { .. } => activity.rebalances += 1,
                Then::Offsets => activity.offset_commits += append.records.len() as u64,
                _ => {}
            }
        }
        self.activity.set(activity);
    }

    /// What the groups of this core have done since the start.
    pub fn activity(&self) -> GroupActivity {
        self.activity.get()
    }

    fn set_timers(&self, shard: &Rc<Shard>, id: LogId, changes: Vec<(TimerKey, Option<i64>)>) {
        if changes.is_empty() {
            return;
        }
        let now = shard.runtime().now();
        let before = self.alarms.borrow().next();
        for (key, after_ms) in changes {
            let alarm = Alarm::Group(id, key);
            match after_ms {
                Some(after_ms) => self.alarms.borrow_mut().set(alarm, after(now, after_ms)),
                None => self.alarms.borrow_mut().cancel(&alarm),
            }
        }
        self.alarms_moved(shard, before);
    }

    /// Sets when to look for old offsets of `id` again.
    fn set_expiry(&self, shard: &Rc<Shard>, id: LogId) {
        let before = self.alarms.borrow().next();
        let after_ms = self.settings(shard).offsets_retention_check_interval_ms;
        self.alarms.borrow_mut().set(Alarm::Expiry(id), after(shard.runtime().now(), after_ms));
        self.alarms_moved(shard, before);
    }

    fn alarms_moved(&self, shard: &Rc<Shard>, before: Option<Monotonic>) {
        let next = self.alarms.borrow().next();
        if next.is_some() && !self.ringing.replace(true) {
            let ringing = shard.clone();
            shard.runtime().spawn(async move { ringing.groups().ring(&ringing).await });
        } else if next < before {
            self.alarms_changed.notify_one();
        }
    }

    /// The timer task: ends when there is nothing to wait for.
    async fn ring(&self, shard: &Rc<Shard>) {
        loop {
            let next = self.alarms.borrow().next();
            let Some(next) = next else { break };
            tokio::select! {
                biased;
                () = self.alarms_changed.notified() => continue,
                () = shard.runtime().sleep_until(next) => {}
            }
            while let Some(alarm) = self.next_due(shard.runtime().now()) {
                self.go_off(shard, &alarm);
            }
        }
        self.ringing.set(false);
    }

    fn next_due(&self, now: Monotonic) -> Option<Alarm> {
        self.alarms.borrow_mut().pop_due(now)
    }

    fn go_off(&self, shard: &Rc<Shard>, alarm: &Alarm) {
        let Some(home) = self.homes.get(alarm.home()) else { return };
        // A partition that is being read or is gone has no timers; those of its former state mean nothing.
        match alarm {
            Alarm::Group(_, key) => {
                let _ = home.change(shard, |state, now_ms, effects| state.timer(key, now_ms, effects));
            }
            Alarm::Expiry(id) => {
                let _ = home.change(shard, |state, now_ms, effects| state.expire(now_ms, effects));
                self.set_expiry(shard, *id);
            }
        }
    }
}

fn after(now: Monotonic, after_ms: i64) -> Monotonic {
    now.plus(Duration::from_millis(u64::try_from(after_ms).unwrap_or(0)))
}

impl Driven for GroupState {
    fn homes(shard: &Shard) -> &GroupHomes {
        shard.groups().homes()
    }

    fn empty(shard: &Shard) -> GroupState {
        GroupState::new(shard.groups().settings(shard))
    }

    fn load_bytes_max(config: &BrokerConfig) -> usize {
        config.offsets_load_buffer_bytes
    }

    fn write_timeout_ms(config: &BrokerConfig) -> i64 {
        config.offsets_commit_timeout_ms
    }

    fn informed<T>(&mut self, shard: &Shard, change: impl FnOnce(&mut GroupState) -> T) -> T {
        self.set_settings(shard.groups().settings(shard));
        self.set_image(shard.image());
        let result = change(self);
        self.set_image(shard.groups().nothing.clone());
        result
    }

    fn carry_out(shard: &Rc<Shard>, home: &Rc<GroupHome>, effects: Effects) -> Vec<Append> {
        let groups = shard.groups();
        groups.set_timers(shard, home.id(), effects.timers);
        for (token, reply) in effects.replies {
            let sender = groups.waiting.borrow_mut().remove(&token);
            if let Some(sender) = sender {
                // The requester may be gone: its connection closed while it waited.
                let _ = sender.send(reply);
            }
        }
        groups.count(&effects.appends);
        effects.appends
    }

    fn opened(shard: &Rc<Shard>, id: LogId) {
        shard.groups().set_expiry(shard, id);
    }

    fn closed(shard: &Rc<Shard>, id: LogId) {
        let groups = shard.groups();
        groups.alarms.borrow_mut().retain(|alarm| alarm.home() != id);
        groups.alarms_changed.notify_one();
    }
}

impl GroupHome {
    /// The end of a transaction goes to the log behind what was asked for before; offsets that wait for it then count, or
    /// never.
    pub fn end_transaction(self: &Rc<Self>, shard: &Rc<Shard>, marker: Marker) -> Result<Settled, ErrorCode> {
        let ((), settled) = self.change(shard, |_, _, effects| effects.append_marker(marker))?;
        Ok(settled)
    }

    /// Settles when everything asked for so far has.
    pub fn settled_so_far(self: &Rc<Self>, shard: &Rc<Shard>) -> Settled {
        let last = self.is_writing().then(|| Append::new(Vec::new(), Then::Nothing));
        self.append(shard, Vec::from_iter(last))
    }
}
