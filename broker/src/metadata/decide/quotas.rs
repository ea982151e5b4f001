//! Setting, unsetting and finding client quotas (ClientQuotaControlManager.java, ClientQuotasImage.java).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use protocol::ErrorCode;
use protocol::messages::alter_client_quotas::{EntityData, EntryData, OpData};
use protocol::messages::describe_client_quotas::ComponentData;

use crate::metadata::decide::ApiError;
use crate::metadata::image::MetadataImage;
use crate::metadata::quota::{EntityType, QuotaEntity, QuotaValue, Quotas};
use crate::metadata::record::MetadataRecord;

/// Quota of the bytes a producer may send in a second.
pub const PRODUCER_BYTE_RATE: &str = "producer_byte_rate";
/// Quota of the bytes a consumer may read in a second.
pub const CONSUMER_BYTE_RATE: &str = "consumer_byte_rate";
/// Quota of a core's time, in percent.
pub const REQUEST_PERCENTAGE: &str = "request_percentage";
/// Quota of partitions created or deleted in a second.
pub const CONTROLLER_MUTATION_RATE: &str = "controller_mutation_rate";
/// Quota of connections made in a second.
pub const CONNECTION_CREATION_RATE: &str = "connection_creation_rate";

/// Bounds of a quota's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Double,
    Int,
    Long,
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::INVALID_REQUEST, message)
}

/// What became of an entity of an AlterClientQuotas request.
pub type Altered = (Vec<EntityData>, Result<(), ApiError>);

/// Decides on an AlterClientQuotas request; each entity changes as a whole or not at all. One named again changes as it was
/// named first, and the one answer to it is that error.
pub fn alter_client_quotas(image: &MetadataImage, entries: &[EntryData]) -> (Vec<MetadataRecord>, Vec<Altered>) {
    let mut records = Vec::new();
    let mut results: Vec<Altered> = Vec::new();
    let mut seen = BTreeMap::new();
    for entry in entries {
        let entity = match parse_entity(&entry.entity) {
            Ok(entity) => entity,
            Err(error) => {
                results.push((entry.entity.clone(), Err(error)));
                continue;
            }
        };
        if let Some(&first) = seen.get(&entity) {
            let first: &mut Altered = &mut results[first];
            first.1 = Err(invalid(format!("Ignoring duplicate entity {entity}")));
            continue;
        }
        let altered = alter_entity(image, &entity, &entry.ops).map(|changes| records.extend(changes));
        seen.insert(entity, results.len());
        results.push((entry.entity.clone(), altered));
    }
    (records, results)
}

fn alter_entity(image: &MetadataImage, entity: &QuotaEntity, ops: &[OpData]) -> Result<Vec<MetadataRecord>, ApiError> {
    let mut keys = BTreeSet::new();
    if let Some(double) = ops.iter().find(|op| !keys.insert(&op.key)) {
        let key = &double.key;
        return Err(invalid(format!("Duplicate quota key {key} not updating quota for this entity {entity}")));
    }
    check_combination(entity)?;
    let current = image.quotas.get(entity);
    let mut records = Vec::new();
    for op in ops {
        let before = current.and_then(|quotas| quotas.get(&op.key)).copied();
        let value = if op.remove { None } else { Some(check_value(entity, &op.key, op.value)?) };
        if value != before {
            records.push(MetadataRecord::QuotaChanged { entity: entity.clone(), key: op.key.clone(), value });
        }
    }
    Ok(records)
}

fn parse_entity(parts: &[EntityData]) -> Result<QuotaEntity, ApiError> {
    let mut entity = QuotaEntity::default();
    for part in parts {
        let kind = EntityType::of(&part.entity_type)
            .ok_or_else(|| invalid(format!("Unhandled client quota entity type: {}", part.entity_type)))?;
        if part.entity_name.as_deref() == Some("") {
            return Err(invalid(format!("Empty {} not supported", part.entity_type)));
        }
        if entity.0.insert(kind, part.entity_name.clone()).is_some() {
            let message = format!("Invalid client quota entity, duplicate entity entry {}", part.entity_type);
            return Err(invalid(message));
        }
    }
    if entity.0.is_empty() {
        return Err(invalid("Invalid empty client quota entity"));
    }
    Ok(entity)
}

fn check_combination(entity: &QuotaEntity) -> Result<(), ApiError> {
    let Some(ip) = entity.part(EntityType::Ip) else { return Ok(()) };
    if entity.0.len() > 1 {
        return Err(invalid("Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId"));
    }
    match ip {
        // Kafka looks names up as well; that would hold up every other change of metadata.
        Some(ip) if ip.parse::<IpAddr>().is_err() => {
            Err(invalid(format!("{ip} is not a valid IP or resolvable host.")))
        }
        _ => Ok(()),
    }
}

fn number_of(entity: &QuotaEntity, key: &str) -> Option<Number> {
    if entity.part(EntityType::Ip).is_some() {
        return (key == CONNECTION_CREATION_RATE).then_some(Number::Int);
    }
    match key {
        PRODUCER_BYTE_RATE | CONSUMER_BYTE_RATE => Some(Number::Long),
        REQUEST_PERCENTAGE | CONTROLLER_MUTATION_RATE => Some(Number::Double),
        _ => None,
    }
}

fn check_value(entity: &QuotaEntity, key: &str, value: f64) -> Result<QuotaValue, ApiError> {
    let number = number_of(entity, key).ok_or_else(|| invalid(format!("Invalid configuration key {key}")))?;
    if value.is_nan() || value <= 0.0 {
        return Err(invalid(format!("Quota {key} must be greater than 0")));
    }
    let (max, name) = match number {
        Number::Double => return Ok(QuotaValue::new(value)),
        Number::Int => (f64::from(i32::MAX), "an INT"),
        Number::Long => (i64::MAX as f64, "a LONG"),
    };
    if value > max {
        return Err(invalid(format!("Proposed value for {key} is too large for {name}.")));
    }
    if (value % 1.0).abs() > 1e-6 {
        return Err(invalid(format!("{key} cannot be a fractional value.")));
    }
    Ok(QuotaValue::new(value))
}

const MATCH_EXACT: i8 = 0;
const MATCH_DEFAULT: i8 = 1;
const MATCH_SPECIFIED: i8 = 2;

/// What a part of an entity must be.
enum Wanted<'a> {
    /// This name, or the default.
    Name(Option<&'a str>),
    /// There, whatever its name.
    Any,
}

/// The entities that match every component, and with `strict` have no other parts.
pub fn describe_client_quotas<'a>(
    image: &'a MetadataImage,
    components: &[ComponentData],
    strict: bool,
) -> Result<Vec<(&'a QuotaEntity, &'a Quotas)>, ApiError> {
    let filter = parse_filter(components)?;
    let matches = |entity: &QuotaEntity| {
        let fits = |(kind, wanted): (&EntityType, &Wanted<'_>)| match (entity.part(*kind), wanted) {
            (Some(name), Wanted::Name(wanted)) => name == *wanted,
            (Some(_), Wanted::Any) => true,
            (None, _) => false,
        };
        filter.iter().all(fits) && (!strict || entity.0.len() == filter.len())
    };
    Ok(image.quotas.iter().filter(|(entity, _)| matches(entity)).collect())
}

fn parse_filter(components: &[ComponentData]) -> Result<BTreeMap<EntityType, Wanted<'_>>, ApiError> {
    let mut filter = BTreeMap::new();
    for component in components {
        let name = &component.entity_type;
        if name.is_empty() {
            return Err(invalid("Invalid empty entity type."));
        }
        let kind = EntityType::of(name)
            .ok_or_else(|| ApiError::new(ErrorCode::UNSUPPORTED_VERSION, format!("Unsupported entity type {name}")))?;
        let wanted = match (component.match_type, component.r#match.as_deref()) {
            (MATCH_EXACT, Some(text)) => Wanted::Name(Some(text)),
            (MATCH_EXACT, None) => {
                return Err(invalid("Request specified MATCH_TYPE_EXACT, but set match string to null."));
            }
            (MATCH_DEFAULT, None) => Wanted::Name(None),
            (MATCH_DEFAULT, Some(_)) => {
                return Err(invalid("Request specified MATCH_TYPE_DEFAULT, but also specified a match string."));
            }
            (MATCH_SPECIFIED, None) => Wanted::Any,
            (MATCH_SPECIFIED, Some(_)) => {
                return Err(invalid("Request specified MATCH_TYPE_SPECIFIED, but also specified a match string."));
            }
            (other, _) => return Err(invalid(format!("Unknown match type {other}"))),
        };
        if filter.insert(kind, wanted).is_some() {
            return Err(invalid(format!("Entity type {name} cannot appear more than once in the filter.")));
        }
    }
    if filter.contains_key(&EntityType::Ip) && filter.len() > 1 {
        return Err(invalid(
            "Invalid entity filter component combination. IP filter component should not be used with user or \
             clientId filter component.",
        ));
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(parts: &[(&str, Option<&str>)]) -> Vec<EntityData> {
        let part = |(kind, name): &(&str, Option<&str>)| EntityData {
            entity_type: (*kind).to_owned(),
            entity_name: name.map(str::to_owned),
        };
        parts.iter().map(part).collect()
    }

    fn set(parts: &[(&str, Option<&str>)], key: &str, value: f64) -> EntryData {
        EntryData { entity: entity(parts), ops: vec![OpData { key: key.to_owned(), value, remove: false }] }
    }

    fn remove(parts: &[(&str, Option<&str>)], key: &str) -> EntryData {
        EntryData { entity: entity(parts), ops: vec![OpData { key: key.to_owned(), value: 0.0, remove: true }] }
    }

    fn image(entries: &[EntryData]) -> MetadataImage {
        let mut image = MetadataImage::default();
        let (records, results) = alter_client_quotas(&image, entries);
        assert!(results.iter().all(|(_, result)| result.is_ok()), "{results:?}");
        records.iter().for_each(|record| image.apply(record).expect("fits"));
        image
    }

    #[test]
    fn wrong_entities_and_values_get_kafkas_words() {
        let user: &[(&str, Option<&str>)] = &[("user", Some("u"))];
        let ip: &[(&str, Option<&str>)] = &[("ip", Some("10.0.0.1"))];
        let check = |entry: EntryData, words: &str| {
            let (records, results) = alter_client_quotas(&MetadataImage::default(), &[entry]);
            let error = results[0].1.as_ref().expect_err(words);
            assert_eq!(error.code, ErrorCode::INVALID_REQUEST);
            assert!(records.is_empty() && error.message.contains(words), "{}", error.message);
        };
        check(set(&[], PRODUCER_BYTE_RATE, 1.0), "Invalid empty client quota entity");
        check(set(&[("team", None)], PRODUCER_BYTE_RATE, 1.0), "Unhandled client quota entity type: team");
        check(set(&[("ip", None), ("user", None)], CONNECTION_CREATION_RATE, 1.0), "should");
        check(set(&[("ip", Some("nowhere"))], CONNECTION_CREATION_RATE, 1.0), "not a valid IP");
        check(set(user, CONNECTION_CREATION_RATE, 1.0), "Invalid configuration key connection_creation_rate");
        check(set(ip, PRODUCER_BYTE_RATE, 1.0), "Invalid configuration key producer_byte_rate");
        check(set(user, PRODUCER_BYTE_RATE, 0.0), "must be greater than 0");
        check(set(user, PRODUCER_BYTE_RATE, f64::NAN), "must be greater than 0");
        check(set(user, PRODUCER_BYTE_RATE, 1.5), "cannot be a fractional value");
        check(set(user, CONSUMER_BYTE_RATE, 1e30), "too large for a LONG");
        check(set(ip, CONNECTION_CREATION_RATE, 3e9), "too large for an INT");
        let mut double = set(user, PRODUCER_BYTE_RATE, 1.0);
        double.ops.push(double.ops[0].clone());
        check(double, "Duplicate quota key");
    }

    #[test]
    fn only_what_changes_is_recorded() {
        let user: &[(&str, Option<&str>)] = &[("user", Some("u"))];
        let image = image(&[set(user, REQUEST_PERCENTAGE, 12.5)]);
        let records = |entry: EntryData| alter_client_quotas(&image, &[entry]).0.len();
        assert_eq!(records(set(user, REQUEST_PERCENTAGE, 12.5)), 0);
        assert_eq!(records(set(user, REQUEST_PERCENTAGE, 13.0)), 1);
        assert_eq!(records(remove(user, REQUEST_PERCENTAGE)), 1);
        assert_eq!(records(remove(user, PRODUCER_BYTE_RATE)), 0);
        let twice = [set(user, PRODUCER_BYTE_RATE, 1.0), set(user, PRODUCER_BYTE_RATE, 2.0)];
        let (records, results) = alter_client_quotas(&image, &twice);
        assert!(records.len() == 1 && results.len() == 1 && results[0].1.is_err());
    }

    #[test]
    fn entities_are_found_by_their_parts() {
        let image = image(&[
            set(&[("user", Some("u"))], PRODUCER_BYTE_RATE, 1.0),
            set(&[("user", None)], PRODUCER_BYTE_RATE, 2.0),
            set(&[("user", Some("u")), ("client-id", Some("c"))], PRODUCER_BYTE_RATE, 3.0),
            set(&[("client-id", None)], PRODUCER_BYTE_RATE, 4.0),
        ]);
        let check = |components: &[(&str, i8, Option<&str>)], strict: bool, expected: &[f64]| {
            let component = |(kind, match_type, text): &(&str, i8, Option<&str>)| ComponentData {
                entity_type: (*kind).to_owned(),
                match_type: *match_type,
                r#match: text.map(str::to_owned),
            };
            let components: Vec<_> = components.iter().map(component).collect();
            let found = describe_client_quotas(&image, &components, strict).expect("a sound filter");
            let mut found: Vec<_> = found.iter().map(|(_, quotas)| quotas[PRODUCER_BYTE_RATE].get()).collect();
            found.sort_by(f64::total_cmp);
            assert_eq!(found, expected);
        };
        check(&[], false, &[1.0, 2.0, 3.0, 4.0]);
        check(&[], true, &[]);
        check(&[("user", 0, Some("u"))], false, &[1.0, 3.0]);
        check(&[("user", 0, Some("u"))], true, &[1.0]);
        check(&[("user", 1, None)], true, &[2.0]);
        check(&[("user", 2, None)], false, &[1.0, 2.0, 3.0]);
        check(&[("user", 2, None), ("client-id", 0, Some("c"))], true, &[3.0]);
        check(&[("client-id", 2, None)], true, &[4.0]);
    }
}
