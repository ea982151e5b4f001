//! Fetch (key 1, versions 4-18): reads whole record batches, waiting for them if asked to.
//!
//! - Partitions are served in the request's order (a session's in turn), within the request's `max_bytes`, then each
//!   partition's; the first that has data gives at least one batch however large (KIP-74). A fetch that spans cores has
//!   its bytes split evenly among them.
//! - Waits for `min_bytes` up to `max_wait_ms`; any error answers at once.
//! - A client above its quota of bytes gets an empty answer and a time to pause.
//! - read_uncommitted sees up to the high watermark, read_committed up to the last stable offset, with the aborted
//!   transactions that overlap what it got. An offset outside the log is OFFSET_OUT_OF_RANGE.
//! - v5: KAFKA_STORAGE_ERROR is told to older clients as NOT_LEADER_OR_FOLLOWER. v7: sessions (`fetch_sessions.rs`).
//!   v9: the client's leader epoch is checked. v10: older clients get UNSUPPORTED_COMPRESSION_TYPE for zstd.
//!   v11: preferred replica, always -1. v12: diverging epochs. v13: topics by id. v16: the current leader along with
//!   NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH, and where it is found.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::messages::fetch::{
    FetchTopic, FetchableTopicResponse, ForgottenTopic, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use protocol::messages::{FetchRequest, FetchResponse, Records};
use storage::LogId;

use crate::context::RequestContext;
use crate::delayed::Gathering;
use crate::fetch_sessions::{PartitionKey, SessionContext, SessionRequest, TopicKey, Wanted};
use crate::handlers::leaders::{self, LeaderEndpoint};
use crate::metadata::{MetadataImage, TopicImage};
use crate::partition::PartitionRead;
use crate::quotas::{self, limits::QuotaKind};
use crate::read_everywhere::read_everywhere;
use crate::read_partitions::{Reading, ReadingTerms};

/// Replica id of a client that is no broker.
const CONSUMER: i32 = -1;
const READ_COMMITTED: i8 = 1;
const ZSTD_VERSION_MIN: i16 = 10;

/// Reads, waits, answers.
pub async fn handle(context: &RequestContext, mut request: FetchRequest) -> FetchResponse {
    let session = match session_of(context, &mut request) {
        Ok(session) => session,
        Err(error_code) => return FetchResponse { error_code, ..Default::default() },
    };
    let image = context.shard.image();
    let wanted = session.wanted();
    let mut rows: Vec<Option<PartitionData>> = vec![None; wanted.len()];
    let mut by_core: BTreeMap<usize, Vec<Reading>> = BTreeMap::new();
    for (row, wanted) in wanted.iter().enumerate() {
        match resolve(&image, wanted, replica_id(&request)) {
            Ok(id) => by_core.entry(context.shard.owner_of(id)).or_default().push(reading(row, id, wanted)),
            Err(error_code) => rows[row] = Some(failed(wanted.key.1, error_code)),
        }
    }
    let any_failed = rows.iter().any(Option::is_some);
    for (row, read) in read(context, &request, by_core, any_failed).await {
        rows[row] = Some(partition_data(wanted[row].key.1, read, &request, context.api_version));
    }
    limit(&mut rows, max_bytes(context, &request));
    if is_above_quota(context, &rows).await {
        // Empty, and without a trace in the session: the client asks again after its pause.
        return FetchResponse { session_id: session.session_id(), ..Default::default() };
    }
    let mut response = respond(context.api_version, &session, &image, wanted, rows);
    name_endpoints(context, &mut response);
    response
}

/// Whether the client must pause instead of being given `rows`; they are then not counted against its quota.
async fn is_above_quota(context: &RequestContext, rows: &[Option<PartitionData>]) -> bool {
    let records = rows.iter().flatten().filter_map(|data| data.records.as_ref());
    let bytes: usize = records.map(Records::len).sum();
    let pause = quotas::charge(context, QuotaKind::Fetch, bytes as f64).await;
    if pause.is_zero() {
        return false;
    }
    quotas::charge(context, QuotaKind::Fetch, -(bytes as f64)).await;
    true
}

/// Of the leaders that [`name_leader`] has named.
fn name_endpoints(context: &RequestContext, response: &mut FetchResponse) {
    let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    let named = partitions.map(|partition| partition.current_leader.leader_id);
    let endpoint = |LeaderEndpoint { node_id, host, port, rack }| NodeEndpoint { node_id, host, port, rack };
    response.node_endpoints = leaders::endpoints(context, named).into_iter().map(endpoint).collect();
}

fn session_of(context: &RequestContext, request: &mut FetchRequest) -> Result<SessionContext, ErrorCode> {
    let version = context.api_version;
    let session_request = SessionRequest {
        id: request.session_id,
        epoch: if version >= 7 { request.session_epoch } else { crate::fetch_sessions::FINAL_EPOCH },
        uses_topic_ids: version >= 13,
        wanted: std::mem::take(&mut request.topics).into_iter().flat_map(|topic| wanted(topic, version)).collect(),
        forgotten: request.forgotten_topics_data.iter().flat_map(|topic| forgotten(topic, version)).collect(),
    };
    let runtime = context.shard.runtime();
    let mut sessions = context.shard.fetch_sessions().borrow_mut();
    sessions.context(session_request, runtime.now(), || runtime.random_u64())
}

fn wanted(topic: FetchTopic, version: i16) -> impl Iterator<Item = Wanted> {
    let key = if version >= 13 { TopicKey::Id(topic.topic_id) } else { TopicKey::Name(topic.topic.into()) };
    topic.partitions.into_iter().map(move |fetch| Wanted { key: (key.clone(), fetch.partition), fetch })
}

fn forgotten(topic: &ForgottenTopic, version: i16) -> impl Iterator<Item = PartitionKey> {
    let key = if version >= 13 { TopicKey::Id(topic.topic_id) } else { TopicKey::Name(topic.topic.as_str().into()) };
    topic.partitions.iter().map(move |&partition| (key.clone(), partition))
}

fn find<'a>(image: &'a MetadataImage, key: &TopicKey) -> Option<&'a std::sync::Arc<TopicImage>> {
    match key {
        TopicKey::Name(name) => image.topic(name),
        TopicKey::Id(id) => image.topic_by_id(*id),
    }
}

fn resolve(image: &MetadataImage, wanted: &Wanted, replica_id: i32) -> Result<LogId, ErrorCode> {
    let unknown = match wanted.key.0 {
        TopicKey::Name(_) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        TopicKey::Id(_) => ErrorCode::UNKNOWN_TOPIC_ID,
    };
    let topic = find(image, &wanted.key.0).ok_or(unknown)?;
    let partition = topic.partition(wanted.key.1).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    // A broker that is no replica of the partition has no business here.
    if replica_id > CONSUMER && !partition.replicas.contains(&replica_id) {
        return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    }
    Ok(LogId { topic_id: topic.id, partition: wanted.key.1 })
}

fn replica_id(request: &FetchRequest) -> i32 {
    request.replica_id.max(request.replica_state.replica_id)
}

fn reading(row: usize, id: LogId, wanted: &Wanted) -> Reading {
    Reading {
        row,
        id,
        offset: wanted.fetch.fetch_offset,
        bytes_max: usize::try_from(wanted.fetch.partition_max_bytes).unwrap_or(0),
        current_leader_epoch: wanted.fetch.current_leader_epoch,
        last_fetched_epoch: wanted.fetch.last_fetched_epoch,
    }
}

fn max_bytes(context: &RequestContext, request: &FetchRequest) -> usize {
    let asked = usize::try_from(request.max_bytes).unwrap_or(0);
    asked.min(context.shard.config().fetch_bytes_max).min(quotas::fetch_bytes_max(context))
}

/// Each core its part, all at once.
async fn read(
    context: &RequestContext,
    request: &FetchRequest,
    by_core: BTreeMap<usize, Vec<Reading>>,
    any_failed: bool,
) -> Vec<(usize, PartitionRead)> {
    let bytes_max = max_bytes(context, request);
    let gathering = Gathering::new(usize::try_from(request.min_bytes).unwrap_or(0).min(bytes_max));
    if any_failed || by_core.is_empty() {
        gathering.finish();
    }
    let wait = Duration::from_millis(request.max_wait_ms.max(0) as u64);
    let terms = ReadingTerms {
        is_committed_only: request.isolation_level == READ_COMMITTED,
        bytes_max: bytes_max.div_ceil(by_core.len().max(1)),
        deadline: context.received.plus(wait),
        gathering,
    };
    read_everywhere(context, by_core, terms).await
}

fn failed(partition_index: i32, error_code: ErrorCode) -> PartitionData {
    PartitionData { partition_index, error_code, high_watermark: -1, ..Default::default() }
}

fn partition_data(partition_index: i32, read: PartitionRead, request: &FetchRequest, version: i16) -> PartitionData {
    let mut data = PartitionData {
        partition_index,
        error_code: told(read.error_code, version),
        high_watermark: read.high_watermark,
        last_stable_offset: read.last_stable_offset,
        log_start_offset: read.log_start_offset,
        aborted_transactions: None,
        ..Default::default()
    };
    if let Some((epoch, end_offset)) = read.diverging_epoch {
        (data.diverging_epoch.epoch, data.diverging_epoch.end_offset) = (epoch, end_offset);
    }
    if version < ZSTD_VERSION_MIN && crate::read_partitions::has_zstd(&read.records) {
        return failed(partition_index, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    }
    if request.isolation_level == READ_COMMITTED {
        let aborted =
            read.aborted_transactions.iter().map(|transaction| protocol::messages::fetch::AbortedTransaction {
                producer_id: transaction.producer_id,
                first_offset: transaction.first_offset.0,
            });
        data.aborted_transactions = Some(aborted.collect());
    }
    let mut records = Records::default();
    read.records.into_iter().for_each(|part| records.push(part));
    data.records = Some(records);
    data
}

/// Clients before v6 do not know KAFKA_STORAGE_ERROR; both codes have them look for another leader.
fn told(error_code: ErrorCode, version: i16) -> ErrorCode {
    match error_code {
        ErrorCode::KAFKA_STORAGE_ERROR if version <= 5 => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        other => other,
    }
}

/// Each core may have returned one batch beyond its bytes; over all, only the first partition with data may.
fn limit(rows: &mut [Option<PartitionData>], bytes_max: usize) {
    let mut sum = 0;
    for data in rows.iter_mut().flatten() {
        let bytes = data.records.as_ref().map_or(0, Records::len);
        if sum > 0 && sum + bytes > bytes_max {
            data.records = Some(Records::default());
        } else {
            sum += bytes;
        }
    }
}

fn respond(
    version: i16,
    session: &SessionContext,
    image: &MetadataImage,
    wanted: Vec<Wanted>,
    rows: Vec<Option<PartitionData>>,
) -> FetchResponse {
    let mut response = FetchResponse { session_id: session.session_id(), ..Default::default() };
    let mut last: Option<TopicKey> = None;
    for (wanted, row) in wanted.into_iter().zip(rows) {
        let mut data = row.unwrap_or_else(|| failed(wanted.key.1, ErrorCode::UNKNOWN_SERVER_ERROR));
        if !session.keeps(&wanted.key, &data) {
            continue;
        }
        name_leader(version, image, &wanted.key, &mut data);
        if last.as_ref() != Some(&wanted.key.0) {
            response.responses.push(topic_response(&wanted.key.0));
            last = Some(wanted.key.0);
        }
        if let Some(topic) = response.responses.last_mut() {
            topic.partitions.push(data);
        }
    }
    response
}

fn topic_response(key: &TopicKey) -> FetchableTopicResponse {
    match key {
        TopicKey::Name(name) => FetchableTopicResponse { topic: name.to_string(), ..Default::default() },
        TopicKey::Id(id) => FetchableTopicResponse { topic_id: *id, ..Default::default() },
    }
}

fn name_leader(version: i16, image: &MetadataImage, key: &PartitionKey, data: &mut PartitionData) {
    if version < 16 || !matches!(data.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH) {
        return;
    }
    if let Some(partition) = find(image, &key.0).and_then(|topic| topic.partition(key.1)) {
        data.current_leader = LeaderIdAndEpoch { leader_id: partition.leader, leader_epoch: partition.leader_epoch.0 };
    }
}
