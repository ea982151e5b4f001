//! One core's coordinator: carries out what the state machines of its `__consumer_offsets` partitions ask for.
//!
//! A request comes in on the core that owns its group's partition ([`super::route`]), changes the state there and then,
//! and what it asks for is done at once, but for appends, which the partition's writer gathers ([`super::home`]). There
//! is one timer task a core, and it sleeps until the earliest deadline of all groups.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use protocol::{ErrorCode, Uuid};
use storage::LogId;
use storage::runtime::Monotonic;
use tokio::sync::{Notify, oneshot};

use super::OFFSETS_TOPIC;
use super::effects::{Append, Effects, Reply, Then, TimerKey, Token};
use super::home::{Home, Settled};
use super::timers::Timers;

use crate::metrics::GroupActivity;
use crate::shard::Shard;

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

/// The group coordinator of one core.
#[derive(Default)]
pub struct GroupCoordinator {
    homes: RefCell<BTreeMap<LogId, Rc<Home>>>,
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
    /// The groups of a partition this core owns; its log is read when it is asked for the first time. NOT_COORDINATOR
    /// if this core does not have the partition.
    pub fn home(&self, shard: &Rc<Shard>, id: LogId) -> Result<Rc<Home>, ErrorCode> {
        if let Some(home) = self.homes.borrow().get(&id) {
            return Ok(home.clone());
        }
        if shard.stopping().is_set() {
            return Err(ErrorCode::NOT_COORDINATOR);
        }
        let partition = shard.leader(id).map_err(|_| ErrorCode::NOT_COORDINATOR)?;
        let home = Home::open(shard, partition);
        self.homes.borrow_mut().insert(id, home.clone());
        Ok(home)
    }

    /// Begins to read every `__consumer_offsets` partition of this core, so that sessions and retention go on after a
    /// start even if nobody asks.
    pub fn open_all(&self, shard: &Rc<Shard>) {
        let image = shard.image();
        let ids = image.topic(OFFSETS_TOPIC).into_iter().flat_map(|topic| topic.log_ids());
        for id in ids.filter(|id| shard.owner_of(*id) == shard.core()) {
            if let Err(error_code) = self.home(shard, id) {
                tracing::warn!(partition = id.partition, %error_code, "groups of this partition are not served");
            }
        }
    }

    /// Topics were deleted: offsets committed for them are forgotten. Not waited for: a later look for offsets past
    /// their retention finds what a crash in between leaves.
    pub fn topics_deleted(&self, shard: &Rc<Shard>, topics: &BTreeMap<String, Uuid>) {
        for home in self.homes() {
            // A partition that is being read keeps them until their retention is over.
            let _ = home.change(shard, |state, _, effects| state.topics_deleted(topics, effects));
        }
    }

    /// All partitions of this core that have been asked for.
    pub fn homes(&self) -> Vec<Rc<Home>> {
        self.homes.borrow().values().cloned().collect()
    }

    /// A partition is taken away from this core: requests that wait are told to look for the coordinator again.
    pub fn close(&self, shard: &Rc<Shard>, id: LogId) {
        let home = self.homes.borrow_mut().remove(&id);
        if let Some(home) = home {
            home.close(shard);
            self.alarms.borrow_mut().retain(|alarm| alarm.home() != id);
            self.alarms_changed.notify_one();
        }
    }

    /// The broker stops: as if every partition were taken away.
    pub fn close_all(&self, shard: &Rc<Shard>) {
        for home in self.homes() {
            self.close(shard, home.id());
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

    /// Does what a change of `home` asks for. The result settles when its appends are durable.
    pub(super) fn carry_out(&self, shard: &Rc<Shard>, home: &Rc<Home>, effects: Effects) -> Settled {
        self.set_timers(shard, home.id(), effects.timers);
        for (token, reply) in effects.replies {
            let sender = self.waiting.borrow_mut().remove(&token);
            if let Some(sender) = sender {
                // The requester may be gone: its connection closed while it waited.
                let _ = sender.send(reply);
            }
        }
        self.count(&effects.appends);
        home.enqueue(shard, effects.appends)
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
    pub(super) fn set_expiry(&self, shard: &Rc<Shard>, id: LogId, after_ms: i64) {
        let before = self.alarms.borrow().next();
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
        let home = self.homes.borrow().get(&alarm.home()).cloned();
        let Some(home) = home else { return };
        // A partition that is being read or is gone has no timers; those of its former state mean nothing.
        match alarm {
            Alarm::Group(_, key) => {
                let _ = home.change(shard, |state, now_ms, effects| state.timer(key, now_ms, effects));
            }
            Alarm::Expiry(id) => {
                let _ = home.change(shard, |state, now_ms, effects| state.expire(now_ms, effects));
                self.set_expiry(shard, *id, home.settings().offsets_retention_check_interval_ms);
            }
        }
    }
}

fn after(now: Monotonic, after_ms: i64) -> Monotonic {
    now.plus(Duration::from_millis(u64::try_from(after_ms).unwrap_or(0)))
}
