//! Kafka's messages: one file an API, one table a structure. Names are Kafka's.
//!
//! Start with [`api_key`] (which APIs and versions there are), then any file below; `wire/table.rs` explains the tables.

use crate::wire::Message;

pub mod api_key;
pub mod header;

pub use crate::wire::Records;
pub use api_key::ApiKey;
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
        api_versions: ApiVersions, ApiVersionsRequest, ApiVersionsResponse;
        create_topics: CreateTopics, CreateTopicsRequest, CreateTopicsResponse;
        init_producer_id: InitProducerId, InitProducerIdRequest, InitProducerIdResponse;
        describe_configs: DescribeConfigs, DescribeConfigsRequest, DescribeConfigsResponse;
        incremental_alter_configs: IncrementalAlterConfigs, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse;
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
