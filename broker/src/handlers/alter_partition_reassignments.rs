//! AlterPartitionReassignments (key 45, versions 0-1): moves replicas between nodes. On one node the only place a
//! partition can be is where it is, so a sound request changes nothing.
//!
//! - Null replicas cancel a reassignment: NO_REASSIGNMENT_IN_PROGRESS, as there never is one.
//! - Replicas that are empty, repeated or unknown: INVALID_REPLICA_ASSIGNMENT. v1: another number of replicas than before
//!   can be refused by the client (KIP-860): INVALID_REPLICATION_FACTOR.

use protocol::ErrorCode;
use protocol::messages::alter_partition_reassignments::{
    ReassignablePartition, ReassignablePartitionResponse, ReassignableTopicResponse,
};
use protocol::messages::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse};

use crate::context::RequestContext;
use crate::metadata::MetadataImage;
use crate::metadata::decide::{ApiError, check_replicas};

/// Answers from the image.
pub async fn handle(
    context: &RequestContext,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    let image = context.shard.image();
    let may_change = request.allow_replication_factor_change;
    let responses = request.topics.into_iter().map(|topic| {
        let rows = topic.partitions.iter().map(|partition| row(&image, &topic.name, partition, may_change)).collect();
        ReassignableTopicResponse { name: topic.name, partitions: rows }
    });
    AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: may_change,
        error_message: None,
        responses: responses.collect(),
        ..Default::default()
    }
}

fn row(
    image: &MetadataImage,
    topic: &str,
    wanted: &ReassignablePartition,
    may_change: bool,
) -> ReassignablePartitionResponse {
    let (error_code, error_message) = match reassign(image, topic, wanted, may_change) {
        Ok(()) => (ErrorCode::NONE, None),
        Err(error) => (error.code, Some(error.message)),
    };
    ReassignablePartitionResponse { partition_index: wanted.partition_index, error_code, error_message }
}

fn reassign(
    image: &MetadataImage,
    topic: &str,
    wanted: &ReassignablePartition,
    may_change: bool,
) -> Result<(), ApiError> {
    let unknown = |message: String| ApiError::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message);
    let found = image.topic(topic).ok_or_else(|| unknown(format!("Unable to find a topic named {topic}.")))?;
    let index = wanted.partition_index;
    let partition =
        found.partition(index).ok_or_else(|| unknown(format!("Unable to find partition {topic}:{index}.")))?;
    let Some(replicas) = &wanted.replicas else { return Err(ErrorCode::NO_REASSIGNMENT_IN_PROGRESS.into()) };
    check_replicas(image, replicas, None)?;
    let before = partition.replicas.len();
    if !may_change && replicas.len() != before {
        let message = format!("The replication factor is changed from {before} to {}", replicas.len());
        return Err(ApiError::new(ErrorCode::INVALID_REPLICATION_FACTOR, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use protocol::Uuid;

    use super::*;
    use crate::metadata::{MetadataRecord, PartitionRecord};

    #[test]
    fn only_the_place_it_has_is_accepted() {
        let mut image = MetadataImage::default();
        let id = Uuid::from_random(1, 2);
        let partition = PartitionRecord {
            leader: 1,
            leader_epoch: 0,
            partition_epoch: 0,
            replicas: vec![1],
            isr: vec![1],
            directories: vec![id],
        };
        for record in [
            MetadataRecord::BrokerRegistered { node_id: 1, rack: None },
            MetadataRecord::TopicCreated { name: "t".to_owned(), id },
            MetadataRecord::PartitionsAdded { topic: id, partitions: vec![partition] },
        ] {
            image.apply(&record).expect("fits");
        }
        let check = |topic: &str, partition_index: i32, replicas: Option<&[i32]>, code: ErrorCode| {
            let wanted = ReassignablePartition { partition_index, replicas: replicas.map(<[i32]>::to_vec) };
            assert_eq!(row(&image, topic, &wanted, true).error_code, code, "{topic}-{partition_index} {replicas:?}");
        };
        check("t", 0, Some(&[1]), ErrorCode::NONE);
        check("t", 0, None, ErrorCode::NO_REASSIGNMENT_IN_PROGRESS);
        check("t", 0, Some(&[]), ErrorCode::INVALID_REPLICA_ASSIGNMENT);
        check("t", 0, Some(&[2]), ErrorCode::INVALID_REPLICA_ASSIGNMENT);
        check("t", 0, Some(&[1, 1]), ErrorCode::INVALID_REPLICA_ASSIGNMENT);
        check("t", 1, Some(&[1]), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        check("u", 0, None, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
}
