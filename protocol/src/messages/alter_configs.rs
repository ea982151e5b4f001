//! AlterConfigs (key 33): replaces all configs of resources; the old way, see IncrementalAlterConfigs.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The configs that are to be set; others are unset.
    AlterConfigsRequest(ApiKey::AlterConfigs.versions()) {
        resources:     Vec<AlterConfigsResource>, 0+;
        validate_only: bool,                      0+;
    }

    /// Element of [`AlterConfigsRequest::resources`].
    AlterConfigsResource {
        resource_type: i8,                   0+;
        resource_name: String,               0+;
        configs:       Vec<AlterableConfig>, 0+;
    }

    /// Element of [`AlterConfigsResource::configs`].
    AlterableConfig {
        name:  String,         0+;
        value: Option<String>, 0+, null 0, = Some(String::new());
    }

    /// How each resource's change went.
    AlterConfigsResponse(ApiKey::AlterConfigs.versions()) {
        throttle_time_ms: i32,                               0+;
        responses:        Vec<AlterConfigsResourceResponse>, 0+;
    }

    /// Element of [`AlterConfigsResponse::responses`] and of
    /// [`IncrementalAlterConfigsResponse::responses`](super::IncrementalAlterConfigsResponse::responses).
    AlterConfigsResourceResponse {
        error_code:    ErrorCode,      0+;
        error_message: Option<String>, 0+, null 0, = Some(String::new());
        resource_type: i8,             0+;
        resource_name: String,         0+;
    }
}
