//! DeleteShareGroupOffsets (key 92): drops topics from an empty share group.

use super::ApiKey;
use crate::{ErrorCode, Uuid};

message! {
    /// The topics to drop.
    DeleteShareGroupOffsetsRequest(ApiKey::DeleteShareGroupOffsets.versions()) {
        group_id: String,                                   0+;
        topics:   Vec<DeleteShareGroupOffsetsRequestTopic>, 0+;
    }

    /// Element of [`DeleteShareGroupOffsetsRequest::topics`].
    DeleteShareGroupOffsetsRequestTopic {
        topic_name: String, 0+;
    }

    /// How each topic's deletion went.
    DeleteShareGroupOffsetsResponse(ApiKey::DeleteShareGroupOffsets.versions()) {
        throttle_time_ms: i32,                                       0+;
        error_code:       ErrorCode,                                 0+;
        error_message:    Option<String>,                            0+, null 0;
        responses:        Vec<DeleteShareGroupOffsetsResponseTopic>, 0+;
    }

    /// Element of [`DeleteShareGroupOffsetsResponse::responses`].
    DeleteShareGroupOffsetsResponseTopic {
        topic_name:    String,         0+;
        topic_id:      Uuid,           0+;
        error_code:    ErrorCode,      0+;
        error_message: Option<String>, 0+, null 0;
    }
}
