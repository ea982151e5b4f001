//! ListConfigResources (key 74): lists the resources that can have configs.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The types asked about.
    ListConfigResourcesRequest(ApiKey::ListConfigResources.versions()) {
        resource_types: Vec<i8>, 1+;
    }

    /// The resources.
    ListConfigResourcesResponse(ApiKey::ListConfigResources.versions()) {
        throttle_time_ms: i32,                 0+;
        error_code:       ErrorCode,           0+;
        config_resources: Vec<ConfigResource>, 0+;
    }

    /// Element of [`ListConfigResourcesResponse::config_resources`].
    ConfigResource {
        resource_name: String, 0+;
        resource_type: i8,     1+, = 16;
    }
}
