//! DescribeCluster (key 60): shows the brokers, or the controllers, of the cluster.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// What kind of endpoint is asked about.
    DescribeClusterRequest(ApiKey::DescribeCluster.versions()) {
        include_cluster_authorized_operations: bool, 0+;
        endpoint_type:                         i8,   1+, = 1;
        include_fenced_brokers:                bool, 2+;
    }

    /// Cluster id, controller and endpoints.
    DescribeClusterResponse(ApiKey::DescribeCluster.versions()) {
        throttle_time_ms:              i32,                        0+;
        error_code:                    ErrorCode,                  0+;
        error_message:                 Option<String>,             0+, null 0;
        endpoint_type:                 i8,                         1+, = 1;
        cluster_id:                    String,                     0+;
        controller_id:                 i32,                        0+, = -1;
        brokers:                       Vec<DescribeClusterBroker>, 0+;
        cluster_authorized_operations: i32,                        0+, = i32::MIN;
    }

    /// Element of [`DescribeClusterResponse::brokers`].
    DescribeClusterBroker {
        broker_id: i32,            0+;
        host:      String,         0+;
        port:      i32,            0+;
        rack:      Option<String>, 0+, null 0;
        is_fenced: bool,           2+;
    }
}
