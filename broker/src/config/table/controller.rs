//! Settings of Kafka's controllers: read from a Kafka file, warned about, not used.

use crate::config::definition::Check::{Any, AtLeast, Distinct, NonEmptyList, NonEmptyListOf};
use crate::config::definition::{Config, boolean, int, list, long, string};
use crate::config::reasons::CONTROLLER;

pub(super) const CONFIGS: &[Config] = &[
    list(
        "process.roles",
        None,
        NonEmptyListOf(&["broker", "controller"]),
        "Roles of the process. This node always is its own controller.",
    )
    .ignored(CONTROLLER),
    list("controller.listener.names", None, NonEmptyList, "Listeners of the controller. They are not opened.")
        .ignored(CONTROLLER),
    list("controller.quorum.voters", Some(""), Distinct, "Controllers as id@host:port.").ignored(CONTROLLER),
    list("controller.quorum.bootstrap.servers", Some(""), Distinct, "Where to find the controllers.")
        .ignored(CONTROLLER),
    int(
        "controller.quorum.append.linger.ms",
        Some("25"),
        AtLeast(0),
        "How long metadata records gather before they are written.",
    )
    .ignored(CONTROLLER),
    boolean(
        "controller.quorum.auto.join.enable",
        Some("false"),
        Any,
        "Whether a new controller joins the voters by itself.",
    )
    .ignored(CONTROLLER),
    int(
        "controller.quorum.election.backoff.max.ms",
        Some("1000"),
        AtLeast(0),
        "Longest pause before another election.",
    )
    .ignored(CONTROLLER),
    int("controller.quorum.election.timeout.ms", Some("1000"), AtLeast(0), "How long an election may take.")
        .ignored(CONTROLLER),
    int("controller.quorum.fetch.max.bytes", Some("1048576"), AtLeast(1), "Most bytes of a fetch of the metadata log.")
        .ignored(CONTROLLER),
    int(
        "controller.quorum.fetch.snapshot.max.bytes",
        Some("1048576"),
        AtLeast(1),
        "Most bytes of a fetch of a snapshot.",
    )
    .ignored(CONTROLLER),
    int(
        "controller.quorum.fetch.timeout.ms",
        Some("2000"),
        AtLeast(0),
        "How long without a fetch until a new election.",
    )
    .ignored(CONTROLLER),
    int(
        "controller.quorum.request.timeout.ms",
        Some("2000"),
        AtLeast(0),
        "How long a request to a controller may take.",
    )
    .ignored(CONTROLLER),
    int("controller.quorum.retry.backoff.ms", Some("20"), AtLeast(0), "Pause before such a request is repeated.")
        .ignored(CONTROLLER),
    int("controller.socket.timeout.ms", Some("30000"), Any, "Socket timeout towards the controller.")
        .ignored(CONTROLLER),
    long(
        "controller.performance.always.log.threshold.ms",
        Some("2000"),
        AtLeast(0),
        "Slow controller events above this are always logged.",
    )
    .internal()
    .ignored(CONTROLLER),
    long(
        "controller.performance.sample.period.ms",
        Some("60000"),
        AtLeast(100),
        "How often controller performance is logged.",
    )
    .internal()
    .ignored(CONTROLLER),
    int("broker.heartbeat.interval.ms", Some("2000"), Any, "How often a broker tells the controller that it lives.")
        .ignored(CONTROLLER),
    int("broker.session.timeout.ms", Some("9000"), Any, "How long a broker may be silent before it is fenced.")
        .ignored(CONTROLLER),
    int(
        "initial.broker.registration.timeout.ms",
        Some("60000"),
        Any,
        "How long a broker tries to register before it gives up.",
    )
    .ignored(CONTROLLER),
    string("metadata.log.dir", None, Any, "Directory of the metadata log. Here it lives in the first data directory.")
        .ignored(CONTROLLER),
    long(
        "metadata.log.max.record.bytes.between.snapshots",
        Some("20971520"),
        AtLeast(1),
        "Bytes of metadata records after which a snapshot replaces them.",
    ),
    long(
        "metadata.log.max.snapshot.interval.ms",
        Some("3600000"),
        AtLeast(0),
        "Longest time between snapshots of the metadata.",
    )
    .ignored(CONTROLLER),
    int("metadata.log.segment.bytes", Some("1073741824"), AtLeast(8388608), "Size of a segment of the metadata log.")
        .ignored(CONTROLLER),
    long("metadata.log.segment.ms", Some("604800000"), Any, "Age of a segment of the metadata log.")
        .ignored(CONTROLLER),
    int(
        "metadata.max.idle.interval.ms",
        Some("500"),
        AtLeast(0),
        "How often an idle controller writes an empty record.",
    )
    .ignored(CONTROLLER),
    long(
        "metadata.max.retention.bytes",
        Some("104857600"),
        Any,
        "Size of the metadata log before old parts are deleted.",
    )
    .ignored(CONTROLLER),
    long("metadata.max.retention.ms", Some("604800000"), Any, "Age of the metadata log before old parts are deleted.")
        .ignored(CONTROLLER),
    long(
        "internal.metadata.delete.delay.millis",
        Some("60000"),
        Any,
        "Delay before a file of the metadata log is deleted.",
    )
    .internal()
    .ignored(CONTROLLER),
    int("internal.metadata.log.segment.bytes", None, Any, "Size of a segment of the metadata log in tests.")
        .internal()
        .ignored(CONTROLLER),
    int("internal.metadata.max.batch.size.in.bytes", Some("8388608"), Any, "Largest batch of metadata records.")
        .internal()
        .ignored(CONTROLLER),
    long(
        "unclean.leader.election.interval.ms",
        Some("300000"),
        AtLeast(1),
        "How often unclean elections are considered.",
    )
    .internal()
    .ignored(CONTROLLER),
];
