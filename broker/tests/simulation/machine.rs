//! A whole broker on a simulated machine: all of it but threads and sockets.

use std::rc::Rc;

use broker::api::{Call, Reply};
use broker::config::{BrokerConfig, Settings, Values, topic_config};
use broker::context::ConnectionInfo;
use broker::failures::Failures;
use broker::metadata::ResourceId;
use broker::server;
use broker::shard::{Shard, ShardHandle};
use bytes::Bytes;
use protocol::Uuid;
use protocol::messages::{Request, ResponseHeader};
use protocol::wire::{Message, Reader};
use storage::runtime::Runtime;
use storage::runtime::simulated::Simulation;
use storage::{Engine, LogConfig, LogDirectory};

use crate::support::encode;

const CORES: usize = 2;
const CLUSTER: Uuid = Uuid([7; 16]);
const DIRECTORY: Uuid = Uuid([1; 16]);

/// Small files, few partitions, a clock that is looked at often.
const SETTINGS: [(&str, &str); 8] = [
    ("log.dirs", "data"),
    ("msgloop.wal.bytes", "134217728"),
    ("msgloop.wal.file.bytes", "1048576"),
    ("msgloop.tail.memory.bytes", "33554432"),
    ("log.cleaner.backoff.ms", "100"),
    ("offsets.topic.num.partitions", "2"),
    ("transaction.state.log.num.partitions", "2"),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "500"),
];

/// A broker that runs.
pub struct Machine {
    shards: Vec<Rc<Shard>>,
}

/// The cores of a simulated machine.
pub fn cores(simulation: &Simulation) -> Vec<Runtime> {
    (0..CORES).map(|_| simulation.runtime()).collect()
}

impl Machine {
    /// Starts the broker on what the disk holds.
    pub async fn start(cores: Vec<Runtime>) -> Machine {
        let values = SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = BrokerConfig::new(Settings::fixed(values.collect::<Values>())).expect("valid settings");
        let directory = LogDirectory { id: DIRECTORY, path: "data".into() };
        let disk = cores[0].disk();
        disk.create_directory_all(&directory.path).await.expect("created");
        disk.sync_directory("".as_ref()).await.expect("synced");
        let (handle, mailboxes) = ShardHandle::new(cores.len());
        let failures = Failures::new(vec![directory.path.clone()]);
        let shared = server::shared(config, vec![directory], handle);
        let mut shards = Vec::new();
        for ((core, mailbox), runtime) in mailboxes.into_iter().enumerate().zip(cores) {
            let options = server::engine_options(&shared, core);
            let engine = Engine::open(runtime.clone(), options).await.expect("the engine opens");
            let shard = Shard::new(core, runtime.clone(), engine, shared.clone());
            runtime.spawn(shard.clone().serve(mailbox));
            shards.push(shard);
        }
        server::put_in_service(&shared.shards, CLUSTER, &failures).await.expect("the broker starts");
        Machine { shards }
    }

    /// Has every log begin a new segment after so few bytes, fewer than the settings allow.
    pub fn shrink_segments(&self, segment_bytes: u64) {
        let config = self.shards[0].config();
        let image = self.shards[0].image();
        for partition in self.shards.iter().flat_map(|shard| shard.partitions()) {
            let set = image.config(&ResourceId::topic(partition.topic()));
            let log = LogConfig { segment_bytes, ..topic_config(&set, &config.settings).log };
            partition.log().set_config(log);
        }
    }

    /// One of its cores.
    pub fn shard(&self, core: usize) -> &Rc<Shard> {
        &self.shards[core]
    }

    /// A connection that a core serves.
    pub fn client(&self, core: usize) -> Client {
        let peer = "127.0.0.1:9".parse().expect("an address");
        let connection = Rc::new(ConnectionInfo::new("PLAINTEXT".to_owned(), peer));
        Client { shard: self.shards[core].clone(), connection }
    }
}

/// A connection without a socket.
#[derive(Clone)]
pub struct Client {
    pub shard: Rc<Shard>,
    connection: Rc<ConnectionInfo>,
}

impl Client {
    /// Sends a request and waits for its answer.
    pub async fn call<R: Request>(&self, request: &R, version: i16) -> R::Response {
        let frame = Bytes::from(encode(request, version, 1)).slice(4..);
        let call = Call::parse(&self.shard, &self.connection, frame).expect("a request");
        let Reply::Send(parts) = call.begin().expect("a body").await else { panic!("no answer") };
        let mut reader = Reader::new(Bytes::from(parts.concat()).slice(4..));
        ResponseHeader::decode(&mut reader, R::KEY, version).expect("a header");
        R::Response::decode(&mut reader, version).expect("a body")
    }
}
