//! DeleteGroups (key 42, versions 0-3): deletes groups without members, with their offsets.
//!
//! - A group with members is NON_EMPTY_GROUP, an unknown one GROUP_ID_NOT_FOUND. A name said twice is answered once.
//! - v3: an error message, which classic groups never have.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use protocol::ErrorCode;
use protocol::messages::delete_groups::DeletableGroupResult;
use protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use crate::context::RequestContext;
use crate::groups::GroupHomes;

/// Deletes each group where it is.
pub async fn handle(context: &RequestContext, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let mut seen = BTreeSet::new();
    let names = request.groups_names.into_iter().filter(|group_id| seen.insert(group_id.clone()));
    let deletions: Vec<_> = names.map(|group_id| delete(context, group_id)).collect();
    DeleteGroupsResponse { results: join_all(deletions).await, ..Default::default() }
}

async fn delete(context: &RequestContext, group_id: String) -> DeletableGroupResult {
    let names = [group_id.clone()];
    let work = GroupHomes::at(&context.shard, &group_id, move |shard, home| {
        Box::pin(async move {
            let (results, settled) = home.change(&shard, |state, _, effects| state.delete_groups(&names, effects))?;
            settled.wait(&shard).await?;
            results.into_iter().next().ok_or(ErrorCode::UNKNOWN_SERVER_ERROR)
        })
    });
    work.await.unwrap_or_else(|error_code| DeletableGroupResult {
        group_id: group_id.clone(),
        error_code,
        ..Default::default()
    })
}
