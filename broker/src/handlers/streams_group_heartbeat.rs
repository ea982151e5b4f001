//! StreamsGroupHeartbeat (key 88, versions 0-1): a thread of a Kafka Streams application joins its group (epoch 0), says it
//! is alive (above 0), leaves (-1), or leaves to come back as a static member (-2).
//!
//! - The first request says everything, the topology of the application included; later ones only what changed (null: as
//!   before). The member's tasks are told when they changed.
//! - What stands in the way of work is told as a status beside the answer: missing or wrongly partitioned topics, a delayed
//!   assignment, another member's wish that all shut down. Topics of the application that are missing are made before
//!   the answer leaves; why that failed is told with the status.
//! - A topology that can never work, or that names internal topics, is STREAMS_INVALID_TOPOLOGY.
//! - UNSUPPORTED_VERSION where the feature `streams.version` is off or the protocol is not among
//!   `group.coordinator.rebalance.protocols`.
//! - v1: the lag below which state counts as restored; MISSING_CLIENT_TAGS among the statuses.

use std::collections::BTreeMap;

use protocol::ErrorCode;
use protocol::messages::create_topics::CreatableTopic;
use protocol::messages::{CreateTopicsRequest, StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};

use crate::context::RequestContext;
use crate::error::metadata_error;
use crate::groups::GroupHomes;
use crate::groups::streams::{StreamsAnswer, StreamsHeartbeat, check_streams_heartbeat};
use crate::handlers::ClusterFacts;
use crate::metadata::decide::topics::create_topics;
use crate::metadata::decide::{ApiError, unbounded};
use crate::metadata::features::STREAMS_VERSION;

/// The name of the protocol in `group.coordinator.rebalance.protocols`.
const PROTOCOL: &str = "streams";
/// The status that topics of the application are missing.
const MISSING_INTERNAL_TOPICS: i8 = 3;
/// Failures told in one status.
const FAILURES_TOLD_MAX: usize = 3;

/// Whether streams groups are served at all.
pub(super) fn is_served(context: &RequestContext) -> bool {
    let config = context.shard.config();
    STREAMS_VERSION.level(&context.shard.image()) > 0
        && config.group_protocols.iter().any(|name| name.eq_ignore_ascii_case(PROTOCOL))
}

/// Hears the member where its group is; answered when what it changed is durable and missing topics are made.
pub async fn handle(context: &RequestContext, request: StreamsGroupHeartbeatRequest) -> StreamsGroupHeartbeatResponse {
    match heartbeat(context, request).await {
        Ok(StreamsAnswer { mut response, missing }) => {
            if !missing.is_empty() {
                let failures = make(context, missing).await;
                tell_failures(&mut response, &failures);
            }
            response
        }
        Err(ApiError { code, message }) => {
            StreamsGroupHeartbeatResponse { error_code: code, error_message: Some(message), ..Default::default() }
        }
    }
}

async fn heartbeat(context: &RequestContext, request: StreamsGroupHeartbeatRequest) -> Result<StreamsAnswer, ApiError> {
    if !is_served(context) {
        return Err(ErrorCode::UNSUPPORTED_VERSION.into());
    }
    check_streams_heartbeat(&request)?;
    let version = context.api_version;
    let client_id = context.client_id.clone().unwrap_or_default();
    let client_host = context.connection.client_host();
    let group_id = request.group_id.clone();
    let work = GroupHomes::at(&context.shard, &group_id, move |shard, home| {
        Box::pin(async move {
            let event =
                StreamsHeartbeat { request: &request, version, client_id: &client_id, client_host: &client_host };
            let (answer, settled) =
                home.change(&shard, |state, now_ms, effects| state.streams_heartbeat(&event, now_ms, effects))?;
            // Even a heartbeat that changes nothing may tell of a change that is not durable yet.
            let settled = if settled.is_empty() { home.settled_so_far(&shard) } else { settled };
            if answer.is_ok() {
                settled.wait(&shard).await?;
            }
            Ok(answer)
        })
    });
    work.await?
}

/// Makes topics; those that could not be made, with the reason.
async fn make(context: &RequestContext, missing: Vec<CreatableTopic>) -> BTreeMap<String, String> {
    let facts = ClusterFacts::of(context);
    let names: Vec<String> = missing.iter().map(|topic| topic.name.clone()).collect();
    let mut ids: Vec<_> = missing.iter().map(|_| context.shard.random_id()).collect();
    let request = CreateTopicsRequest { topics: missing, ..Default::default() };
    let decided = context.shard.change_metadata(move |image| {
        let next_id = || ids.pop().expect("one id for each topic");
        create_topics(image, &facts.cluster(), &request, next_id, &mut unbounded)
    });
    let results = match decided.await {
        Ok(results) => results,
        Err(error) => {
            let error = metadata_error(&error);
            names.into_iter().map(|name| (name, Err(error.clone()))).collect()
        }
    };
    let failed = results.into_iter().filter_map(|(name, result)| Some((name, result.err()?)));
    // Another member's heartbeat may have made them meanwhile.
    failed
        .filter(|(_, error)| error.code != ErrorCode::TOPIC_ALREADY_EXISTS)
        .map(|(name, error)| {
            tracing::warn!(topic = name, error = error.message, "a topic of a streams group cannot be created");
            (name, error.message)
        })
        .collect()
}

fn tell_failures(response: &mut StreamsGroupHeartbeatResponse, failures: &BTreeMap<String, String>) {
    let statuses = response.status.iter_mut().flatten();
    let Some(status) = statuses.into_iter().find(|status| status.status_code == MISSING_INTERNAL_TOPICS) else {
        return;
    };
    if failures.is_empty() {
        return;
    }
    let told: Vec<String> =
        failures.iter().take(FAILURES_TOLD_MAX).map(|(topic, error)| format!("{topic} ({error})")).collect();
    let more = match failures.len().saturating_sub(FAILURES_TOLD_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    status.status_detail.push_str(&format!("; Creation failed: {}{more}.", told.join(", ")));
}

#[cfg(test)]
mod tests {
    use protocol::messages::streams_group_heartbeat::Status;

    use super::*;

    #[test]
    fn failures_are_told_with_the_status_of_missing_topics() {
        let check = |code: i8, failures: &[&str], expected: &str| {
            let status = Status { status_code: code, status_detail: "Missing".to_owned() };
            let mut response = StreamsGroupHeartbeatResponse { status: Some(vec![status]), ..Default::default() };
            let failures = failures.iter().map(|name| (name.to_string(), "no".to_owned())).collect();
            tell_failures(&mut response, &failures);
            assert_eq!(response.status.unwrap_or_default()[0].status_detail, expected);
        };
        check(MISSING_INTERNAL_TOPICS, &[], "Missing");
        check(MISSING_INTERNAL_TOPICS, &["a"], "Missing; Creation failed: a (no).");
        check(
            MISSING_INTERNAL_TOPICS,
            &["a", "b", "c", "d"],
            "Missing; Creation failed: a (no), b (no), c (no) and 1 more.",
        );
        check(5, &["a"], "Missing");
    }
}
