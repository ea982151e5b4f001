//! ElectLeaders (key 43, versions 0-2): asks for the preferred leader, or for any at all.
//!
//! - A partition that is led as asked for is ELECTION_NOT_NEEDED; partitions have one replica, so there is never another
//!   one to elect: one without a leader is PREFERRED_LEADER_NOT_AVAILABLE or ELIGIBLE_LEADERS_NOT_AVAILABLE.
//! - Null partitions are all of them; those that need no election are then left out.
//! - v0: always the preferred leader. v1: an election type, of which an unknown one is INVALID_REQUEST, for the request
//!   and for each partition.

use protocol::ErrorCode;
use protocol::messages::elect_leaders::{PartitionResult, ReplicaElectionResult};
use protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use crate::context::RequestContext;
use crate::metadata::decide::ApiError;
use crate::metadata::{MetadataImage, PartitionImage};

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

/// Answers from the image.
pub async fn handle(context: &RequestContext, request: ElectLeadersRequest) -> ElectLeadersResponse {
    let election = if context.api_version == 0 { PREFERRED } else { request.election_type };
    let image = context.shard.image();
    let results = match request.topic_partitions {
        Some(topics) => topics
            .into_iter()
            .map(|topic| {
                let results = topic.partitions.iter().map(|&id| result(&image, &topic.topic, id, election));
                ReplicaElectionResult { partition_result: results.collect(), topic: topic.topic }
            })
            .collect(),
        None if is_known(election) => all(&image, election),
        None => Vec::new(),
    };
    let error_code = if is_known(election) { ErrorCode::NONE } else { ErrorCode::INVALID_REQUEST };
    ElectLeadersResponse { error_code, replica_election_results: results, ..Default::default() }
}

fn is_known(election: i8) -> bool {
    matches!(election, PREFERRED | UNCLEAN)
}

fn all(image: &MetadataImage, election: i8) -> Vec<ReplicaElectionResult> {
    let of_topic = |topic: &std::sync::Arc<crate::metadata::TopicImage>| {
        let ids = 0..topic.partitions.len() as i32;
        let results = ids.map(|id| result(image, &topic.name, id, election));
        let needed = results.filter(|result| result.error_code != ErrorCode::ELECTION_NOT_NEEDED);
        ReplicaElectionResult { topic: topic.name.to_string(), partition_result: needed.collect() }
    };
    image.topics().map(of_topic).collect()
}

fn result(image: &MetadataImage, topic: &str, partition_id: i32, election: i8) -> PartitionResult {
    let unknown = |message: String| ApiError::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message);
    let error = match image.topic(topic).map(|topic| topic.partition(partition_id)) {
        _ if !is_known(election) => ErrorCode::INVALID_REQUEST.into(),
        None => unknown(format!("No such topic as {topic}")),
        Some(None) => unknown(format!("No such partition as {topic}-{partition_id}")),
        Some(Some(partition)) => why_not(partition, election).into(),
    };
    PartitionResult { partition_id, error_code: error.code, error_message: Some(error.message) }
}

fn why_not(partition: &PartitionImage, election: i8) -> ErrorCode {
    match election {
        PREFERRED if partition.replicas.first() == Some(&partition.leader) => ErrorCode::ELECTION_NOT_NEEDED,
        PREFERRED => ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE,
        _ if partition.leader >= 0 => ErrorCode::ELECTION_NOT_NEEDED,
        _ => ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE,
    }
}
