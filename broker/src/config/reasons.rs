//! Why a config is taken and not acted on; shown in docs/configs.md and in the warning at start.

pub(super) const ALWAYS_FLUSHED: &str =
    "every acknowledged record is on disk already; nothing is flushed or checkpointed by the clock";
pub(super) const CONTROLLER: &str = "there is no separate controller: the node keeps its metadata itself";
pub(super) const CORES: &str = "the work is done by one thread per core, see msgloop.cores";
pub(super) const FEATURES: &str = "no feature has versions under development";
pub(super) const GROUP_COMMIT: &str = "the commits of the write-ahead log already gather records";
pub(super) const JAVA_CLASS: &str = "Java classes cannot be loaded";
pub(super) const NO_PURGATORY: &str = "waiting requests leave no entries behind";
pub(super) const NO_SASL: &str = "SASL and authorization do not exist yet";
pub(super) const NO_SHARE_GROUPS: &str = "share groups (KIP-932) are not served yet";
pub(super) const NO_WARMUP_TASKS: &str = "no warm-up tasks are assigned, as in Kafka 4.4";
pub(super) const NO_TIERING: &str = "tiered storage does not exist yet";
pub(super) const NO_TLS: &str = "TLS does not exist yet";
pub(super) const NO_TWO_PHASE_COMMIT: &str = "two-phase commit (KIP-939) is not stable in Kafka and not served";
pub(super) const ONE_ASSIGNOR: &str = "there is one assignor, sticky";
pub(super) const ONE_REPLICA: &str = "partitions have one replica until nodes form clusters";
pub(super) const OWN_METRICS: &str = "metrics are counted exactly and served at /metrics";
pub(super) const TRANSACTION_LOAD: &str = "transactions are loaded in pieces of 1 MiB";
pub(super) const TRANSACTION_WAITS: &str = "what waits for the transaction before is woken when that is complete";
pub(super) const START: &str = "a start takes well under a second and delays nothing";

/// Settings that Kafka had once and later dropped: still found in old files and manifests, taken with a warning.
pub(super) const REMOVED: &[(&str, &str)] = &[
    ("message.format.version", "records are stored in format v2 only"),
    ("message.downconversion.enable", "records are never converted to older formats"),
    ("log.message.format.version", "records are stored in format v2 only"),
    ("log.message.downconversion.enable", "records are never converted to older formats"),
    ("log.message.timestamp.difference.max.ms", "use log.message.timestamp.before.max.ms and .after.max.ms"),
    ("inter.broker.protocol.version", "the metadata carries its own version"),
    ("offsets.commit.required.acks", "commits always need every in-sync replica"),
    ("broker.id.generation.enable", "node ids are set, not generated"),
    ("reserved.broker.max.id", "node ids are set, not generated"),
    ("control.plane.listener.name", "there is no control plane listener"),
    ("delegation.token.master.key", "use delegation.token.secret.key"),
    ("eligible.leader.replicas.enable", "partitions have one replica until nodes form clusters"),
    ("zookeeper.connect", "there is no ZooKeeper"),
    ("zookeeper.connection.timeout.ms", "there is no ZooKeeper"),
    ("zookeeper.session.timeout.ms", "there is no ZooKeeper"),
];

/// Whether `name` is a topic setting Kafka dropped: it is taken and left out, not refused.
pub fn removed_topic_config(name: &str) -> bool {
    matches!(name, "message.format.version" | "message.downconversion.enable")
}
