//! What went through a partition: plain counters of its core, added up by topic when somebody scrapes. Kafka's
//! BrokerTopicMetrics.

use std::cell::Cell;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Records appended.
    MessagesIn,
    /// Bytes of batches appended.
    BytesIn,
    /// Bytes of batches read by clients.
    BytesOut,
    /// Bytes of batches that are larger than the topic takes.
    BytesRejected,
    /// Batches that clients sent.
    ProduceRequests,
    /// Reads by clients.
    FetchRequests,
    /// Of the batches sent, those that were refused.
    FailedProduceRequests,
    /// Of the reads, those that were refused.
    FailedFetchRequests,
}

impl Flow {
    /// All, in the order of [`Totals`].
    pub const ALL: [Flow; 8] = [
        Flow::MessagesIn,
        Flow::BytesIn,
        Flow::BytesOut,
        Flow::BytesRejected,
        Flow::ProduceRequests,
        Flow::FetchRequests,
        Flow::FailedProduceRequests,
        Flow::FailedFetchRequests,
    ];

    /// Name in Prometheus, as jmx_exporter makes it of Kafka's.
    pub const fn metric(self) -> &'static str {
        match self {
            Flow::MessagesIn => "kafka_server_brokertopicmetrics_messagesin_total",
            Flow::BytesIn => "kafka_server_brokertopicmetrics_bytesin_total",
            Flow::BytesOut => "kafka_server_brokertopicmetrics_bytesout_total",
            Flow::BytesRejected => "kafka_server_brokertopicmetrics_bytesrejected_total",
            Flow::ProduceRequests => "kafka_server_brokertopicmetrics_totalproducerequests_total",
            Flow::FetchRequests => "kafka_server_brokertopicmetrics_totalfetchrequests_total",
            Flow::FailedProduceRequests => "kafka_server_brokertopicmetrics_failedproducerequests_total",
            Flow::FailedFetchRequests => "kafka_server_brokertopicmetrics_failedfetchrequests_total",
        }
    }
}

/// A number for each [`Flow`].
pub type Totals = [u64; Flow::ALL.len()];

/// Adds `more` to `totals`.
pub fn add(totals: &mut Totals, more: &Totals) {
    totals.iter_mut().zip(more).for_each(|(total, more)| *total += more);
}

/// The counters of one partition, or of several.
#[derive(Debug, Default)]
pub struct Traffic {
    counts: [Cell<u64>; Flow::ALL.len()],
}

impl Traffic {
    /// Counts `amount` more.
    pub fn count(&self, flow: Flow, amount: usize) {
        let count = &self.counts[flow as usize];
        count.set(count.get() + amount as u64);
    }

    /// Counts all of `totals` more.
    pub fn add(&self, totals: &Totals) {
        self.counts.iter().zip(totals).for_each(|(count, more)| count.set(count.get() + more));
    }

    /// What was counted so far.
    pub fn totals(&self) -> Totals {
        std::array::from_fn(|index| self.counts[index].get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flow_has_its_own_place() {
        let traffic = Traffic::default();
        for (index, flow) in Flow::ALL.into_iter().enumerate() {
            assert_eq!(flow as usize, index);
            traffic.count(flow, index + 1);
        }
        traffic.add(&traffic.totals());
        assert_eq!(traffic.totals(), [2, 4, 6, 8, 10, 12, 14, 16]);
    }
}
