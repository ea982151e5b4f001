//! InitProducerId (key 22, versions 0-5): gives an idempotent producer its id and epoch.
//!
//! - A new producer gets an id nobody had before, also not before a restart, and epoch 0.
//! - v3: a producer that brings its id and epoch gets the next epoch, or a new id once the epochs are used up (KIP-360).
//! - A transactional id is refused with TRANSACTIONAL_ID_AUTHORIZATION_FAILED until transactions exist: both the Java
//!   client and librdkafka take that code as final, where others would be retried or mistaken for a fenced producer. An
//!   empty one is INVALID_REQUEST, as with Kafka.

use protocol::ErrorCode;
use protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use crate::context::RequestContext;

/// The last epoch a producer id is handed out with; one more is kept for fencing (TransactionMetadata.isEpochExhausted).
const EPOCH_MAX: i16 = i16::MAX - 1;

/// Hands out an id and an epoch.
pub async fn handle(context: &RequestContext, request: InitProducerIdRequest) -> InitProducerIdResponse {
    match give(context, &request).await {
        Ok((producer_id, producer_epoch)) => {
            InitProducerIdResponse { producer_id, producer_epoch, ..Default::default() }
        }
        Err(error_code) => {
            InitProducerIdResponse { error_code, producer_id: -1, producer_epoch: -1, ..Default::default() }
        }
    }
}

async fn give(context: &RequestContext, request: &InitProducerIdRequest) -> Result<(i64, i16), ErrorCode> {
    match &request.transactional_id {
        Some(id) if id.is_empty() => return Err(ErrorCode::INVALID_REQUEST),
        Some(_) => return Err(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        None => {}
    }
    if let Some(bumped) = next_epoch(request.producer_id, request.producer_epoch)? {
        return Ok(bumped);
    }
    let shard = &context.shard;
    let id = shard.producer_ids().next(shard).await.map_err(|error| {
        tracing::error!(%error, "no producer id can be reserved");
        ErrorCode::COORDINATOR_NOT_AVAILABLE
    })?;
    Ok((id, 0))
}

/// The pair a producer goes on with; `None` when it needs a new id.
fn next_epoch(producer_id: i64, epoch: i16) -> Result<Option<(i64, i16)>, ErrorCode> {
    match (producer_id, epoch) {
        (-1, -1) => Ok(None),
        // Only one of the two: InitProducerIdRequest's own check.
        (-1, _) | (_, -1) => Err(ErrorCode::INVALID_REQUEST),
        (_, EPOCH_MAX..) => Ok(None),
        (id, epoch) => Ok(Some((id, epoch + 1))),
    }
}

#[cfg(test)]
mod tests {
    use protocol::ErrorCode;

    use super::next_epoch;

    #[test]
    fn a_producer_with_an_id_gets_the_next_epoch() {
        let check = |id, epoch, expected| assert_eq!(next_epoch(id, epoch), expected, "({id}, {epoch})");
        check(-1, -1, Ok(None));
        check(7, 0, Ok(Some((7, 1))));
        check(7, i16::MAX - 2, Ok(Some((7, i16::MAX - 1))));
        check(7, i16::MAX - 1, Ok(None));
        check(-1, 3, Err(ErrorCode::INVALID_REQUEST));
        check(7, -1, Err(ErrorCode::INVALID_REQUEST));
    }
}
