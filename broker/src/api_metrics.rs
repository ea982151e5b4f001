//! Requests, their times and their errors by API, as one core counts them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};
use protocol::ErrorCode;
use protocol::messages::ApiKey;

use crate::api::APIS;
use crate::metrics::Report;

struct Row {
    key: ApiKey,
    requests: Counter,
    seconds: Histogram,
    /// By version, from the lowest served on.
    by_version: Vec<Cell<u64>>,
}

/// Handles are looked up once per core, not per request.
pub struct ApiMetrics {
    rows: Vec<Row>,
    /// By API and code; what there is of both is bounded by their tables.
    errors: RefCell<BTreeMap<(i16, i16), u64>>,
}

impl ApiMetrics {
    /// Registers every API of the table.
    pub fn new() -> ApiMetrics {
        let row = |key: ApiKey| Row {
            key,
            requests: counter!("msgloop_requests_total", "api" => key.name()),
            seconds: histogram!("msgloop_request_seconds", "api" => key.name()),
            by_version: (key.versions().min..=key.versions().max).map(|_| Cell::default()).collect(),
        };
        ApiMetrics { rows: APIS.iter().map(|api| row(api.key)).collect(), errors: RefCell::default() }
    }

    /// A request of `key` was answered `taken` after its frame was complete.
    pub fn record(&self, key: ApiKey, version: i16, taken: Duration) {
        if let Ok(index) = self.rows.binary_search_by_key(&key.code(), |row| row.key.code()) {
            let row = &self.rows[index];
            row.requests.increment(1);
            row.seconds.record(taken);
            // ApiVersions is answered in versions we do not know.
            let index = usize::try_from(version - key.versions().min).ok();
            if let Some(count) = index.and_then(|index| row.by_version.get(index)) {
                count.set(count.get() + 1);
            }
        }
    }

    /// These codes are told to a client.
    pub fn record_errors(&self, key: ApiKey, errors: &[ErrorCode]) {
        if errors.is_empty() {
            return;
        }
        let mut counts = self.errors.borrow_mut();
        errors.iter().for_each(|error| *counts.entry((key.code(), error.0)).or_default() += 1);
    }

    /// Adds what was counted so far; what never happened is left out.
    pub fn report(&self, report: &mut Report) {
        for row in &self.rows {
            for (version, count) in row.by_version.iter().enumerate().filter(|(_, count)| count.get() > 0) {
                let version = row.key.versions().min + version as i16;
                report.requests.insert((row.key.code(), version), count.get());
            }
        }
        report.errors.extend(self.errors.borrow().iter().map(|(key, count)| (*key, *count)));
    }
}

impl Default for ApiMetrics {
    fn default() -> ApiMetrics {
        ApiMetrics::new()
    }
}
