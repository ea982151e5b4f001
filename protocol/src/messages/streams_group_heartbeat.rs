//! StreamsGroupHeartbeat (key 88): joins, keeps alive and leaves a Kafka Streams group whose tasks the broker assigns
//! (KIP-1071).

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// What changed at the member since its last heartbeat.
    StreamsGroupHeartbeatRequest(ApiKey::StreamsGroupHeartbeat.versions()) {
        group_id:                   String,                  0+;
        member_id:                  String,                  0+;
        member_epoch:               i32,                     0+;
        endpoint_information_epoch: i32,                     0+;
        instance_id:                Option<String>,          0+, null 0;
        rack_id:                    Option<String>,          0+, null 0;
        rebalance_timeout_ms:       i32,                     0+, = -1;
        topology:                   Option<Topology>,        0+, null 0;
        active_tasks:               Option<Vec<TaskIds>>,    0+, null 0;
        standby_tasks:              Option<Vec<TaskIds>>,    0+, null 0;
        warmup_tasks:               Option<Vec<TaskIds>>,    0+, null 0;
        process_id:                 Option<String>,          0+, null 0;
        user_endpoint:              Option<Endpoint>,        0+, null 0;
        client_tags:                Option<Vec<KeyValue>>,   0+, null 0;
        task_offsets:               Option<Vec<TaskOffset>>, 0+, null 0;
        task_end_offsets:           Option<Vec<TaskOffset>>, 0+, null 0;
        shutdown_application:       bool,                    0+;
    }

    /// Value of [`StreamsGroupHeartbeatRequest::topology`].
    Topology {
        epoch:         i32,              0+;
        subtopologies: Vec<Subtopology>, 0+;
    }

    /// Element of [`Topology::subtopologies`].
    Subtopology {
        subtopology_id:            String,                0+;
        source_topics:             Vec<String>,           0+;
        source_topic_regex:        Vec<String>,           0+;
        state_changelog_topics:    Vec<TopicInfo>,        0+;
        repartition_sink_topics:   Vec<String>,           0+;
        repartition_source_topics: Vec<TopicInfo>,        0+;
        copartition_groups:        Vec<CopartitionGroup>, 0+;
    }

    /// Element of [`Subtopology::state_changelog_topics`].
    TopicInfo {
        name:               String,        0+;
        partitions:         i32,           0+;
        replication_factor: i16,           0+;
        topic_configs:      Vec<KeyValue>, 0+;
    }

    /// Element of [`TopicInfo::topic_configs`].
    KeyValue {
        key:   String, 0+;
        value: String, 0+;
    }

    /// Element of [`Subtopology::copartition_groups`].
    CopartitionGroup {
        source_topics:             Vec<i16>, 0+;
        source_topic_regex:        Vec<i16>, 0+;
        repartition_source_topics: Vec<i16>, 0+;
    }

    /// Element of [`StreamsGroupHeartbeatRequest::active_tasks`].
    TaskIds {
        subtopology_id: String,   0+;
        partitions:     Vec<i32>, 0+;
    }

    /// Value of [`StreamsGroupHeartbeatRequest::user_endpoint`].
    Endpoint {
        host: String, 0+;
        port: u16,    0+;
    }

    /// Element of [`StreamsGroupHeartbeatRequest::task_offsets`].
    TaskOffset {
        subtopology_id: String, 0+;
        partition:      i32,    0+;
        offset:         i64,    0+;
    }

    /// The member's epoch, and its tasks when they changed.
    StreamsGroupHeartbeatResponse(ApiKey::StreamsGroupHeartbeat.versions()) {
        throttle_time_ms:               i32,                               0+;
        error_code:                     ErrorCode,                         0+;
        error_message:                  Option<String>,                    0+, null 0;
        member_id:                      String,                            0+;
        member_epoch:                   i32,                               0+;
        heartbeat_interval_ms:          i32,                               0+;
        acceptable_recovery_lag_legacy: i32,                               0-0;
        task_offset_interval_ms:        i32,                               0+;
        acceptable_recovery_lag:        i64,                               1+, = -1;
        status:                         Option<Vec<Status>>,               0+, null 0, = Some(Vec::new());
        active_tasks:                   Option<Vec<TaskIds>>,              0+, null 0;
        standby_tasks:                  Option<Vec<TaskIds>>,              0+, null 0;
        warmup_tasks:                   Option<Vec<TaskIds>>,              0+, null 0;
        topology_description_required:  bool,                              1+;
        endpoint_information_epoch:     i32,                               0+;
        partitions_by_user_endpoint:    Option<Vec<EndpointToPartitions>>, 0+, null 0;
    }

    /// Element of [`StreamsGroupHeartbeatResponse::status`].
    Status {
        status_code:   i8,     0+;
        status_detail: String, 0+;
    }

    /// Element of [`StreamsGroupHeartbeatResponse::partitions_by_user_endpoint`].
    EndpointToPartitions {
        user_endpoint:      Endpoint,            0+;
        active_partitions:  Vec<TopicPartition>, 0+;
        standby_partitions: Vec<TopicPartition>, 0+;
    }

    /// Element of [`EndpointToPartitions::active_partitions`].
    TopicPartition {
        topic:      String,   0+;
        partitions: Vec<i32>, 0+;
    }
}
