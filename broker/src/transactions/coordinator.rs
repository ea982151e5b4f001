//! One core's coordinator: the `__transaction_state` partitions it owns, and what happens to them by the clock.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use protocol::ErrorCode;
use storage::LogId;

use super::home::Home;
use crate::internal_topics::TRANSACTION_STATE_TOPIC;
use crate::shard::Shard;

/// The transaction coordinator of one core.
#[derive(Default)]
pub struct TransactionCoordinator {
    homes: RefCell<BTreeMap<LogId, Rc<Home>>>,
}

impl TransactionCoordinator {
    /// The transactions of a partition this core owns; its log is read when it is asked for the first time.
    /// NOT_COORDINATOR if this core does not have the partition.
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

    /// Begins to read every `__transaction_state` partition of this core, so that what a crash interrupted is completed
    /// and timed out even if nobody asks.
    pub fn open_all(&self, shard: &Rc<Shard>) {
        let image = shard.image();
        let ids = image.topic(TRANSACTION_STATE_TOPIC).into_iter().flat_map(|topic| topic.log_ids());
        for id in ids.filter(|id| shard.owner_of(*id) == shard.core()) {
            if let Err(error_code) = self.home(shard, id) {
                tracing::warn!(partition = id.partition, %error_code, "transactions of this partition are not served");
            }
        }
    }

    /// All partitions of this core that have been asked for.
    pub fn homes(&self) -> Vec<Rc<Home>> {
        self.homes.borrow().values().cloned().collect()
    }

    /// A partition is taken away from this core.
    pub fn close(&self, id: LogId) {
        let home = self.homes.borrow_mut().remove(&id);
        if let Some(home) = home {
            home.close();
        }
    }

    /// The broker stops: as if every partition were taken away.
    pub fn close_all(&self) {
        self.homes().iter().for_each(|home| self.close(home.id()));
    }
}

/// Aborts transactions that are open for too long and forgets unused transactional ids, until the broker stops.
pub async fn keep_time(shard: Rc<Shard>) {
    let mut expired = shard.runtime().now();
    while !shard.stopping().is_set() {
        let config = shard.config();
        let every = Duration::from_millis(config.transaction_abort_interval_ms);
        tokio::select! {
            biased;
            () = shard.stopping().wait() => return,
            () = shard.runtime().sleep(every) => {}
        }
        for home in shard.transactions().homes() {
            abort_timed_out(&shard, &home).await;
        }
        let now = shard.runtime().now();
        if now.since(expired) >= Duration::from_millis(config.transactional_id_removal_interval_ms) {
            expired = now;
            for home in shard.transactions().homes() {
                // One that is being read has its turn the next time.
                let _ = home.change(&shard, |state, now_ms, effects| state.expire(now_ms, effects));
            }
        }
    }
}

async fn abort_timed_out(shard: &Rc<Shard>, home: &Rc<Home>) {
    let now_ms = shard.runtime().wall_clock_ms();
    for id in home.read(|state| state.timed_out(now_ms)).unwrap_or_default() {
        let aborted = home.change_with_id(shard, |state, fresh_id, now_ms, effects| {
            state.abort_timed_out(&id, fresh_id, now_ms, effects)
        });
        match aborted.await {
            Ok(()) => tracing::info!(transactional_id = %id, "aborted: it was open for too long"),
            Err(error_code) => tracing::warn!(transactional_id = %id, %error_code, "a late transaction is not aborted"),
        }
    }
}
