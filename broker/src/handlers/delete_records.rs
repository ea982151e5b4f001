//! DeleteRecords (key 21, versions 0-2): moves the start of partitions forward; what is before it is never read again.
//!
//! - Offset -1 is the high watermark; one beyond it, or any other below zero, is OFFSET_OUT_OF_RANGE.
//! - A topic that is only compacted keeps its records: POLICY_VIOLATION. Internal topics: INVALID_TOPIC_EXCEPTION.
//! - The new start is durable before the answer; it is REQUEST_TIMED_OUT when that takes longer than the request allows.

use std::time::Duration;

use futures_util::future::join_all;
use protocol::ErrorCode;
use protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsTopic, DeleteRecordsTopicResult,
};
use protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use storage::{LogId, Offset};

use crate::context::RequestContext;
use crate::error::read_code;
use crate::metadata::MetadataImage;
use crate::partition::Partition;

/// Moves every partition's start on its core.
pub async fn handle(context: &RequestContext, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let image = context.shard.image();
    let timeout = Duration::from_millis(request.timeout_ms.max(0) as u64);
    let topics: Vec<_> =
        request.topics.into_iter().map(|topic| answer_topic(context, &image, topic, timeout)).collect();
    DeleteRecordsResponse { topics: join_all(topics).await, ..Default::default() }
}

fn answer_topic(
    context: &RequestContext,
    image: &MetadataImage,
    topic: DeleteRecordsTopic,
    timeout: Duration,
) -> impl Future<Output = DeleteRecordsTopicResult> + use<> {
    let rows: Vec<_> =
        topic.partitions.into_iter().map(|asked| answer(context, image, &topic.name, asked, timeout)).collect();
    async move { DeleteRecordsTopicResult { name: topic.name, partitions: join_all(rows).await } }
}

fn answer(
    context: &RequestContext,
    image: &MetadataImage,
    topic: &str,
    asked: DeleteRecordsPartition,
    timeout: Duration,
) -> impl Future<Output = DeleteRecordsPartitionResult> + use<> {
    let DeleteRecordsPartition { partition_index, offset } = asked;
    let begun = check(image, topic, partition_index).map(|id| {
        context
            .shard
            .on_partition(id, move |partition| Box::pin(async move { delete(&partition, Offset(offset)).await }))
    });
    let runtime = context.shard.runtime().clone();
    async move {
        let done = match begun {
            Ok(deleting) => runtime.timeout(timeout, deleting).await.unwrap_or(Err(ErrorCode::REQUEST_TIMED_OUT)),
            Err(error_code) => Err(error_code),
        };
        let (low_watermark, error_code) = done.map_or_else(|code| (-1, code), |start| (start.0, ErrorCode::NONE));
        DeleteRecordsPartitionResult { partition_index, low_watermark, error_code }
    }
}

fn check(image: &MetadataImage, topic: &str, partition: i32) -> Result<LogId, ErrorCode> {
    let id = image.log_id(topic, partition).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    if crate::metadata::is_internal_topic(topic) {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    Ok(id)
}

async fn delete(partition: &Partition, before: Offset) -> Result<Offset, ErrorCode> {
    if !partition.deletes_records() {
        return Err(ErrorCode::POLICY_VIOLATION);
    }
    let log = partition.log();
    if before.0 < -1 || before > log.high_watermark() {
        return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    log.delete_records(before).await.map_err(|error| read_code(&error))
}
