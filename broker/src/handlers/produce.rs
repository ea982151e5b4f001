//! Produce (key 0, versions 3-13): appends one record batch to each of some partitions.
//!
//! - acks 1 and -1 are answered once the batch is durable and the high watermark has passed it; acks 0 is not answered,
//!   and an error then closes the connection.
//! - Errors in the order Kafka finds them: transactional id, topic, exactly one batch of format 2 (v7+ for zstd), acks,
//!   internal topic, leadership, in-sync replicas, then the checks of the batch itself (`storage::validate`).
//! - v5: log start offset. v8: the offending records and a message. v10: the current leader along with
//!   NOT_LEADER_OR_FOLLOWER, and where it is found. v13: topics by id.
//! - Appends are issued with the first poll, request after request, so their order is the client's. A request that finds
//!   the bounds reached waits up to its own timeout, then gets REQUEST_TIMED_OUT; so does one whose commit takes longer.
//! - A client above its quota of bytes is told to pause; what it sent is appended all the same.
//! - A transactional batch needs a transactional id in the request (TRANSACTIONAL_ID_AUTHORIZATION_FAILED), and the first
//!   one of a transaction the word of its coordinator: v12 adds the partition to the transaction, before that the client
//!   must have done so (v11 TRANSACTION_ABORTABLE, older INVALID_TXN_STATE).

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use protocol::ErrorCode;
use protocol::messages::ProduceRequest;
use protocol::messages::ProduceResponse;
use protocol::messages::produce::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceData, PartitionProduceResponse,
    TopicProduceData, TopicProduceResponse,
};
use protocol::records::{BatchError, BatchHeader, CompressionType};
use protocol::wire::{DecodeError, Message, Reader};
use storage::producer_state::{FirstBatch, Verification};
use storage::runtime::{LocalFuture, Monotonic};
use storage::{AppendError, LogId, Offset};

use super::produce_transaction::{InTransaction, verify};
use crate::api::Reply;
use crate::context::RequestContext;
use crate::error::append_code;
use crate::handlers::leaders::{self, LeaderEndpoint};
use crate::metadata::MetadataImage;
use crate::partition::Partition;
use crate::quotas::{self, limits::QuotaKind};
use crate::shard::Shard;

/// First version in which a batch may be compressed with zstd.
const ZSTD_VERSION_MIN: i16 = 7;
/// Kafka's tools name themselves so; they may write to internal topics.
const ADMIN_CLIENT_ID: &str = "__admin_client";

/// Answers, unless acks is 0.
pub fn serve(context: RequestContext, mut body: Reader) -> Result<LocalFuture<Reply>, DecodeError> {
    let request = ProduceRequest::decode(&mut body, context.api_version)?;
    let acks = request.acks;
    Ok(Box::pin(async move {
        let (mut response, spent) = quotas::timed(&context, handle(&context, request)).await;
        quotas::charge(&context, QuotaKind::Produce, context.frame_bytes as f64).await;
        // Nobody waits for an answer to acks=0: its time is not counted, its bytes are.
        let spent = if acks == 0 { Duration::ZERO } else { spent };
        quotas::settle(&context, spent, &mut response).await;
        if acks != 0 {
            return Reply::Send(context.frame(&response));
        }
        let rows = response.responses.iter().flat_map(|topic| &topic.partition_responses);
        if rows.into_iter().any(|row| row.error_code.is_error()) {
            return Reply::Close("a produce with acks=0 failed");
        }
        Reply::Nothing
    }))
}

/// A batch on its way to its core, and the row of the response it belongs to.
pub(super) struct Batch {
    pub(super) row: usize,
    pub(super) id: LogId,
    records: Bytes,
    /// Part of a transaction.
    pub(super) first: Option<FirstBatch>,
    pub(super) verification: Verification,
}

/// How the batches of a request are appended.
#[derive(Clone, Copy)]
struct Terms {
    version: i16,
    acks: i16,
    deadline: Monotonic,
}

/// Where a batch went.
#[derive(Debug)]
pub(super) struct Placed {
    base_offset: Offset,
    log_append_time_ms: Option<i64>,
    log_start_offset: Offset,
}

/// Why a batch did not go anywhere: the fields of its row.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: ErrorCode,
    pub(super) message: Option<String>,
    pub(super) records: Vec<(i32, String)>,
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Refusal {
        Refusal { code, message: None, records: Vec::new() }
    }
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Refusal {
        let (code, message) = (append_code(&error), Some(error.to_string()));
        let records = match error {
            AppendError::InvalidRecord { records, .. } | AppendError::InvalidTimestamp { records, .. } => records,
            _ => Vec::new(),
        };
        Refusal { code, message, records }
    }
}

pub(super) type Outcome = Result<Placed, Refusal>;

async fn handle(context: &RequestContext, request: ProduceRequest) -> ProduceResponse {
    let image = context.shard.image();
    let admission = Admission::new(context, &request);
    let transaction = match InTransaction::of(&request, context.api_version) {
        Ok(transaction) => transaction,
        Err(code) => return refuse_all(&request, code),
    };
    let timeout = Duration::from_millis(request.timeout_ms.max(0) as u64);
    let terms = Terms { version: context.api_version, acks: request.acks, deadline: context.received.plus(timeout) };
    let mut response = skeleton(&request);
    let mut refused = Vec::new();
    let mut by_core: BTreeMap<usize, Vec<Batch>> = BTreeMap::new();
    let partitions = request.topic_data.into_iter().flat_map(flatten).enumerate();
    for (row, (topic, data)) in partitions {
        match admission.admit(&image, &topic, data) {
            Ok((id, records)) => {
                let first = transaction.as_ref().and_then(|transaction| transaction.first_batch(&records));
                let batch = Batch { row, id, records, first, verification: Verification::None };
                by_core.entry(context.shard.owner_of(id)).or_default().push(batch);
            }
            Err(refusal) => refused.push((row, Err(refusal))),
        }
    }
    let outcomes = match transaction {
        None => append_everywhere(context, by_core, terms).await,
        Some(transaction) => {
            // The next request of the connection must not overtake this one while its coordinator is asked.
            let turn = context.connection.produce_turn.lock().await;
            refused.extend(verify(context, &transaction, &mut by_core).await);
            let mut appends = std::pin::pin!(append_everywhere(context, by_core, terms));
            // Issues the appends, here and to the other cores.
            let issued = poll_fn(|task| Poll::Ready(appends.as_mut().poll(task))).await;
            drop(turn);
            match issued {
                Poll::Ready(outcomes) => outcomes,
                Poll::Pending => appends.await,
            }
        }
    };
    fill(&mut response, refused.into_iter().chain(outcomes), &image, context.api_version);
    name_endpoints(context, &mut response);
    response
}

/// Name and id of a topic as far as the request names them.
type TopicKey = Rc<TopicProduceData>;

fn flatten(mut topic: TopicProduceData) -> impl Iterator<Item = (TopicKey, PartitionProduceData)> {
    let partitions = std::mem::take(&mut topic.partition_data);
    let topic = Rc::new(topic);
    partitions.into_iter().map(move |data| (topic.clone(), data))
}

/// One row for each partition, in the order of the request.
fn skeleton(request: &ProduceRequest) -> ProduceResponse {
    let row = |data: &PartitionProduceData| PartitionProduceResponse {
        index: data.index,
        base_offset: -1,
        ..Default::default()
    };
    let topic = |topic: &TopicProduceData| TopicProduceResponse {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partition_responses: topic.partition_data.iter().map(row).collect(),
    };
    ProduceResponse { responses: request.topic_data.iter().map(topic).collect(), ..Default::default() }
}

/// The same code for every partition.
fn refuse_all(request: &ProduceRequest, code: ErrorCode) -> ProduceResponse {
    let mut response = skeleton(request);
    for row in response.responses.iter_mut().flat_map(|topic| &mut topic.partition_responses) {
        row.error_code = code;
    }
    response
}

/// What is checked before a batch is sent to its core.
struct Admission {
    version: i16,
    acks: i16,
    may_write_internal: bool,
}

impl Admission {
    fn new(context: &RequestContext, request: &ProduceRequest) -> Admission {
        Admission {
            version: context.api_version,
            acks: request.acks,
            may_write_internal: context.client_id.as_deref() == Some(ADMIN_CLIENT_ID),
        }
    }

    fn admit(
        &self,
        image: &MetadataImage,
        key: &TopicProduceData,
        data: PartitionProduceData,
    ) -> Result<(LogId, Bytes), Refusal> {
        let (topic, unknown) = match self.version {
            13.. => (image.topic_by_id(key.topic_id), ErrorCode::UNKNOWN_TOPIC_ID),
            _ => (image.topic(&key.name), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        };
        let topic = topic.ok_or(unknown)?;
        let records = data.records.map(|records| records.into_bytes()).unwrap_or_default();
        check_one_batch(&records, self.version)?;
        if !matches!(self.acks, -1..=1) {
            return Err(ErrorCode::INVALID_REQUIRED_ACKS.into());
        }
        if topic.is_internal() && !self.may_write_internal {
            return Err(ErrorCode::INVALID_TOPIC_EXCEPTION.into());
        }
        topic.partition(data.index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        Ok((LogId { topic_id: topic.id, partition: data.index }, records))
    }
}

/// Exactly one batch of format 2, in a codec the version knows (ProduceRequest.validateRecords).
fn check_one_batch(records: &Bytes, version: i16) -> Result<(), Refusal> {
    let invalid =
        |message: String| Refusal { code: ErrorCode::INVALID_RECORD, message: Some(message), records: Vec::new() };
    if records.is_empty() {
        return Err(invalid(format!("Produce requests with version {version} must have at least one record batch")));
    }
    // Kafka finds no whole batch in bytes that end within a header, and calls that invalid rather than corrupt.
    let header = BatchHeader::parse(records).map_err(|error| match error {
        BatchError::Truncated { .. } => invalid(error.to_string()),
        _ => AppendError::CorruptMessage(error.to_string()).into(),
    })?;
    if header.attributes.compression_type().ok() == Some(CompressionType::Zstd) && version < ZSTD_VERSION_MIN {
        let message = format!("Produce requests with version {version} cannot carry zstd");
        return Err(AppendError::UnsupportedCompressionType(message).into());
    }
    if header.size_bytes() < records.len() {
        return Err(invalid(format!("Produce requests with version {version} must have exactly one record batch")));
    }
    Ok(())
}

/// Sends each core its batches, all at once, and gathers what became of them.
async fn append_everywhere(
    context: &RequestContext,
    by_core: BTreeMap<usize, Vec<Batch>>,
    terms: Terms,
) -> Vec<(usize, Outcome)> {
    let sent = by_core.into_iter().map(|(core, batches)| {
        let rows: Vec<usize> = batches.iter().map(|batch| batch.row).collect();
        let bytes = batches.iter().map(|batch| batch.records.len()).sum();
        let appends = context.shard.append_on(core, bytes, move |shard| {
            let shard = shard.clone();
            Box::pin(async move { append_here(&shard, batches, terms).await })
        });
        async move {
            let closed = |_| rows.iter().map(|&row| (row, Err(ErrorCode::NOT_LEADER_OR_FOLLOWER.into()))).collect();
            appends.await.unwrap_or_else(closed)
        }
    });
    join_all(sent).await.into_iter().flatten().collect()
}

/// Appends first, in order, then waits for the commits: one commit serves them all.
async fn append_here(shard: &Shard, batches: Vec<Batch>, terms: Terms) -> Vec<(usize, Outcome)> {
    let mut appended = Vec::with_capacity(batches.len());
    for batch in batches {
        appended.push((batch.row, append(shard, batch, terms).await));
    }
    let mut outcomes = Vec::with_capacity(appended.len());
    for (row, result) in appended {
        let outcome = match result {
            Ok((placed, durable)) if terms.acks != 0 => {
                let committed = before(shard, terms.deadline, durable).await;
                committed.and_then(|result| Ok(result.map_err(AppendError::from)?)).map(|()| placed)
            }
            Ok((placed, _)) => Ok(placed),
            Err(refusal) => Err(refusal),
        };
        outcomes.push((row, outcome));
    }
    outcomes
}

async fn append(shard: &Shard, batch: Batch, terms: Terms) -> Result<(Placed, storage::log::DurableFuture), Refusal> {
    let partition = shard.leader(batch.id)?;
    if terms.acks == -1 && !partition.has_enough_replicas() {
        return Err(ErrorCode::NOT_ENOUGH_REPLICAS.into());
    }
    let appended = match batch.first {
        None => before(shard, terms.deadline, Partition::append(&partition, shard, batch.records, terms.version)).await,
        Some(_) => {
            let Batch { records, verification, .. } = batch;
            let append = partition.append_in_transaction(shard, records, terms.version, verification);
            before(shard, terms.deadline, append).await
        }
    }??;
    let placed = Placed {
        base_offset: appended.base_offset,
        log_append_time_ms: appended.log_append_time_ms,
        log_start_offset: appended.log_start_offset,
    };
    Ok((placed, appended.durable))
}

/// What is ready at once is taken whatever the clock says; the rest has until the deadline.
async fn before<T>(shard: &Shard, deadline: Monotonic, work: impl Future<Output = T>) -> Result<T, Refusal> {
    let runtime = shard.runtime();
    let left = deadline.since(runtime.now());
    runtime.timeout(left, work).await.ok_or_else(|| ErrorCode::REQUEST_TIMED_OUT.into())
}

fn fill(
    response: &mut ProduceResponse,
    outcomes: impl IntoIterator<Item = (usize, Outcome)>,
    image: &MetadataImage,
    version: i16,
) {
    let mut outcomes: BTreeMap<usize, Outcome> = outcomes.into_iter().collect();
    let mut number = 0;
    for topic in &mut response.responses {
        let known = if version >= 13 { image.topic_by_id(topic.topic_id) } else { image.topic(&topic.name) };
        for row in &mut topic.partition_responses {
            match outcomes.remove(&number) {
                Some(Ok(placed)) => fill_placed(row, &placed),
                Some(Err(refusal)) => fill_refusal(row, refusal),
                None => row.error_code = ErrorCode::UNKNOWN_SERVER_ERROR,
            }
            if row.error_code == ErrorCode::NOT_LEADER_OR_FOLLOWER {
                let leader = known.and_then(|topic| topic.partition(row.index));
                row.current_leader = leader.map_or_else(Default::default, |partition| LeaderIdAndEpoch {
                    leader_id: partition.leader,
                    leader_epoch: partition.leader_epoch.0,
                });
            }
            number += 1;
        }
    }
}

/// Of the leaders that the rows name.
fn name_endpoints(context: &RequestContext, response: &mut ProduceResponse) {
    let rows = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    let named = rows.map(|row| row.current_leader.leader_id);
    let endpoint = |LeaderEndpoint { node_id, host, port, rack }| NodeEndpoint { node_id, host, port, rack };
    response.node_endpoints = leaders::endpoints(context, named).into_iter().map(endpoint).collect();
}

fn fill_placed(row: &mut PartitionProduceResponse, placed: &Placed) {
    row.base_offset = placed.base_offset.0;
    row.log_append_time_ms = placed.log_append_time_ms.unwrap_or(-1);
    row.log_start_offset = placed.log_start_offset.0;
}

fn fill_refusal(row: &mut PartitionProduceResponse, refusal: Refusal) {
    row.error_code = refusal.code;
    row.error_message = refusal.message;
    let record =
        |(batch_index, message)| BatchIndexAndErrorMessage { batch_index, batch_index_error_message: Some(message) };
    row.record_errors = refusal.records.into_iter().map(record).collect();
}
