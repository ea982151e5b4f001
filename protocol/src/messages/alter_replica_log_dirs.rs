//! AlterReplicaLogDirs (key 34): moves replicas between log directories.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// Which replicas go to which directory.
    AlterReplicaLogDirsRequest(ApiKey::AlterReplicaLogDirs.versions()) {
        dirs: Vec<AlterReplicaLogDir>, 0+;
    }

    /// Element of [`AlterReplicaLogDirsRequest::dirs`].
    AlterReplicaLogDir {
        path:   String,                       0+;
        topics: Vec<AlterReplicaLogDirTopic>, 0+;
    }

    /// Element of [`AlterReplicaLogDir::topics`].
    AlterReplicaLogDirTopic {
        name:       String,   0+;
        partitions: Vec<i32>, 0+;
    }

    /// How each move went.
    AlterReplicaLogDirsResponse(ApiKey::AlterReplicaLogDirs.versions()) {
        throttle_time_ms: i32,                                0+;
        results:          Vec<AlterReplicaLogDirTopicResult>, 0+;
    }

    /// Element of [`AlterReplicaLogDirsResponse::results`].
    AlterReplicaLogDirTopicResult {
        topic_name: String,                                 0+;
        partitions: Vec<AlterReplicaLogDirPartitionResult>, 0+;
    }

    /// Element of [`AlterReplicaLogDirTopicResult::partitions`].
    AlterReplicaLogDirPartitionResult {
        partition_index: i32,       0+;
        error_code:      ErrorCode, 0+;
    }
}
