//! Starting and stopping the broker.
//!
//! Start: the listeners' addresses are taken, so that a taken port leaves the disk as it was; each core opens its engine,
//! which reads its write-ahead log; the first core reads the metadata; all cores open the partitions it names and finish
//! recovery; only then is anybody listened to. Stop: nothing new is accepted,
//! connections answer what they have, engines write everything back and close, so that the next start replays nothing.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use protocol::Uuid;
use storage::directory::{self, LockedDirectory};
use storage::runtime::LocalFuture;
use storage::runtime::backend::{Backend, BackendError};
use storage::runtime::background::Background;
use storage::runtime::core::{self, CoreOptions, CoreThread};
use storage::{Engine, EngineOptions, LogDirectory, RecoveryReport, StorageError, merge_rings};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::assignments;
use crate::config::{BrokerConfig, cleaner_config};
use crate::failures::Failures;
use crate::housekeeping;
use crate::metadata::{MetadataError, MetadataImage, MetadataLog, MetadataRecord, metadata_log_spec};
use crate::net::bind::{BoundListener, ListenError, bind_all, listen};
use crate::net::{ConnectionLimits, ConnectionSlots, MemoryBudget, NetShared, SocketBuffers};
use crate::open_files;
use crate::shard::{Identity, METADATA_CORE, Mailbox, Shard, ShardClosed, ShardHandle, Shared};

/// How long connections may take to answer what they have when the broker stops.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// Why the broker did not start: one sentence for the operator.
#[derive(Debug, Error)]
pub enum StartError {
    /// The data directories or what is in them.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The metadata.
    #[error("the metadata cannot be read: {0}")]
    Metadata(#[from] MetadataError),
    /// The I/O back end.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A listener's address does not resolve or is taken.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A directory or a thread could not be had.
    #[error("{what}: {reason}")]
    System {
        /// What was tried.
        what: String,
        /// What the system says.
        reason: String,
    },
    /// A core ended while the broker was starting.
    #[error(transparent)]
    Core(#[from] ShardClosed),
}

/// A running broker.
pub struct Server {
    cores: Vec<CoreThread>,
    shards: ShardHandle,
    background: Background,
    addresses: Vec<(String, SocketAddr)>,
    backend: &'static str,
    failures: Failures,
    /// Locked until the process is done with them.
    _directories: Vec<LockedDirectory>,
}

impl Server {
    /// Starts a broker; it serves clients when this returns. Blocks; not for use on a core.
    pub fn start(config: BrokerConfig) -> Result<Server, StartError> {
        let listeners = bind_all(&config.listeners)?;
        let directories = directory::open_all(&config.log_dirs, config.node_id, None)?;
        let cluster_id = cluster_of(&directories)?;
        let background = Background::start(1).map_err(|error| system("starting threads", &error))?;
        let cores = if config.cores == 0 { core::default_cores() } else { config.cores };
        let (shards, mailboxes) = ShardHandle::new(cores);
        let failures = Failures::new(directories.iter().map(|directory| directory.path().to_owned()).collect());
        let log_directories = directories.iter().map(LockedDirectory::log_directory).collect();
        let shared = shared(config, log_directories, shards.clone());
        let mut threads = Vec::new();
        let started = start_cores(&shared, mailboxes, &mut threads).and_then(|backend| {
            Ok((backend, background.block_on(bring_up(&shared, cluster_id, &failures, listeners))?))
        });
        match started {
            Ok((backend, addresses)) => Ok(Server {
                cores: threads,
                shards,
                background,
                addresses,
                backend,
                failures,
                _directories: directories,
            }),
            Err(error) => {
                background.block_on(stop_cores(&shards));
                threads.into_iter().for_each(CoreThread::join);
                Err(error)
            }
        }
    }

    /// Listeners by name, with the ports that were bound.
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// Name of the I/O back end in use.
    pub fn backend(&self) -> &'static str {
        self.backend
    }

    /// The cores.
    pub fn shards(&self) -> &ShardHandle {
        &self.shards
    }

    /// Log directories that have failed.
    pub fn failures(&self) -> &Failures {
        &self.failures
    }

    /// The second runtime: admin HTTP, signals.
    pub fn background(&self) -> &Background {
        &self.background
    }

    /// Stops in order; an error is one of writing back, after which the next start replays.
    pub fn stop(self) -> Result<(), StorageError> {
        let closed = self.background.block_on(async {
            drain(&self.shards).await;
            let closed = close_engines(&self.shards).await;
            stop_cores(&self.shards).await;
            closed
        });
        self.cores.into_iter().for_each(CoreThread::join);
        self.background.shut_down();
        closed
    }
}

/// The cluster the directories say they belong to.
fn cluster_of(directories: &[LockedDirectory]) -> Result<Uuid, StartError> {
    let text = directories.first().map(|directory| directory.identity().cluster_id.as_str()).unwrap_or_default();
    Uuid::parse(text).ok_or_else(|| system("log.dirs", &format!("{text:?} is no cluster id")))
}

fn system(what: &str, error: &dyn std::fmt::Display) -> StartError {
    StartError::System { what: what.to_owned(), reason: error.to_string() }
}

/// What every core of a broker has a clone of; no identity and no endpoints yet.
pub fn shared(config: BrokerConfig, directories: Vec<LogDirectory>, shards: ShardHandle) -> Shared {
    let explicit = |name: &str, bytes: i32| {
        // Kafka's default of 100 KiB would turn the kernel's own tuning off: only a size somebody chose is set.
        usize::try_from(bytes).ok().filter(|_| config.settings.fixed.contains_key(name))
    };
    let socket_buffers = SocketBuffers {
        receive_bytes: explicit("socket.receive.buffer.bytes", config.socket_receive_buffer_bytes),
        send_bytes: explicit("socket.send.buffer.bytes", config.socket_send_buffer_bytes),
    };
    let net = NetShared {
        memory: MemoryBudget::new(config.request_memory_bytes, config.request_bytes_max),
        slots: ConnectionSlots::new(ConnectionLimits::of(&config)),
        frame_bytes_max: config.request_bytes_max,
        requests_max: config.connection_requests_max,
        socket_buffers,
    };
    Shared {
        config: Arc::new(ArcSwap::from_pointee(config)),
        image: Arc::default(),
        identity: Arc::new(OnceLock::new()),
        endpoints: Arc::new(OnceLock::new()),
        directories: directories.into(),
        net,
        shards,
        visible: Arc::default(),
    }
}

/// Starts the core threads; each has its engine open when this returns. The name of the back end.
fn start_cores(
    shared: &Shared,
    mailboxes: Vec<Mailbox>,
    threads: &mut Vec<CoreThread>,
) -> Result<&'static str, StartError> {
    let config = shared.config.load_full();
    let backend: Backend = config.io_backend.parse().map_err(|error: String| system("msgloop.io.backend", &error))?;
    fit_rings(shared, backend, mailboxes.len())?;
    let cpus = if config.pinning { core::pin_plan(mailboxes.len()) } else { vec![None; mailboxes.len()] };
    let mut opening = Vec::new();
    for ((core, mailbox), cpu) in mailboxes.into_iter().enumerate().zip(cpus) {
        let (opened, is_open) = oneshot::channel();
        let (shared, options) = (shared.clone(), engine_options(shared, core));
        threads.push(core::start(CoreOptions { core, cpu, backend }, move |runtime| async move {
            let name = runtime.backend();
            match Engine::open(runtime.clone(), options).await {
                Ok(engine) => {
                    let shard = Shard::new(core, runtime, engine, shared);
                    // The starter waits for it.
                    let _ = opened.send(Ok(name));
                    shard.serve(mailbox).await;
                }
                Err(error) => {
                    let _ = opened.send(Err(error));
                }
            }
        })?);
        opening.push(is_open);
    }
    let mut name = "";
    for is_open in opening {
        name = is_open.blocking_recv().map_err(|_| ShardClosed)??;
    }
    Ok(name)
}

/// Before any core opens its rings: if they were written for another number of cores, they are merged into segments.
fn fit_rings(shared: &Shared, backend: Backend, cores: usize) -> Result<(), StartError> {
    let (merged, is_merged) = oneshot::channel();
    let directories = shared.directories.clone();
    let thread = core::start(CoreOptions { core: 0, cpu: None, backend }, move |runtime| async move {
        // The starter waits for it.
        let _ = merged.send(merge_rings(&runtime, &directories, cores).await);
    })?;
    let report = is_merged.blocking_recv().map_err(|_| ShardClosed)??;
    thread.join();
    log_recovery(&report);
    Ok(())
}

/// How a core opens its engine.
pub fn engine_options(shared: &Shared, core: usize) -> EngineOptions {
    let config = shared.config.load();
    let cores = shared.shards.cores();
    EngineOptions {
        core,
        cores,
        directories: shared.directories.to_vec(),
        wal_bytes_max: config.wal_bytes / cores as u64,
        wal_file_bytes: config.wal_file_bytes,
        tail_bytes_max: config.tail_memory_bytes / cores,
    }
}

/// From open engines to open listeners.
async fn bring_up(
    shared: &Shared,
    cluster_id: Uuid,
    failures: &Failures,
    listeners: Vec<BoundListener>,
) -> Result<Vec<(String, SocketAddr)>, StartError> {
    let shards = &shared.shards;
    put_in_service(shards, cluster_id, failures).await?;
    let listening =
        shards.run_on(METADATA_CORE, |shard| Box::pin(std::future::ready(listen(shard, listeners)))).await?;
    Ok(listening?)
}

/// From open engines to a broker that answers, wherever the requests come from: no thread and no socket is involved.
pub async fn put_in_service(shards: &ShardHandle, cluster_id: Uuid, failures: &Failures) -> Result<(), StartError> {
    let failures = failures.clone();
    on_each(shards, move |shard| {
        let failures = failures.clone();
        shard.engine().on_failure(move |directory, error| failures.report(directory, error));
        let check_ms = u64::try_from(shard.config().retention_check_interval_ms).unwrap_or(u64::MAX);
        shard.engine().set_retention_interval(Duration::from_millis(check_ms));
        let directories = shard.directories().len();
        shard.engine().set_open_logs_max(open_files::partitions_open_max(shard.shards().cores(), directories));
        Box::pin(std::future::ready(()))
    })
    .await?;
    let image = shards.run_on(METADATA_CORE, move |shard| Box::pin(load_metadata(shard.clone(), cluster_id))).await??;
    on_each(shards, move |shard| Box::pin(assignments::open_all(shard.clone(), image.clone()))).await?;
    for report in on_each(shards, |shard| Box::pin(finish_recovery(shard.clone()))).await? {
        log_recovery(&report?);
    }
    on_each(shards, |shard| {
        shard.runtime().spawn(housekeeping::run(shard.clone()));
        shard.groups().homes().open_all(shard);
        shard.transactions().open_all(shard);
        shard.runtime().spawn(crate::transactions::coordinator::keep_time(shard.clone()));
        Box::pin(std::future::ready(()))
    })
    .await?;
    Ok(())
}

/// Runs `job` on every core at once.
async fn on_each<R: Send + 'static>(
    shards: &ShardHandle,
    job: impl Fn(&Rc<Shard>) -> LocalFuture<R> + Clone + Send + 'static,
) -> Result<Vec<R>, ShardClosed> {
    let jobs: Vec<_> = (0..shards.cores()).map(|core| shards.run_on(core, job.clone())).collect();
    join_all(jobs).await.into_iter().collect()
}

/// Reads the metadata, or begins it, and puts it in force.
async fn load_metadata(shard: Rc<Shard>, cluster_id: Uuid) -> Result<Arc<MetadataImage>, StartError> {
    let directory = &shard.directories()[0];
    let create = !has_metadata(&shard, directory.path.clone()).await?;
    let log = shard.engine().open_log(metadata_log_spec(directory.id, create)).await?;
    let snapshot_bytes = shard.config().metadata_snapshot_bytes;
    let log = MetadataLog::load(shard.runtime().clone(), shard.engine().clone(), log, snapshot_bytes).await?;
    let (node_id, rack) = (shard.config().node_id, shard.config().rack.clone());
    log.change(|image| (registration(image, node_id, rack, cluster_id), ())).await?;
    let image = log.image();
    if image.cluster_id != cluster_id {
        let reason =
            format!("the metadata is of cluster {}, the log directories are of {cluster_id}", image.cluster_id);
        return Err(system("log.dirs", &reason));
    }
    let identity = Identity { cluster_id: image.cluster_id.to_string(), node_id };
    shard.set_identity(identity);
    assignments::take_over_settings(&shard, &image);
    shard.set_image(image.clone());
    // Weak: the shard owns the log that owns this closure.
    let publisher = Rc::downgrade(&shard);
    log.publish_with(Box::new(move |old, new| {
        let publisher = publisher.upgrade();
        Box::pin(async move {
            let shard = publisher.ok_or(StorageError::Closed)?;
            assignments::publish(shard, old, new).await
        })
    }));
    shard.set_metadata_log(log);
    Ok(image)
}

async fn has_metadata(shard: &Shard, directory: PathBuf) -> Result<bool, StartError> {
    let path = directory.join(format!("{}-0", crate::metadata::METADATA_TOPIC));
    match shard.runtime().disk().stat(&path).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(system(&format!("reading {}", path.display()), &error)),
    }
}

/// The cluster's id on the first start, and this node whenever it is new or has moved.
fn registration(image: &MetadataImage, node_id: i32, rack: Option<String>, cluster_id: Uuid) -> Vec<MetadataRecord> {
    let mut records = Vec::new();
    if image.cluster_id.is_zero() {
        records.push(MetadataRecord::ClusterCreated { cluster_id });
    }
    if image.brokers.get(&node_id).is_none_or(|broker| broker.rack != rack) {
        records.push(MetadataRecord::BrokerRegistered { node_id, rack });
    }
    records
}

async fn finish_recovery(shard: Rc<Shard>) -> Result<RecoveryReport, StorageError> {
    let interval_ms = u64::try_from(shard.config().retention_check_interval_ms).unwrap_or(u64::MAX);
    shard.engine().set_retention_interval(Duration::from_millis(interval_ms.max(1)));
    shard.engine().set_cleaner(cleaner_config(&shard.config().settings, shard.shards().cores()));
    shard.engine().finish_recovery().await
}

fn log_recovery(report: &RecoveryReport) {
    if report.wal_bytes_replayed > 0 {
        let (bytes, batches) = (report.wal_bytes_replayed, report.batches_replayed);
        tracing::info!(bytes, batches, "replayed the write-ahead log");
    }
    for id in &report.quarantined {
        tracing::warn!(topic_id = %id.topic_id, partition = id.partition, "kept aside: no metadata names it");
    }
}

/// Nothing new comes in, what is under way is answered.
async fn drain(shards: &ShardHandle) {
    let drained = on_each(shards, |shard| {
        let shard = shard.clone();
        Box::pin(async move {
            shard.stopping().set();
            // Members that wait for others would hold up their connections.
            shard.groups().homes().close_all(&shard);
            shard.transactions().close_all(&shard);
            let closing = shard.connections().clone();
            if shard.runtime().timeout(DRAIN_MAX, closing.close_all()).await.is_none() {
                let left = closing.len();
                tracing::warn!(left, "connections are cut: they did not take their answers in time");
            }
        })
    });
    // A core that is gone has nothing to drain.
    let _ = drained.await;
}

async fn close_engines(shards: &ShardHandle) -> Result<(), StorageError> {
    let closed = on_each(shards, |shard| {
        let engine = shard.engine().clone();
        Box::pin(async move { engine.close().await })
    });
    closed.await.map_err(|_| StorageError::Closed)?.into_iter().collect()
}

async fn stop_cores(shards: &ShardHandle) {
    let stopped = on_each(shards, |shard| {
        shard.stopping().set();
        shard.stop();
        Box::pin(std::future::ready(()))
    });
    let _ = stopped.await;
}
