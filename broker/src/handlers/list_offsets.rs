//! ListOffsets (key 2, versions 1-11): offsets by timestamp, record-exact, and the ends of logs.
//!
//! - -1 is the end a consumer sees (high watermark, or last stable offset for read_committed from v2 on), -2 the first
//!   offset; both come without a timestamp.
//! - A timestamp finds the first record at or after it, below that end; (-1, -1) when there is none.
//! - v4: leader epochs. v7: -3, the record with the largest timestamp. v8: -4, the first offset kept locally. v9: -5, the
//!   last offset in tiered storage, none here. v11: -6, the first offset not yet tiered, none here. A negative value that
//!   the version does not know is UNSUPPORTED_VERSION.
//! - A partition named twice is INVALID_REQUEST, once.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use protocol::ErrorCode;
use protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsTopic, ListOffsetsTopicResponse,
};
use protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use storage::log::TimestampOffset;
use storage::{LogId, Offset, ReadLimit};

use crate::context::RequestContext;
use crate::error::storage_code;
use crate::metadata::MetadataImage;
use crate::partition::Partition;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;
const READ_COMMITTED: i8 = 1;

/// Looks every partition up on its core.
pub async fn handle(context: &RequestContext, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let image = context.shard.image();
    let doubles = doubles(&request.topics);
    let limit = match (request.isolation_level, request.replica_id) {
        (_, 0..) => ReadLimit::LogEnd,
        (READ_COMMITTED, _) => ReadLimit::LastStableOffset,
        _ => ReadLimit::HighWatermark,
    };
    let mut answered = BTreeSet::new();
    let topics = request.topics.into_iter().map(|topic| {
        let rows: Vec<_> = topic
            .partitions
            .into_iter()
            .filter(|partition| answered.insert((topic.name.clone(), partition.partition_index)))
            .map(|partition| {
                let is_double = doubles.contains(&(topic.name.clone(), partition.partition_index));
                row(context, &image, &topic.name, partition, limit, is_double)
            })
            .collect();
        async move { ListOffsetsTopicResponse { name: topic.name, partitions: join_all(rows).await } }
    });
    let topics: Vec<_> = topics.collect();
    ListOffsetsResponse { topics: join_all(topics).await, ..Default::default() }
}

fn doubles(topics: &[ListOffsetsTopic]) -> BTreeSet<(String, i32)> {
    let mut seen = BTreeSet::new();
    let keys = topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|partition| (topic.name.clone(), partition.partition_index)));
    keys.filter(|key| !seen.insert(key.clone())).collect()
}

fn row(
    context: &RequestContext,
    image: &MetadataImage,
    topic: &str,
    asked: ListOffsetsPartition,
    limit: ReadLimit,
    is_double: bool,
) -> impl Future<Output = ListOffsetsPartitionResponse> + use<> {
    let found = image.topic(topic).filter(|topic| topic.partition(asked.partition_index).is_some());
    let id = found.map(|topic| LogId { topic_id: topic.id, partition: asked.partition_index });
    let partition_index = asked.partition_index;
    let lookup = match id {
        _ if is_double => Err(ErrorCode::INVALID_REQUEST),
        None => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        Some(id) if knows(context.api_version, asked.timestamp) => {
            Ok(context.shard.run_on(context.shard.owner_of(id), move |shard| {
                let partition = shard.leader(id);
                Box::pin(async move { look_up(&*partition?, &asked, limit).await })
            }))
        }
        Some(_) => Err(ErrorCode::UNSUPPORTED_VERSION),
    };
    async move {
        let found = match lookup {
            Ok(lookup) => lookup.await.unwrap_or(Err(ErrorCode::NOT_LEADER_OR_FOLLOWER)),
            Err(error_code) => Err(error_code),
        };
        response(partition_index, found)
    }
}

/// Whether `version` knows the special `timestamp`.
fn knows(version: i16, timestamp: i64) -> bool {
    let since = match timestamp {
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        EARLIEST_PENDING_UPLOAD => 11,
        LATEST | EARLIEST | 0.. => 1,
        _ => return false,
    };
    version >= since
}

type Found = Result<Option<TimestampOffset>, ErrorCode>;

async fn look_up(partition: &Partition, asked: &ListOffsetsPartition, limit: ReadLimit) -> Found {
    partition.check_leader_epoch(asked.current_leader_epoch)?;
    let log = partition.log();
    match asked.timestamp {
        LATEST => Ok(Some(end(partition, limit))),
        EARLIEST | EARLIEST_LOCAL => Ok(Some(start(partition))),
        MAX_TIMESTAMP => {
            let found = log.offset_of_max_timestamp().await.map_err(|error| storage_code(&error))?;
            // One that the reader may not see yet is none.
            Ok(found.filter(|found| found.offset < end(partition, limit).offset))
        }
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => Ok(None),
        timestamp_ms => log.offset_for_timestamp(timestamp_ms, limit).await.map_err(|error| storage_code(&error)),
    }
}

fn end(partition: &Partition, limit: ReadLimit) -> TimestampOffset {
    let log = partition.log();
    let offset = match limit {
        ReadLimit::HighWatermark => log.high_watermark(),
        ReadLimit::LastStableOffset => log.last_stable_offset(),
        ReadLimit::LogEnd => log.log_end_offset(),
    };
    TimestampOffset { timestamp_ms: -1, offset, leader_epoch: Some(partition.leader_epoch()) }
}

fn start(partition: &Partition) -> TimestampOffset {
    let offset = partition.log().log_start_offset();
    // The epoch of the first record, where there is one.
    let leader_epoch = partition.log().epoch_for_offset(offset);
    TimestampOffset { timestamp_ms: -1, offset, leader_epoch }
}

fn response(partition_index: i32, found: Found) -> ListOffsetsPartitionResponse {
    let unknown = TimestampOffset { timestamp_ms: -1, offset: Offset(-1), leader_epoch: None };
    let (error_code, found) = match found {
        Ok(found) => (ErrorCode::NONE, found.unwrap_or(unknown)),
        Err(error_code) => (error_code, unknown),
    };
    ListOffsetsPartitionResponse {
        partition_index,
        error_code,
        timestamp: found.timestamp_ms,
        offset: found.offset.0,
        leader_epoch: found.leader_epoch.map_or(-1, |epoch| epoch.0),
    }
}

#[cfg(test)]
mod tests {
    use super::knows;

    #[test]
    fn special_timestamps_belong_to_versions() {
        let check = |timestamp, since: i16| {
            assert!(knows(since, timestamp), "{timestamp} in {since}");
            assert!(since == 1 || !knows(since - 1, timestamp), "{timestamp} before {since}");
        };
        [(-1, 1), (-2, 1), (0, 1), (i64::MAX, 1), (-3, 7), (-4, 8), (-5, 9), (-6, 11)]
            .into_iter()
            .for_each(|(timestamp, since)| check(timestamp, since));
        assert!(!knows(11, -7) && !knows(11, i64::MIN));
    }
}
