//! ConsumerGroupDescribe (key 69, versions 0-1): consumer groups of KIP-848 with their epochs, members, what those have
//! and what they are to have.
//!
//! - An unknown group, or one of another type, is GROUP_ID_NOT_FOUND: admin clients then try DescribeGroups.
//! - UNSUPPORTED_VERSION for each group where the feature `group.version` is off or the protocol is not among
//!   `group.coordinator.rebalance.protocols`.
//! - v1: whether a member speaks the classic protocol.

use futures_util::future::join_all;
use protocol::ErrorCode;
use protocol::messages::consumer_group_describe::DescribedGroup;
use protocol::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};

use super::consumer_group_heartbeat::is_served;
use crate::context::RequestContext;
use crate::groups::GroupHomes;
use crate::handlers::describe_groups::ALL_OPERATIONS;

/// Describes each group where it is.
pub async fn handle(context: &RequestContext, request: ConsumerGroupDescribeRequest) -> ConsumerGroupDescribeResponse {
    let with_operations = request.include_authorized_operations;
    let served = is_served(context);
    let describe = |group_id| async move {
        if !served {
            return failed(ErrorCode::UNSUPPORTED_VERSION, group_id);
        }
        let mut described = describe(context, group_id).await;
        if with_operations && !described.error_code.is_error() {
            described.authorized_operations = ALL_OPERATIONS;
        }
        described
    };
    let groups = join_all(request.group_ids.into_iter().map(describe)).await;
    ConsumerGroupDescribeResponse { groups, ..Default::default() }
}

fn failed(error_code: ErrorCode, group_id: String) -> DescribedGroup {
    DescribedGroup { group_id, error_code, ..Default::default() }
}

async fn describe(context: &RequestContext, group_id: String) -> DescribedGroup {
    if group_id.is_empty() {
        return failed(ErrorCode::INVALID_GROUP_ID, group_id);
    }
    let of = group_id.clone();
    let work = GroupHomes::at(&context.shard, &of, move |shard, home| {
        Box::pin(async move { home.read(|state| state.describe_consumer_group(&group_id, &shard.image())) })
    });
    work.await.unwrap_or_else(|error_code| failed(error_code, of.clone()))
}
