//! The directory of a partition, and the incarnation of the topic it belongs to.

use std::io;
use std::path::Path;

use bytes::Bytes;
use protocol::Uuid;

use crate::error::StorageError;
use crate::runtime::{Durability, Lane, OpenOptions, Runtime};
use crate::segment_file::read_whole;

/// Kafka's file that says which incarnation of a topic a directory belongs to.
pub const PARTITION_METADATA: &str = "partition.metadata";

/// Makes a partition's directory, durably.
pub(super) async fn create(runtime: &Runtime, root: &Path, path: &Path, topic_id: Uuid) -> io::Result<()> {
    let disk = runtime.disk();
    disk.create_directory_all(path).await?;
    let file = path.join(PARTITION_METADATA);
    let options = OpenOptions { write: true, create: true, ..Default::default() };
    let file = disk.open(&file, options).await?;
    let content = Bytes::from(format!("version: 0\ntopic_id: {topic_id}\n"));
    disk.write(&file, vec![content], 0, Durability::Buffered, Lane::Background).await?;
    disk.sync_data(&file, Lane::Background).await?;
    disk.sync_directory(path).await?;
    disk.sync_directory(root).await
}

/// The topic id in a partition's directory; `None` if it does not say.
pub(crate) async fn read_topic_id(runtime: &Runtime, path: &Path) -> io::Result<Option<Uuid>> {
    let bytes = read_whole(runtime, &path.join(PARTITION_METADATA)).await?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(text.lines().find_map(|line| line.strip_prefix("topic_id:")).and_then(|id| Uuid::parse(id.trim())))
}

/// A partition that was opened before has its directory, unless somebody took it away.
pub(super) async fn check_is_there(runtime: &Runtime, path: &Path) -> Result<(), StorageError> {
    let found = runtime.disk().stat(&path.join(PARTITION_METADATA)).await;
    match found {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StorageError::Refused(format!("{} cannot be read: {error}", path.display())))
        }
        Ok(found) if found.bytes > 0 => Ok(()),
        _ => Err(StorageError::Refused(format!(
            "{} was in use and is missing or without its {PARTITION_METADATA}: put it back, or delete the topic",
            path.display()
        ))),
    }
}

/// A directory of another incarnation of the topic must not be mistaken for this one.
pub(super) async fn check_topic_id(runtime: &Runtime, path: &Path, expected: Uuid) -> Result<(), StorageError> {
    let file = path.join(PARTITION_METADATA).display().to_string();
    let found = read_topic_id(runtime, path).await;
    let found = found.map_err(|error| StorageError::Refused(format!("{file} cannot be read: {error}")))?;
    if found == Some(expected) {
        return Ok(());
    }
    let found = found.map_or("nothing".to_owned(), |id| id.to_string());
    Err(StorageError::Refused(format!("{file} names topic id {found}, the metadata says {expected}")))
}
