//! Changing the levels of features (FeatureControlManager.java).

use protocol::ErrorCode;
use protocol::messages::UpdateFeaturesRequest;
use protocol::messages::update_features::FeatureUpdateKey;

use crate::metadata::decide::{ApiError, Cluster};
use crate::metadata::features::Feature;
use crate::metadata::image::MetadataImage;
use crate::metadata::record::MetadataRecord;

const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;

/// Decides on an UpdateFeatures request: all of it or, with the first error, nothing. The records are to be dropped for
/// `validate_only`.
pub fn update_features(
    image: &MetadataImage,
    cluster: &Cluster<'_>,
    request: &UpdateFeaturesRequest,
) -> Result<Vec<MetadataRecord>, ApiError> {
    let updates = request.feature_updates.iter();
    updates.filter_map(|update| update_feature(image, cluster, update).transpose()).collect()
}

/// Features of Kafka that are not there yet. They are off, and may be switched off.
const OFF: &[&str] = &["eligible.leader.replicas.version", "kraft.version", "share.version"];

fn update_feature(
    image: &MetadataImage,
    cluster: &Cluster<'_>,
    update: &FeatureUpdateKey,
) -> Result<Option<MetadataRecord>, ApiError> {
    let level = update.max_version_level;
    match reason_against(image, cluster, update) {
        None if OFF.contains(&update.feature.as_str()) => Ok(None),
        None => Ok(Some(MetadataRecord::FeatureLevel { name: update.feature.clone(), level })),
        Some(reason) => {
            let message = format!("Invalid update version {level} for feature {}. {reason}", update.feature);
            Err(ApiError::new(ErrorCode::INVALID_UPDATE_VERSION, message))
        }
    }
}

fn reason_against(image: &MetadataImage, cluster: &Cluster<'_>, update: &FeatureUpdateKey) -> Option<String> {
    let level = update.max_version_level;
    if !matches!(update.upgrade_type, UPGRADE | SAFE_DOWNGRADE | UNSAFE_DOWNGRADE) {
        return Some("The controller does not support the given upgrade type.".to_owned());
    }
    if level < 0 {
        return Some("A feature version cannot be less than 0.".to_owned());
    }
    let feature = Feature::of(&update.feature);
    let (level_min, level_max) = feature.map_or((0, 0), |feature| (feature.level_min, feature.level_max));
    if !(level_min..=level_max).contains(&level) {
        let controller = format!("Local controller {}", cluster.node_id);
        return Some(match level_max {
            0 => format!("{controller} does not support this feature."),
            _ => format!("{controller} only supports versions {level_min}-{level_max}"),
        });
    }
    let current = feature.map_or(0, |feature| feature.level(image));
    if level < current && update.upgrade_type == UPGRADE {
        let reason = "Can't downgrade the version of this feature without setting the upgrade type to either safe or \
                      unsafe downgrade.";
        return Some(reason.to_owned());
    }
    if level > current && update.upgrade_type != UPGRADE {
        return Some("Can't downgrade to a newer version.".to_owned());
    }
    let is_known = feature.is_some() || OFF.contains(&update.feature.as_str());
    (!is_known).then(|| format!("Feature {} not found.", update.feature))
}

#[cfg(test)]
mod tests {
    use protocol::Uuid;

    use super::*;
    use crate::config::{BrokerConfig, Settings};

    #[test]
    fn levels_move_within_what_is_supported_and_down_only_when_asked_to() {
        let config = BrokerConfig::new(Settings::default()).expect("valid");
        let directories = [Uuid::from_random(1, 1)];
        let cluster = Cluster { node_id: 1, directories: &directories, config: &config };
        let mut image = MetadataImage::default();
        let mut check = |feature: &str, level: i16, upgrade_type: i8, refused: Option<&str>| {
            let update = FeatureUpdateKey {
                feature: feature.to_owned(),
                max_version_level: level,
                upgrade_type,
                ..FeatureUpdateKey::default()
            };
            let request = UpdateFeaturesRequest { feature_updates: vec![update], ..UpdateFeaturesRequest::default() };
            match update_features(&image, &cluster, &request) {
                Ok(records) => records.iter().for_each(|record| image.apply(record).expect("fits")),
                Err(error) => {
                    let message =
                        format!("Invalid update version {level} for feature {feature}. {}", refused.unwrap_or("?"));
                    assert_eq!((error.code, error.message), (ErrorCode::INVALID_UPDATE_VERSION, message));
                    return;
                }
            }
            let is_kept = Feature::of(feature).is_some();
            assert_eq!((refused, image.features.get(feature)), (None, is_kept.then_some(&level)));
        };
        let not_down = "Can't downgrade the version of this feature without setting the upgrade type to either safe or \
                        unsafe downgrade.";
        check("transaction.version", 2, UPGRADE, None);
        check("transaction.version", 1, UPGRADE, Some(not_down));
        check("transaction.version", 1, SAFE_DOWNGRADE, None);
        check("transaction.version", 2, SAFE_DOWNGRADE, Some("Can't downgrade to a newer version."));
        check("transaction.version", 0, UNSAFE_DOWNGRADE, None);
        check("transaction.version", 3, UPGRADE, Some("Local controller 1 only supports versions 0-2"));
        check("transaction.version", -1, UPGRADE, Some("A feature version cannot be less than 0."));
        check("transaction.version", 2, 0, Some("The controller does not support the given upgrade type."));
        check("transaction.version", 2, UPGRADE, None);
        check("metadata.version", 20, UPGRADE, Some("Local controller 1 does not support this feature."));
        check("group.version", 0, SAFE_DOWNGRADE, None);
        check("share.version", 0, SAFE_DOWNGRADE, None);
        check("share.version", 1, UPGRADE, Some("Local controller 1 does not support this feature."));
        check("unheard.of", 0, SAFE_DOWNGRADE, Some("Feature unheard.of not found."));
    }

    #[test]
    fn one_refusal_refuses_the_request() {
        let config = BrokerConfig::new(Settings::default()).expect("valid");
        let cluster = Cluster { node_id: 1, directories: &[], config: &config };
        let update = |feature: &str| FeatureUpdateKey {
            feature: feature.to_owned(),
            max_version_level: 1,
            upgrade_type: SAFE_DOWNGRADE,
            ..FeatureUpdateKey::default()
        };
        let feature_updates = vec![update("transaction.version"), update("unknown")];
        let request = UpdateFeaturesRequest { feature_updates, ..UpdateFeaturesRequest::default() };
        assert!(update_features(&MetadataImage::default(), &cluster, &request).is_err());
    }
}
