//! One core and what it owns.
//!
//! Nothing of a [`Shard`] is shared with another core. A request for another core's partition is one message there and
//! one reply back: [`Shard::run_on`] sends a closure, which runs on the owner's thread with the owner's shard in hand.
//! A partition's owner is a pure function of its id and the number of cores, [`core_of`].

mod mailbox;

use std::cell::{OnceCell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use futures_util::future::Either;
use protocol::{ErrorCode, Uuid};
use storage::runtime::{HashMap, LocalFuture, Runtime};
use storage::{Engine, LogDirectory, LogId};
use tokio::sync::Mutex;

use crate::api_metrics::ApiMetrics;
use crate::config::BrokerConfig;
use crate::context::Latch;
use crate::error::closed_code;
use crate::fetch_sessions::FetchSessions;
use crate::groups::GroupCoordinator;
use crate::metadata::{MetadataError, MetadataImage, MetadataLog, MetadataRecord};
use crate::metrics::traffic::Traffic;
use crate::net::NetShared;
use crate::net::open::OpenConnections;
use crate::partition::Partition;
use crate::producer_ids::ProducerIds;
use crate::quotas::QuotaCounters;
use crate::read_everywhere::VisiblePartitions;
use crate::telemetry::Telemetry;
use crate::transactions::TransactionHomes;

pub use mailbox::{Mailbox, ShardClosed, ShardHandle, core_of};

/// The core that has the metadata log.
pub const METADATA_CORE: usize = 0;

/// Who this broker is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// 22 characters of base64, made when the data directory was.
    pub cluster_id: String,
    /// `node.id`.
    pub node_id: i32,
}

/// Where clients of a listener find this broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name of the listener.
    pub listener: String,
    /// What clients are told to connect to.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// What every core has a clone of.
#[derive(Clone)]
pub struct Shared {
    /// The settings in force.
    pub config: Arc<ArcSwap<BrokerConfig>>,
    /// The metadata in force; replaced once its partitions are open on their cores.
    pub image: Arc<ArcSwap<MetadataImage>>,
    /// Known once the metadata is read.
    pub identity: Arc<OnceLock<Identity>>,
    /// Known once the listeners are bound.
    pub endpoints: Arc<OnceLock<Vec<Endpoint>>>,
    /// The log directories.
    pub directories: Arc<[LogDirectory]>,
    /// Bounds of connections, some of them counted over all cores.
    pub net: NetShared,
    /// The mailboxes of all cores.
    pub shards: ShardHandle,
    /// How far partitions can be read.
    pub visible: Arc<VisiblePartitions>,
}

/// A partition the metadata gives to this core.
pub enum PartitionSlot {
    /// Its log is open.
    Online(Rc<Partition>),
    /// Its log could not be opened; the reason was logged.
    Offline,
}

/// One core and what it owns.
pub struct Shard {
    core: usize,
    runtime: Runtime,
    engine: Engine,
    shared: Shared,
    partitions: RefCell<HashMap<LogId, PartitionSlot>>,
    append_gate: Mutex<()>,
    /// On [`METADATA_CORE`] only.
    metadata_log: OnceCell<Rc<MetadataLog>>,
    connections: Rc<OpenConnections>,
    fetch_sessions: RefCell<FetchSessions>,
    producer_ids: ProducerIds,
    groups: GroupCoordinator,
    transactions: TransactionHomes,
    api_metrics: ApiMetrics,
    /// Of partitions this core had.
    retired_traffic: Traffic,
    quotas: QuotaCounters,
    telemetry: Telemetry,
    stopping: Latch,
    stopped: Latch,
}

impl Shard {
    /// A core without partitions; they are opened when the metadata image is applied.
    pub fn new(core: usize, runtime: Runtime, engine: Engine, shared: Shared) -> Rc<Shard> {
        let fetch_sessions_max = shared.config.load().fetch_sessions_max.div_ceil(shared.shards.cores());
        Rc::new(Shard {
            core,
            runtime,
            engine,
            shared,
            partitions: RefCell::default(),
            append_gate: Mutex::new(()),
            metadata_log: OnceCell::new(),
            connections: Rc::default(),
            fetch_sessions: RefCell::new(FetchSessions::new(fetch_sessions_max)),
            producer_ids: ProducerIds::default(),
            groups: GroupCoordinator::default(),
            transactions: TransactionHomes::default(),
            api_metrics: ApiMetrics::new(),
            retired_traffic: Traffic::default(),
            quotas: QuotaCounters::default(),
            telemetry: Telemetry::default(),
            stopping: Latch::default(),
            stopped: Latch::default(),
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

    /// The settings in force.
    pub fn config(&self) -> Arc<BrokerConfig> {
        self.shared.config.load_full()
    }

    /// Puts settings in force on all cores.
    pub fn set_config(&self, config: BrokerConfig) {
        self.shared.config.store(Arc::new(config));
    }

    /// Who this broker is.
    pub fn identity(&self) -> &Identity {
        self.shared.identity.get().expect("connections and changes come after the metadata was read")
    }

    /// The metadata was read: this is who the broker is.
    pub(crate) fn set_identity(&self, identity: Identity) {
        assert!(self.shared.identity.set(identity).is_ok(), "a broker starts once");
    }

    /// The listeners are bound: this is where they are.
    pub(crate) fn set_endpoints(&self, endpoints: Vec<Endpoint>) {
        assert!(self.shared.endpoints.set(endpoints).is_ok(), "a broker starts once");
    }

    /// Where clients of `listener` find this broker.
    pub fn endpoint(&self, listener: &str) -> Option<&Endpoint> {
        self.shared.endpoints.get()?.iter().find(|endpoint| endpoint.listener == listener)
    }

    /// The broker's log directories.
    pub fn directories(&self) -> &[LogDirectory] {
        &self.shared.directories
    }

    /// The metadata in force.
    pub fn image(&self) -> Arc<MetadataImage> {
        self.shared.image.load_full()
    }

    /// Puts an image in force on all cores; see `assignments.rs` for what comes before.
    pub(crate) fn set_image(&self, image: Arc<MetadataImage>) {
        self.shared.image.store(image);
    }

    /// Bounds of connections.
    pub fn net(&self) -> &NetShared {
        &self.shared.net
    }

    /// How far the partitions of all cores can be read.
    pub fn visible(&self) -> &VisiblePartitions {
        &self.shared.visible
    }

    /// The connections this core serves.
    pub fn connections(&self) -> &Rc<OpenConnections> {
        &self.connections
    }

    /// The fetch sessions of this core's connections.
    pub fn fetch_sessions(&self) -> &RefCell<FetchSessions> {
        &self.fetch_sessions
    }

    /// This core's block of producer ids.
    pub fn producer_ids(&self) -> &ProducerIds {
        &self.producer_ids
    }

    /// The coordinator of the groups whose `__consumer_offsets` partition this core owns.
    pub fn groups(&self) -> &GroupCoordinator {
        &self.groups
    }

    /// The `__transaction_state` partitions this core owns, with their transactional ids.
    pub fn transactions(&self) -> &TransactionHomes {
        &self.transactions
    }

    /// Requests and their times, as this core counts them.
    pub fn api_metrics(&self) -> &ApiMetrics {
        &self.api_metrics
    }

    /// What went through partitions this core has no longer.
    pub fn retired_traffic(&self) -> &Traffic {
        &self.retired_traffic
    }

    /// What clients used whose quotas are counted on this core.
    pub fn quotas(&self) -> &QuotaCounters {
        &self.quotas
    }

    /// The client instances this core knows, and what they pushed.
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Set when the broker begins to shut down: accept nothing new.
    pub fn stopping(&self) -> &Latch {
        &self.stopping
    }

    /// Ends [`Shard::serve`].
    pub(crate) fn stop(&self) {
        self.stopped.set();
    }

    /// The core that owns `id`.
    pub fn owner_of(&self, id: LogId) -> usize {
        core_of(id.topic_id, id.partition, self.shared.shards.cores())
    }

    /// A partition this core has open.
    pub fn partition(&self, id: LogId) -> Option<Rc<Partition>> {
        match self.partitions.borrow().get(&id) {
            Some(PartitionSlot::Online(partition)) => Some(partition.clone()),
            Some(PartitionSlot::Offline) | None => None,
        }
    }

    /// A partition this core has open and leads, or the code to tell a client: KAFKA_STORAGE_ERROR when its log could
    /// not be opened, NOT_LEADER_OR_FOLLOWER when it is not here (any more).
    pub fn leader(&self, id: LogId) -> Result<Rc<Partition>, ErrorCode> {
        match self.partitions.borrow().get(&id) {
            Some(PartitionSlot::Online(partition)) if partition.is_leader() => Ok(partition.clone()),
            Some(PartitionSlot::Offline) => Err(ErrorCode::KAFKA_STORAGE_ERROR),
            Some(PartitionSlot::Online(_)) | None => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        }
    }

    /// All partitions this core has open, in no order.
    pub fn partitions(&self) -> Vec<Rc<Partition>> {
        let open = |slot: &PartitionSlot| match slot {
            PartitionSlot::Online(partition) => Some(partition.clone()),
            PartitionSlot::Offline => None,
        };
        self.partitions.borrow().values().filter_map(open).collect()
    }

    /// Adds, replaces or removes a partition.
    pub(crate) fn set_partition(&self, id: LogId, slot: Option<PartitionSlot>) {
        let visible = match &slot {
            Some(PartitionSlot::Online(partition)) => Some(partition.log().visible_offsets().clone()),
            Some(PartitionSlot::Offline) | None => None,
        };
        self.shared.visible.set(id, visible);
        let mut partitions = self.partitions.borrow_mut();
        let before = match slot {
            Some(slot) => partitions.insert(id, slot),
            None => partitions.remove(&id),
        };
        if let Some(PartitionSlot::Online(partition)) = before {
            self.retired_traffic.add(&partition.traffic().totals());
        }
    }

    /// Appends pass here one at a time, first come first served. Room in the tail is waited for inside the gate: two
    /// batches of one producer would otherwise change places when the second finds room the first still waits for.
    pub(crate) fn append_gate(&self) -> &Mutex<()> {
        &self.append_gate
    }

    /// A random id for a topic, a member or the like.
    pub fn random_id(&self) -> Uuid {
        Uuid::from_random(self.runtime.random_u64(), self.runtime.random_u64())
    }

    /// Runs `job` on `core`: here without a hop, elsewhere through its mailbox. See [`ShardHandle::run_on`]; a local
    /// job's future starts with the first poll of the returned one.
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
            return Either::Left(run_here(job(self)));
        }
        Either::Right(self.shared.shards.run_on(core, job))
    }

    /// [`Shard::run_on`] for an append of `bytes`. See [`ShardHandle::append_on`].
    pub fn append_on<R, J>(
        self: &Rc<Self>,
        core: usize,
        bytes: usize,
        job: J,
    ) -> impl Future<Output = Result<R, ShardClosed>> + use<R, J>
    where
        R: Send + 'static,
        J: FnOnce(&Rc<Shard>) -> LocalFuture<R> + Send + 'static,
    {
        if core == self.core {
            return Either::Left(run_here(job(self)));
        }
        Either::Right(self.shared.shards.append_on(core, bytes, job))
    }

    /// Runs `job` on the core that owns `id`, if this broker leads it.
    pub fn on_partition<R, J>(
        self: &Rc<Self>,
        id: LogId,
        job: J,
    ) -> impl Future<Output = Result<R, ErrorCode>> + use<R, J>
    where
        R: Send + 'static,
        J: FnOnce(Rc<Partition>) -> LocalFuture<Result<R, ErrorCode>> + Send + 'static,
    {
        let done = self.run_on(self.owner_of(id), move |shard| match shard.leader(id) {
            Ok(partition) => job(partition),
            Err(error_code) => Box::pin(std::future::ready(Err(error_code))),
        });
        async move { done.await.unwrap_or_else(|closed| Err(closed_code(&closed))) }
    }

    /// Decides a change on the metadata in force, makes it durable and puts it in force on all cores. What `decide`
    /// returns beside the records comes back once that is done.
    pub fn change_metadata<T, D>(
        self: &Rc<Self>,
        decide: D,
    ) -> impl Future<Output = Result<T, MetadataError>> + use<T, D>
    where
        T: Send + 'static,
        D: FnOnce(&MetadataImage) -> (Vec<MetadataRecord>, T) + Send + 'static,
    {
        self.change_metadata_counted(|_, image| decide(image))
    }

    /// As [`Shard::change_metadata`], for a decision that also counts on the core where it is made.
    pub fn change_metadata_counted<T, D>(
        self: &Rc<Self>,
        decide: D,
    ) -> impl Future<Output = Result<T, MetadataError>> + use<T, D>
    where
        T: Send + 'static,
        D: FnOnce(&Shard, &MetadataImage) -> (Vec<MetadataRecord>, T) + Send + 'static,
    {
        let done = self.run_on(METADATA_CORE, move |shard| {
            let shard = shard.clone();
            Box::pin(async move {
                let log = shard.metadata_log.get().cloned().ok_or(MetadataError::Closed)?;
                log.change(|image| decide(&shard, image)).await
            })
        });
        async move { done.await.unwrap_or(Err(MetadataError::Closed)) }
    }

    /// The core that has the metadata log takes it.
    pub(crate) fn set_metadata_log(&self, log: MetadataLog) {
        assert!(self.metadata_log.set(Rc::new(log)).is_ok(), "the metadata log is opened once");
    }

    /// Serves this core's mailbox until [`Shard::stop`].
    pub async fn serve(self: Rc<Self>, mailbox: Mailbox) {
        self.engine.tell(mailbox.turns());
        loop {
            let job = tokio::select! {
                biased;
                job = mailbox.next() => job,
                () = self.stopped.wait() => return,
            };
            let Some(job) = job else { return };
            mailbox::start(&self.runtime, job(&self)).await;
        }
    }
}

async fn run_here<R>(work: LocalFuture<R>) -> Result<R, ShardClosed> {
    Ok(work.await)
}
