//! Giving a topic more partitions.

use std::collections::BTreeSet;

use protocol::ErrorCode;
use protocol::messages::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};

use crate::metadata::decide::{
    ApiError, Cluster, Directories, PARTITIONS_PER_REQUEST_MAX, Permit, check_replicas, choose_replicas,
};
use crate::metadata::image::{MetadataImage, TopicImage};
use crate::metadata::record::MetadataRecord;

/// Results by name: topics named twice first, the others in the order of the request.
pub type PartitionResults = Vec<(String, Result<(), ApiError>)>;

/// Decides on a CreatePartitions request. The records are to be dropped for `validate_only`.
pub fn create_partitions(
    image: &MetadataImage,
    cluster: &Cluster<'_>,
    request: &CreatePartitionsRequest,
    permit: Permit<'_>,
) -> (Vec<MetadataRecord>, PartitionResults) {
    let mut seen = BTreeSet::new();
    let doubles: BTreeSet<&str> =
        request.topics.iter().map(|topic| topic.name.as_str()).filter(|name| !seen.insert(*name)).collect();
    let duplicate = ApiError::new(ErrorCode::INVALID_REQUEST, "Duplicate topic name.");
    let mut results: PartitionResults =
        doubles.iter().map(|name| ((*name).to_owned(), Err(duplicate.clone()))).collect();
    let mut records = Vec::new();
    let mut directories = Directories::of(image, cluster);
    for topic in request.topics.iter().filter(|topic| !doubles.contains(topic.name.as_str())) {
        let grown = grow(image, cluster, topic, &mut directories, permit);
        results.push((topic.name.clone(), grown.map(|record| records.push(record))));
    }
    (records, results)
}

fn grow(
    image: &MetadataImage,
    cluster: &Cluster<'_>,
    wanted: &CreatePartitionsTopic,
    directories: &mut Directories,
    permit: Permit<'_>,
) -> Result<MetadataRecord, ApiError> {
    let topic = image.topic(&wanted.name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let additional = additional_partitions(topic, wanted)?;
    permit(additional)?;
    let factor = topic.partitions.first().map_or(1, |partition| partition.replicas.len());
    let mut partitions = Vec::with_capacity(additional);
    match &wanted.assignments {
        Some(assignments) => {
            for assignment in assignments {
                check_replicas(image, &assignment.broker_ids, Some(factor))?;
                partitions.push(directories.place(&assignment.broker_ids, cluster.node_id));
            }
        }
        None => {
            let replicas = choose_replicas(image, cluster, factor)
                .map_err(|reason| ApiError::new(ErrorCode::INVALID_REPLICATION_FACTOR, reason))?;
            partitions.extend((0..additional).map(|_| directories.place(&replicas, cluster.node_id)));
        }
    }
    Ok(MetadataRecord::PartitionsAdded { topic: topic.id, partitions })
}

fn additional_partitions(topic: &TopicImage, wanted: &CreatePartitionsTopic) -> Result<usize, ApiError> {
    let present = topic.partitions.len();
    let invalid = |message: String| Err(ApiError::new(ErrorCode::INVALID_PARTITIONS, message));
    let additional = match usize::try_from(wanted.count) {
        Ok(count) if count == present => return invalid(format!("Topic already has {present} partition(s).")),
        Ok(count) if count > present => count - present,
        _ => {
            let (name, count) = (&wanted.name, wanted.count);
            return invalid(format!(
                "The topic {name} currently has {present} partition(s); {count} would not be an increase."
            ));
        }
    };
    if additional as i64 > PARTITIONS_PER_REQUEST_MAX {
        // Kafka's bound on the records of one change (MAX_RECORDS_PER_USER_OP).
        return Err(ApiError::new(ErrorCode::POLICY_VIOLATION, "Excessively large number of partitions per request."));
    }
    match &wanted.assignments {
        Some(assignments) if assignments.len() != additional => Err(ApiError::new(
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            format!(
                "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
                assignments.len()
            ),
        )),
        _ => Ok(additional),
    }
}
