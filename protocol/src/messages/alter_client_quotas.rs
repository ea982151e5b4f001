//! AlterClientQuotas (key 49): sets and removes client quotas.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The changes, entity by entity.
    AlterClientQuotasRequest(ApiKey::AlterClientQuotas.versions()) {
        entries:       Vec<EntryData>, 0+;
        validate_only: bool,           0+;
    }

    /// Element of [`AlterClientQuotasRequest::entries`].
    EntryData {
        entity: Vec<EntityData>, 0+;
        ops:    Vec<OpData>,     0+;
    }

    /// Element of [`EntryData::entity`].
    EntityData {
        entity_type: String,         0+;
        entity_name: Option<String>, 0+, null 0, = Some(String::new());
    }

    /// Element of [`EntryData::ops`].
    OpData {
        key:    String, 0+;
        value:  f64,    0+;
        remove: bool,   0+;
    }

    /// How each entity's change went.
    AlterClientQuotasResponse(ApiKey::AlterClientQuotas.versions()) {
        throttle_time_ms: i32,                    0+;
        entries:          Vec<ResponseEntryData>, 0+;
    }

    /// Element of [`AlterClientQuotasResponse::entries`]; Kafka calls it EntryData like another one.
    ResponseEntryData {
        error_code:    ErrorCode,       0+;
        error_message: Option<String>,  0+, null 0, = Some(String::new());
        entity:        Vec<EntityData>, 0+;
    }
}
