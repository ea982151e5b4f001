//! One core and what it owns.
//!
//! Nothing of a [`Shard`] is shared with another core. A request for another core's partition is one message there and
//! one reply back: [`Shard::run_on`] sends a closure, which runs on the owner's thread with the owner's shard in hand.
//! A partition's owner is a pure function of its id and the number of cores, [`core_of`].

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use arc_swap::ArcSwap;
use futures_util::future::Either;
use protocol::Uuid;
use storage::runtime::{HashMap, LocalFuture, Runtime};
use storage::{Engine, LogId};
use thiserror::Error;
use tokio::sync::{Mutex, oneshot};

use crate::api_metrics::ApiMetrics;
use crate::metadata::MetadataImage;
use crate::net::NetShared;
use crate::partition::Partition;

/// The core that owns a partition. Part of the data format: a core's write-ahead log holds exactly its partitions, so
/// a change here needs the recovery of a changed number of cores.
pub fn core_of(topic_id: Uuid, partition: i32, cores: usize) -> usize {
    let value = u128::from_be_bytes(topic_id.0);
    let folded = (value as u64) ^ ((value >> 64) as u64);
    // Fibonacci hashing; consecutive partitions of a topic then land on consecutive cores.
    let topic = folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
    ((topic + partition as u64 % cores as u64) % cores as u64) as usize
}

/// The other core no longer answers: the broker is shutting down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the broker is shutting down")]
pub struct ShardClosed;

/// Work for a core. Boxed twice on purpose: one allocation carries the closure over, the other is its future there.
type Job = Box<dyn FnOnce(&Rc<Shard>) -> LocalFuture<()> + Send>;

/// The mailboxes of all cores; cheap to clone and `Send`.
///
/// A mailbox has no bound of its own: each message belongs to a request whose sender waits, and requests are bounded
/// per connection (in-flight cap) and together (request memory).
#[derive(Clone)]
pub struct ShardHandle {
    mailboxes: Arc<[flume::Sender<Job>]>,
}

/// The receiving end of one core's mailbox.
pub struct Mailbox {
    jobs: flume::Receiver<Job>,
}

impl ShardHandle {
    /// Mailboxes for `cores` cores, one receiver each.
    pub fn new(cores: usize) -> (ShardHandle, Vec<Mailbox>) {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..cores).map(|_| flume::unbounded()).unzip();
        let mailboxes = receivers.into_iter().map(|jobs| Mailbox { jobs }).collect();
        (ShardHandle { mailboxes: senders.into() }, mailboxes)
    }

    /// How many cores there are.
    pub fn cores(&self) -> usize {
        self.mailboxes.len()
    }

    /// Runs `job` on `core` and hands its result back. The message leaves before this returns, and jobs of one sender
    /// start in the order they were sent, so order of calls is order of effects; the future only waits for the reply.
    pub fn run_on<R, J>(&self, core: usize, job: J) -> impl Future<Output = Result<R, ShardClosed>> + use<R, J>
    where
        R: Send + 'static,
        J: FnOnce(&Rc<Shard>) -> LocalFuture<R> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |shard| {
            let work = job(shard);
            Box::pin(async move {
                // The requester may be gone (its connection closed); the work itself is done all the same.
                let _ = reply.send(work.await);
            })
        });
        let sent = self.mailboxes[core].send(job).is_ok();
        async move { if sent { answer.await.map_err(|_| ShardClosed) } else { Err(ShardClosed) } }
    }
}

/// Who this broker is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// 22 characters of base64, made when the data directory was.
    pub cluster_id: String,
    /// `node.id`.
    pub node_id: i32,
}

/// What every core has a clone of.
#[derive(Clone)]
pub struct Shared {
    /// Who this broker is.
    pub identity: Arc<Identity>,
    /// Bounds of connections, some of them counted over all cores.
    pub net: NetShared,
    /// The mailboxes of all cores.
    pub shards: ShardHandle,
    /// The metadata in force; replaced once its partitions are open on their cores.
    pub image: Arc<ArcSwap<MetadataImage>>,
}

/// One core and what it owns.
pub struct Shard {
    core: usize,
    runtime: Runtime,
    engine: Engine,
    shared: Shared,
    api_metrics: ApiMetrics,
    partitions: RefCell<HashMap<LogId, Rc<Partition>>>,
    append_gate: Mutex<()>,
}

impl Shard {
    /// A core without partitions; they are opened when the metadata image is applied.
    pub fn new(core: usize, runtime: Runtime, engine: Engine, shared: Shared) -> Rc<Shard> {
        Rc::new(Shard {
            core,
            runtime,
            engine,
            shared,
            api_metrics: ApiMetrics::new(),
            partitions: RefCell::default(),
            append_gate: Mutex::new(()),
        })
    }

    /// Number of this core, from zero.
    pub fn core(&self) -> usize {
        self.core
    }

    /// This core's clock, tasks and disk.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// This core's logs.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// All cores.
    pub fn shards(&self) -> &ShardHandle {
        &self.shared.shards
    }

    /// Who this broker is.
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// The metadata in force.
    pub fn image(&self) -> Arc<MetadataImage> {
        self.shared.image.load_full()
    }

    /// Bounds of connections.
    pub fn net(&self) -> &NetShared {
        &self.shared.net
    }

    /// Requests and their times, as this core counts them.
    pub fn api_metrics(&self) -> &ApiMetrics {
        &self.api_metrics
    }

    /// The core that owns `id`.
    pub fn owner_of(&self, id: LogId) -> usize {
        core_of(id.topic_id, id.partition, self.shared.shards.cores())
    }

    /// A partition this core owns and has open.
    pub fn partition(&self, id: LogId) -> Option<Rc<Partition>> {
        self.partitions.borrow().get(&id).cloned()
    }

    /// Appends pass here one at a time, first come first served. Room in the tail is waited for inside the gate: two
    /// batches of one producer would otherwise change places when the second finds room the first still waits for.
    pub(crate) fn append_gate(&self) -> &Mutex<()> {
        &self.append_gate
    }

    /// Runs `job` on `core`: here without a hop, elsewhere through its mailbox. See [`ShardHandle::run_on`]; a local
    /// job starts with the first poll of the returned future.
    pub fn run_on<R, J>(
        self: &Rc<Self>,
        core: usize,
        job: J,
    ) -> impl Future<Output = Result<R, ShardClosed>> + use<R, J>
    where
        R: Send + 'static,
        J: FnOnce(&Rc<Shard>) -> LocalFuture<R> + Send + 'static,
    {
        if core == self.core {
            let work = job(self);
            return Either::Left(async move { Ok(work.await) });
        }
        Either::Right(self.shared.shards.run_on(core, job))
    }

    /// Serves this core's mailbox until every [`ShardHandle`] is gone or [`Mailbox`] is dropped.
    pub async fn serve(self: Rc<Self>, mailbox: Mailbox) {
        while let Ok(job) = mailbox.jobs.recv_async().await {
            start(&self.runtime, job(&self)).await;
        }
    }
}

/// Polls `work` once in place, so that jobs take effect in the order they came, and spawns what is left of it.
async fn start(runtime: &Runtime, mut work: LocalFuture<()>) {
    let done = std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut work).poll(context).is_ready())).await;
    if !done {
        runtime.spawn(work);
    }
}

#[cfg(test)]
mod tests {
    use protocol::Uuid;

    use super::core_of;

    #[test]
    fn partitions_of_a_topic_spread_evenly_and_topics_start_anywhere() {
        for cores in 1..=7 {
            let mut starts = vec![0; cores];
            for topic in 0..700_u64 {
                let id = Uuid::from_random(topic.wrapping_mul(0x2545_F491_4F6C_DD1D), topic);
                let owners: Vec<usize> = (0..cores as i32).map(|partition| core_of(id, partition, cores)).collect();
                let mut sorted = owners.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..cores).collect::<Vec<_>>(), "{owners:?}");
                starts[owners[0]] += 1;
            }
            assert!(starts.iter().all(|&count| count > 700 / cores / 2), "{cores} cores: {starts:?}");
        }
    }
}
