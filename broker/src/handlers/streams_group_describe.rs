//! StreamsGroupDescribe (key 89, versions 0-1): streams groups of KIP-1071 with their epochs, topology and members, what
//! those have and what they are to have.
//!
//! - An unknown group, or one of another type, is GROUP_ID_NOT_FOUND.
//! - UNSUPPORTED_VERSION for each group where the feature `streams.version` is off or the protocol is not among
//!   `group.coordinator.rebalance.protocols`.
//! - v1: the assignor; and a description of the topology for who asks for it (KIP-1331), which is always "not stored", as
//!   plug-ins that store them are Java classes.

use futures_util::future::join_all;
use protocol::ErrorCode;
use protocol::messages::streams_group_describe::DescribedGroup;
use protocol::messages::{StreamsGroupDescribeRequest, StreamsGroupDescribeResponse};

use super::streams_group_heartbeat::is_served;
use crate::context::RequestContext;
use crate::groups::GroupHomes;
use crate::handlers::describe_groups::ALL_OPERATIONS;

/// `topology_description_status`: nobody has stored one.
const NOT_STORED: i8 = 1;

/// Describes each group where it is.
pub async fn handle(context: &RequestContext, request: StreamsGroupDescribeRequest) -> StreamsGroupDescribeResponse {
    let (with_operations, with_description) =
        (request.include_authorized_operations, request.include_topology_description);
    let served = is_served(context);
    let describe = |group_id| async move {
        if !served {
            return failed(ErrorCode::UNSUPPORTED_VERSION, group_id);
        }
        let mut described = describe(context, group_id).await;
        if !described.error_code.is_error() {
            if with_operations {
                described.authorized_operations = ALL_OPERATIONS;
            }
            if with_description {
                described.topology_description_status = NOT_STORED;
            }
        }
        described
    };
    let groups = join_all(request.group_ids.into_iter().map(describe)).await;
    StreamsGroupDescribeResponse { groups, ..Default::default() }
}

fn failed(error_code: ErrorCode, group_id: String) -> DescribedGroup {
    DescribedGroup { group_id, error_code, ..Default::default() }
}

async fn describe(context: &RequestContext, group_id: String) -> DescribedGroup {
    if group_id.is_empty() {
        return failed(ErrorCode::INVALID_GROUP_ID, group_id);
    }
    let of = group_id.clone();
    let work = GroupHomes::at(&context.shard, &of, move |_, home| {
        Box::pin(async move { home.read(|state| state.describe_streams_group(&group_id)) })
    });
    work.await.unwrap_or_else(|error_code| failed(error_code, of.clone()))
}
