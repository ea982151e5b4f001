//! GetTelemetrySubscriptions (key 71, version 0): which of its metrics a client is to push, and how often (KIP-714).
//!
//! - Id zero asks for one. A client that no subscription is for is told no metrics and the default interval.
//! - Asked again before the interval is over: THROTTLING_QUOTA_EXCEEDED, unless the subscriptions have changed or a push
//!   was refused with UNKNOWN_SUBSCRIPTION_ID or UNSUPPORTED_COMPRESSION_TYPE.
//! - Sums are asked for as differences, as Kafka does: librdkafka pushes its gauges only then.

use protocol::ErrorCode;
use protocol::messages::{GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse};
use protocol::records::CompressionType;

use crate::context::RequestContext;
use crate::error::closed_code;
use crate::telemetry::{Client, Limits, Subscription, home_of};

/// The broker's preference comes first.
const ACCEPTED: [CompressionType; 4] =
    [CompressionType::Zstd, CompressionType::Lz4, CompressionType::Gzip, CompressionType::Snappy];

/// Asks the core that knows the instance.
pub async fn handle(
    context: &RequestContext,
    request: GetTelemetrySubscriptionsRequest,
) -> GetTelemetrySubscriptionsResponse {
    let asked = request.client_instance_id;
    let client_instance_id = if asked.is_zero() { context.shard.random_id() } else { asked };
    context.connection.telemetry_instance.set(Some(client_instance_id));
    match subscription(context, Client::of(context, client_instance_id)).await {
        Ok(subscription) => GetTelemetrySubscriptionsResponse {
            client_instance_id,
            subscription_id: subscription.id,
            accepted_compression_types: ACCEPTED.iter().map(|codec| codec.id().cast_signed()).collect(),
            push_interval_ms: subscription.push_interval_ms,
            telemetry_max_bytes: i32::try_from(context.shard.config().telemetry_bytes_max).unwrap_or(i32::MAX),
            delta_temporality: true,
            requested_metrics: subscription.metrics,
            ..Default::default()
        },
        Err(error_code) => GetTelemetrySubscriptionsResponse { error_code, ..Default::default() },
    }
}

async fn subscription(context: &RequestContext, client: Client) -> Result<Subscription, ErrorCode> {
    let home = home_of(client.instance_id, context.shard.shards().cores());
    let asked = context.shard.run_on(home, move |shard| {
        let (image, limits, now) = (shard.image(), Limits::of(shard), shard.runtime().now());
        let subscription = shard.telemetry().subscribe(&image, &client, limits, now);
        Box::pin(std::future::ready(subscription))
    });
    asked.await.unwrap_or_else(|closed| Err(closed_code(&closed)))
}
