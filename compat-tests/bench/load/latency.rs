//! A histogram of latencies with 1 % buckets, and the clock that stamps records.

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since the Unix epoch: producer and live consumer are two processes on one machine.
pub fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_nanos() as u64)
}

const BUCKETS: usize = 2400;

/// Latencies from 1 µs to about 6 hours, each bucket 1 % wider than the last.
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: vec![0; BUCKETS], count: 0, max_ns: 0 }
    }
}

impl Histogram {
    /// Counts one latency.
    pub fn record(&mut self, latency_ns: u64) {
        let microseconds = (latency_ns as f64 / 1e3).max(1.0);
        let bucket = (microseconds.ln() / 1.01_f64.ln()) as usize;
        self.counts[bucket.min(BUCKETS - 1)] += 1;
        self.count += 1;
        self.max_ns = self.max_ns.max(latency_ns);
    }

    /// The latency in milliseconds that `share` (0 to 1) of the records did not exceed.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted && seen > 0 {
                return 1.01_f64.powi(bucket as i32 + 1) / 1e3;
            }
        }
        0.0
    }

    /// p50, p99, p99.9 and the maximum, in milliseconds.
    pub fn summary(&self) -> serde_json::Value {
        serde_json::json!({
            "p50_ms": self.quantile_ms(0.5),
            "p99_ms": self.quantile_ms(0.99),
            "p999_ms": self.quantile_ms(0.999),
            "max_ms": self.max_ns as f64 / 1e6,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Histogram;

    #[test]
    fn quantiles_are_within_a_bucket() {
        let mut histogram = Histogram::default();
        for milliseconds in 1..=1000_u64 {
            histogram.record(milliseconds * 1_000_000);
        }
        assert!((histogram.quantile_ms(0.5) / 500.0 - 1.0).abs() < 0.02);
        assert!((histogram.quantile_ms(0.999) / 999.0 - 1.0).abs() < 0.02);
    }
}
