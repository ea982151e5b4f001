//! The way from core to core: which core owns a partition, and messages to it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use flume::TryRecvError;
use protocol::Uuid;
use storage::runtime::{LocalFuture, Runtime};
use storage::wal::Turns;
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

/// Bytes of appends that a core is woken for even if it comes round by itself: their copying should overlap with the
/// commit under way.
const PATIENT_BYTES_MAX: usize = 32 << 10;

/// What a message that was left counts: many of them wake the core, too.
const LEFT_BYTES: usize = 256;

/// The mailboxes of all cores; cheap to clone and `Send`.
///
/// A mailbox has no bound of its own: each message belongs to a request whose sender waits, and requests are bounded
/// per connection (in-flight cap) and together (request memory).
#[derive(Clone)]
pub struct ShardHandle {
    mailboxes: Arc<[Sender]>,
}

struct Sender {
    jobs: flume::Sender<Job>,
    owner: Arc<Owner>,
}

/// What senders and the core they send to share beside the messages.
#[derive(Default)]
struct Owner {
    turns: Arc<Turns>,
    /// Of appends that were left without waking the core since it last found its mailbox empty.
    patient_bytes: AtomicUsize,
}

/// The receiving end of one core's mailbox.
pub struct Mailbox {
    jobs: flume::Receiver<Job>,
    owner: Arc<Owner>,
}

impl Mailbox {
    /// Who is to know when this core's logs commit.
    pub(crate) fn turns(&self) -> &Arc<Turns> {
        &self.owner.turns
    }

    /// The next job; `None` once no core can send any more.
    pub(super) async fn next(&self) -> Option<Job> {
        poll_fn(|context| match self.look() {
            Poll::Pending => {
                self.owner.patient_bytes.store(0, Ordering::Relaxed);
                self.owner.turns.register(context.waker());
                // A message that came before the waker was there has woken nobody.
                self.look()
            }
            ready => ready,
        })
        .await
    }

    fn look(&self) -> Poll<Option<Job>> {
        match self.jobs.try_recv() {
            Ok(job) => Poll::Ready(Some(job)),
            Err(TryRecvError::Disconnected) => Poll::Ready(None),
            Err(TryRecvError::Empty) => Poll::Pending,
        }
    }
}

impl Sender {
    fn new() -> (Sender, Mailbox) {
        let (sender, jobs) = flume::unbounded();
        let owner = Arc::<Owner>::default();
        (Sender { jobs: sender, owner: owner.clone() }, Mailbox { jobs, owner })
    }

    fn send(&self, job: Job) -> bool {
        let is_sent = self.jobs.send(job).is_ok();
        self.owner.turns.wake();
        is_sent
    }

    fn send_patiently(&self, job: Job, bytes: usize) -> bool {
        let is_sent = self.leave(job, bytes);
        if !self.owner.turns.are_due() {
            self.owner.turns.wake();
        }
        is_sent
    }

    /// Wakes the core only for the many bytes that were left with it meanwhile.
    fn leave(&self, job: Job, bytes: usize) -> bool {
        let is_sent = self.jobs.send(job).is_ok();
        if self.owner.patient_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes >= PATIENT_BYTES_MAX {
            self.owner.turns.wake();
        }
        is_sent
    }
}

impl ShardHandle {
    /// Mailboxes for `cores` cores, one receiver each.
    pub fn new(cores: usize) -> (ShardHandle, Vec<Mailbox>) {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..cores).map(|_| Sender::new()).unzip();
        (ShardHandle { mailboxes: senders.into() }, receivers)
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
        let (job, answer) = answered(job);
        reply(self.mailboxes[core].send(job), answer)
    }

    /// [`ShardHandle::run_on`] for an append of `bytes`, which may begin as late as the next commit of the core's log does:
    /// a core that is going to look by itself is left asleep until then. See [`Turns`].
    pub fn append_on<R, J>(
        &self,
        core: usize,
        bytes: usize,
        job: J,
    ) -> impl Future<Output = Result<R, ShardClosed>> + use<R, J>
    where
        R: Send + 'static,
        J: FnOnce(&Rc<Shard>) -> LocalFuture<R> + Send + 'static,
    {
        let (job, answer) = answered(job);
        reply(self.mailboxes[core].send_patiently(job, bytes), answer)
    }

    /// [`ShardHandle::run_on`] for what need not begin before the core looks into its mailbox for another reason: before its
    /// next commit, when [`ShardHandle::wake`] asks it to, or after a second.
    pub fn leave_on<R, J>(&self, core: usize, job: J) -> impl Future<Output = Result<R, ShardClosed>> + use<R, J>
    where
        R: Send + 'static,
        J: FnOnce(&Rc<Shard>) -> LocalFuture<R> + Send + 'static,
    {
        let (job, answer) = answered(job);
        reply(self.mailboxes[core].leave(job, LEFT_BYTES), answer)
    }

    /// Lets `core` look into its mailbox, in case the commit that patient messages wait for takes very long.
    pub fn wake(&self, core: usize) {
        self.mailboxes[core].owner.turns.wake();
    }
}

/// A job that sends what `job` returns to whoever waits for it.
fn answered<R, J>(job: J) -> (Job, oneshot::Receiver<R>)
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
    (job, answer)
}

async fn reply<R>(is_sent: bool, answer: oneshot::Receiver<R>) -> Result<R, ShardClosed> {
    if is_sent { answer.await.map_err(|_| ShardClosed) } else { Err(ShardClosed) }
}

/// Polls `work` once in place, so that jobs take effect in the order they came, and spawns what is left of it.
pub(super) async fn start(runtime: &Runtime, mut work: LocalFuture<()>) {
    let done = poll_fn(|context| Poll::Ready(Pin::new(&mut work).poll(context).is_ready())).await;
    if !done {
        runtime.spawn(work);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake, Waker};

    use futures_util::FutureExt;
    use protocol::Uuid;

    use super::{Job, PATIENT_BYTES_MAX, Sender, core_of};

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn job() -> Job {
        Box::new(|_| Box::pin(async {}))
    }

    #[test]
    fn an_append_leaves_a_core_asleep_that_comes_round_by_itself() {
        let (sender, mailbox) = Sender::new();
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(woken.clone());
        let jobs = || {
            let mut context = Context::from_waker(&waker);
            std::iter::from_fn(|| Box::pin(mailbox.next()).poll_unpin(&mut context).is_ready().then_some(())).count()
        };
        let wakes = || woken.0.swap(0, Ordering::SeqCst);
        assert_eq!((jobs(), wakes()), (0, 0));
        let turns = mailbox.turns().clone();
        turns.join();

        sender.send_patiently(job(), 100);
        assert_eq!((wakes(), jobs()), (1, 1), "nobody else would wake a core whose log rests");

        turns.leave_rest();
        sender.send_patiently(job(), 100);
        sender.send_patiently(job(), 100);
        assert_eq!(wakes(), 0, "its log has a commit under way");
        turns.come_to_rest();
        assert_eq!((wakes(), jobs()), (1, 2), "and looks when that is done");

        turns.leave_rest();
        sender.send_patiently(job(), 100);
        sender.send(job());
        assert_eq!((wakes(), jobs()), (1, 2), "other messages do not wait, and overtake nothing");

        sender.leave(job(), 1);
        turns.come_to_rest();
        assert_eq!((wakes(), jobs()), (1, 1));
        sender.leave(job(), 1);
        assert_eq!(wakes(), 0, "what is left does not wake a core at rest, either");
        turns.leave_rest();
        assert_eq!(jobs(), 1);

        sender.send_patiently(job(), PATIENT_BYTES_MAX / 2);
        assert_eq!(wakes(), 0);
        sender.send_patiently(job(), PATIENT_BYTES_MAX / 2);
        assert_eq!((wakes(), jobs()), (1, 2), "enough to begin with");
    }

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
