//! ApiVersions (key 18, versions 0-5): which APIs and versions this broker serves, and the features of the cluster.
//!
//! - An unknown version is answered in version 0 with UNSUPPORTED_VERSION and the range of ApiVersions itself, without
//!   a look at the body, so that the client can ask again (KIP-511).
//! - v3: the client's software name and version must be `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`, else
//!   INVALID_REQUEST.
//! - v4: features whose lowest version is 0 may be shown; older clients fail on them (KAFKA-17011).
//! - v5: a client that meant another cluster or node is told REBOOTSTRAP_REQUIRED (KIP-1242).

use protocol::ErrorCode;
use protocol::messages::api_versions::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};
use protocol::wire::{DecodeError, Reader};
use storage::runtime::LocalFuture;

use crate::api::{APIS, Api, Reply};
use crate::context::RequestContext;
use crate::metadata::MetadataImage;
use crate::metadata::features::{FEATURES, Feature};
use crate::telemetry::ClientSoftware;

/// Produce is advertised from 0 on although 0 to 2 are not served: librdkafka takes a higher minimum for a broker
/// without message format 2 (KAFKA-18659).
const PRODUCE_VERSION_MIN: i16 = 0;

/// Answers any version, also those outside the table.
pub fn serve(context: RequestContext, mut body: Reader) -> Result<LocalFuture<Reply>, DecodeError> {
    if !own_row().is_some_and(|api| api.serves(context.api_version)) {
        return Ok(Box::pin(std::future::ready(Reply::Send(context.frame_in(&fallback(), 0)))));
    }
    let request = protocol::wire::Message::decode(&mut body, context.api_version)?;
    Ok(Box::pin(async move { Reply::Send(context.frame(&handle(&context, &request))) }))
}

fn own_row() -> Option<&'static Api> {
    Api::of(ApiKey::ApiVersions)
}

fn fallback() -> ApiVersionsResponse {
    ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        api_keys: own_row().map(range).into_iter().collect(),
        ..Default::default()
    }
}

fn handle(context: &RequestContext, request: &ApiVersionsRequest) -> ApiVersionsResponse {
    let identity = context.shard.identity();
    match check(request, context.api_version, &identity.cluster_id, identity.node_id) {
        ErrorCode::NONE => {
            if context.api_version >= 3 {
                let (name, version) = (&request.client_software_name, &request.client_software_version);
                context.connection.set_software(ClientSoftware::new(name, version));
            }
            versions(context.api_version, FEATURES, &context.shard.image())
        }
        error_code => ApiVersionsResponse { error_code, ..Default::default() },
    }
}

fn check(request: &ApiVersionsRequest, version: i16, cluster_id: &str, node_id: i32) -> ErrorCode {
    if version >= 3 && !(is_name(&request.client_software_name) && is_name(&request.client_software_version)) {
        return ErrorCode::INVALID_REQUEST;
    }
    let Some(meant) = &request.cluster_id else { return ErrorCode::NONE };
    if meant == cluster_id && request.node_id == node_id {
        return ErrorCode::NONE;
    }
    ErrorCode::REBOOTSTRAP_REQUIRED
}

/// Letters and digits, with `-` and `.` between them.
fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    ends.iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

fn versions(version: i16, features: &[Feature], image: &MetadataImage) -> ApiVersionsResponse {
    let visible = || features.iter().filter(|feature| version >= 4 || feature.level_min > 0);
    ApiVersionsResponse {
        api_keys: APIS.iter().map(range).collect(),
        supported_features: visible().map(supported).collect(),
        // Clients believe the answer with the highest epoch.
        finalized_features_epoch: image.next_offset.0,
        finalized_features: features.iter().filter_map(|feature| finalized(feature, image)).collect(),
        ..Default::default()
    }
}

fn range(api: &Api) -> ApiVersion {
    let min_version = match api.key {
        ApiKey::Produce => PRODUCE_VERSION_MIN,
        _ => api.key.versions().min,
    };
    ApiVersion { api_key: api.key.code(), min_version, max_version: api.key.highest_stable_version() }
}

fn supported(feature: &Feature) -> SupportedFeatureKey {
    let Feature { name, level_min, level_max, .. } = *feature;
    SupportedFeatureKey { name: name.to_owned(), min_version: level_min, max_version: level_max }
}

/// A feature that is off is left out.
fn finalized(feature: &Feature, image: &MetadataImage) -> Option<FinalizedFeatureKey> {
    let level = feature.level(image);
    let row = FinalizedFeatureKey { name: feature.name.to_owned(), max_version_level: level, min_version_level: level };
    (level > 0).then_some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_must_name_its_software_and_mean_this_node() {
        let check = |version: i16, name: &str, cluster: Option<&str>, node: i32, expected: ErrorCode| {
            let request = ApiVersionsRequest {
                client_software_name: name.to_owned(),
                client_software_version: "1.0".to_owned(),
                cluster_id: cluster.map(str::to_owned),
                node_id: node,
            };
            assert_eq!(check(&request, version, "us", 1), expected, "{name:?} {cluster:?} {node}");
        };
        check(0, "", None, -1, ErrorCode::NONE);
        check(3, "", None, -1, ErrorCode::INVALID_REQUEST);
        check(3, "-java", None, -1, ErrorCode::INVALID_REQUEST);
        check(3, "apache kafka", None, -1, ErrorCode::INVALID_REQUEST);
        check(3, "apache-kafka.java", None, -1, ErrorCode::NONE);
        check(5, "x", Some("us"), 1, ErrorCode::NONE);
        check(5, "x", Some("them"), 1, ErrorCode::REBOOTSTRAP_REQUIRED);
        check(5, "x", Some("us"), 2, ErrorCode::REBOOTSTRAP_REQUIRED);
    }

    #[test]
    fn features_from_zero_are_hidden_from_old_clients() {
        let features = [
            Feature { name: "old", level_min: 1, level_max: 2, level_default: 2 },
            Feature { name: "new", level_min: 0, level_max: 1, level_default: 1 },
        ];
        let names = |version| {
            let response = versions(version, &features, &MetadataImage::default());
            response.supported_features.iter().map(|feature| feature.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(3), ["old"]);
        assert_eq!(names(4), ["old", "new"]);
    }

    #[test]
    fn features_are_at_the_level_they_were_set_to_and_left_out_at_0() {
        let mut image = MetadataImage::default();
        let levels = |image: &MetadataImage| {
            let rows = versions(4, FEATURES, image).finalized_features;
            rows.into_iter().map(|row| (row.name, row.min_version_level, row.max_version_level)).collect::<Vec<_>>()
        };
        let row = |name: &str, level: i16| (name.to_owned(), level, level);
        assert_eq!(levels(&image), [row("group.version", 1), row("streams.version", 1), row("transaction.version", 2)]);
        image.features = [("group.version".to_owned(), 0), ("transaction.version".to_owned(), 1)].into();
        assert_eq!(levels(&image), [row("streams.version", 1), row("transaction.version", 1)]);
    }

    #[test]
    fn produce_is_advertised_from_zero() {
        let response = versions(4, FEATURES, &MetadataImage::default());
        let produce = response.api_keys.iter().find(|row| row.api_key == 0).map(|row| row.min_version);
        assert!(produce.is_none_or(|version| version == 0));
    }
}
