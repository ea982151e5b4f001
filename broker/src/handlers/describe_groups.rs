//! DescribeGroups (key 15, versions 0-6): classic groups with their members and assignments.
//!
//! - An unknown group is "Dead", without an error up to v5; from v6 on with GROUP_ID_NOT_FOUND.
//! - v3: what the client may do, if it asks: everything, as there is no authorizer.
//! - v4: group instance ids. v6: an error message.

use futures_util::future::join_all;
use protocol::ErrorCode;
use protocol::messages::describe_groups::DescribedGroup;
use protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse};

use crate::context::RequestContext;
use crate::groups::GroupHomes;

/// READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS and ALTER_CONFIGS, each by the bit of its code (AclOperation.java).
pub(super) const ALL_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

/// Describes each group where it is.
pub async fn handle(context: &RequestContext, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
    let with_operations = request.include_authorized_operations;
    let describe = |group_id| async move {
        let mut described = describe(context, group_id).await;
        if with_operations && !described.error_code.is_error() {
            described.authorized_operations = ALL_OPERATIONS;
        }
        described
    };
    DescribeGroupsResponse { groups: join_all(request.groups.into_iter().map(describe)).await, ..Default::default() }
}

async fn describe(context: &RequestContext, group_id: String) -> DescribedGroup {
    let version = context.api_version;
    let of = group_id.clone();
    let work = GroupHomes::at(&context.shard, &of, move |_, home| {
        Box::pin(async move { home.read(|state| state.describe(&group_id, version)) })
    });
    work.await.unwrap_or_else(|error_code| failed(of.clone(), error_code))
}

fn failed(group_id: String, error_code: ErrorCode) -> DescribedGroup {
    DescribedGroup { group_id, error_code, ..Default::default() }
}
