//! Partitions that no metadata names. Deleted ones are cleaned up; what is unknown is kept, because metadata that looks
//! incomplete is no reason to remove data (reliability.md: NATS #7556).

use std::io;
use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;

use crate::error::StorageError;
use crate::ids::LogId;
use crate::open::{PARTITION_METADATA, read_topic_id};
use crate::recovery::RecoveredLog;
use crate::runtime::{Durability, Lane, OpenOptions};
use crate::segment_file::replace_file;
use crate::volume::Volume;

/// Kafka's ending of the directory of a partition on its way out.
const REMOVED_SUFFIX: &str = "-delete";

/// Deals with everything in a log directory that belongs to no open log. Returns the unknown partitions.
pub(crate) async fn settle_unclaimed(volume: &Rc<Volume>) -> Result<Vec<LogId>, StorageError> {
    let failed = |error: io::Error| volume.health.write_failed("cleaning up the log directory", &error);
    let unclaimed = volume.recovered.take();
    let mut unknown = Vec::new();
    for name in volume.runtime.disk().list(volume.path()).await.map_err(failed)? {
        let path = volume.path().join(&name);
        if name.ends_with(REMOVED_SUFFIX) {
            remove(volume, &path).await.map_err(failed)?;
            continue;
        }
        let Some(id) = partition_of(volume, &name, &path).await.map_err(failed)? else { continue };
        if volume.logs.borrow().contains_key(&id) {
            continue;
        }
        if unclaimed.get(&id).is_some_and(|log| log.deleted) {
            remove(volume, &path).await.map_err(failed)?;
        } else if unclaimed.contains_key(&id) {
            unknown.push(id);
        }
    }
    volume.runtime.disk().sync_directory(volume.path()).await.map_err(failed)?;
    for (id, log) in unclaimed.iter().filter(|(_, log)| !log.deleted) {
        keep(volume, *id, log).await.map_err(failed)?;
        tracing::warn!(topic_id = %id.topic_id, partition = id.partition, "kept aside what the write-ahead log holds of a partition that is not open");
        if !unknown.contains(id) {
            unknown.push(*id);
        }
    }
    Ok(unknown)
}

/// Another core may be quicker.
async fn remove(volume: &Volume, path: &Path) -> io::Result<()> {
    match volume.runtime.disk().remove_directory_all(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The partition whose directory this is; directories of other cores' partitions answer as well.
async fn partition_of(volume: &Volume, name: &str, path: &Path) -> io::Result<Option<LogId>> {
    let Some(partition) = name.rsplit_once('-').and_then(|(_, partition)| partition.parse().ok()) else {
        return Ok(None);
    };
    match volume.runtime.disk().stat(&path.join(PARTITION_METADATA)).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(_) => {
            let topic_id = read_topic_id(&volume.runtime, path).await?;
            Ok(topic_id.map(|topic_id| LogId { topic_id, partition }))
        }
    }
}

/// Writes what only the write-ahead log has of an unknown partition to a file of its own, so that the log can be
/// trimmed: `quarantine/<topic id>-<partition>-<first offset>.batches`, and `….synced` with the entry that says how far its
/// files count.
async fn keep(volume: &Rc<Volume>, id: LogId, log: &RecoveredLog) -> io::Result<()> {
    let disk = volume.runtime.disk();
    let directory = volume.path().join("quarantine");
    if log.synced.is_some() || !log.batches.is_empty() {
        disk.create_directory_all(&directory).await?;
    }
    if let Some((_, synced)) = &log.synced {
        let name = format!("{}-{}-{:020}.synced", id.topic_id, id.partition, synced.next_offset);
        replace_file(&volume.runtime, &directory.join(name), synced.encode(id).into()).await?;
        disk.sync_directory(volume.path()).await?;
    }
    let Some(first) = log.batches.keys().next() else { return Ok(()) };
    let path = directory.join(format!("{}-{}-{first:020}.batches", id.topic_id, id.partition));
    let file = disk.open(&path, OpenOptions { write: true, create: true, ..Default::default() }).await?;
    let mut position = 0;
    for (_, parts) in log.batches.values() {
        let bytes: Bytes = parts.concat().into();
        let length = bytes.len() as u64;
        disk.write(&file, vec![bytes], position, Durability::Buffered, Lane::Background).await?;
        position += length;
    }
    disk.sync_data(&file, Lane::Background).await?;
    disk.sync_directory(&directory).await?;
    disk.sync_directory(volume.path()).await
}
