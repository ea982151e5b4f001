//! What a new metadata image means for the cores: logs are deleted and opened on their owners, then the image is in
//! force. The metadata log calls this once the change is durable and answers the client when it is done, so that a topic
//! exists everywhere, durably, before anybody hears of it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::join_all;
use protocol::Uuid;
use storage::runtime::LocalFuture;
use storage::{LogId, LogSpec, PARTITION_METADATA, StorageError};

use crate::config::cleaner_config;
use crate::config::{BrokerConfig, topic_config};
use crate::metadata::{ImageChange, MetadataImage, NewPartition, ResourceId, change_between};
use crate::net::ConnectionLimits;
use crate::partition::{Leadership, Partition};
use crate::shard::{PartitionSlot, Shard};

/// Puts `new` in force on all cores.
pub async fn publish(shard: Rc<Shard>, old: Arc<MetadataImage>, new: Arc<MetadataImage>) -> Result<(), StorageError> {
    let change = Arc::new(change_between(&old, &new, shard.identity().node_id));
    if change.broker_configs {
        take_over_settings(&shard, &new);
    }
    // A topic deleted and made again has its directories' names, on other cores: first all go, then all come.
    on_all_cores(&shard, &change, &new, delete_here).await;
    on_all_cores(&shard, &change, &new, open_here).await;
    on_all_cores(&shard, &change, &new, reconfigure_here).await;
    forget_offsets(&shard, &old, &new).await;
    shard.set_image(new);
    Ok(())
}

/// Offsets committed for topics that are gone go with them.
async fn forget_offsets(shard: &Rc<Shard>, old: &MetadataImage, new: &MetadataImage) {
    let gone = old.topics().filter(|topic| new.topic_by_id(topic.id).is_none());
    let gone: BTreeMap<String, Uuid> = gone.map(|topic| (topic.name.to_string(), topic.id)).collect();
    if gone.is_empty() {
        return;
    }
    let forgotten = (0..shard.shards().cores()).map(|core| {
        let gone = gone.clone();
        shard.run_on(core, move |shard| {
            shard.groups().topics_deleted(shard, &gone);
            Box::pin(std::future::ready(()))
        })
    });
    join_all(forgotten).await;
}

/// Opens what this core owns, at start.
pub async fn open_all(shard: Rc<Shard>, image: Arc<MetadataImage>) {
    let change = Arc::new(change_between(&MetadataImage::default(), &image, shard.identity().node_id));
    open(shard, change, image, false).await;
}

type Step = fn(Rc<Shard>, Arc<ImageChange>, Arc<MetadataImage>) -> LocalFuture<()>;

async fn on_all_cores(shard: &Rc<Shard>, change: &Arc<ImageChange>, image: &Arc<MetadataImage>, step: Step) {
    let cores = 0..shard.shards().cores();
    let steps = cores.map(|core| {
        let (change, image) = (change.clone(), image.clone());
        shard.run_on(core, move |shard| step(shard.clone(), change, image))
    });
    // A core that is gone is a broker that is shutting down; the next start opens what the image says.
    join_all(steps).await;
}

/// The broker's settings as the image has changed them.
pub fn take_over_settings(shard: &Shard, image: &MetadataImage) {
    let mut settings = shard.config().settings.clone();
    settings.cluster = image.config(&ResourceId::all_brokers());
    settings.node = image.config(&ResourceId::broker(shard.identity().node_id));
    match BrokerConfig::new(settings) {
        Ok(config) => {
            shard.net().slots.set_limits(ConnectionLimits::of(&config));
            shard.set_config(config);
        }
        Err(error) => tracing::error!(%error, "the altered broker settings are left aside"),
    }
}

fn delete_here(shard: Rc<Shard>, change: Arc<ImageChange>, _: Arc<MetadataImage>) -> LocalFuture<()> {
    Box::pin(async move {
        for &id in change.deleted.iter().filter(|&&id| shard.owner_of(id) == shard.core()) {
            shard.set_partition(id, None);
            shard.groups().homes().close(&shard, id);
            shard.transactions().close(&shard, id);
            if let Err(error) = shard.engine().delete_log(id).await {
                tracing::error!(topic_id = %id.topic_id, partition = id.partition, %error, "a log cannot be deleted");
            }
        }
    })
}

fn open_here(shard: Rc<Shard>, change: Arc<ImageChange>, image: Arc<MetadataImage>) -> LocalFuture<()> {
    Box::pin(open(shard, change, image, true))
}

async fn open(shard: Rc<Shard>, change: Arc<ImageChange>, image: Arc<MetadataImage>, create: bool) {
    for new in change.opened.iter().filter(|new| shard.owner_of(new.id) == shard.core()) {
        let slot = match open_log(&shard, new, &image, create).await {
            Ok(partition) => PartitionSlot::Online(Rc::new(partition)),
            Err(error) => {
                let partition = new.id.partition;
                tracing::error!(topic = %new.topic, partition, %error, "the partition is offline");
                PartitionSlot::Offline
            }
        };
        shard.set_partition(new.id, Some(slot));
    }
}

async fn open_log(
    shard: &Shard,
    new: &NewPartition,
    image: &MetadataImage,
    create: bool,
) -> Result<Partition, StorageError> {
    let config = topic_config(&image.topic_config(&new.topic), &shard.config().settings);
    let create = create || !was_created(shard, new).await?;
    let spec = LogSpec {
        id: new.id,
        topic: new.topic.to_string(),
        directory: new.directory,
        config: config.log.clone(),
        create,
    };
    let log = shard.engine().open_log(spec).await?;
    Ok(Partition::new(Rc::from(&*new.topic), log, leadership(shard, image, new.id), &config))
}

/// Whether the log's directory is complete. A broker that was killed between the record of a topic and the last of its
/// directories finds some missing, or without their content; such a log has never taken a record, as appends come after
/// the whole of the topic's creation. The engine knows which ones were open before, and refuses to begin those anew.
async fn was_created(shard: &Shard, new: &NewPartition) -> Result<bool, StorageError> {
    let directory = shard.directories().iter().find(|directory| directory.id == new.directory);
    let Some(directory) = directory else {
        return Err(StorageError::Refused(format!("no log directory has the id {}", new.directory)));
    };
    let path = directory.path.join(format!("{}-{}", new.topic, new.id.partition)).join(PARTITION_METADATA);
    match shard.runtime().disk().stat(&path).await {
        Ok(found) if found.bytes > 0 => Ok(true),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StorageError::Refused(format!("{} cannot be read: {error}", path.display()))),
    }
}

fn leadership(shard: &Shard, image: &MetadataImage, id: LogId) -> Leadership {
    let Some(partition) = image.partition(id) else { return Leadership::default() };
    Leadership {
        is_leader: partition.leader == shard.identity().node_id,
        leader_epoch: partition.leader_epoch,
        in_sync_replicas: partition.isr.len(),
    }
}

/// Topics' own configs, or all of them when the broker's defaults have changed.
fn reconfigure_here(shard: Rc<Shard>, change: Arc<ImageChange>, image: Arc<MetadataImage>) -> LocalFuture<()> {
    Box::pin(async move {
        if change.broker_configs {
            shard.engine().set_cleaner(cleaner_config(&shard.config().settings, shard.shards().cores()));
        }
        for partition in shard.partitions() {
            let topic = partition.topic();
            if change.broker_configs || change.reconfigured.iter().any(|name| &**name == topic) {
                let config = topic_config(&image.topic_config(topic), &shard.config().settings);
                partition.set_config(&config);
            }
            partition.set_leadership(leadership(&shard, &image, partition.id()));
        }
    })
}
