//! What a request for a change leads to: pure functions of the image and the request, with Kafka's checks in Kafka's
//! order and words (metadata/.../ReplicationControlManager.java, ConfigurationControlManager.java). They decide on one
//! machine today and can decide on the leader of a quorum as they are.

pub mod configs;
pub mod features;
pub mod partitions;
pub mod quotas;
pub mod scram;
pub mod topics;

use protocol::{ErrorCode, Uuid};

use crate::config::BrokerConfig;
use crate::metadata::image::MetadataImage;
use crate::metadata::record::PartitionRecord;

/// Why an item of a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// Kafka's code.
    pub code: ErrorCode,
    /// Kafka's words; the code's own sentence when there is nothing to add.
    pub message: String,
}

impl ApiError {
    /// A code with words.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> ApiError {
        ApiError { code, message: message.into() }
    }
}

impl From<ErrorCode> for ApiError {
    fn from(code: ErrorCode) -> ApiError {
        ApiError::new(code, code.message())
    }
}

/// What a decision knows beside the image.
#[derive(Debug, Clone, Copy)]
pub struct Cluster<'a> {
    /// This node.
    pub node_id: i32,
    /// Its log directories; never empty.
    pub directories: &'a [Uuid],
    /// The settings in force.
    pub config: &'a BrokerConfig,
}

/// Asked before a number of partitions is made or deleted: a quota may refuse.
pub type Permit<'a> = &'a mut dyn FnMut(usize) -> Result<(), ApiError>;

/// The permit of changes that no quota bounds.
pub fn unbounded(_partitions: usize) -> Result<(), ApiError> {
    Ok(())
}

/// Most partitions a request may create (ReplicationControlManager.MAX_PARTITIONS_PER_BATCH).
pub const PARTITIONS_PER_REQUEST_MAX: i64 = 10_000;

/// Hands out log directories, each time the one with the fewest partitions.
struct Directories {
    counts: Vec<(usize, Uuid)>,
}

impl Directories {
    fn of(image: &MetadataImage, cluster: &Cluster<'_>) -> Directories {
        let mut counts: Vec<_> = cluster.directories.iter().map(|&directory| (0, directory)).collect();
        // With one directory there is nothing to weigh; counting would cost a walk over all partitions.
        if counts.len() > 1 {
            for partition in image.topics().flat_map(|topic| &topic.partitions) {
                let directory = partition.directory_of(cluster.node_id);
                if let Some(count) = counts.iter_mut().find(|(_, id)| Some(*id) == directory) {
                    count.0 += 1;
                }
            }
        }
        Directories { counts }
    }

    fn take(&mut self) -> Uuid {
        let least = self.counts.iter_mut().min_by_key(|(count, _)| *count);
        let (count, directory) = least.expect("a node has a log directory");
        *count += 1;
        *directory
    }

    /// A partition led by the first of `replicas`. Other nodes choose their directory themselves.
    fn place(&mut self, replicas: &[i32], node_id: i32) -> PartitionRecord {
        let directories =
            replicas.iter().map(|&replica| if replica == node_id { self.take() } else { Uuid::ZERO }).collect();
        PartitionRecord {
            leader: replicas.first().copied().unwrap_or(-1),
            leader_epoch: 0,
            partition_epoch: 0,
            replicas: replicas.to_vec(),
            isr: replicas.to_vec(),
            directories,
        }
    }
}

/// Replicas somebody chose by hand: not empty, no stranger, no double, as many as for the partitions before.
pub(crate) fn check_replicas(image: &MetadataImage, replicas: &[i32], expected: Option<usize>) -> Result<(), ApiError> {
    let wrong = |message: String| Err(ApiError::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
    if replicas.is_empty() {
        return wrong("The manual partition assignment includes an empty replica list.".to_owned());
    }
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    for (index, id) in sorted.iter().enumerate() {
        if !image.brokers.contains_key(id) {
            return wrong(format!(
                "The manual partition assignment includes broker {id}, but no such broker is registered."
            ));
        }
        if index > 0 && sorted[index - 1] == *id {
            return wrong(format!("The manual partition assignment includes the broker {id} more than once."));
        }
    }
    match expected {
        Some(expected) if expected != replicas.len() => wrong(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is not consistent with \
             previous partitions, which have {expected} replica(s).",
            replicas.len()
        )),
        _ => Ok(()),
    }
}

/// Brokers to spread `replicas` copies over, starting with this node.
fn choose_replicas(image: &MetadataImage, cluster: &Cluster<'_>, replicas: usize) -> Result<Vec<i32>, String> {
    let brokers = image.brokers.len();
    if replicas > brokers {
        return Err(format!(
            "The target replication factor of {replicas} cannot be reached because only {brokers} broker(s) are \
             registered or some brokers have all their log directories cordoned."
        ));
    }
    let others = image.brokers.keys().copied().filter(|&id| id != cluster.node_id);
    Ok(std::iter::once(cluster.node_id).chain(others).take(replicas).collect())
}

#[cfg(test)]
mod tests;
