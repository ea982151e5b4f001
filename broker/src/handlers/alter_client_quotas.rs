//! AlterClientQuotas (key 49, versions 0-1): quotas set and removed.
//!
//! - Each entity changes as a whole or not at all; one named again is INVALID_REQUEST, once.
//! - `validate_only` stops after the checks.

use protocol::ErrorCode;
use protocol::messages::alter_client_quotas::ResponseEntryData;
use protocol::messages::{AlterClientQuotasRequest, AlterClientQuotasResponse};

use crate::context::RequestContext;
use crate::error::metadata_error;
use crate::metadata::decide::quotas::alter_client_quotas;

/// Decides, writes, publishes, answers.
pub async fn handle(context: &RequestContext, request: AlterClientQuotasRequest) -> AlterClientQuotasResponse {
    let entities: Vec<_> = request.entries.iter().map(|entry| entry.entity.clone()).collect();
    let decided = context.shard.change_metadata(move |image| {
        let (records, results) = alter_client_quotas(image, &request.entries);
        (if request.validate_only { Vec::new() } else { records }, results)
    });
    let results = decided.await.unwrap_or_else(|error| {
        let error = metadata_error(&error);
        entities.into_iter().map(|entity| (entity, Err(error.clone()))).collect()
    });
    let entries = results.into_iter().map(|(entity, result)| match result {
        Ok(()) => ResponseEntryData { error_code: ErrorCode::NONE, error_message: None, entity },
        Err(error) => ResponseEntryData { error_code: error.code, error_message: Some(error.message), entity },
    });
    AlterClientQuotasResponse { entries: entries.collect(), ..Default::default() }
}
