//! AddPartitionsToTxn (key 24, versions 0-5): partitions join a transaction.
//!
//! - v0-3 come from clients that speak version 1 of the transaction protocol: one transaction, answered when that is
//!   durable. One partition that does not exist (UNKNOWN_TOPIC_OR_PARTITION) makes the others OPERATION_NOT_ATTEMPTED.
//! - v2: a fenced producer is told PRODUCER_FENCED, before that INVALID_PRODUCER_EPOCH.
//! - v4-5 come from brokers: many transactions, each to be added to, or only to be asked whether the partitions are in it
//!   (TRANSACTION_ABORTABLE if not).

use futures_util::future::join_all;
use protocol::ErrorCode;
use protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopic,
    AddPartitionsToTxnTopicResult, AddPartitionsToTxnTransaction,
};
use protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};

use crate::context::RequestContext;
use crate::transactions::TopicPartition;
use crate::transactions::TransactionHomes;
use crate::transactions::state::Producer;

/// First version that brokers send to each other.
const BROKER_VERSION_MIN: i16 = 4;

/// Adds to each transaction where it is.
pub async fn handle(context: &RequestContext, request: AddPartitionsToTxnRequest) -> AddPartitionsToTxnResponse {
    if context.api_version >= BROKER_VERSION_MIN {
        let added = request.transactions.into_iter().map(|transaction| add(context, transaction));
        return AddPartitionsToTxnResponse { results_by_transaction: join_all(added).await, ..Default::default() };
    }
    let transaction = AddPartitionsToTxnTransaction {
        transactional_id: request.v3_and_below_transactional_id,
        producer_id: request.v3_and_below_producer_id,
        producer_epoch: request.v3_and_below_producer_epoch,
        verify_only: false,
        topics: request.v3_and_below_topics,
    };
    let results = add(context, transaction).await.topic_results;
    AddPartitionsToTxnResponse { results_by_topic_v3_and_below: results, ..Default::default() }
}

async fn add(context: &RequestContext, transaction: AddPartitionsToTxnTransaction) -> AddPartitionsToTxnResult {
    let transactional_id = transaction.transactional_id.clone();
    let topics = transaction.topics.clone();
    let image = context.shard.image();
    let exists = |topic: &str, partition| image.topic(topic).is_some_and(|topic| topic.partition(partition).is_some());
    let unknown = |topic: &AddPartitionsToTxnTopic| topic.partitions.iter().any(|one| !exists(&topic.name, *one));
    if topics.iter().any(unknown) {
        let code = |topic: &str, partition| match exists(topic, partition) {
            true => ErrorCode::OPERATION_NOT_ATTEMPTED,
            false => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        };
        return AddPartitionsToTxnResult { transactional_id, topic_results: results(&topics, code) };
    }
    let topic_results = match ask(context, transaction).await {
        Ok(in_transaction) => {
            let is_in = |topic: &str, partition| in_transaction.iter().any(|(t, p)| t == topic && *p == partition);
            results(&topics, |topic, partition| match is_in(topic, partition) {
                true => ErrorCode::NONE,
                false => ErrorCode::TRANSACTION_ABORTABLE,
            })
        }
        Err(code) => {
            let fenced = code == ErrorCode::PRODUCER_FENCED && context.api_version < 2;
            let code = if fenced { ErrorCode::INVALID_PRODUCER_EPOCH } else { code };
            results(&topics, |_, _| code)
        }
    };
    AddPartitionsToTxnResult { transactional_id, topic_results }
}

/// The partitions that are part of the transaction now.
async fn ask(
    context: &RequestContext,
    transaction: AddPartitionsToTxnTransaction,
) -> Result<Vec<(String, i32)>, ErrorCode> {
    let AddPartitionsToTxnTransaction { transactional_id, producer_id, producer_epoch, verify_only, topics } =
        transaction;
    if transactional_id.is_empty() {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    let producer = Producer { id: producer_id, epoch: producer_epoch };
    let client_version = if context.api_version >= BROKER_VERSION_MIN { 2 } else { 0 };
    let flat = |topic: AddPartitionsToTxnTopic| topic.partitions.into_iter().map(move |one| (topic.name.clone(), one));
    let asked: Vec<(String, i32)> = topics.into_iter().flat_map(flat).collect();
    let id = transactional_id.clone();
    let work = TransactionHomes::at(&context.shard, &id, move |shard, home| {
        Box::pin(async move {
            let shared = |(topic, partition): &(String, i32)| (topic.as_str().into(), *partition);
            let partitions: Vec<TopicPartition> = asked.iter().map(shared).collect();
            if !verify_only {
                home.add_partitions(&shard, &transactional_id, producer, &partitions, client_version).await?;
                return Ok(asked);
            }
            let answers = home.read(|state| state.verify_partitions(&transactional_id, producer, &partitions))??;
            Ok(asked.into_iter().zip(answers).filter(|(_, yes)| *yes).map(|(partition, _)| partition).collect())
        })
    });
    work.await
}

fn results(
    topics: &[AddPartitionsToTxnTopic],
    code: impl Fn(&str, i32) -> ErrorCode,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let of_topic = |topic: &AddPartitionsToTxnTopic| {
        let of_partition = |&partition_index: &i32| AddPartitionsToTxnPartitionResult {
            partition_index,
            partition_error_code: code(&topic.name, partition_index),
        };
        let results_by_partition = topic.partitions.iter().map(of_partition).collect();
        AddPartitionsToTxnTopicResult { name: topic.name.clone(), results_by_partition }
    };
    topics.iter().map(of_topic).collect()
}
