//! Everything a client can ask for: one table of key, order and handler. ApiVersions answers from it.
//!
//! Versions are those of [`ApiKey`]: its lowest to its highest stable one.

use std::future::Future;
use std::rc::Rc;

use bytes::Bytes;
use protocol::messages::{ApiKey, Request, RequestHeader};
use protocol::wire::{DecodeError, Reader};
use storage::runtime::LocalFuture;
use thiserror::Error;

use crate::context::{ConnectionInfo, RequestContext};
use crate::handlers::*;
use crate::quotas;
use crate::shard::Shard;

/// How a request goes along with others of its connection. Answers always leave in the order of the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Begins once all earlier requests are answered, and later ones wait for it: a client that sends CreateTopics and
    /// Metadata in one go sees the topic, as with Kafka, which takes one request of a connection at a time.
    Alone,
    /// Begins while earlier overlapping requests still wait for their commit or for data. What the first poll of its
    /// handler does is done before the next request begins: a produce issues its appends there.
    Overlapping,
}

/// What becomes of a request.
pub enum Reply {
    /// The frame to send.
    Send(Vec<Bytes>),
    /// Nothing: a produce with acks=0.
    Nothing,
    /// The connection is closed: the only way to tell an acks=0 producer of an error.
    Close(&'static str),
}

/// Decodes the body and begins to serve it.
type Handler = fn(RequestContext, Reader) -> Result<LocalFuture<Reply>, DecodeError>;

/// One row of the table.
pub struct Api {
    /// The key, which also tells name and versions.
    pub key: ApiKey,
    order: Order,
    handler: Handler,
}

macro_rules! row {
    ($key:ident, $order:ident, $handler:path) => {
        Api { key: ApiKey::$key, order: Order::$order, handler: |context, reader| serve(context, reader, $handler) }
    };
}

/// The table, by key.
pub const APIS: &[Api] = &[
    Api { key: ApiKey::Produce, order: Order::Overlapping, handler: produce::serve },
    row!(Fetch, Overlapping, fetch::handle),
    row!(ListOffsets, Alone, list_offsets::handle),
    row!(Metadata, Alone, metadata::handle),
    row!(OffsetCommit, Overlapping, offset_commit::handle),
    row!(OffsetFetch, Alone, offset_fetch::handle),
    row!(FindCoordinator, Alone, find_coordinator::handle),
    row!(JoinGroup, Alone, join_group::handle),
    row!(Heartbeat, Alone, heartbeat::handle),
    row!(LeaveGroup, Alone, leave_group::handle),
    row!(SyncGroup, Alone, sync_group::handle),
    row!(DescribeGroups, Alone, describe_groups::handle),
    row!(ListGroups, Alone, list_groups::handle),
    Api { key: ApiKey::ApiVersions, order: Order::Alone, handler: api_versions::serve },
    row!(CreateTopics, Alone, create_topics::handle),
    row!(DeleteTopics, Alone, delete_topics::handle),
    row!(DeleteRecords, Alone, delete_records::handle),
    row!(InitProducerId, Alone, init_producer_id::handle),
    row!(OffsetForLeaderEpoch, Alone, offset_for_leader_epoch::handle),
    row!(AddPartitionsToTxn, Alone, add_partitions_to_txn::handle),
    row!(AddOffsetsToTxn, Alone, add_offsets_to_txn::handle),
    row!(EndTxn, Alone, end_txn::handle),
    row!(WriteTxnMarkers, Alone, write_txn_markers::handle),
    row!(TxnOffsetCommit, Alone, txn_offset_commit::handle),
    row!(DescribeAcls, Alone, describe_acls::handle),
    row!(CreateAcls, Alone, create_acls::handle),
    row!(DeleteAcls, Alone, delete_acls::handle),
    row!(DescribeConfigs, Alone, describe_configs::handle),
    row!(AlterConfigs, Alone, alter_configs::handle),
    row!(DescribeLogDirs, Alone, describe_log_dirs::handle),
    row!(CreatePartitions, Alone, create_partitions::handle),
    row!(DeleteGroups, Alone, delete_groups::handle),
    row!(ElectLeaders, Alone, elect_leaders::handle),
    row!(IncrementalAlterConfigs, Alone, incremental_alter_configs::handle),
    row!(AlterPartitionReassignments, Alone, alter_partition_reassignments::handle),
    row!(ListPartitionReassignments, Alone, list_partition_reassignments::handle),
    row!(OffsetDelete, Alone, offset_delete::handle),
    row!(DescribeClientQuotas, Alone, describe_client_quotas::handle),
    row!(AlterClientQuotas, Alone, alter_client_quotas::handle),
    row!(DescribeUserScramCredentials, Alone, describe_user_scram_credentials::handle),
    row!(AlterUserScramCredentials, Alone, alter_user_scram_credentials::handle),
    row!(DescribeQuorum, Alone, describe_quorum::handle),
    row!(UpdateFeatures, Alone, update_features::handle),
    row!(DescribeCluster, Alone, describe_cluster::handle),
    row!(DescribeProducers, Alone, describe_producers::handle),
    row!(UnregisterBroker, Alone, unregister_broker::handle),
    row!(DescribeTransactions, Alone, describe_transactions::handle),
    row!(ListTransactions, Alone, list_transactions::handle),
    row!(ConsumerGroupHeartbeat, Alone, consumer_group_heartbeat::handle),
    row!(ConsumerGroupDescribe, Alone, consumer_group_describe::handle),
    row!(GetTelemetrySubscriptions, Alone, get_telemetry_subscriptions::handle),
    row!(PushTelemetry, Alone, push_telemetry::handle),
    row!(ListConfigResources, Alone, list_config_resources::handle),
    row!(DescribeTopicPartitions, Alone, describe_topic_partitions::handle),
    row!(StreamsGroupHeartbeat, Alone, streams_group_heartbeat::handle),
    row!(StreamsGroupDescribe, Alone, streams_group_describe::handle),
];

impl Api {
    /// The row of `key`.
    pub fn of(key: ApiKey) -> Option<&'static Api> {
        APIS.iter().find(|api| api.key == key)
    }

    /// Whether requests of `version` are served.
    pub fn serves(&self, version: i16) -> bool {
        (self.key.versions().min..=self.key.highest_stable_version()).contains(&version)
    }
}

/// Why a frame is no request of ours; its connection is closed, as there is no answer it would understand.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadRequest {
    /// The header does not parse.
    #[error("the request header does not parse: {0}")]
    Header(DecodeError),
    /// No such API here.
    #[error("unknown API key {0}")]
    UnknownApi(i16),
    /// A version outside the table.
    #[error("unsupported version {version} of {}", .key.name())]
    UnsupportedVersion {
        /// The API.
        key: ApiKey,
        /// What was asked for.
        version: i16,
    },
    /// The body does not parse.
    #[error("the body of {} does not parse: {error}", .key.name())]
    Body {
        /// The API.
        key: ApiKey,
        /// Where it breaks.
        error: DecodeError,
    },
}

/// A request whose header was understood.
pub struct Call {
    api: &'static Api,
    context: RequestContext,
    body: Reader,
}

impl Call {
    /// Reads the header of `frame` and finds the handler.
    pub fn parse(shard: &Rc<Shard>, connection: &Rc<ConnectionInfo>, frame: Bytes) -> Result<Call, BadRequest> {
        let frame_bytes = frame.len();
        let mut body = Reader::new(frame);
        let header = RequestHeader::decode(&mut body).map_err(BadRequest::Header)?;
        let unknown = BadRequest::UnknownApi(header.request_api_key);
        let api = header.api_key().and_then(Api::of).ok_or(unknown)?;
        let version = header.request_api_version;
        if !api.serves(version) && api.key != ApiKey::ApiVersions {
            return Err(BadRequest::UnsupportedVersion { key: api.key, version });
        }
        let context = RequestContext {
            shard: shard.clone(),
            connection: connection.clone(),
            api_key: api.key,
            api_version: version,
            correlation_id: header.correlation_id,
            client_id: header.client_id,
            received: shard.runtime().now(),
            frame_bytes,
            pause: Rc::default(),
        };
        Ok(Call { api, context, body })
    }

    /// See [`Order`].
    pub fn order(&self) -> Order {
        self.api.order
    }

    /// Decodes the body; the future does the work.
    pub fn begin(self) -> Result<impl Future<Output = Reply> + 'static, BadRequest> {
        let (key, context) = (self.api.key, self.context.clone());
        let work = (self.api.handler)(self.context, self.body).map_err(|error| BadRequest::Body { key, error })?;
        Ok(async move {
            let reply = work.await;
            let taken = context.shard.runtime().now().since(context.received);
            context.shard.api_metrics().record(key, context.api_version, taken);
            reply
        })
    }
}

/// The common shape of a handler: decode, handle, encode.
pub fn serve<R, H>(context: RequestContext, mut body: Reader, handler: H) -> Result<LocalFuture<Reply>, DecodeError>
where
    R: Request + 'static,
    H: AsyncFn(&RequestContext, R) -> R::Response + 'static,
{
    let request = R::decode(&mut body, context.api_version)?;
    Ok(Box::pin(async move {
        let (mut response, spent) = quotas::timed(&context, handler(&context, request)).await;
        quotas::settle(&context, spent, &mut response).await;
        Reply::Send(context.frame(&response))
    }))
}

#[cfg(test)]
mod tests {
    use super::APIS;

    #[test]
    fn the_table_is_in_the_order_of_keys_without_doubles() {
        assert!(APIS.windows(2).all(|pair| pair[0].key.code() < pair[1].key.code()));
    }
}
