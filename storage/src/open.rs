//! Opening a partition's log: its directory, its segments, and what the write-ahead log adds to them.

use std::io;
use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;
use protocol::Uuid;
use protocol::records::BatchView;

use crate::engine::LogSpec;
use crate::error::StorageError;
use crate::log::Log;
use crate::log::state::{Head, State};
use crate::recovery::RecoveredLog;
use crate::runtime::{Durability, Lane, OpenOptions, Runtime};
use crate::volume::Volume;

/// Kafka's file that says which incarnation of a topic a directory belongs to.
pub const PARTITION_METADATA: &str = "partition.metadata";

/// Opens the log; also tells how many batches the write-ahead log added.
pub(crate) async fn open_log(volume: &Rc<Volume>, spec: LogSpec) -> Result<(Rc<Log>, u64), StorageError> {
    let name = format!("{}-{}", spec.topic, spec.id.partition);
    let path = volume.path().join(&name);
    if spec.create {
        let made = create_directory(&volume.runtime, volume.path(), &path, spec.id.topic_id).await;
        made.map_err(|error| volume.health.write_failed(&format!("creating {}", path.display()), &error))?;
    }
    check_topic_id(&volume.runtime, &path, spec.id.topic_id).await?;
    let recovered = volume.recovered.borrow_mut().remove(&spec.id).unwrap_or_default();
    let head = Head { created_ms: volume.runtime.wall_clock_ms(), ..Head::default() };
    let mut state = State::new(spec.config, head);
    let (start, replayed) = (recovered.log_start.map_or(0, |(_, offset)| offset), recovered.batches.len() as u64);
    let end = replay(&path, &mut state, recovered, 0)?;
    let log = Log::new(spec.id, name, volume.clone(), state, start, end);
    volume.logs.borrow_mut().insert(spec.id, log.clone());
    Ok((log, replayed))
}

/// Puts what the write-ahead log holds beyond `next_offset` back into the tail. Returns the log end.
fn replay(path: &Path, state: &mut State, recovered: RecoveredLog, mut next_offset: i64) -> Result<i64, StorageError> {
    for (base_offset, (lsn, parts)) in recovered.batches {
        if base_offset != next_offset {
            let reason = format!("the write-ahead log goes on at offset {base_offset}, expected {next_offset}");
            return Err(StorageError::Corrupt { file: path.display().to_string(), position: lsn.0, reason });
        }
        let whole = Bytes::from(parts.concat());
        let batch = BatchView::parse(&whole).map_err(|error| StorageError::Corrupt {
            file: path.display().to_string(),
            position: lsn.0,
            reason: format!("a batch in the write-ahead log is damaged: {error}"),
        })?;
        next_offset = state.replay_batch(&batch.header, lsn, whole.clone());
    }
    Ok(next_offset)
}

/// Makes a partition's directory, durably.
async fn create_directory(runtime: &Runtime, root: &Path, path: &Path, topic_id: Uuid) -> io::Result<()> {
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
    let file = runtime.disk().open(&path.join(PARTITION_METADATA), OpenOptions::default()).await?;
    let bytes = runtime.disk().read(&file, 0, 1024).await?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(text.lines().find_map(|line| line.strip_prefix("topic_id:")).and_then(|id| Uuid::parse(id.trim())))
}

/// A directory of another incarnation of the topic must not be mistaken for this one.
async fn check_topic_id(runtime: &Runtime, path: &Path, expected: Uuid) -> Result<(), StorageError> {
    let file = path.join(PARTITION_METADATA).display().to_string();
    let found = read_topic_id(runtime, path).await;
    let found = found.map_err(|error| StorageError::Refused(format!("{file} cannot be read: {error}")))?;
    if found == Some(expected) {
        return Ok(());
    }
    let found = found.map_or("nothing".to_owned(), |id| id.to_string());
    Err(StorageError::Refused(format!("{file} names topic id {found}, the metadata says {expected}")))
}
