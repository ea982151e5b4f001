//! The broker settings the transaction coordinator acts on.

use crate::config::BrokerConfig;

/// Values of `transaction.*` and `transactional.id.*`; names, units and defaults are Kafka's (TransactionConfig.java).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionSettings {
    /// `transaction.max.timeout.ms`.
    pub timeout_ms_max: i32,
    /// `transactional.id.expiration.ms`.
    pub id_expiration_ms: i64,
    /// Bound on what the transactional ids of one `__transaction_state` partition may hold in memory. Beyond it new ids
    /// are refused with COORDINATOR_NOT_AVAILABLE, which clients retry.
    pub state_bytes_max: usize,
}

impl TransactionSettings {
    /// As the broker is configured.
    pub fn of(config: &BrokerConfig) -> TransactionSettings {
        TransactionSettings {
            timeout_ms_max: config.transaction_timeout_ms_max,
            id_expiration_ms: config.transactional_id_expiration_ms,
            ..TransactionSettings::default()
        }
    }
}

impl Default for TransactionSettings {
    fn default() -> TransactionSettings {
        TransactionSettings {
            timeout_ms_max: 900_000,
            id_expiration_ms: 604_800_000,
            state_bytes_max: 64 * 1024 * 1024,
        }
    }
}
