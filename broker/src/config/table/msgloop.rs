//! Settings Kafka does not have; the names of broker, topic and group settings all begin with `msgloop.`.

use crate::config::definition::Check::{Any, AtLeast, OneOf};
use crate::config::definition::{Config, boolean, int, long, same, string};

/// Values of `msgloop.io.backend`.
pub const IO_BACKENDS: &[&str] = &["auto", "uring", "threads", "glommio"];
const DURABILITIES: &[&str] = &["sync", "os"];
const VALIDATIONS: &[&str] = &["batch", "records"];
const DURABILITY_DOC: &str = "When acks=1 and acks=all are answered: sync once the record is on stable storage, os once the operating system has it (safe against a killed process, not against a power cut). For now os is answered as late as sync is: the write-ahead log has one write that does both, and no cheaper one was measured yet.";
const VALIDATION_DOC: &str = "What is checked of a compressed batch before it is stored: batch its header and CRC, records also every record in it.";

pub(super) const CONFIGS: &[Config] = &[
    string(
        "msgloop.admin.listener",
        Some("127.0.0.1:9644"),
        Any,
        "host:port of the HTTP server for /metrics, /client-metrics, /healthz and /readyz; empty for none.",
    ),
    string("msgloop.batch.validation", Some("batch"), OneOf(VALIDATIONS), VALIDATION_DOC).cluster_wide(),
    int(
        "msgloop.connection.requests.max",
        Some("64"),
        AtLeast(1),
        "Requests of one connection that may be at work at a time; further ones wait in the socket.",
    ),
    int(
        "msgloop.cores",
        Some("0"),
        AtLeast(0),
        "Cores that serve connections and own partitions; 0 takes every core this process may use.",
    ),
    string("msgloop.durability", Some("sync"), OneOf(DURABILITIES), DURABILITY_DOC).cluster_wide(),
    string(
        "msgloop.io.backend",
        Some("auto"),
        OneOf(IO_BACKENDS),
        "How files are read and written: uring, threads, glommio (if built in), or auto: uring where the system allows it, else threads.",
    ),
    boolean(
        "msgloop.pinning",
        Some("true"),
        Any,
        "Whether each core's thread is bound to its core, where affinity and quota leave enough of them.",
    ),
    long(
        "msgloop.request.memory.bytes",
        Some("268435456"),
        AtLeast(1_048_576),
        "Memory that requests being read or handled may take in all; beyond it sockets are not read. Never less than one socket.request.max.bytes is used.",
    ),
    long(
        "msgloop.tail.memory.bytes",
        Some("268435456"),
        AtLeast(16_777_216),
        "Memory for recent records, of all cores together: what is not yet in a segment, what is kept for readers, and what responses still refer to.",
    ),
    long(
        "msgloop.wal.bytes",
        Some("1073741824"),
        AtLeast(134_217_728),
        "Size the write-ahead logs of all cores may grow to together; a core's at least to 96 KiB a partition and to four times the largest batch.",
    ),
    long(
        "msgloop.wal.file.bytes",
        Some("16777216"),
        AtLeast(1_048_576),
        "Size of one file of a write-ahead log that is made anew; a core has four of them at least. A start reads up to two of them beyond what it replays.",
    ),
];

pub(super) const TOPIC_CONFIGS: &[Config] = &[
    string("msgloop.batch.validation", Some("batch"), OneOf(VALIDATIONS), VALIDATION_DOC)
        .synonyms(&[same("msgloop.batch.validation")]),
    string("msgloop.durability", Some("sync"), OneOf(DURABILITIES), DURABILITY_DOC)
        .synonyms(&[same("msgloop.durability")]),
];
