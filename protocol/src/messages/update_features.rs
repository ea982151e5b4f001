//! UpdateFeatures (key 57): changes the finalized features of the cluster.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The feature levels to set.
    UpdateFeaturesRequest(ApiKey::UpdateFeatures.versions()) {
        timeout_ms:      i32,                   0+, = 60000;
        feature_updates: Vec<FeatureUpdateKey>, 0+;
        validate_only:   bool,                  1+;
    }

    /// Element of [`UpdateFeaturesRequest::feature_updates`].
    FeatureUpdateKey {
        feature:           String, 0+;
        max_version_level: i16,    0+;
        allow_downgrade:   bool,   0-0;
        upgrade_type:      i8,     1+, = 1;
    }

    /// How each feature's change went.
    UpdateFeaturesResponse(ApiKey::UpdateFeatures.versions()) {
        throttle_time_ms: i32,                         0+;
        error_code:       ErrorCode,                   0+;
        error_message:    Option<String>,              0+, null 0, = Some(String::new());
        results:          Vec<UpdatableFeatureResult>, 0-1;
    }

    /// Element of [`UpdateFeaturesResponse::results`].
    UpdatableFeatureResult {
        feature:       String,         0+;
        error_code:    ErrorCode,      0+;
        error_message: Option<String>, 0+, null 0, = Some(String::new());
    }
}
