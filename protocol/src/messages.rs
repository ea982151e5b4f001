//! Kafka's messages: one file an API, one table a structure. Names are Kafka's.
//!
//! Start with [`api_key`] (which APIs and versions there are), then any file below; `wire/table.rs` explains the tables.

use crate::wire::Message;

pub mod api_key;
pub mod header;

#[macro_use]
pub mod coordinator_record;
pub mod classic_group_records;
pub mod consumer_group_records;
pub mod consumer_protocol;
pub mod share_group_records;
pub mod share_state_records;
pub mod streams_group_records;
pub mod transaction_log;

pub use crate::wire::Records;
pub use api_key::ApiKey;
pub use coordinator_record::RecordKey;
pub use header::{RequestHeader, ResponseHeader};

/// A request, which knows its key and what answers it.
pub trait Request: Message {
    /// The key in the request's header.
    const KEY: ApiKey;
    /// What answers it, in the same version.
    type Response: Message;
}

/// Calls a macro with every API that has a file here: file, key, request and response.
#[cfg_attr(feature = "testing", macro_export)]
macro_rules! for_each_api {
    ($macro:ident) => { $macro! {
        produce: Produce, ProduceRequest, ProduceResponse;
        fetch: Fetch, FetchRequest, FetchResponse;
        list_offsets: ListOffsets, ListOffsetsRequest, ListOffsetsResponse;
        metadata: Metadata, MetadataRequest, MetadataResponse;
        offset_commit: OffsetCommit, OffsetCommitRequest, OffsetCommitResponse;
        offset_fetch: OffsetFetch, OffsetFetchRequest, OffsetFetchResponse;
        find_coordinator: FindCoordinator, FindCoordinatorRequest, FindCoordinatorResponse;
        join_group: JoinGroup, JoinGroupRequest, JoinGroupResponse;
        heartbeat: Heartbeat, HeartbeatRequest, HeartbeatResponse;
        leave_group: LeaveGroup, LeaveGroupRequest, LeaveGroupResponse;
        sync_group: SyncGroup, SyncGroupRequest, SyncGroupResponse;
        describe_groups: DescribeGroups, DescribeGroupsRequest, DescribeGroupsResponse;
        list_groups: ListGroups, ListGroupsRequest, ListGroupsResponse;
        sasl_handshake: SaslHandshake, SaslHandshakeRequest, SaslHandshakeResponse;
        api_versions: ApiVersions, ApiVersionsRequest, ApiVersionsResponse;
        create_topics: CreateTopics, CreateTopicsRequest, CreateTopicsResponse;
        delete_topics: DeleteTopics, DeleteTopicsRequest, DeleteTopicsResponse;
        delete_records: DeleteRecords, DeleteRecordsRequest, DeleteRecordsResponse;
        init_producer_id: InitProducerId, InitProducerIdRequest, InitProducerIdResponse;
        offset_for_leader_epoch: OffsetForLeaderEpoch, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse;
        add_partitions_to_txn: AddPartitionsToTxn, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse;
        add_offsets_to_txn: AddOffsetsToTxn, AddOffsetsToTxnRequest, AddOffsetsToTxnResponse;
        end_txn: EndTxn, EndTxnRequest, EndTxnResponse;
        write_txn_markers: WriteTxnMarkers, WriteTxnMarkersRequest, WriteTxnMarkersResponse;
        txn_offset_commit: TxnOffsetCommit, TxnOffsetCommitRequest, TxnOffsetCommitResponse;
        describe_acls: DescribeAcls, DescribeAclsRequest, DescribeAclsResponse;
        create_acls: CreateAcls, CreateAclsRequest, CreateAclsResponse;
        delete_acls: DeleteAcls, DeleteAclsRequest, DeleteAclsResponse;
        describe_configs: DescribeConfigs, DescribeConfigsRequest, DescribeConfigsResponse;
        alter_configs: AlterConfigs, AlterConfigsRequest, AlterConfigsResponse;
        alter_replica_log_dirs: AlterReplicaLogDirs, AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse;
        describe_log_dirs: DescribeLogDirs, DescribeLogDirsRequest, DescribeLogDirsResponse;
        sasl_authenticate: SaslAuthenticate, SaslAuthenticateRequest, SaslAuthenticateResponse;
        create_partitions: CreatePartitions, CreatePartitionsRequest, CreatePartitionsResponse;
        create_delegation_token: CreateDelegationToken, CreateDelegationTokenRequest, CreateDelegationTokenResponse;
        renew_delegation_token: RenewDelegationToken, RenewDelegationTokenRequest, RenewDelegationTokenResponse;
        expire_delegation_token: ExpireDelegationToken, ExpireDelegationTokenRequest, ExpireDelegationTokenResponse;
        describe_delegation_token: DescribeDelegationToken, DescribeDelegationTokenRequest, DescribeDelegationTokenResponse;
        delete_groups: DeleteGroups, DeleteGroupsRequest, DeleteGroupsResponse;
        elect_leaders: ElectLeaders, ElectLeadersRequest, ElectLeadersResponse;
        incremental_alter_configs: IncrementalAlterConfigs, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse;
        alter_partition_reassignments: AlterPartitionReassignments, AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse;
        list_partition_reassignments: ListPartitionReassignments, ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse;
        offset_delete: OffsetDelete, OffsetDeleteRequest, OffsetDeleteResponse;
        describe_client_quotas: DescribeClientQuotas, DescribeClientQuotasRequest, DescribeClientQuotasResponse;
        alter_client_quotas: AlterClientQuotas, AlterClientQuotasRequest, AlterClientQuotasResponse;
        describe_user_scram_credentials: DescribeUserScramCredentials, DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse;
        alter_user_scram_credentials: AlterUserScramCredentials, AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse;
        describe_quorum: DescribeQuorum, DescribeQuorumRequest, DescribeQuorumResponse;
        update_features: UpdateFeatures, UpdateFeaturesRequest, UpdateFeaturesResponse;
        describe_cluster: DescribeCluster, DescribeClusterRequest, DescribeClusterResponse;
        describe_producers: DescribeProducers, DescribeProducersRequest, DescribeProducersResponse;
        unregister_broker: UnregisterBroker, UnregisterBrokerRequest, UnregisterBrokerResponse;
        describe_transactions: DescribeTransactions, DescribeTransactionsRequest, DescribeTransactionsResponse;
        list_transactions: ListTransactions, ListTransactionsRequest, ListTransactionsResponse;
        consumer_group_heartbeat: ConsumerGroupHeartbeat, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse;
        consumer_group_describe: ConsumerGroupDescribe, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse;
        get_telemetry_subscriptions: GetTelemetrySubscriptions, GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse;
        push_telemetry: PushTelemetry, PushTelemetryRequest, PushTelemetryResponse;
        list_config_resources: ListConfigResources, ListConfigResourcesRequest, ListConfigResourcesResponse;
        describe_topic_partitions: DescribeTopicPartitions, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse;
        share_group_heartbeat: ShareGroupHeartbeat, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse;
        share_group_describe: ShareGroupDescribe, ShareGroupDescribeRequest, ShareGroupDescribeResponse;
        share_fetch: ShareFetch, ShareFetchRequest, ShareFetchResponse;
        share_acknowledge: ShareAcknowledge, ShareAcknowledgeRequest, ShareAcknowledgeResponse;
        add_raft_voter: AddRaftVoter, AddRaftVoterRequest, AddRaftVoterResponse;
        remove_raft_voter: RemoveRaftVoter, RemoveRaftVoterRequest, RemoveRaftVoterResponse;
        initialize_share_group_state: InitializeShareGroupState, InitializeShareGroupStateRequest, InitializeShareGroupStateResponse;
        read_share_group_state: ReadShareGroupState, ReadShareGroupStateRequest, ReadShareGroupStateResponse;
        write_share_group_state: WriteShareGroupState, WriteShareGroupStateRequest, WriteShareGroupStateResponse;
        delete_share_group_state: DeleteShareGroupState, DeleteShareGroupStateRequest, DeleteShareGroupStateResponse;
        read_share_group_state_summary: ReadShareGroupStateSummary, ReadShareGroupStateSummaryRequest, ReadShareGroupStateSummaryResponse;
        streams_group_heartbeat: StreamsGroupHeartbeat, StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse;
        streams_group_describe: StreamsGroupDescribe, StreamsGroupDescribeRequest, StreamsGroupDescribeResponse;
        describe_share_group_offsets: DescribeShareGroupOffsets, DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse;
        alter_share_group_offsets: AlterShareGroupOffsets, AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse;
        delete_share_group_offsets: DeleteShareGroupOffsets, DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse;
        streams_group_topology_description_update: StreamsGroupTopologyDescriptionUpdate, StreamsGroupTopologyDescriptionUpdateRequest, StreamsGroupTopologyDescriptionUpdateResponse;
        unregister_controller: UnregisterController, UnregisterControllerRequest, UnregisterControllerResponse;
    } };
}

macro_rules! declare_apis {
    ($($file:ident: $key:ident, $request:ident, $response:ident;)*) => { $(
        pub mod $file;
        pub use $file::{$request, $response};

        impl Request for $request {
            const KEY: ApiKey = ApiKey::$key;
            type Response = $response;
        }
    )* };
}
for_each_api!(declare_apis);
