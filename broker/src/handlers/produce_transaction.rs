//! What a transactional Produce does before its batches are appended: the coordinator is asked about partitions that the
//! transaction has not written to yet (ReplicaManager.handleProduceAppend).

use std::collections::BTreeMap;

use futures_util::future::join_all;
use protocol::ErrorCode;
use protocol::messages::ProduceRequest;
use protocol::records::BatchHeader;
use storage::LogId;
use storage::producer_state::{FirstBatch, Verification, VerificationGuard};

use super::produce::{Batch, Outcome, Refusal};
use crate::context::RequestContext;
use crate::transactions::state::Producer;
use crate::transactions::verify::{Support, ask};

/// The transaction that a request is part of.
pub(super) struct InTransaction {
    transactional_id: String,
    producer: Producer,
    support: Support,
}

impl InTransaction {
    /// `None` if no batch is transactional. All are of one producer, else INVALID_PRODUCER_ID_MAPPING.
    pub fn of(request: &ProduceRequest, version: i16) -> Result<Option<InTransaction>, ErrorCode> {
        let batches = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
        let headers = batches.filter_map(|data| header(data.records.as_ref()?.parts().first()?));
        let mut producers: Vec<Producer> =
            headers.filter(BatchHeader::is_transactional).map(|one| producer(&one)).collect();
        producers.dedup();
        let Some(&first) = producers.first() else { return Ok(None) };
        let id = request.transactional_id.clone().ok_or(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)?;
        match producers.len() {
            1 => {
                Ok(Some(InTransaction { transactional_id: id, producer: first, support: Support::of_produce(version) }))
            }
            _ => Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING),
        }
    }

    /// What the leader needs to know of a batch; `None` if it is not transactional.
    pub fn first_batch(&self, records: &[u8]) -> Option<FirstBatch> {
        let header = BatchHeader::parse(records).ok().filter(BatchHeader::is_transactional)?;
        Some(FirstBatch {
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            supports_epoch_bump: self.support.bumps_epochs(),
        })
    }
}

fn header(records: &[u8]) -> Option<BatchHeader> {
    BatchHeader::parse(records).ok()
}

fn producer(header: &BatchHeader) -> Producer {
    Producer { id: header.producer_id, epoch: header.producer_epoch }
}

/// Has the coordinator confirm partitions that need it. Batches it does not confirm are taken out and returned with
/// the reason.
pub(super) async fn verify(
    context: &RequestContext,
    transaction: &InTransaction,
    by_core: &mut BTreeMap<usize, Vec<Batch>>,
) -> Vec<(usize, Outcome)> {
    let support = transaction.support;
    if !support.bumps_epochs() && !context.shard.config().transaction_partition_verification {
        let all = by_core.values_mut().flatten();
        all.for_each(|batch| batch.verification = Verification::Waived);
        return Vec::new();
    }
    let guards = begin(context, by_core).await;
    let image = context.shard.image();
    let name = |id: &LogId| image.topic_by_id(id.topic_id).map(|topic| (topic.name.to_string(), id.partition));
    let (ids, partitions): (Vec<LogId>, Vec<_>) = guards.keys().filter_map(|id| Some((*id, name(id)?))).unzip();
    if ids.is_empty() {
        return Vec::new();
    }
    let answers =
        ask(&context.shard, transaction.transactional_id.clone(), transaction.producer, partitions, support).await;
    let answers: BTreeMap<LogId, ErrorCode> = ids.into_iter().zip(answers).collect();
    let mut refused = Vec::new();
    for batches in by_core.values_mut() {
        batches.retain_mut(|batch| match (answers.get(&batch.id), guards.get(&batch.id)) {
            (Some(&ErrorCode::NONE), Some(guard)) => {
                batch.verification = Verification::Confirmed(*guard);
                true
            }
            (Some(&code), _) => {
                refused.push((batch.row, Err(refusal(code, support))));
                false
            }
            (None, _) => true,
        });
    }
    refused
}

/// Guards of the partitions where the transaction is not open yet; a partition that is not here is told by its append.
async fn begin(context: &RequestContext, by_core: &BTreeMap<usize, Vec<Batch>>) -> BTreeMap<LogId, VerificationGuard> {
    let begun = by_core.iter().map(|(&core, batches)| {
        let firsts: Vec<(LogId, FirstBatch)> =
            batches.iter().filter_map(|batch| Some((batch.id, batch.first?))).collect();
        context.shard.run_on(core, move |shard| {
            let guard = |(id, first)| Some((id, shard.leader(id).ok()?.log().begin_verification(first)?));
            let guards: Vec<(LogId, VerificationGuard)> = firsts.into_iter().filter_map(guard).collect();
            Box::pin(std::future::ready(guards))
        })
    });
    join_all(begun).await.into_iter().flat_map(Result::unwrap_or_default).collect()
}

/// What a producer is told: the coordinator's own troubles as something that every client tries again.
fn refusal(code: ErrorCode, support: Support) -> Refusal {
    let retriable = match code {
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS | ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::NOT_COORDINATOR => {
            true
        }
        ErrorCode::CONCURRENT_TRANSACTIONS => !support.bumps_epochs(),
        _ => false,
    };
    let (code, message) = match (retriable, code) {
        (true, _) => {
            let message = format!("the partition cannot be verified to be in the transaction: {}", code.name());
            (ErrorCode::NOT_ENOUGH_REPLICAS, Some(message))
        }
        (false, ErrorCode::INVALID_TXN_STATE) => {
            (code, Some("the partition was not added to the transaction".to_owned()))
        }
        (false, _) => (code, None),
    };
    Refusal { code, message, records: Vec::new() }
}
