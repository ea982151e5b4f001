//! DescribeTopicPartitions (key 75, version 0): topics page by page, in the order of their names.
//!
//! - No topics asked for means all. At most `response_partition_limit` partitions, and never more than
//!   `max.request.partition.size.limit`; `next_cursor` then says where to go on.
//! - Eligible leader replicas do not exist on one node: empty lists. Authorized operations are always told.

use std::collections::BTreeSet;

use protocol::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use protocol::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
use protocol::{ErrorCode, Uuid};

use crate::context::RequestContext;
use crate::metadata::{MetadataImage, PartitionImage, TopicImage, is_internal_topic};
use crate::topic_name;

/// READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS and ALTER_CONFIGS, each by the bit of its code
/// (AclOperation.java, AclEntry.supportedOperations).
const TOPIC_OPERATIONS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;

/// Answers from the image.
pub async fn handle(
    context: &RequestContext,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let image = context.shard.image();
    let limit = context.shard.config().request_partitions_max;
    let asked = usize::try_from(request.response_partition_limit).unwrap_or_default();
    page(&image, &request, asked.min(limit).max(1))
}

/// One page of at most `limit` partitions.
fn page(
    image: &MetadataImage,
    request: &DescribeTopicPartitionsRequest,
    limit: usize,
) -> DescribeTopicPartitionsResponse {
    let asks_all = request.topics.is_empty();
    let begin = request.cursor.clone().unwrap_or_default();
    let names: BTreeSet<&str> = if asks_all {
        image.topics().map(|topic| &*topic.name).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.as_str()).collect()
    };
    if let Some(cursor) = &request.cursor
        && (cursor.partition_index < 0 || (!asks_all && !names.contains(cursor.topic_name.as_str())))
    {
        return refused(request);
    }
    let mut answer = DescribeTopicPartitionsResponse::default();
    let mut room = limit;
    for name in names.into_iter().filter(|name| *name >= begin.topic_name.as_str()) {
        if room == 0 {
            answer.next_cursor = Some(Cursor { topic_name: name.to_owned(), partition_index: 0 });
            break;
        }
        let Some(topic) = image.topic(name) else {
            answer.topics.push(unknown(name));
            continue;
        };
        let first =
            if name == begin.topic_name { usize::try_from(begin.partition_index).unwrap_or_default() } else { 0 };
        let end = topic.partitions.len().min(first.saturating_add(room));
        answer.topics.push(known(topic, first..end.max(first)));
        room -= end.saturating_sub(first);
        if end < topic.partitions.len() {
            answer.next_cursor = Some(Cursor { topic_name: name.to_owned(), partition_index: end as i32 });
            break;
        }
    }
    answer
}

/// A cursor that leads nowhere: Kafka answers each topic with INVALID_REQUEST.
fn refused(request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let topic = |name: &str| DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode::INVALID_REQUEST,
        name: Some(name.to_owned()),
        ..Default::default()
    };
    let topics = request.topics.iter().map(|asked| topic(&asked.name)).collect();
    DescribeTopicPartitionsResponse { topics, ..Default::default() }
}

fn unknown(name: &str) -> DescribeTopicPartitionsResponseTopic {
    let error_code = match topic_name::check(name) {
        Ok(()) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Err(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
    };
    DescribeTopicPartitionsResponseTopic {
        error_code,
        name: Some(name.to_owned()),
        topic_id: Uuid::ZERO,
        is_internal: is_internal_topic(name),
        topic_authorized_operations: TOPIC_OPERATIONS,
        ..Default::default()
    }
}

fn known(topic: &TopicImage, range: std::ops::Range<usize>) -> DescribeTopicPartitionsResponseTopic {
    let partitions = topic.partitions.iter().enumerate().take(range.end).skip(range.start);
    DescribeTopicPartitionsResponseTopic {
        name: Some(topic.name.to_string()),
        topic_id: topic.id,
        is_internal: topic.is_internal(),
        partitions: partitions.map(|(number, partition)| row(partition, number as i32)).collect(),
        topic_authorized_operations: TOPIC_OPERATIONS,
        ..Default::default()
    }
}

fn row(partition: &PartitionImage, partition_index: i32) -> DescribeTopicPartitionsResponsePartition {
    DescribeTopicPartitionsResponsePartition {
        error_code: if partition.leader < 0 { ErrorCode::LEADER_NOT_AVAILABLE } else { ErrorCode::NONE },
        partition_index,
        leader_id: partition.leader,
        leader_epoch: partition.leader_epoch.0,
        replica_nodes: partition.replicas.clone(),
        isr_nodes: partition.isr.clone(),
        eligible_leader_replicas: Some(Vec::new()),
        last_known_elr: Some(Vec::new()),
        offline_replicas: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{MetadataRecord, PartitionRecord};
    use protocol::messages::describe_topic_partitions::TopicRequest;

    fn image() -> MetadataImage {
        let mut image = MetadataImage::default();
        for (number, (name, partitions)) in [("a", 3), ("b", 1), ("c", 2)].into_iter().enumerate() {
            let id = Uuid::from_random(1, number as u64);
            let partition = PartitionRecord {
                leader: 1,
                leader_epoch: 0,
                partition_epoch: 0,
                replicas: vec![1],
                isr: vec![1],
                directories: vec![id],
            };
            image.apply(&MetadataRecord::TopicCreated { name: name.to_owned(), id }).expect("fits");
            let partitions = vec![partition; partitions];
            image.apply(&MetadataRecord::PartitionsAdded { topic: id, partitions }).expect("fits");
        }
        image
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_double() {
        let check = |topics: &[&str], cursor: Option<(&str, i32)>, limit: usize, expected: &str| {
            let request = DescribeTopicPartitionsRequest {
                topics: topics.iter().map(|name| TopicRequest { name: (*name).to_owned() }).collect(),
                cursor: cursor.map(|(name, index)| Cursor { topic_name: name.to_owned(), partition_index: index }),
                ..Default::default()
            };
            let answer = page(&image(), &request, limit);
            let topic = |topic: &DescribeTopicPartitionsResponseTopic| {
                let numbers: Vec<_> = topic.partitions.iter().map(|row| row.partition_index.to_string()).collect();
                let name = topic.name.clone().unwrap_or_default();
                if topic.error_code.is_error() {
                    format!("{name}!{}", topic.error_code.0)
                } else {
                    format!("{name}:{}", numbers.join(","))
                }
            };
            let mut shown: Vec<_> = answer.topics.iter().map(topic).collect();
            shown.extend(answer.next_cursor.map(|next| format!("-> {} {}", next.topic_name, next.partition_index)));
            assert_eq!(shown.join(" "), expected);
        };
        check(&[], None, 10, "a:0,1,2 b:0 c:0,1");
        check(&[], None, 2, "a:0,1 -> a 2");
        check(&[], Some(("a", 2)), 2, "a:2 b:0 -> c 0");
        check(&[], Some(("c", 0)), 2, "c:0,1");
        check(&["c", "a", "c", "x"], None, 10, "a:0,1,2 c:0,1 x!3");
        check(&["c"], Some(("b", 0)), 10, "c!42");
        check(&["a b"], None, 10, "a b!17");
    }
}
