//! The HTTP server beside Kafka's protocol: `/metrics`, `/client-metrics`, `/healthz`, `/readyz`. On the background runtime, so that a
//! scrape never holds up a core.
//!
//! - `/healthz`: 200 while every core answers.
//! - `/readyz`: 200 while clients are served; 503 once the broker stops.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use storage::runtime::background::Background;

use crate::metrics::Report;
use crate::shard::ShardHandle;

/// Takes the address, so that a taken port is an error of the start. `address` is host:port.
pub fn bind(address: &str) -> Result<TcpListener, String> {
    let refused = |error: &dyn std::fmt::Display| format!("cannot listen on {address} for admin HTTP: {error}");
    let resolved: Vec<SocketAddr> = address.to_socket_addrs().map_err(|error| refused(&error))?.collect();
    let listener = TcpListener::bind(&resolved[..]).map_err(|error| refused(&error))?;
    listener.set_nonblocking(true).map_err(|error| refused(&error))?;
    Ok(listener)
}

/// Serves until the background runtime ends.
pub fn serve(background: &Background, listener: TcpListener, shards: ShardHandle) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/client-metrics", get(client_metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(shards);
    background.spawn(async move {
        let served = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => axum::serve(listener, router).await,
            Err(error) => Err(error),
        };
        if let Err(error) = served {
            tracing::error!(%error, "admin HTTP has ended");
        }
    });
}

/// What clients pushed; a page of its own, since its names and its size are theirs.
async fn client_metrics(State(shards): State<ShardHandle>) -> impl IntoResponse {
    let mut clients = Vec::new();
    for core in 0..shards.cores() {
        let pushed = shards.run_on(core, |shard| Box::pin(std::future::ready(shard.telemetry().series())));
        // A core that is gone has nothing to add.
        clients.extend(pushed.await.unwrap_or_default());
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], crate::telemetry::page(&clients))
}

/// What the cores hold is asked of them now: between scrapes it costs nothing.
async fn metrics(State(shards): State<ShardHandle>) -> impl IntoResponse {
    let mut report = Report::default();
    for core in 0..shards.cores() {
        let observed = shards.run_on(core, |shard| {
            crate::metrics::observe(shard);
            let report = Report::of(shard);
            Box::pin(std::future::ready(report))
        });
        // A core that is gone has nothing to add; the others still do.
        if let Ok(of_core) = observed.await {
            report.merge(of_core);
        }
    }
    let page = crate::metrics::render() + &report.render();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], page)
}

async fn healthz(State(shards): State<ShardHandle>) -> (StatusCode, &'static str) {
    match cores_agree(&shards, false).await {
        true => (StatusCode::OK, "ok\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "a core does not answer\n"),
    }
}

async fn readyz(State(shards): State<ShardHandle>) -> (StatusCode, &'static str) {
    match cores_agree(&shards, true).await {
        true => (StatusCode::OK, "ready\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
    }
}

/// Whether every core answers, and with `serving` none of them is stopping.
async fn cores_agree(shards: &ShardHandle, serving: bool) -> bool {
    for core in 0..shards.cores() {
        let is_stopping = shards.run_on(core, |shard| Box::pin(std::future::ready(shard.stopping().is_set())));
        match is_stopping.await {
            Ok(is_stopping) if !(serving && is_stopping) => {}
            Ok(_) | Err(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_taken_port_is_one_sentence() {
        let first = super::bind("127.0.0.1:0").expect("free");
        let address = first.local_addr().expect("bound").to_string();
        let error = super::bind(&address).expect_err("taken");
        assert!(error.contains(&address) && !error.contains('\n'), "{error}");
    }
}
