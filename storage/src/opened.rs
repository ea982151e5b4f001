//! Which partitions were ever opened in a log directory. One of them whose directory is missing was removed by somebody:
//! that is an error, and no reason to begin it anew (promise 4).
//!
//! `opened/<core>` is appended to by one core, durably before a partition is open, and read by all. Bytes:
//! `docs/formats.md`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use protocol::Uuid;

use crate::ids::LogId;
use crate::runtime::{Durability, Lane, OpenOptions, Runtime};
use crate::segment_file::{read_whole, replace_file};

/// Where the files are, in a log directory.
const DIRECTORY: &str = "opened";
/// Size of a mark.
const MARK_BYTES: usize = 32;
/// The checksum covers what is before it.
const CRC_AT: usize = 28;

/// What a mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Opened = 1,
    Deleted = 2,
}

/// The marks of one log directory as one core sees them. Grows by 32 bytes with every partition created or deleted; a
/// start drops the pairs.
pub(crate) struct Opened {
    path: PathBuf,
    marks: RefCell<BTreeSet<(LogId, Kind)>>,
    /// Bytes of this core's own file.
    bytes: tokio::sync::Mutex<u64>,
}

impl Opened {
    /// Reads what all cores wrote; rewrites this core's file without the pairs and without a torn end.
    pub async fn load(runtime: &Runtime, directory: &Path, core: usize) -> io::Result<Opened> {
        let disk = runtime.disk();
        let folder = directory.join(DIRECTORY);
        disk.create_directory_all(&folder).await?;
        disk.sync_directory(directory).await?;
        let path = folder.join(core.to_string());
        let mut marks = BTreeSet::new();
        for name in disk.list(&folder).await?.iter().filter(|name| name.parse::<usize>().is_ok()) {
            marks.extend(decode(&read_whole(runtime, &folder.join(name)).await?));
        }
        let found = read_whole(runtime, &path).await?;
        let own: BTreeSet<_> = decode(&found).collect();
        let both = |id: &LogId| own.contains(&(*id, Kind::Opened)) && own.contains(&(*id, Kind::Deleted));
        let kept: Vec<u8> = own.iter().filter(|(id, _)| !both(id)).flat_map(|(id, kind)| encode(*id, *kind)).collect();
        let bytes = kept.len() as u64;
        if kept.len() != found.len() {
            replace_file(runtime, &path, kept.into()).await?;
        }
        Ok(Opened { path, marks: RefCell::new(marks), bytes: tokio::sync::Mutex::new(bytes) })
    }

    /// Whether the partition was opened before, and not deleted since.
    pub fn contains(&self, id: LogId) -> bool {
        let marks = self.marks.borrow();
        marks.contains(&(id, Kind::Opened)) && !marks.contains(&(id, Kind::Deleted))
    }

    /// Marks the partition as opened, durably, unless it is.
    pub async fn add(&self, runtime: &Runtime, id: LogId) -> io::Result<()> {
        if self.contains(id) { Ok(()) } else { self.write(runtime, id, Kind::Opened).await }
    }

    /// The partition was deleted: its mark is of no use any more. A lost one costs 32 bytes, as topic ids are never used
    /// again.
    pub async fn remove(&self, runtime: &Runtime, id: LogId) -> io::Result<()> {
        self.write(runtime, id, Kind::Deleted).await
    }

    async fn write(&self, runtime: &Runtime, id: LogId, kind: Kind) -> io::Result<()> {
        let mut bytes = self.bytes.lock().await;
        let disk = runtime.disk();
        let file = disk.open(&self.path, OpenOptions { write: true, create: true, ..Default::default() }).await?;
        let mark = vec![Bytes::copy_from_slice(&encode(id, kind))];
        disk.write(&file, mark, *bytes, Durability::Buffered, Lane::Background).await?;
        disk.sync_data(&file, Lane::Background).await?;
        if *bytes == 0
            && let Some(folder) = self.path.parent()
        {
            disk.sync_directory(folder).await?;
        }
        *bytes += MARK_BYTES as u64;
        self.marks.borrow_mut().insert((id, kind));
        Ok(())
    }
}

fn encode(id: LogId, kind: Kind) -> [u8; MARK_BYTES] {
    let mut mark = [0; MARK_BYTES];
    mark[0] = kind as u8;
    mark[4..20].copy_from_slice(&id.topic_id.0);
    mark[20..24].copy_from_slice(&id.partition.to_be_bytes());
    let crc = crc32c::crc32c(&mark[..CRC_AT]);
    mark[CRC_AT..].copy_from_slice(&crc.to_be_bytes());
    mark
}

/// The marks that are whole; others were being written when the power failed, or are damaged.
fn decode(bytes: &[u8]) -> impl Iterator<Item = (LogId, Kind)> + '_ {
    bytes.as_chunks::<MARK_BYTES>().0.iter().filter_map(|mark| {
        let kind = match mark[0] {
            1 => Kind::Opened,
            2 => Kind::Deleted,
            _ => return None,
        };
        let topic_id = Uuid(*mark[4..].first_chunk()?);
        let partition = i32::from_be_bytes(*mark[20..].first_chunk()?);
        let sound = crc32c::crc32c(&mark[..CRC_AT]).to_be_bytes() == mark[CRC_AT..];
        sound.then_some((LogId { topic_id, partition }, kind))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::simulated::{CrashPolicy, Simulation};

    fn id(partition: i32) -> LogId {
        LogId { topic_id: Uuid([9; 16]), partition }
    }

    #[test]
    fn marks_outlive_a_power_cut_and_are_seen_by_other_cores() {
        let simulation = Simulation::new(1);
        let runtime = simulation.runtime();
        simulation.run(async move {
            runtime.disk().create_directory_all("data".as_ref()).await.unwrap();
            runtime.disk().sync_directory("".as_ref()).await.unwrap();
            let opened = Opened::load(&runtime, "data".as_ref(), 0).await.unwrap();
            for partition in 0..4 {
                opened.add(&runtime, id(partition)).await.unwrap();
            }
            opened.remove(&runtime, id(1)).await.unwrap();
        });
        let mut simulation = simulation.crash(CrashPolicy::LoseAll);
        for core in [1, 0, 0] {
            let runtime = simulation.runtime();
            simulation.run(async move {
                let opened = Opened::load(&runtime, "data".as_ref(), core).await.unwrap();
                let found: Vec<bool> = (0..5).map(|partition| opened.contains(id(partition))).collect();
                assert_eq!(found, [true, false, true, true, false], "core {core}");
                opened.remove(&runtime, id(1)).await.unwrap();
            });
            simulation = simulation.crash(CrashPolicy::LoseAll);
        }
    }

    #[test]
    fn what_is_torn_or_damaged_marks_nothing() {
        let whole = [encode(id(0), Kind::Opened), encode(id(1), Kind::Opened)].concat();
        assert_eq!(decode(&whole).count(), 2);
        assert_eq!(decode(&whole[..MARK_BYTES + 31]).count(), 1);
        for byte in 0..MARK_BYTES {
            let mut damaged = whole.clone();
            damaged[byte] ^= 1;
            assert_eq!(decode(&damaged).count(), 1, "byte {byte}");
        }
    }
}
