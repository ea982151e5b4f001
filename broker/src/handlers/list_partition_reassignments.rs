//! ListPartitionReassignments (key 46, version 0): replicas on the move. On one node there is nowhere to move to: none.

use protocol::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

use crate::context::RequestContext;

/// Answers that there is none; topics that do not exist are no error, as in Kafka.
pub async fn handle(_: &RequestContext, _: ListPartitionReassignmentsRequest) -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse { error_message: None, ..Default::default() }
}
