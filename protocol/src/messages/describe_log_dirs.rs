//! DescribeLogDirs (key 35): shows log directories and the size of the logs in them.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The partitions asked about; null asks about all.
    DescribeLogDirsRequest(ApiKey::DescribeLogDirs.versions()) {
        topics: Option<Vec<DescribableLogDirTopic>>, 0+, null 0, = Some(Vec::new());
    }

    /// Element of [`DescribeLogDirsRequest::topics`].
    DescribableLogDirTopic {
        topic:      String,   0+;
        partitions: Vec<i32>, 0+;
    }

    /// Directories, their partitions and sizes.
    DescribeLogDirsResponse(ApiKey::DescribeLogDirs.versions()) {
        throttle_time_ms: i32,                        0+;
        error_code:       ErrorCode,                  3+;
        results:          Vec<DescribeLogDirsResult>, 0+;
    }

    /// Element of [`DescribeLogDirsResponse::results`].
    DescribeLogDirsResult {
        error_code:   ErrorCode,                 0+;
        log_dir:      String,                    0+;
        topics:       Vec<DescribeLogDirsTopic>, 0+;
        total_bytes:  i64,                       4+, = -1;
        usable_bytes: i64,                       4+, = -1;
        is_cordoned:  bool,                      5+;
    }

    /// Element of [`DescribeLogDirsResult::topics`].
    DescribeLogDirsTopic {
        name:       String,                        0+;
        partitions: Vec<DescribeLogDirsPartition>, 0+;
    }

    /// Element of [`DescribeLogDirsTopic::partitions`].
    DescribeLogDirsPartition {
        partition_index: i32,  0+;
        partition_size:  i64,  0+;
        offset_lag:      i64,  0+;
        is_future_key:   bool, 0+;
    }
}
