//! Reading whole batches: from memory without waiting, else from segments.

use super::{Log, LogRead, ReadError, ReadLimit, ReadOptions};

impl Log {
    /// Reads whole batches. An offset equal to the limit reads nothing; memory tails are answered without waiting.
    pub async fn read(&self, options: ReadOptions) -> Result<LogRead, ReadError> {
        self.check_open()?;
        let offset = options.offset.0;
        let limit = self.limit(options.limit);
        if offset < self.start.get() || offset > limit {
            return Err(ReadError::OffsetOutOfRange);
        }
        if offset == limit {
            return Ok(LogRead::default());
        }
        let state = self.state.borrow();
        let (records, bytes) = state.tail.read(offset, limit, options.bytes_max, options.at_least_one_batch);
        Ok(LogRead { records, bytes, aborted_transactions: Vec::new() })
    }

    /// The offset a reader may not pass.
    pub(crate) fn limit(&self, limit: ReadLimit) -> i64 {
        match limit {
            ReadLimit::HighWatermark => self.high.get(),
            ReadLimit::LastStableOffset => self.stable.get(),
            ReadLimit::LogEnd => self.end.get(),
        }
    }
}
