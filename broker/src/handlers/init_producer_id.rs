//! InitProducerId (key 22, versions 0-5): gives an idempotent or transactional producer its id and epoch.
//!
//! - A new producer gets an id nobody had before, also not before a restart, and epoch 0.
//! - v3: a producer that brings its id and epoch gets the next epoch, or a new id once the epochs are used up (KIP-360).
//! - With a transactional id the pair belongs to that id: whoever used it before is fenced, and its open transaction is
//!   aborted first (CONCURRENT_TRANSACTIONS until that is done). The answer leaves when the epoch is durable.
//! - v4: a fenced producer is told PRODUCER_FENCED, before that INVALID_PRODUCER_EPOCH. v6 (two-phase commit, KIP-939) is
//!   not stable in Kafka and not served.

use protocol::ErrorCode;
use protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use crate::context::RequestContext;
use crate::transactions::TransactionHomes;
use crate::transactions::state::{InitEvent, Initialised, Producer};
use crate::transactions::transaction::CLIENT_EPOCH_MAX;

/// Hands out an id and an epoch.
pub async fn handle(context: &RequestContext, request: InitProducerIdRequest) -> InitProducerIdResponse {
    match give(context, request).await {
        Ok(Producer { id, epoch }) => {
            InitProducerIdResponse { producer_id: id, producer_epoch: epoch, ..Default::default() }
        }
        Err(code) => {
            let fenced = code == ErrorCode::PRODUCER_FENCED && context.api_version < 4;
            let error_code = if fenced { ErrorCode::INVALID_PRODUCER_EPOCH } else { code };
            InitProducerIdResponse { error_code, producer_id: -1, producer_epoch: -1, ..Default::default() }
        }
    }
}

async fn give(context: &RequestContext, request: InitProducerIdRequest) -> Result<Producer, ErrorCode> {
    let expected = expected(request.producer_id, request.producer_epoch)?;
    match &request.transactional_id {
        Some(id) if id.is_empty() => Err(ErrorCode::INVALID_REQUEST),
        Some(_) if request.enable_2pc => Err(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        Some(_) if request.keep_prepared_txn => Err(ErrorCode::UNSUPPORTED_VERSION),
        Some(id) => initialise(context, id.clone(), request.transaction_timeout_ms, expected).await,
        None => match expected.and_then(next_epoch) {
            Some(bumped) => Ok(bumped),
            None => Ok(Producer { id: fresh_id(context).await?, epoch: 0 }),
        },
    }
}

async fn initialise(
    context: &RequestContext,
    transactional_id: String,
    timeout_ms: i32,
    expected: Option<Producer>,
) -> Result<Producer, ErrorCode> {
    let id = transactional_id.clone();
    let work = TransactionHomes::at(&context.shard, &id, move |shard, home| {
        Box::pin(async move {
            let initialised = home.change_with_id(&shard, |state, fresh_id, now_ms, effects| {
                let event = InitEvent { timeout_ms, expected, fresh_id };
                state.init_producer_id(&transactional_id, event, now_ms, effects)
            });
            match initialised.await? {
                Initialised::As(producer) => Ok(producer),
                Initialised::Retry => Err(ErrorCode::CONCURRENT_TRANSACTIONS),
            }
        })
    });
    work.await
}

async fn fresh_id(context: &RequestContext) -> Result<i64, ErrorCode> {
    let shard = &context.shard;
    shard.producer_ids().next(shard).await.map_err(|error| {
        tracing::error!(%error, "no producer id can be reserved");
        ErrorCode::COORDINATOR_NOT_AVAILABLE
    })
}

/// Who the producer says it was. Only one of the two fields: InitProducerIdRequest's own check.
fn expected(producer_id: i64, epoch: i16) -> Result<Option<Producer>, ErrorCode> {
    match (producer_id, epoch) {
        (-1, -1) => Ok(None),
        (-1, _) | (_, -1) => Err(ErrorCode::INVALID_REQUEST),
        (id, epoch) => Ok(Some(Producer { id, epoch })),
    }
}

/// The pair a producer without transactions goes on with; `None` when it needs a new id.
fn next_epoch(producer: Producer) -> Option<Producer> {
    (producer.epoch < CLIENT_EPOCH_MAX).then(|| Producer { epoch: producer.epoch + 1, ..producer })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producer_with_an_id_gets_the_next_epoch() {
        let check = |id, epoch, wanted: Result<Option<(i64, i16)>, ErrorCode>| {
            let next = expected(id, epoch).map(|producer| producer.and_then(next_epoch));
            assert_eq!(next.map(|next| next.map(|next| (next.id, next.epoch))), wanted, "({id}, {epoch})");
        };
        check(-1, -1, Ok(None));
        check(7, 0, Ok(Some((7, 1))));
        check(7, i16::MAX - 2, Ok(Some((7, i16::MAX - 1))));
        check(7, i16::MAX - 1, Ok(None));
        check(-1, 3, Err(ErrorCode::INVALID_REQUEST));
        check(7, -1, Err(ErrorCode::INVALID_REQUEST));
    }
}
