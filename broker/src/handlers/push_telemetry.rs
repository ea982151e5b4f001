//! PushTelemetry (key 72, version 0): takes a client's metrics, which are then at `/client-metrics` (KIP-714).
//!
//! - A reserved instance id, or a push after the last: INVALID_REQUEST.
//! - Before the interval is over: THROTTLING_QUOTA_EXCEEDED, but for the last push and the first after a question.
//! - For another subscription than the client's: UNKNOWN_SUBSCRIPTION_ID. An unknown codec: UNSUPPORTED_COMPRESSION_TYPE.
//!   More than `telemetry.max.bytes`: TELEMETRY_TOO_LARGE.
//! - What does not unfold to at most as many bytes of OTLP metrics: INVALID_RECORD, whereupon clients push no more.

use protocol::messages::{PushTelemetryRequest, PushTelemetryResponse};
use protocol::{ErrorCode, Uuid};

use crate::context::RequestContext;
use crate::error::closed_code;
use crate::telemetry::{Client, Limits, Pushed, home_of};

/// Ids that Kafka keeps for itself (Uuid.RESERVED).
const RESERVED: [Uuid; 2] = [Uuid::ZERO, Uuid(1u128.to_be_bytes())];

/// Hands the push to the core that knows the instance.
pub async fn handle(context: &RequestContext, request: PushTelemetryRequest) -> PushTelemetryResponse {
    let error_code = match RESERVED.contains(&request.client_instance_id) {
        true => ErrorCode::INVALID_REQUEST,
        false => push(context, request).await,
    };
    PushTelemetryResponse { error_code, ..Default::default() }
}

async fn push(context: &RequestContext, request: PushTelemetryRequest) -> ErrorCode {
    let client = Client::of(context, request.client_instance_id);
    context.connection.telemetry_instance.set(Some(client.instance_id));
    let home = home_of(client.instance_id, context.shard.shards().cores());
    let pushed = Pushed {
        subscription_id: request.subscription_id,
        terminating: request.terminating,
        compression_type: request.compression_type,
        metrics: request.metrics,
    };
    let taken = context.shard.run_on(home, move |shard| {
        let (image, limits, now) = (shard.image(), Limits::of(shard), shard.runtime().now());
        let code = shard.telemetry().push(&image, &client, &pushed, limits, now);
        Box::pin(std::future::ready(code))
    });
    taken.await.unwrap_or_else(|closed| closed_code(&closed))
}
