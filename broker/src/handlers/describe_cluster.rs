//! DescribeCluster (key 60, versions 0-2): who the cluster is and where its brokers are, by the listener the client
//! came in by.
//!
//! - v1: a client that wants controllers (endpoint type 2) is told MISMATCHED_ENDPOINT_TYPE: they are not separate here.
//! - v2: fenced brokers on request; there are none on one node.
//! - Without an authorizer every operation is allowed, and told when asked for.

use protocol::ErrorCode;
use protocol::messages::describe_cluster::DescribeClusterBroker;
use protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};

use crate::context::RequestContext;

/// EndpointType.BROKER.
const BROKERS: i8 = 1;
/// EndpointType.CONTROLLER.
const CONTROLLERS: i8 = 2;
/// CREATE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS and IDEMPOTENT_WRITE, each by the bit of its
/// code (AclOperation.java, AclEntry.supportedOperations).
const CLUSTER_OPERATIONS: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;

/// Answers from the image.
pub async fn handle(context: &RequestContext, request: DescribeClusterRequest) -> DescribeClusterResponse {
    let identity = context.shard.identity();
    let operations = if request.include_cluster_authorized_operations { CLUSTER_OPERATIONS } else { i32::MIN };
    if request.endpoint_type != BROKERS {
        let (error_code, message) = wrong_endpoints(request.endpoint_type);
        return DescribeClusterResponse { error_code, error_message: Some(message), ..Default::default() };
    }
    DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_id: identity.cluster_id.clone(),
        controller_id: identity.node_id,
        brokers: brokers(context),
        cluster_authorized_operations: operations,
        ..Default::default()
    }
}

fn wrong_endpoints(endpoint_type: i8) -> (ErrorCode, String) {
    if endpoint_type == CONTROLLERS {
        let message =
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER";
        return (ErrorCode::MISMATCHED_ENDPOINT_TYPE, message.to_owned());
    }
    (ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, format!("Unsupported endpoint type {endpoint_type}"))
}

fn brokers(context: &RequestContext) -> Vec<DescribeClusterBroker> {
    let broker_id = context.shard.identity().node_id;
    let endpoint = context.shard.endpoint(&context.connection.listener);
    let broker = |endpoint: &crate::shard::Endpoint| DescribeClusterBroker {
        broker_id,
        host: endpoint.host.clone(),
        port: i32::from(endpoint.port),
        rack: context.shard.image().brokers.get(&broker_id).and_then(|broker| broker.rack.clone()),
        is_fenced: false,
    };
    endpoint.map(broker).into_iter().collect()
}
