//! The records of `__consumer_offsets` that hold consumer groups of KIP-848.

use bytes::Bytes;

use crate::Uuid;
use crate::wire::Versions;

message! {
    /// Which consumer group.
    ConsumerGroupMetadataKey(Versions::classic(0, 0)) {
        group_id: String, 0+;
    }

    /// The group's epoch.
    ConsumerGroupMetadataValue(Versions::new(0, 0, 0)) {
        epoch:         i32, 0+;
        metadata_hash: i64, 0+, tag 0;
    }

    /// Which group's topic metadata; no longer written.
    ConsumerGroupPartitionMetadataKey(Versions::classic(0, 0)) {
        group_id: String, 0+;
    }

    /// Partition counts and racks of the topics subscribed to; no longer written.
    ConsumerGroupPartitionMetadataValue(Versions::new(0, 0, 0)) {
        topics: Vec<TopicMetadata>, 0+;
    }

    /// Element of [`ConsumerGroupPartitionMetadataValue::topics`].
    TopicMetadata {
        topic_id:           Uuid,                   0+;
        topic_name:         String,                 0+;
        num_partitions:     i32,                    0+;
        partition_metadata: Vec<PartitionMetadata>, 0+;
    }

    /// Element of [`TopicMetadata::partition_metadata`].
    PartitionMetadata {
        partition: i32,         0+;
        racks:     Vec<String>, 0+;
    }

    /// Which member of which group.
    ConsumerGroupMemberMetadataKey(Versions::classic(0, 0)) {
        group_id:  String, 0+;
        member_id: String, 0+;
    }

    /// What a member told about itself.
    ConsumerGroupMemberMetadataValue(Versions::new(0, 0, 0)) {
        instance_id:             Option<String>,                0+, null 0, = Some(String::new());
        rack_id:                 Option<String>,                0+, null 0, = Some(String::new());
        client_id:               String,                        0+;
        client_host:             String,                        0+;
        subscribed_topic_names:  Vec<String>,                   0+;
        subscribed_topic_regex:  Option<String>,                0+, null 0, = Some(String::new());
        rebalance_timeout_ms:    i32,                           0+, = -1;
        server_assignor:         Option<String>,                0+, null 0, = Some(String::new());
        classic_member_metadata: Option<ClassicMemberMetadata>, 0+, null 0, tag 0, = Some(ClassicMemberMetadata::default());
    }

    /// Value of [`ConsumerGroupMemberMetadataValue::classic_member_metadata`].
    ClassicMemberMetadata {
        session_timeout_ms:  i32,                  0+;
        supported_protocols: Vec<ClassicProtocol>, 0+;
    }

    /// Element of [`ClassicMemberMetadata::supported_protocols`].
    ClassicProtocol {
        name:     String, 0+;
        metadata: Bytes,  0+;
    }

    /// Which group's target assignment.
    ConsumerGroupTargetAssignmentMetadataKey(Versions::classic(0, 0)) {
        group_id: String, 0+;
    }

    /// The epoch of the target assignment.
    ConsumerGroupTargetAssignmentMetadataValue(Versions::new(0, 0, 0)) {
        assignment_epoch:     i32, 0+;
        assignment_timestamp: i64, 0+, tag 0;
    }

    /// Which member's target assignment.
    ConsumerGroupTargetAssignmentMemberKey(Versions::classic(0, 0)) {
        group_id:  String, 0+;
        member_id: String, 0+;
    }

    /// The partitions a member is to have.
    ConsumerGroupTargetAssignmentMemberValue(Versions::new(0, 0, 0)) {
        topic_partitions: Vec<TopicPartition>, 0+;
    }

    /// Element of [`ConsumerGroupTargetAssignmentMemberValue::topic_partitions`].
    TopicPartition {
        topic_id:   Uuid,     0+;
        partitions: Vec<i32>, 0+;
    }

    /// Which member's current assignment.
    ConsumerGroupCurrentMemberAssignmentKey(Versions::classic(0, 0)) {
        group_id:  String, 0+;
        member_id: String, 0+;
    }

    /// The partitions a member has, and those it still has to give up.
    ConsumerGroupCurrentMemberAssignmentValue(Versions::new(0, 0, 0)) {
        member_epoch:                  i32,                  0+;
        previous_member_epoch:         i32,                  0+;
        state:                         i8,                   0+;
        assigned_partitions:           Vec<TopicPartitions>, 0+;
        partitions_pending_revocation: Vec<TopicPartitions>, 0+;
    }

    /// Element of [`ConsumerGroupCurrentMemberAssignmentValue::assigned_partitions`].
    TopicPartitions {
        topic_id:          Uuid,             0+;
        partitions:        Vec<i32>,         0+;
        assignment_epochs: Option<Vec<i32>>, 0+, null 0, tag 0, = Some(Vec::new());
    }

    /// Which pattern of which group.
    ConsumerGroupRegularExpressionKey(Versions::classic(0, 0)) {
        group_id:           String, 0+;
        regular_expression: String, 0+;
    }

    /// The topics a pattern stood for when it was last resolved.
    ConsumerGroupRegularExpressionValue(Versions::new(0, 0, 0)) {
        topics:    Vec<String>, 0+;
        version:   i64,         0+;
        timestamp: i64,         0+;
    }
}

record_types! {
    ConsumerGroupMetadataKey = 3;
    ConsumerGroupPartitionMetadataKey = 4;
    ConsumerGroupMemberMetadataKey = 5;
    ConsumerGroupTargetAssignmentMetadataKey = 6;
    ConsumerGroupTargetAssignmentMemberKey = 7;
    ConsumerGroupCurrentMemberAssignmentKey = 8;
    ConsumerGroupRegularExpressionKey = 16;
}
