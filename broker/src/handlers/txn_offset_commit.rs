//! TxnOffsetCommit (key 28, versions 0-6): stores how far a group has read as part of a transaction. The offsets are seen
//! once the transaction is committed.
//!
//! - v2: the leader epoch of the last record read. v3: member and generation, which must be those of the group.
//! - v0-4: the group's partition must have joined the transaction by AddOffsetsToTxn (INVALID_TXN_STATE, from v4 on
//!   TRANSACTION_ABORTABLE). v5: it joins with this request (KIP-890).
//! - v6: topics by id (unknown: UNKNOWN_TOPIC_ID), and an unknown group is GROUP_ID_NOT_FOUND, before ILLEGAL_GENERATION.
//! - Partitions that do not exist are UNKNOWN_TOPIC_OR_PARTITION, and the rest is committed.

use std::rc::Rc;

use protocol::ErrorCode;
use protocol::messages::offset_commit::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponseTopic,
};
use protocol::messages::txn_offset_commit::{
    TxnOffsetCommitRequestTopic, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use storage::producer_state::{FirstBatch, Verification};

use super::offset_commit::{answer, numbers, split_known};
use crate::context::RequestContext;
use crate::coordinator::InTransaction;
use crate::groups::classic::Committer;
use crate::groups::state::{CommitEvent, TopicToCommit};
use crate::groups::{GroupHome, GroupHomes, OFFSETS_TOPIC};
use crate::shard::Shard;
use crate::transactions::state::Producer;
use crate::transactions::verify::{Support, ask};

/// First version that names topics by id.
const TOPIC_ID_VERSION_MIN: i16 = 6;
/// Versions of OffsetCommit that tell an unknown group by GROUP_ID_NOT_FOUND, and that do not.
const OFFSET_COMMIT_VERSIONS: (i16, i16) = (9, 8);

/// Commits what exists.
pub async fn handle(context: &RequestContext, mut request: TxnOffsetCommitRequest) -> TxnOffsetCommitResponse {
    let asked = std::mem::take(&mut request.topics).into_iter().map(widen).collect();
    let by_id = context.api_version >= TOPIC_ID_VERSION_MIN;
    let (known, mut topics) = split_known(&context.shard.image(), asked, by_id);
    if !known.is_empty() {
        let refused: Vec<_> = known.iter().map(|topic| (topic.name.clone(), topic.topic_id, numbers(topic))).collect();
        let committed = commit(context, request, known).await.unwrap_or_else(|code| {
            let code = told(code, context.api_version);
            refused.into_iter().map(|(name, topic_id, numbers)| answer(name, topic_id, numbers, code)).collect()
        });
        for topic in committed {
            match topics.iter_mut().find(|known| known.topic_id == topic.topic_id && known.name == topic.name) {
                Some(known) => known.partitions.extend(topic.partitions),
                None => topics.push(topic),
            }
        }
    }
    TxnOffsetCommitResponse { topics: topics.into_iter().map(narrow).collect(), ..Default::default() }
}

/// Producers before v2 fall over a coordinator that is loading (KAFKA-7296).
fn told(code: ErrorCode, version: i16) -> ErrorCode {
    match code {
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS if version < 2 => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        // The group's own errors of newer versions.
        ErrorCode::STALE_MEMBER_EPOCH if version < TOPIC_ID_VERSION_MIN => ErrorCode::ILLEGAL_GENERATION,
        other => other,
    }
}

async fn commit(
    context: &RequestContext,
    request: TxnOffsetCommitRequest,
    topics: Vec<TopicToCommit>,
) -> Result<Vec<OffsetCommitResponseTopic>, ErrorCode> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    let api_version = context.api_version;
    let group_id = request.group_id.clone();
    let work = GroupHomes::at(&context.shard, &group_id, move |shard, home| {
        Box::pin(async move {
            home.check_room()?;
            let producer = Producer { id: request.producer_id, epoch: request.producer_epoch };
            let support = Support::of_offset_commit(api_version);
            let verification = verify(&shard, &home, &request.transactional_id, producer, support).await?;
            let who = Committer {
                member_id: &request.member_id,
                group_instance_id: request.group_instance_id.as_deref(),
                generation: request.generation_id_or_member_epoch,
                transactional: true,
            };
            let (new, old) = OFFSET_COMMIT_VERSIONS;
            let version = if api_version >= TOPIC_ID_VERSION_MIN { new } else { old };
            let event = CommitEvent { who, version, retention_ms: -1, topics: &topics };
            let transaction = InTransaction { producer, verification };
            let (committed, settled) = home.change(&shard, |state, now_ms, effects| {
                state.commit_offsets_in_transaction(&request.group_id, event, transaction, now_ms, effects)
            })?;
            let committed = committed?;
            settled.wait(&shard).await?;
            Ok(committed)
        })
    });
    work.await
}

/// Has the coordinator of the transaction confirm the group's partition, unless the transaction has offsets there
/// already.
async fn verify(
    shard: &Rc<Shard>,
    home: &Rc<GroupHome>,
    transactional_id: &str,
    producer: Producer,
    support: Support,
) -> Result<Verification, ErrorCode> {
    if !support.bumps_epochs() && !shard.config().transaction_partition_verification {
        return Ok(Verification::Waived);
    }
    let first = FirstBatch {
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        base_sequence: -1,
        supports_epoch_bump: support.bumps_epochs(),
    };
    let Some(guard) = home.partition().log().begin_verification(first) else { return Ok(Verification::None) };
    let partition = vec![(OFFSETS_TOPIC.to_owned(), home.id().partition)];
    match ask(shard, transactional_id.to_owned(), producer, partition, support).await.first() {
        Some(&ErrorCode::NONE) => Ok(Verification::Confirmed(guard)),
        Some(&code) => Err(code),
        None => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
    }
}

fn widen(topic: TxnOffsetCommitRequestTopic) -> OffsetCommitRequestTopic {
    let partitions = topic.partitions.into_iter().map(|partition| OffsetCommitRequestPartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        committed_metadata: partition.committed_metadata,
    });
    OffsetCommitRequestTopic { name: topic.name, topic_id: topic.topic_id, partitions: partitions.collect() }
}

fn narrow(topic: OffsetCommitResponseTopic) -> TxnOffsetCommitResponseTopic {
    let partitions = topic.partitions.into_iter().map(|partition| TxnOffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: partition.error_code,
    });
    TxnOffsetCommitResponseTopic { name: topic.name, topic_id: topic.topic_id, partitions: partitions.collect() }
}
