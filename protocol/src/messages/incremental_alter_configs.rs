//! IncrementalAlterConfigs (key 44): sets, deletes, appends to or subtracts from single configs.

use super::ApiKey;
use super::alter_configs::AlterConfigsResourceResponse;

message! {
    /// The changes to make.
    IncrementalAlterConfigsRequest(ApiKey::IncrementalAlterConfigs.versions()) {
        resources:     Vec<AlterConfigsResource>, 0+;
        validate_only: bool,                      0+;
    }

    /// Element of [`IncrementalAlterConfigsRequest::resources`].
    AlterConfigsResource {
        resource_type: i8,                   0+;
        resource_name: String,               0+;
        configs:       Vec<AlterableConfig>, 0+;
    }

    /// Element of [`AlterConfigsResource::configs`].
    AlterableConfig {
        name:             String,         0+;
        config_operation: i8,             0+;
        value:            Option<String>, 0+, null 0, = Some(String::new());
    }

    /// How each resource's change went.
    IncrementalAlterConfigsResponse(ApiKey::IncrementalAlterConfigs.versions()) {
        throttle_time_ms: i32,                               0+;
        responses:        Vec<AlterConfigsResourceResponse>, 0+;
    }
}
