//! ListGroups (key 16, versions 0-5): the groups of this broker.
//!
//! - v4: their state, and a filter by state. v5: their type, and a filter by type. Compared without regard to case; what
//!   is not known matches nothing.
//! - While a partition of `__consumer_offsets` is being loaded the answer is COORDINATOR_LOAD_IN_PROGRESS: half a list
//!   would be taken for the whole.

use protocol::messages::{ListGroupsRequest, ListGroupsResponse};

use crate::context::RequestContext;
use crate::groups::GroupHomes;
use crate::groups::state::ListFilter;

/// Gathers the groups of all cores.
pub async fn handle(context: &RequestContext, request: ListGroupsRequest) -> ListGroupsResponse {
    let filter = ListFilter::new(&request.states_filter, &request.types_filter);
    let listed = GroupHomes::at_all(&context.shard, move |_, home| home.read(|state| state.list(&filter)));
    match listed.await {
        Ok(groups) => ListGroupsResponse { groups: groups.into_iter().flatten().collect(), ..Default::default() },
        Err(error_code) => ListGroupsResponse { error_code, ..Default::default() },
    }
}
