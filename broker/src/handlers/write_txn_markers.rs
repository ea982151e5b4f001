//! WriteTxnMarkers (key 27, versions 1-2): writes the end of transactions into partitions. Coordinators in this broker
//! need no request for it; operators end transactions by hand that nobody else does (`kafka-transactions abort`).
//!
//! - A partition that is not here is UNKNOWN_TOPIC_OR_PARTITION; an older producer epoch INVALID_PRODUCER_EPOCH; an older
//!   coordinator TRANSACTION_COORDINATOR_FENCED.
//! - v2: the version of the transaction protocol; from 2 on the epoch must be new to the partition (KIP-1228).

use std::collections::BTreeMap;

use protocol::ErrorCode;
use protocol::messages::write_txn_markers::{
    WritableTxnMarker, WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use protocol::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use storage::LogId;

use crate::context::RequestContext;
use crate::transactions::markers::{Marker, append_everywhere};
use crate::transactions::state::Producer;

/// Writes one marker after the other, each to all of its partitions at once.
pub async fn handle(context: &RequestContext, request: WriteTxnMarkersRequest) -> WriteTxnMarkersResponse {
    let mut markers: Vec<WritableTxnMarkerResult> = Vec::new();
    for marker in request.markers {
        let result = write(context, marker).await;
        match markers.iter_mut().find(|known| known.producer_id == result.producer_id) {
            Some(known) => known.topics.extend(result.topics),
            None => markers.push(result),
        }
    }
    WriteTxnMarkersResponse { markers }
}

async fn write(context: &RequestContext, asked: WritableTxnMarker) -> WritableTxnMarkerResult {
    let marker = Marker {
        producer: Producer { id: asked.producer_id, epoch: asked.producer_epoch },
        commit: asked.transaction_result,
        coordinator_epoch: asked.coordinator_epoch,
        transaction_version: asked.transaction_version.into(),
    };
    let image = context.shard.image();
    let find = |topic: &str, partition| {
        let found = image.topic(topic).filter(|topic| topic.partition(partition).is_some());
        found.map(|topic| LogId { topic_id: topic.id, partition })
    };
    let named = asked.topics.iter().flat_map(|topic| topic.partition_indexes.iter().map(|one| (&topic.name, *one)));
    let ids = named.filter_map(|(topic, partition)| find(topic, partition)).collect();
    let codes: BTreeMap<LogId, ErrorCode> = append_everywhere(&context.shard, marker, ids).await.into_iter().collect();
    let topics = asked.topics.iter().map(|topic| {
        let result = |&partition_index: &i32| {
            let code = find(&topic.name, partition_index).and_then(|id| codes.get(&id).copied());
            let error_code = code.unwrap_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
            WritableTxnMarkerPartitionResult { partition_index, error_code }
        };
        let partitions = topic.partition_indexes.iter().map(result).collect();
        WritableTxnMarkerTopicResult { name: topic.name.clone(), partitions }
    });
    WritableTxnMarkerResult { producer_id: asked.producer_id, topics: topics.collect() }
}
