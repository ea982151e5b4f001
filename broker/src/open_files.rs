//! How many files the process may have open. A partition that is written to holds two, a connection one; 1,024, a common
//! soft limit of `nofile`, is soon used up.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::shard::{METADATA_CORE, Shard};

/// A segment and its sidecar.
const FILES_PER_PARTITION: usize = 2;
/// Partitions being written may have one file in so many; the rest is for connections, reads, rings and indexes.
const SHARE_OF_PARTITIONS: usize = 2;

/// Raises the soft limit as far as the process may, and logs what it got. A refusal costs nothing but the raise.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::warn!(%error, "the limit of open files (nofile) stays as it was");
    }
    match getrlimit(Resource::Nofile).current {
        Some(files) => tracing::info!(files, "limit of open files (nofile)"),
        None => tracing::info!("no limit of open files (nofile)"),
    }
}

/// Files that may be open; `usize::MAX` for no limit.
fn limit() -> usize {
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX))
}

/// How many partitions each of `cores` may keep open for writing in each of `directories`.
pub fn partitions_open_max(cores: usize, directories: usize) -> usize {
    share(limit(), cores * directories)
}

fn share(limit: usize, parts: usize) -> usize {
    (limit / SHARE_OF_PARTITIONS / FILES_PER_PARTITION / parts.max(1)).max(1)
}

/// Says once that the limit is too small for the partitions there are.
#[derive(Debug, Default)]
pub struct Watch {
    has_warned: bool,
}

impl Watch {
    /// Looks again; on one core only.
    pub fn look(&mut self, shard: &Shard) {
        if self.has_warned || shard.core() != METADATA_CORE {
            return;
        }
        let sentence = too_small(limit(), shard.image().partition_count());
        if let Some(sentence) = sentence {
            tracing::warn!("{sentence}");
            self.has_warned = true;
        }
    }
}

fn too_small(limit: usize, partitions: usize) -> Option<String> {
    let wanted = partitions.saturating_mul(FILES_PER_PARTITION * SHARE_OF_PARTITIONS);
    (wanted > limit).then(|| {
        format!(
            "The limit of {limit} open files (nofile) is small for {partitions} partitions: those not written to for longest are \
             closed and opened again, which costs time; {wanted} would be enough."
        )
    })
}

#[cfg(test)]
mod tests {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    use super::{raise_limit, share, too_small};

    #[test]
    fn half_of_the_files_are_for_partitions() {
        assert_eq!(share(1024, 2), 128);
        assert_eq!(share(1, 64), 1, "never none");
        assert!(share(usize::MAX, 2) > 1 << 40);
    }

    #[test]
    fn a_limit_is_small_when_partitions_would_take_more_than_half() {
        assert_eq!(too_small(1024, 256), None);
        assert!(too_small(1024, 257).is_some_and(|sentence| sentence.contains("1028 would be enough")));
        assert_eq!(too_small(usize::MAX, 1 << 20), None);
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let maximum = getrlimit(Resource::Nofile).maximum;
        let lower = maximum.map_or(1 << 20, |files| files - 1);
        setrlimit(Resource::Nofile, Rlimit { current: Some(lower), maximum }).unwrap();
        raise_limit();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
