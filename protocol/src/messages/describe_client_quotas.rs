//! DescribeClientQuotas (key 48): lists client quotas.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The filter on the entities that quotas belong to.
    DescribeClientQuotasRequest(ApiKey::DescribeClientQuotas.versions()) {
        components: Vec<ComponentData>, 0+;
        strict:     bool,               0+;
    }

    /// Element of [`DescribeClientQuotasRequest::components`].
    ComponentData {
        entity_type: String,         0+;
        match_type:  i8,             0+;
        r#match:     Option<String>, 0+, null 0, = Some(String::new());
    }

    /// Entities and their quotas.
    DescribeClientQuotasResponse(ApiKey::DescribeClientQuotas.versions()) {
        throttle_time_ms: i32,                    0+;
        error_code:       ErrorCode,              0+;
        error_message:    Option<String>,         0+, null 0, = Some(String::new());
        entries:          Option<Vec<EntryData>>, 0+, null 0, = Some(Vec::new());
    }

    /// Element of [`DescribeClientQuotasResponse::entries`].
    EntryData {
        entity: Vec<EntityData>, 0+;
        values: Vec<ValueData>,  0+;
    }

    /// Element of [`EntryData::entity`].
    EntityData {
        entity_type: String,         0+;
        entity_name: Option<String>, 0+, null 0, = Some(String::new());
    }

    /// Element of [`EntryData::values`].
    ValueData {
        key:   String, 0+;
        value: f64,    0+;
    }
}
