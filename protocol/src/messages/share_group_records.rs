//! The records of `__consumer_offsets` that hold share groups (KIP-932).

use crate::Uuid;
use crate::wire::Versions;

message! {
    /// Which member of which share group.
    ShareGroupMemberMetadataKey(Versions::classic(0, 0)) {
        group_id:  String, 0+;
        member_id: String, 0+;
    }

    /// What a member told about itself.
    ShareGroupMemberMetadataValue(Versions::new(0, 0, 0)) {
        rack_id:                Option<String>, 0+, null 0, = Some(String::new());
        client_id:              String,         0+;
        client_host:            String,         0+;
        subscribed_topic_names: Vec<String>,    0+;
    }

    /// Which share group.
    ShareGroupMetadataKey(Versions::classic(0, 0)) {
        group_id: String, 0+;
    }

    /// The group's epoch.
    ShareGroupMetadataValue(Versions::new(0, 0, 0)) {
        epoch:         i32, 0+;
        metadata_hash: i64, 0+;
    }

    /// Which group's target assignment.
    ShareGroupTargetAssignmentMetadataKey(Versions::classic(0, 0)) {
        group_id: String, 0+;
    }

    /// The epoch of the target assignment.
    ShareGroupTargetAssignmentMetadataValue(Versions::new(0, 0, 0)) {
        assignment_epoch:     i32, 0+;
        assignment_timestamp: i64, 0+, tag 0;
    }

    /// Which member's target assignment.
    ShareGroupTargetAssignmentMemberKey(Versions::classic(0, 0)) {
        group_id:  String, 0+;
        member_id: String, 0+;
    }

    /// The partitions a member is to have.
    ShareGroupTargetAssignmentMemberValue(Versions::new(0, 0, 0)) {
        topic_partitions: Vec<TopicPartition>, 0+;
    }

    /// Element of [`ShareGroupTargetAssignmentMemberValue::topic_partitions`].
    TopicPartition {
        topic_id:   Uuid,     0+;
        partitions: Vec<i32>, 0+;
    }

    /// Which member's current assignment.
    ShareGroupCurrentMemberAssignmentKey(Versions::classic(0, 0)) {
        group_id:  String, 0+;
        member_id: String, 0+;
    }

    /// The partitions a member has.
    ShareGroupCurrentMemberAssignmentValue(Versions::new(0, 0, 0)) {
        member_epoch:          i32,                  0+;
        previous_member_epoch: i32,                  0+;
        state:                 i8,                   0+;
        assigned_partitions:   Vec<TopicPartitions>, 0+;
    }

    /// Element of [`ShareGroupCurrentMemberAssignmentValue::assigned_partitions`].
    TopicPartitions {
        topic_id:   Uuid,     0+;
        partitions: Vec<i32>, 0+;
    }

    /// Which group's share partitions.
    ShareGroupStatePartitionMetadataKey(Versions::classic(0, 0)) {
        group_id: String, 0+;
    }

    /// The topics whose state is being made, exists, or is being deleted.
    ShareGroupStatePartitionMetadataValue(Versions::new(0, 0, 0)) {
        initializing_topics: Vec<TopicPartitionsInfo>, 0+;
        initialized_topics:  Vec<TopicPartitionsInfo>, 0+;
        deleting_topics:     Vec<TopicInfo>,           0+;
    }

    /// Element of [`ShareGroupStatePartitionMetadataValue::initializing_topics`].
    TopicPartitionsInfo {
        topic_id:   Uuid,     0+;
        topic_name: String,   0+;
        partitions: Vec<i32>, 0+;
    }

    /// Element of [`ShareGroupStatePartitionMetadataValue::deleting_topics`].
    TopicInfo {
        topic_id:   Uuid,   0+;
        topic_name: String, 0+;
    }
}

record_types! {
    ShareGroupMemberMetadataKey = 10;
    ShareGroupMetadataKey = 11;
    ShareGroupTargetAssignmentMetadataKey = 12;
    ShareGroupTargetAssignmentMemberKey = 13;
    ShareGroupCurrentMemberAssignmentKey = 14;
    ShareGroupStatePartitionMetadataKey = 15;
}
