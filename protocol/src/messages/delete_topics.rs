//! DeleteTopics (key 20): deletes topics, by id from version 6 on.

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// The topics to delete.
    DeleteTopicsRequest(ApiKey::DeleteTopics.versions()) {
        topics:      Vec<DeleteTopicState>, 6+;
        topic_names: Vec<String>,           0-5;
        timeout_ms:  i32,                   0+;
    }

    /// Element of [`DeleteTopicsRequest::topics`].
    DeleteTopicState {
        name:     Option<String>, 6+, null 6;
        topic_id: Uuid,           6+;
    }

    /// How each topic's deletion went.
    DeleteTopicsResponse(ApiKey::DeleteTopics.versions()) {
        throttle_time_ms: i32,                       1+;
        responses:        Vec<DeletableTopicResult>, 0+;
    }

    /// Element of [`DeleteTopicsResponse::responses`].
    DeletableTopicResult {
        name:          Option<String>, 0+, null 6, = Some(String::new());
        topic_id:      Uuid,           6+;
        error_code:    ErrorCode,      0+;
        error_message: Option<String>, 5+, null 5;
    }
}
