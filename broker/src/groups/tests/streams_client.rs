//! A Kafka Streams client as the tests need it, and the broker around the state machine: it makes the topics that an
//! answer asks for.

use protocol::messages::streams_group_heartbeat as wire;
use protocol::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};

use super::replay::check_logs;
use super::*;
use crate::groups::streams::tasks::{TaskSet, Tasks, from_lists, to_lists};
use crate::groups::streams::topology::tests::{info, reading, said, words};
use crate::groups::streams::{StreamsAnswer, StreamsGroup, StreamsHeartbeat, StreamsSettings};
use crate::metadata::decide::ApiError;

/// A thread of an application that does what Kafka's does: it reports its tasks when they changed, gives up at once what
/// it no longer has, and begins anew when it is fenced.
#[derive(Debug, Clone)]
pub struct Thread {
    pub id: String,
    pub process: String,
    pub instance_id: Option<String>,
    pub endpoint: Option<u16>,
    pub tags: Vec<(&'static str, &'static str)>,
    pub topology: wire::Topology,
    pub epoch: i32,
    pub endpoint_epoch: i32,
    pub has: Tasks,
    /// What it last reported.
    pub reported: Option<Tasks>,
    /// As last told.
    pub statuses: Vec<(i8, String)>,
    pub endpoints: Vec<wire::EndpointToPartitions>,
}

impl Thread {
    /// A thread of the process `process`.
    pub fn new(id: &str, process: &str, topology: &wire::Topology) -> Thread {
        Thread {
            id: id.to_owned(),
            process: process.to_owned(),
            instance_id: None,
            endpoint: None,
            tags: Vec::new(),
            topology: topology.clone(),
            epoch: 0,
            endpoint_epoch: 0,
            has: Tasks::default(),
            reported: None,
            statuses: Vec::new(),
            endpoints: Vec::new(),
        }
    }

    pub fn named(id: &str, instance_id: &str, topology: &wire::Topology) -> Thread {
        Thread { instance_id: Some(instance_id.to_owned()), ..Thread::new(id, instance_id, topology) }
    }

    pub fn request(&self) -> StreamsGroupHeartbeatRequest {
        let joins = self.epoch == 0;
        let tell = joins || self.reported.as_ref() != Some(&self.has);
        let tags =
            self.tags.iter().map(|(key, value)| wire::KeyValue { key: key.to_string(), value: value.to_string() });
        StreamsGroupHeartbeatRequest {
            group_id: GROUP.to_owned(),
            member_id: self.id.clone(),
            member_epoch: self.epoch,
            endpoint_information_epoch: self.endpoint_epoch,
            instance_id: self.instance_id.clone(),
            rebalance_timeout_ms: if joins { 60_000 } else { -1 },
            topology: joins.then(|| self.topology.clone()),
            process_id: joins.then(|| self.process.clone()),
            user_endpoint: self.endpoint.filter(|_| joins).map(|port| wire::Endpoint { host: self.id.clone(), port }),
            client_tags: joins.then(|| tags.collect()),
            active_tasks: tell.then(|| to_lists(&self.has.active)),
            standby_tasks: tell.then(|| to_lists(&self.has.standby)),
            warmup_tasks: tell.then(|| to_lists(&self.has.warmup)),
            ..Default::default()
        }
    }

    /// Sends a heartbeat and does what the answer says.
    pub fn beat(&mut self, world: &mut World) -> ErrorCode {
        let request = self.request();
        let result = world.streams_beat(&request);
        self.hear(&request, result)
    }

    pub fn hear(
        &mut self,
        request: &StreamsGroupHeartbeatRequest,
        result: Result<StreamsAnswer, ApiError>,
    ) -> ErrorCode {
        match result {
            Ok(StreamsAnswer { response, .. }) => {
                self.take(request, response);
                ErrorCode::NONE
            }
            Err(error) => {
                if matches!(error.code, ErrorCode::FENCED_MEMBER_EPOCH | ErrorCode::UNKNOWN_MEMBER_ID) {
                    self.begin_anew();
                }
                error.code
            }
        }
    }

    fn take(&mut self, request: &StreamsGroupHeartbeatRequest, response: StreamsGroupHeartbeatResponse) {
        self.epoch = response.member_epoch;
        if request.active_tasks.is_some() {
            self.reported = Some(self.has.clone());
        }
        if let (Some(active), Some(standby), Some(warmup)) =
            (response.active_tasks, response.standby_tasks, response.warmup_tasks)
        {
            self.has =
                Tasks { active: from_lists(&active), standby: from_lists(&standby), warmup: from_lists(&warmup) };
        }
        self.endpoint_epoch = response.endpoint_information_epoch;
        self.endpoints = response.partitions_by_user_endpoint.unwrap_or_else(|| self.endpoints.clone());
        let statuses = response.status.unwrap_or_default().into_iter();
        self.statuses = statuses.map(|status| (status.status_code, status.status_detail)).collect();
    }

    pub fn begin_anew(&mut self) {
        (self.epoch, self.has, self.reported) = (0, Tasks::default(), None);
    }

    pub fn leave(&mut self, world: &mut World, epoch: i32) -> ErrorCode {
        self.begin_anew();
        self.epoch = epoch;
        let request = StreamsGroupHeartbeatRequest {
            topology: None,
            active_tasks: None,
            standby_tasks: None,
            warmup_tasks: None,
            ..self.request()
        };
        self.epoch = 0;
        world.streams_beat(&request).map_or_else(|error| error.code, |_| ErrorCode::NONE)
    }

    pub fn codes(&self) -> Vec<i8> {
        self.statuses.iter().map(|(code, _)| *code).collect()
    }

    /// Active and standby tasks, as `"0:1 1:0 / 0:0"`.
    pub fn tasks(&self) -> String {
        let list = |tasks: &TaskSet| {
            tasks.iter().map(|task| format!("{}:{}", task.subtopology, task.partition)).collect::<Vec<_>>().join(" ")
        };
        match (list(&self.has.active), list(&self.has.standby)) {
            (active, standby) if standby.is_empty() => active,
            (active, standby) => format!("{active} / {standby}"),
        }
    }
}

/// Reads `sources`, without state.
pub fn stateless(sources: &str) -> wire::Topology {
    said(vec![reading("0", sources)])
}

/// Counts the words of `t`: subtopology 0 writes `repartition`, subtopology 1 reads that and keeps `counts`.
pub fn word_count() -> wire::Topology {
    let first = wire::Subtopology { repartition_sink_topics: words("repartition"), ..reading("0", "t") };
    let second = wire::Subtopology {
        repartition_source_topics: vec![info("repartition", 0)],
        state_changelog_topics: vec![info("counts", 0)],
        ..reading("1", "")
    };
    said(vec![first, second])
}

impl World {
    /// A group that waits neither for its first nor for its next assignment.
    pub fn prompt_streams() -> World {
        let streams =
            StreamsSettings { initial_rebalance_delay_ms: 0, assignment_interval_ms: 0, ..StreamsSettings::default() };
        World::with(GroupSettings { streams, ..GroupSettings::default() })
    }

    /// A heartbeat as the broker takes it; topics that the answer asks for are made before the next one.
    pub fn streams_beat(&mut self, request: &StreamsGroupHeartbeatRequest) -> Result<StreamsAnswer, ApiError> {
        self.streams_beat_in(1, request)
    }

    pub fn streams_beat_in(
        &mut self,
        version: i16,
        request: &StreamsGroupHeartbeatRequest,
    ) -> Result<StreamsAnswer, ApiError> {
        let event = StreamsHeartbeat { request, version, client_id: "client", client_host: "/127.0.0.1" };
        let answer = self.apply(|state, now_ms, effects| state.streams_heartbeat(&event, now_ms, effects))?;
        for topic in &answer.missing {
            self.topic(&topic.name, topic.num_partitions as usize);
        }
        Ok(answer)
    }

    pub fn streams(&self) -> &StreamsGroup {
        match self.state.group(GROUP) {
            Some(Group::Streams(group)) => group,
            other => panic!("no streams group: {other:?}"),
        }
    }
}

/// Lets threads beat until nothing changes any more.
pub fn converge(world: &mut World, threads: &mut [&mut Thread]) {
    for _ in 0..20 {
        let before: Vec<(i32, Tasks)> = threads.iter().map(|thread| (thread.epoch, thread.has.clone())).collect();
        for thread in threads.iter_mut() {
            thread.beat(world);
        }
        let after: Vec<(i32, Tasks)> = threads.iter().map(|thread| (thread.epoch, thread.has.clone())).collect();
        if before == after && matches!(world.state_name(), "Stable" | "NotReady") {
            return;
        }
    }
    panic!("the group does not come to rest: {} {threads:?}", world.state_name());
}

/// The records alone make the same group again.
pub fn check_replay(world: &World) {
    check_logs(world, GroupState::snapshot);
}
