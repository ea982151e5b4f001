//! UpdateFeatures (key 57, versions 0-2): raises and lowers the levels of features that clients and brokers rely on.
//!
//! - All updates are made, durably, or none: one INVALID_UPDATE_VERSION stands for the request.
//! - v0: cannot lower a level, whatever `allow_downgrade` says (as in Kafka). v1: `upgrade_type` (1 upgrade, 2 safe and 3
//!   unsafe downgrade) and `validate_only`. v2: no results by feature.

use protocol::ErrorCode;
use protocol::messages::update_features::UpdatableFeatureResult;
use protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};

use crate::context::RequestContext;
use crate::error::metadata_error;
use crate::handlers::ClusterFacts;
use crate::metadata::decide::ApiError;
use crate::metadata::decide::features::update_features;

/// Last version that names every feature in its answer.
const RESULTS_VERSION_MAX: i16 = 1;

/// Decides, writes, publishes, answers.
pub async fn handle(context: &RequestContext, request: UpdateFeaturesRequest) -> UpdateFeaturesResponse {
    let facts = ClusterFacts::of(context);
    let named = request.feature_updates.iter().map(|update| update.feature.clone()).collect();
    let decided =
        context.shard.change_metadata(move |image| match update_features(image, &facts.cluster(), &request) {
            Ok(records) => (if request.validate_only { Vec::new() } else { records }, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        });
    match decided.await.unwrap_or_else(|error| Err(metadata_error(&error))) {
        Ok(()) => updated(context.api_version, named),
        Err(error) => refused(error),
    }
}

fn updated(version: i16, features: Vec<String>) -> UpdateFeaturesResponse {
    let row = |feature| UpdatableFeatureResult { feature, error_code: ErrorCode::NONE, error_message: None };
    let features = if version <= RESULTS_VERSION_MAX { features } else { Vec::new() };
    UpdateFeaturesResponse {
        error_message: None,
        results: features.into_iter().map(row).collect(),
        ..Default::default()
    }
}

fn refused(ApiError { code, message }: ApiError) -> UpdateFeaturesResponse {
    let message = format!("The update failed for all features since the following feature had an error: {message}");
    UpdateFeaturesResponse { error_code: code, error_message: Some(message), ..Default::default() }
}
