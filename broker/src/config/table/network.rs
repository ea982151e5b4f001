//! Listeners, sockets and the bounds on connections and requests.

use crate::config::definition::Check::{Any, AtLeast, Distinct, NonEmptyList, OneOf};
use crate::config::definition::{Config, int, list, long, string};
use crate::config::reasons::{CORES, NO_PURGATORY, NO_SASL, ONE_REPLICA};

pub(super) const CONFIGS: &[Config] = &[
    list("listeners", Some("PLAINTEXT://127.0.0.1:9092"), NonEmptyList, "Addresses to listen on, as NAME://host:port separated by commas; an empty host or 0.0.0.0 means every interface.").per_broker(),
    list("advertised.listeners", None, Distinct, "Addresses told to clients, one for each listener; the addresses of listeners when not set."),
    string("listener.security.protocol.map", Some("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT"), Any, "Security protocol of each listener name. Only PLAINTEXT can be served so far.").per_broker(),
    list("early.start.listeners", None, Distinct, "Listeners that open before the authorizer is ready.").ignored("every listener opens once the node is ready"),
    string("inter.broker.listener.name", None, Any, "Name of the listener other brokers connect to.").ignored(ONE_REPLICA),
    string("security.inter.broker.protocol", Some("PLAINTEXT"), OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]), "Security protocol between brokers when inter.broker.listener.name is not set.").ignored(ONE_REPLICA),
    int("socket.listen.backlog.size", Some("50"), AtLeast(1), "How many connections may wait to be accepted on a listener."),
    int("socket.receive.buffer.bytes", Some("102400"), Any, "SO_RCVBUF of client connections; -1 leaves the operating system's choice."),
    int("socket.send.buffer.bytes", Some("102400"), Any, "SO_SNDBUF of client connections; -1 leaves the operating system's choice."),
    int("socket.request.max.bytes", Some("104857600"), AtLeast(1), "Largest request in bytes; a larger one closes its connection."),
    long("socket.connection.setup.timeout.ms", Some("10000"), Any, "How long to wait for a connection to another node to be made.").ignored(ONE_REPLICA),
    long("socket.connection.setup.timeout.max.ms", Some("30000"), Any, "Upper bound of the wait for a connection to another node as attempts fail.").ignored(ONE_REPLICA),
    long("connections.max.idle.ms", Some("600000"), Any, "A connection without requests for this long is closed."),
    int("connection.failed.authentication.delay.ms", Some("100"), AtLeast(0), "Delay before a connection that failed to authenticate is closed.").ignored(NO_SASL),
    int("max.connections", Some("2147483647"), AtLeast(0), "Most connections this node keeps open at a time.").cluster_wide(),
    int("max.connections.per.ip", Some("2147483647"), AtLeast(0), "Most connections from one address.").cluster_wide(),
    string("max.connections.per.ip.overrides", Some(""), Any, "Exceptions to max.connections.per.ip, as host:count separated by commas.").cluster_wide(),
    int("max.connection.creation.rate", Some("2147483647"), AtLeast(0), "New connections accepted per second.").cluster_wide(),
    int("num.network.threads", Some("3"), AtLeast(1), "Network threads of each listener.").cluster_wide().ignored(CORES),
    int("num.io.threads", Some("8"), AtLeast(1), "Threads that handle requests.").cluster_wide().ignored(CORES),
    int("background.threads", Some("10"), AtLeast(1), "Threads for background work.").cluster_wide().ignored(CORES),
    int("queued.max.requests", Some("500"), AtLeast(1), "Requests that may wait before network threads stop reading.").ignored("requests are bounded by memory instead, see msgloop.request.memory.bytes"),
    long("queued.max.request.bytes", Some("-1"), Any, "Bytes of requests that may wait; -1 for no bound.").ignored("bounded by msgloop.request.memory.bytes"),
    int("request.timeout.ms", Some("30000"), Any, "How long the broker waits for its own requests to other nodes, and a coordinator for its records, before it gives up."),
    int("max.request.partition.size.limit", Some("2000"), AtLeast(1), "Most partitions in one DescribeTopicPartitions answer."),
    int("fetch.max.bytes", Some("57671680"), AtLeast(1024), "Most bytes a Fetch answer carries, whatever the client asks for; the first batch is always whole."),
    int("max.incremental.fetch.session.cache.slots", Some("1000"), AtLeast(0), "Most incremental fetch sessions kept."),
    int("fetch.purgatory.purge.interval.requests", Some("1000"), Any, "How often finished entries are dropped from the fetch purgatory.").ignored(NO_PURGATORY),
    int("producer.purgatory.purge.interval.requests", Some("1000"), Any, "How often finished entries are dropped from the produce purgatory.").ignored(NO_PURGATORY),
    int("delete.records.purgatory.purge.interval.requests", Some("1"), Any, "How often finished entries are dropped from the delete records purgatory.").ignored(NO_PURGATORY),
    int("share.fetch.purgatory.purge.interval.requests", Some("1000"), Any, "How often finished entries are dropped from the share fetch purgatory.").ignored(NO_PURGATORY),
];
