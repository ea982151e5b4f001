//! One file per Kafka API, opened by what a client sees. `api.rs` lists them.

pub mod add_offsets_to_txn;
pub mod add_partitions_to_txn;
pub mod alter_client_quotas;
pub mod alter_configs;
pub mod alter_partition_reassignments;
pub mod alter_user_scram_credentials;
pub mod api_versions;
mod broker_loggers;
pub mod consumer_group_describe;
pub mod consumer_group_heartbeat;
pub mod create_acls;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_acls;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_acls;
pub mod describe_client_quotas;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_quorum;
pub mod describe_topic_partitions;
pub mod describe_transactions;
pub mod describe_user_scram_credentials;
pub mod elect_leaders;
pub mod end_txn;
pub mod fetch;
pub mod find_coordinator;
pub mod get_telemetry_subscriptions;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
mod leaders;
pub mod leave_group;
pub mod list_config_resources;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod list_transactions;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
mod produce_transaction;
pub mod push_telemetry;
pub mod streams_group_describe;
pub mod streams_group_heartbeat;
pub mod sync_group;
pub mod txn_offset_commit;
pub mod unregister_broker;
pub mod update_features;
pub mod write_txn_markers;

use std::sync::Arc;

use protocol::Uuid;

use crate::config::BrokerConfig;
use crate::context::RequestContext;
use crate::metadata::decide::Cluster;
use crate::shard::Shard;

/// What a decision on metadata needs to know of this node, fit to travel to the core that decides.
pub(crate) struct ClusterFacts {
    node_id: i32,
    directories: Vec<Uuid>,
    config: Arc<BrokerConfig>,
}

impl ClusterFacts {
    pub(crate) fn of(context: &RequestContext) -> ClusterFacts {
        ClusterFacts::of_shard(&context.shard)
    }

    pub(crate) fn of_shard(shard: &Shard) -> ClusterFacts {
        ClusterFacts {
            node_id: shard.identity().node_id,
            directories: shard.directories().iter().map(|directory| directory.id).collect(),
            config: shard.config(),
        }
    }

    pub(crate) fn cluster(&self) -> Cluster<'_> {
        Cluster { node_id: self.node_id, directories: &self.directories, config: &self.config }
    }
}
