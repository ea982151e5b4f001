//! ApiVersions (key 18): tells which requests the broker understands; the first thing a client asks.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// Who is asking.
    ApiVersionsRequest(ApiKey::ApiVersions.versions()) {
        client_software_name:    String,         3+;
        client_software_version: String,         3+;
        cluster_id:              Option<String>, 5+, null 5;
        node_id:                 i32,            5+, = -1;
    }

    /// Versions of every API, and the features of the cluster.
    ApiVersionsResponse(ApiKey::ApiVersions.versions()) {
        error_code:               ErrorCode,                0+;
        api_keys:                 Vec<ApiVersion>,          0+;
        throttle_time_ms:         i32,                      1+;
        supported_features:       Vec<SupportedFeatureKey>, 3+, tag 0;
        finalized_features_epoch: i64,                      3+, tag 1, = -1;
        finalized_features:       Vec<FinalizedFeatureKey>, 3+, tag 2;
        zk_migration_ready:       bool,                     3+, tag 3;
    }

    /// Element of [`ApiVersionsResponse::api_keys`].
    ApiVersion {
        api_key:     i16, 0+;
        min_version: i16, 0+;
        max_version: i16, 0+;
    }

    /// Element of [`ApiVersionsResponse::supported_features`].
    SupportedFeatureKey {
        name:        String, 3+;
        min_version: i16,    3+;
        max_version: i16,    3+;
    }

    /// Element of [`ApiVersionsResponse::finalized_features`].
    FinalizedFeatureKey {
        name:              String, 3+;
        max_version_level: i16,    3+;
        min_version_level: i16,    3+;
    }
}
