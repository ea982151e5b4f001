//! DescribeClientQuotas (key 48, versions 0-1): the quotas whose entity fits a filter.
//!
//! - Components match a part by its name (0), the default (1), or any name (2); without components everything fits.
//! - `strict`: entities with parts the filter does not name are left out.

use protocol::ErrorCode;
use protocol::messages::describe_client_quotas::{EntityData, EntryData, ValueData};
use protocol::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};

use crate::context::RequestContext;
use crate::metadata::decide::quotas::describe_client_quotas;
use crate::metadata::{QuotaEntity, Quotas};

/// Answers from the image.
pub async fn handle(context: &RequestContext, request: DescribeClientQuotasRequest) -> DescribeClientQuotasResponse {
    let image = context.shard.image();
    let (error_code, error_message, entries) = match describe_client_quotas(&image, &request.components, request.strict)
    {
        Ok(found) => (ErrorCode::NONE, None, Some(found.into_iter().map(entry).collect())),
        Err(error) => (error.code, Some(error.message), None),
    };
    DescribeClientQuotasResponse { error_code, error_message, entries, ..Default::default() }
}

fn entry((entity, quotas): (&QuotaEntity, &Quotas)) -> EntryData {
    let part = |(kind, name): (&crate::metadata::EntityType, &Option<String>)| EntityData {
        entity_type: kind.name().to_owned(),
        entity_name: name.clone(),
    };
    let values = quotas.iter().map(|(key, value)| ValueData { key: key.clone(), value: value.get() });
    EntryData { entity: entity.0.iter().map(part).collect(), values: values.collect() }
}
