//! Another number of cores: partitions change owners, so every ring is replayed into segments and retired first.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::engine::{Engine, EngineOptions, LogDirectory, LogSpec, RecoveryReport};
use crate::error::StorageError;
use crate::ids::LogId;
use crate::log::LogConfig;
use crate::open::{PARTITION_METADATA, read_topic_id};
use crate::runtime::Runtime;
use crate::segment_file::{read_whole, replace_file};

/// Says for how many cores the rings of a directory were written.
const CORES_FILE: &str = "cores";
/// Ending of a ring that is on its way out.
const RETIRED_SUFFIX: &str = "-retired";
/// Memory for one ring's tails while it is replayed.
const TAIL_BYTES_MAX: usize = 256 << 20;
/// Size of a ring's files if there are none; an existing ring keeps its own.
const FILE_BYTES: u64 = 64 << 20;

/// Makes the log directories fit `cores`; to be called before [`Engine::open`], by one core, every time. If the rings
/// were written for another number of cores, what they hold goes into segments, durably, and they are removed. May be
/// interrupted anywhere: a ring is removed only after everything in it is in segments.
pub async fn merge_rings(
    runtime: &Runtime,
    directories: &[LogDirectory],
    cores: usize,
) -> Result<RecoveryReport, StorageError> {
    let mut report = RecoveryReport::default();
    for directory in directories {
        let wal = directory.path.join("wal");
        let failed = |error: io::Error| StorageError::DirectoryFailed {
            directory: directory.path.display().to_string(),
            reason: format!("preparing the write-ahead log: {error}"),
        };
        runtime.disk().create_directory_all(&wal).await.map_err(failed)?;
        let written_for = read_cores(runtime, &wal).await.map_err(failed)?;
        if written_for == Some(cores) {
            continue;
        }
        let rings = rings(runtime, &wal).await.map_err(failed)?;
        for &ring in &rings {
            empty_ring(runtime, directory, ring, &mut report).await?;
        }
        retire_rings(runtime, &wal, &rings).await.map_err(failed)?;
        let content = Bytes::from(format!("{cores}\n"));
        replace_file(runtime, &wal.join(CORES_FILE), content).await.map_err(failed)?;
        runtime.disk().sync_directory(&directory.path).await.map_err(failed)?;
    }
    Ok(report)
}

async fn read_cores(runtime: &Runtime, wal: &Path) -> io::Result<Option<usize>> {
    let bytes = read_whole(runtime, &wal.join(CORES_FILE)).await?;
    Ok(String::from_utf8_lossy(&bytes).trim().parse().ok())
}

async fn rings(runtime: &Runtime, wal: &Path) -> io::Result<Vec<usize>> {
    let names = runtime.disk().list(wal).await?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

/// Removes rings; renamed first, because one that lost some of its files to a power cut would look damaged.
async fn retire_rings(runtime: &Runtime, wal: &Path, rings: &[usize]) -> io::Result<()> {
    let disk = runtime.disk();
    for ring in rings {
        let retired = wal.join(format!("{ring}{RETIRED_SUFFIX}"));
        // Left over from an interrupted merge.
        if disk.stat(&retired).await.is_ok() {
            disk.remove_directory_all(&retired).await?;
        }
        disk.rename(&wal.join(ring.to_string()), &retired).await?;
    }
    disk.sync_directory(wal).await?;
    for name in disk.list(wal).await?.iter().filter(|name| name.ends_with(RETIRED_SUFFIX)) {
        disk.remove_directory_all(&wal.join(name)).await?;
    }
    disk.sync_directory(wal).await
}

/// Moves everything that one ring holds into segments.
async fn empty_ring(
    runtime: &Runtime,
    directory: &LogDirectory,
    ring: usize,
    report: &mut RecoveryReport,
) -> Result<(), StorageError> {
    let options = EngineOptions {
        core: ring,
        cores: 1,
        directories: vec![directory.clone()],
        wal_bytes_max: 4 * FILE_BYTES,
        wal_file_bytes: FILE_BYTES,
        tail_bytes_max: TAIL_BYTES_MAX,
    };
    let engine = Engine::open(runtime.clone(), options).await?;
    let known = partitions(runtime, &directory.path).await;
    let known = known.map_err(|error| StorageError::Refused(format!("{}: {error}", directory.path.display())))?;
    for id in engine.recovered_logs() {
        if let Some((topic, _)) = known.get(&id) {
            let config = replay_config();
            let spec = LogSpec { id, topic: topic.clone(), directory: directory.id, config, create: false };
            engine.open_log(spec).await?;
        }
    }
    let found = engine.finish_recovery().await?;
    report.wal_bytes_replayed += found.wal_bytes_replayed;
    report.batches_replayed += found.batches_replayed;
    report.quarantined.extend(found.quarantined);
    engine.close().await
}

/// The partitions of a log directory: name of the topic and path.
pub(crate) async fn partitions(runtime: &Runtime, path: &Path) -> io::Result<BTreeMap<LogId, (String, PathBuf)>> {
    let mut known = BTreeMap::new();
    for name in runtime.disk().list(path).await? {
        let Some((topic, partition)) = name.rsplit_once('-') else { continue };
        let Ok(partition) = partition.parse() else { continue };
        let path = path.join(&name);
        if runtime.disk().stat(&path.join(PARTITION_METADATA)).await.is_err() {
            continue;
        }
        if let Some(topic_id) = read_topic_id(runtime, &path).await? {
            known.insert(LogId { topic_id, partition }, (topic.to_owned(), path));
        }
    }
    Ok(known)
}

/// Settings that matter for writing segments; the topics' own are not known yet. Nothing is removed under these.
fn replay_config() -> LogConfig {
    LogConfig {
        segment_ms: i64::MAX,
        retention_ms: -1,
        cleanup_delete: false,
        producer_id_expiration_ms: i64::MAX,
        ..LogConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::simulated::{CrashPolicy, Simulation};

    fn directory() -> LogDirectory {
        LogDirectory { id: protocol::Uuid([1; 16]), path: PathBuf::from("data") }
    }

    #[test]
    fn merging_an_empty_directory_notes_the_cores_and_is_done_once() {
        let simulation = Simulation::new(1);
        let runtime = simulation.runtime();
        simulation.run(async move {
            runtime.disk().create_directory_all("data".as_ref()).await.unwrap();
            runtime.disk().sync_directory("".as_ref()).await.unwrap();
            merge_rings(&runtime, &[directory()], 2).await.unwrap();
        });
        let simulation = simulation.crash(CrashPolicy::LoseAll);
        let runtime = simulation.runtime();
        simulation.run(async move {
            assert_eq!(read_cores(&runtime, "data/wal".as_ref()).await.unwrap(), Some(2));
        });
    }
}
