//! One core's partitions of an internal topic, and the way to them: which partition a key belongs to, which core owns it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use futures_util::future::join_all;
use protocol::ErrorCode;
use storage::LogId;
use storage::runtime::LocalFuture;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Driven, Home};
use crate::shard::Shard;

/// The partition of an internal topic that a key (a group, a transactional id) belongs to: Java's `String.hashCode` of it,
/// made positive (GroupCoordinatorService.partitionFor, TransactionStateManager.partitionFor). Clients find the
/// coordinator through us, but tools work it out themselves.
pub fn partition_for(key: &str, partitions: i32) -> i32 {
    let hash = key.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    hash.checked_abs().unwrap_or(0) % partitions.max(1)
}

/// Partitions of a topic that a core reads at a time. Read together, they would end together: late, each with a piece of its
/// log in memory, and so much to do in turn that a message for the core waits for dozens of pieces.
const LOADING_MAX: usize = 1;

/// One core's partitions of an internal topic.
pub struct Homes<S: Driven> {
    homes: RefCell<BTreeMap<LogId, Rc<Home<S>>>>,
    loading: Semaphore,
}

impl<S: Driven> Default for Homes<S> {
    fn default() -> Homes<S> {
        Homes { homes: RefCell::default(), loading: Semaphore::new(LOADING_MAX) }
    }
}

impl<S: Driven> Homes<S> {
    /// A partition this core owns; its log is read when it is asked for the first time. NOT_COORDINATOR if this core does
    /// not have the partition.
    pub fn home(&self, shard: &Rc<Shard>, id: LogId) -> Result<Rc<Home<S>>, ErrorCode> {
        if let Some(home) = self.get(id) {
            return Ok(home);
        }
        if shard.stopping().is_set() {
            return Err(ErrorCode::NOT_COORDINATOR);
        }
        let partition = shard.leader(id).map_err(|_| ErrorCode::NOT_COORDINATOR)?;
        let home = Home::open(shard, partition);
        self.homes.borrow_mut().insert(id, home.clone());
        Ok(home)
    }

    /// Completes when a partition may be read; the next one may when what this returns is dropped.
    pub(super) async fn turn_to_load(&self) -> Option<SemaphorePermit<'_>> {
        self.loading.acquire().await.ok()
    }

    /// A partition that has been asked for.
    pub fn get(&self, id: LogId) -> Option<Rc<Home<S>>> {
        self.homes.borrow().get(&id).cloned()
    }

    /// All partitions of this core that have been asked for.
    pub fn all(&self) -> Vec<Rc<Home<S>>> {
        self.homes.borrow().values().cloned().collect()
    }

    /// Begins to read every partition of this core, so that what waits for the clock, or was interrupted by a crash, goes
    /// on even if nobody asks.
    pub fn open_all(&self, shard: &Rc<Shard>) {
        let ids = partitions_of(shard, S::TOPIC).into_iter();
        for id in ids.filter(|id| shard.owner_of(*id) == shard.core()) {
            if let Err(error_code) = self.home(shard, id) {
                tracing::warn!(topic = S::TOPIC, partition = id.partition, %error_code, "not coordinated here");
            }
        }
    }

    /// A partition is taken away from this core: requests that wait are told to look for the coordinator again.
    pub fn close(&self, shard: &Rc<Shard>, id: LogId) {
        let home = self.homes.borrow_mut().remove(&id);
        if let Some(home) = home {
            home.close(shard);
            S::closed(shard, id);
        }
    }

    /// The broker stops: as if every partition were taken away.
    pub fn close_all(&self, shard: &Rc<Shard>) {
        self.all().iter().for_each(|home| self.close(shard, home.id()));
    }
}

impl<S: Driven> Homes<S> {
    /// The partition a key belongs to; NOT_COORDINATOR as long as there is no such topic, which is made when somebody asks
    /// for a coordinator.
    pub fn id_of(shard: &Shard, key: &str) -> Result<LogId, ErrorCode> {
        let image = shard.image();
        let topic = image.topic(S::TOPIC).ok_or(ErrorCode::NOT_COORDINATOR)?;
        let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        Ok(LogId { topic_id: topic.id, partition: partition_for(key, partitions) })
    }

    /// Runs `work` where the key is. The message leaves with the first poll, so requests of one connection get there in
    /// the order they came.
    pub async fn at<R: Send + 'static>(
        shard: &Rc<Shard>,
        key: &str,
        work: impl FnOnce(Rc<Shard>, Rc<Home<S>>) -> LocalFuture<Result<R, ErrorCode>> + Send + 'static,
    ) -> Result<R, ErrorCode> {
        let id = Self::id_of(shard, key)?;
        let answer = shard.run_on(shard.owner_of(id), move |shard| match S::homes(shard).home(shard, id) {
            Ok(home) => work(shard.clone(), home),
            Err(error_code) => Box::pin(async move { Err(error_code) }),
        });
        answer.await.unwrap_or(Err(ErrorCode::NOT_COORDINATOR))
    }

    /// Runs `work` on every core, with all of its partitions.
    pub async fn at_all<R: Send + 'static>(
        shard: &Rc<Shard>,
        work: impl Fn(&Shard, &Home<S>) -> Result<R, ErrorCode> + Clone + Send + 'static,
    ) -> Result<Vec<R>, ErrorCode> {
        let ids = partitions_of(shard, S::TOPIC);
        let answers = (0..shard.shards().cores()).map(|core| {
            let (ids, work) = (ids.clone(), work.clone());
            shard.run_on(core, move |shard| {
                let here = ids.into_iter().filter(|id| shard.owner_of(*id) == core);
                let answers: Result<Vec<R>, ErrorCode> =
                    here.map(|id| S::homes(shard).home(shard, id).and_then(|home| work(shard, &home))).collect();
                Box::pin(async move { answers })
            })
        });
        let mut all = Vec::new();
        for answer in join_all(answers).await {
            all.extend(answer.unwrap_or(Err(ErrorCode::NOT_COORDINATOR))?);
        }
        Ok(all)
    }
}

/// None as long as there is no such topic.
fn partitions_of(shard: &Shard, topic: &str) -> Vec<LogId> {
    shard.image().topic(topic).into_iter().flat_map(|topic| topic.log_ids()).collect()
}

#[cfg(test)]
mod tests {
    use super::partition_for;

    #[test]
    fn groups_land_where_kafka_puts_them() {
        for (group_id, partitions, expected) in [
            ("", 50, 0),
            ("a", 50, 47),
            ("my-group", 50, 12),
            // hashCode is the smallest integer, which has no absolute value.
            ("polygenelubricants", 50, 0),
            ("\u{1f600}", 50, 49),
            ("console-consumer-1", 1, 0),
        ] {
            assert_eq!(partition_for(group_id, partitions), expected, "{group_id}");
        }
    }
}
