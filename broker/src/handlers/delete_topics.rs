//! DeleteTopics (key 20, versions 1-6): topics gone for good, by name or (v6) by id.
//!
//! - Each topic is answered on its own; a deletion is durable, and the logs are deleted, when the answer leaves.
//! - `delete.topic.enable=false`: TOPIC_DELETION_DISABLED, before v3 INVALID_REQUEST.
//! - v5: messages; THROTTLING_QUOTA_EXCEEDED for what exceeds `controller_mutation_rate`, where older clients are told to
//!   pause. v6: UNKNOWN_TOPIC_ID for an unknown id; a name twice, an id twice or both of one topic:
//!   INVALID_REQUEST.

use protocol::ErrorCode;
use protocol::messages::delete_topics::DeletableTopicResult;
use protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};

use crate::context::RequestContext;
use crate::error::metadata_error;
use crate::metadata::decide::ApiError;
use crate::metadata::decide::topics::{Deletion, delete_topics};
use crate::quotas::mutations::MutationQuota;

const STRICT_QUOTA_SINCE: i16 = 5;

/// Decides, writes, publishes, answers.
pub async fn handle(context: &RequestContext, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    if !context.shard.config().delete_topic_enable {
        return refuse_all(&request, &disabled(context.api_version));
    }
    let asked = request.clone();
    let mut quota = MutationQuota::of(context, STRICT_QUOTA_SINCE);
    let decided = context.shard.change_metadata_counted(move |shard, image| {
        let mut permit = |partitions| quota.take(shard, partitions);
        let (records, deletions) = delete_topics(image, &request, &mut permit);
        (records, (deletions, quota))
    });
    match decided.await {
        Ok((deletions, quota)) => {
            quota.settle(&context.pause);
            DeleteTopicsResponse { responses: deletions.into_iter().map(answer).collect(), ..Default::default() }
        }
        Err(error) => refuse_all(&asked, &metadata_error(&error)),
    }
}

fn disabled(version: i16) -> ApiError {
    if version < 3 {
        return ApiError::new(ErrorCode::INVALID_REQUEST, "This version does not support topic deletion.");
    }
    ErrorCode::TOPIC_DELETION_DISABLED.into()
}

fn refuse_all(request: &DeleteTopicsRequest, error: &ApiError) -> DeleteTopicsResponse {
    let refused = |name: Option<String>, id| answer(Deletion { name, id, result: Err(error.clone()) });
    let by_name = request.topic_names.iter().map(|name| refused(Some(name.clone()), protocol::Uuid::ZERO));
    let by_state = request.topics.iter().map(|topic| refused(topic.name.clone(), topic.topic_id));
    DeleteTopicsResponse { responses: by_name.chain(by_state).collect(), ..Default::default() }
}

fn answer(deletion: Deletion) -> DeletableTopicResult {
    let (error_code, error_message) = match deletion.result {
        Ok(()) => (ErrorCode::NONE, None),
        Err(error) => (error.code, Some(error.message)),
    };
    DeletableTopicResult { name: deletion.name, topic_id: deletion.id, error_code, error_message }
}
