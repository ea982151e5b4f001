//! The way from core to core: which core owns a partition, and messages to it.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use protocol::Uuid;
use storage::runtime::{LocalFuture, Runtime};
use thiserror::Error;
use tokio::sync::oneshot;

use super::Shard;

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
pub(super) type Job = Box<dyn FnOnce(&Rc<Shard>) -> LocalFuture<()> + Send>;

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

impl Mailbox {
    /// The next job; `None` once no core can send any more.
    pub(super) async fn next(&self) -> Option<Job> {
        self.jobs.recv_async().await.ok()
    }
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

/// Polls `work` once in place, so that jobs take effect in the order they came, and spawns what is left of it.
pub(super) async fn start(runtime: &Runtime, mut work: LocalFuture<()>) {
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
