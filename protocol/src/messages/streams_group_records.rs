//! The records of `__consumer_offsets` that hold Kafka Streams groups (KIP-1071).

use crate::wire::Versions;

message! {
    /// Which streams group.
    StreamsGroupMetadataKey(Versions::classic(0, 0)) {
        group_id: String, 0+;
    }

    /// The group's epoch and what it was assigned by.
    StreamsGroupMetadataValue(Versions::new(0, 0, 0)) {
        epoch:                             i32,                               0+;
        metadata_hash:                     i64,                               0+;
        validated_topology_epoch:          i32,                               0+, tag 0, = -1;
        last_assignment_configs:           Option<Vec<LastAssignmentConfig>>, 0+, null 0, tag 1, = Some(Vec::new());
        stored_description_topology_epoch: i32,                               0+, tag 2, = -1;
        failed_description_topology_epoch: i32,                               0+, tag 3, = -1;
    }

    /// Element of [`StreamsGroupMetadataValue::last_assignment_configs`].
    LastAssignmentConfig {
        key:   String, 0+;
        value: String, 0+;
    }

    /// Which member of which group.
    StreamsGroupMemberMetadataKey(Versions::classic(0, 0)) {
        group_id:  String, 0+;
        member_id: String, 0+;
    }

    /// What a member told about itself.
    StreamsGroupMemberMetadataValue(Versions::new(0, 0, 0)) {
        instance_id:          Option<String>,   0+, null 0, = Some(String::new());
        rack_id:              Option<String>,   0+, null 0, = Some(String::new());
        client_id:            String,           0+;
        client_host:          String,           0+;
        rebalance_timeout_ms: i32,              0+, = -1;
        topology_epoch:       i32,              0+;
        process_id:           String,           0+;
        user_endpoint:        Option<Endpoint>, 0+, null 0;
        client_tags:          Vec<KeyValue>,    0+;
    }

    /// Value of [`StreamsGroupMemberMetadataValue::user_endpoint`].
    Endpoint {
        host: String, 0+;
        port: u16,    0+;
    }

    /// Element of [`StreamsGroupMemberMetadataValue::client_tags`].
    KeyValue {
        key:   String, 0+;
        value: String, 0+;
    }

    /// Which group's target assignment.
    StreamsGroupTargetAssignmentMetadataKey(Versions::classic(0, 0)) {
        group_id: String, 0+;
    }

    /// The epoch of the target assignment.
    StreamsGroupTargetAssignmentMetadataValue(Versions::new(0, 0, 0)) {
        assignment_epoch:     i32, 0+;
        assignment_timestamp: i64, 0+, tag 0;
    }

    /// Which member's target assignment.
    StreamsGroupTargetAssignmentMemberKey(Versions::classic(0, 0)) {
        group_id:  String, 0+;
        member_id: String, 0+;
    }

    /// The tasks a member is to have.
    StreamsGroupTargetAssignmentMemberValue(Versions::new(0, 0, 0)) {
        active_tasks:  Vec<TaskIds>, 0+;
        standby_tasks: Vec<TaskIds>, 0+;
        warmup_tasks:  Vec<TaskIds>, 0+;
    }

    /// Element of [`StreamsGroupTargetAssignmentMemberValue::active_tasks`].
    TaskIds {
        subtopology_id: String,   0+;
        partitions:     Vec<i32>, 0+;
    }

    /// Which member's current assignment.
    StreamsGroupCurrentMemberAssignmentKey(Versions::classic(0, 0)) {
        group_id:  String, 0+;
        member_id: String, 0+;
    }

    /// The tasks a member has, and those it still has to give up.
    StreamsGroupCurrentMemberAssignmentValue(Versions::new(0, 0, 0)) {
        member_epoch:                     i32,                 0+;
        previous_member_epoch:            i32,                 0+;
        state:                            i8,                  0+;
        active_tasks:                     Vec<CurrentTaskIds>, 0+;
        standby_tasks:                    Vec<CurrentTaskIds>, 0+;
        warmup_tasks:                     Vec<CurrentTaskIds>, 0+;
        active_tasks_pending_revocation:  Vec<CurrentTaskIds>, 0+;
        standby_tasks_pending_revocation: Vec<CurrentTaskIds>, 0+;
        warmup_tasks_pending_revocation:  Vec<CurrentTaskIds>, 0+;
    }

    /// Element of [`StreamsGroupCurrentMemberAssignmentValue::active_tasks`]; Kafka calls it TaskIds like another one.
    CurrentTaskIds {
        subtopology_id:    String,           0+;
        partitions:        Vec<i32>,         0+;
        assignment_epochs: Option<Vec<i32>>, 0+, null 0, tag 0, = Some(Vec::new());
    }

    /// Which group's topology.
    StreamsGroupTopologyKey(Versions::classic(0, 0)) {
        group_id: String, 0+;
    }

    /// The subtopologies with their topics.
    StreamsGroupTopologyValue(Versions::new(0, 0, 0)) {
        epoch:         i32,              0+;
        subtopologies: Vec<Subtopology>, 0+;
    }

    /// Element of [`StreamsGroupTopologyValue::subtopologies`].
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
        name:               String,           0+;
        partitions:         i32,              0+;
        replication_factor: i16,              0+;
        topic_configs:      Vec<TopicConfig>, 0+;
    }

    /// Element of [`TopicInfo::topic_configs`].
    TopicConfig {
        key:   String, 0+;
        value: String, 0+;
    }

    /// Element of [`Subtopology::copartition_groups`].
    CopartitionGroup {
        source_topics:             Vec<i16>, 0+;
        source_topic_regex:        Vec<i16>, 0+;
        repartition_source_topics: Vec<i16>, 0+;
    }
}

record_types! {
    StreamsGroupMetadataKey = 17;
    StreamsGroupMemberMetadataKey = 19;
    StreamsGroupTargetAssignmentMetadataKey = 20;
    StreamsGroupTargetAssignmentMemberKey = 21;
    StreamsGroupCurrentMemberAssignmentKey = 22;
    StreamsGroupTopologyKey = 23;
}
