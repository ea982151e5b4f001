//! The records of `__consumer_offsets` that classic groups need: committed offsets and group metadata.
//!
//! Kafka 4 reads the old key of type 0 and writes type 1; both look the same.

use bytes::Bytes;

use crate::Uuid;
use crate::wire::Versions;

message! {
    /// Whose offset for which partition, in the oldest form.
    LegacyOffsetCommitKey(Versions::classic(0, 0)) {
        group:     String, 0+;
        topic:     String, 0+;
        partition: i32,    0+;
    }

    /// A committed offset, in the oldest form.
    LegacyOffsetCommitValue(Versions::classic(0, 0)) {
        offset:           i64,    0+;
        metadata:         String, 0+;
        commit_timestamp: i64,    0+;
    }

    /// Whose offset for which partition.
    OffsetCommitKey(Versions::classic(0, 0)) {
        group:     String, 0+;
        topic:     String, 0+;
        partition: i32,    0+;
    }

    /// A committed offset; a null value drops it.
    OffsetCommitValue(Versions::new(0, 4, 4)) {
        offset:           i64,    0+;
        leader_epoch:     i32,    3+, = -1;
        metadata:         String, 0+;
        commit_timestamp: i64,    0+;
        expire_timestamp: i64,    1-1, = -1;
        topic_id:         Uuid,   4+, tag 0;
    }

    /// Which classic group.
    GroupMetadataKey(Versions::classic(0, 0)) {
        group: String, 0+;
    }

    /// A classic group after a completed rebalance; a null value drops it.
    GroupMetadataValue(Versions::new(0, 4, 4)) {
        protocol_type:           String,              0+;
        generation:              i32,                 0+;
        protocol:                Option<String>,      0+, null 0, = Some(String::new());
        leader:                  Option<String>,      0+, null 0, = Some(String::new());
        current_state_timestamp: i64,                 2+, = -1;
        members:                 Vec<MemberMetadata>, 0+;
    }

    /// Element of [`GroupMetadataValue::members`].
    MemberMetadata {
        member_id:         String,         0+;
        group_instance_id: Option<String>, 3+, null 3;
        client_id:         String,         0+;
        client_host:       String,         0+;
        rebalance_timeout: i32,            1+, = -1;
        session_timeout:   i32,            0+;
        subscription:      Bytes,          0+;
        assignment:        Bytes,          0+;
    }
}

record_types! {
    LegacyOffsetCommitKey = 0;
    OffsetCommitKey = 1;
    GroupMetadataKey = 2;
}
