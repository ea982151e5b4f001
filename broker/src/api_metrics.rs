//! Requests and their times by API, as one core counts them.

use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};
use protocol::messages::ApiKey;

use crate::api::APIS;

/// Handles are looked up once per core, not per request.
pub struct ApiMetrics {
    rows: Vec<(ApiKey, Counter, Histogram)>,
}

impl ApiMetrics {
    /// Registers every API of the table.
    pub fn new() -> ApiMetrics {
        let row = |key: ApiKey| {
            let requests = counter!("msgloop_requests_total", "api" => key.name());
            let seconds = histogram!("msgloop_request_seconds", "api" => key.name());
            (key, requests, seconds)
        };
        ApiMetrics { rows: APIS.iter().map(|api| row(api.key)).collect() }
    }

    /// A request of `key` was answered `taken` after its frame was complete.
    pub fn record(&self, key: ApiKey, taken: Duration) {
        if let Ok(index) = self.rows.binary_search_by_key(&key.code(), |row| row.0.code()) {
            self.rows[index].1.increment(1);
            self.rows[index].2.record(taken);
        }
    }
}

impl Default for ApiMetrics {
    fn default() -> ApiMetrics {
        ApiMetrics::new()
    }
}
