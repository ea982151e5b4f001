//! Transactions and idempotent producers.

use crate::config::definition::Check::{Any, AtLeast};
use crate::config::definition::{Config, boolean, int, short};
use crate::config::reasons::{NO_TWO_PHASE_COMMIT, TRANSACTION_LOAD, TRANSACTION_WAITS};

pub(super) const CONFIGS: &[Config] = &[
    int(
        "transaction.state.log.num.partitions",
        Some("50"),
        AtLeast(1),
        "Partitions of __transaction_state; fixed once the topic exists.",
    ),
    short(
        "transaction.state.log.replication.factor",
        Some("3"),
        AtLeast(1),
        "Replicas of __transaction_state; never more than there are brokers.",
    ),
    int(
        "transaction.state.log.min.isr",
        Some("2"),
        AtLeast(1),
        "min.insync.replicas of __transaction_state, no more than its replicas.",
    ),
    int("transaction.state.log.segment.bytes", Some("104857600"), AtLeast(1), "Segment size of __transaction_state."),
    int(
        "transaction.state.log.load.buffer.size",
        Some("5242880"),
        AtLeast(1),
        "Bytes read at a time while transactions are loaded.",
    )
    .ignored(TRANSACTION_LOAD),
    int("transaction.max.timeout.ms", Some("900000"), AtLeast(1), "Longest transaction a producer may ask for."),
    int(
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        Some("10000"),
        AtLeast(1),
        "How often timed-out transactions are looked for.",
    ),
    int(
        "transaction.remove.expired.transaction.cleanup.interval.ms",
        Some("3600000"),
        AtLeast(1),
        "How often unused transactional ids are looked for.",
    ),
    boolean(
        "transaction.partition.verification.enable",
        Some("true"),
        Any,
        "Whether a partition asks the coordinator before the first write of a transaction.",
    )
    .cluster_wide(),
    boolean(
        "transaction.two.phase.commit.enable",
        Some("false"),
        Any,
        "Whether two-phase commit with an outside coordinator is allowed.",
    )
    .ignored(NO_TWO_PHASE_COMMIT),
    int(
        "transactional.id.expiration.ms",
        Some("604800000"),
        AtLeast(1),
        "How long an unused transactional id is kept.",
    ),
    int(
        "producer.id.expiration.ms",
        Some("86400000"),
        AtLeast(1),
        "How long an idle producer's sequence numbers are kept.",
    )
    .cluster_wide(),
    int(
        "producer.id.expiration.check.interval.ms",
        Some("600000"),
        AtLeast(1),
        "How often idle producers are looked for.",
    )
    .internal()
    .ignored("idle producers are looked for along with old segments, see log.retention.check.interval.ms"),
    int(
        "add.partitions.to.txn.retry.backoff.ms",
        Some("20"),
        AtLeast(1),
        "Pause before adding a partition to a transaction is tried again.",
    )
    .ignored(TRANSACTION_WAITS),
    int(
        "add.partitions.to.txn.retry.backoff.max.ms",
        Some("100"),
        AtLeast(0),
        "How long a partition that joins waits for the transaction before to be complete.",
    ),
];
