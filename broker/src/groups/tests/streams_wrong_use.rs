//! What each StreamsGroupHeartbeat gets, right and wrong: the code, as Kafka's. What is wrong with a request in itself is
//! told by a table in `streams/request.rs`.

use protocol::messages::StreamsGroupHeartbeatRequest;
use protocol::messages::streams_group_heartbeat::{TaskIds, TaskOffset};

use super::consumer::Consumer;
use super::streams_client::{Thread, converge, stateless};
use super::*;
use crate::groups::streams::topology::tests::{info, reading, said};

/// A group of a dynamic member `a`, a static member `s` of the instance `i`, and a static member `gone` of the instance
/// `g` that left to come back. All others are in the same epoch.
fn world() -> (World, i32) {
    let mut world = World::prompt_streams();
    world.topic("t", 6);
    let topology = stateless("t");
    let mut threads =
        [Thread::new("a", "p", &topology), Thread::named("s", "i", &topology), Thread::named("gone", "g", &topology)];
    let [a, s, gone] = &mut threads;
    converge(&mut world, &mut [a, s, gone]);
    threads[2].leave(&mut world, -2);
    let epoch = world.streams().epoch();
    (world, epoch)
}

fn request(member_id: &str, epoch: i32) -> StreamsGroupHeartbeatRequest {
    StreamsGroupHeartbeatRequest {
        group_id: GROUP.to_owned(),
        member_id: member_id.to_owned(),
        member_epoch: epoch,
        ..Default::default()
    }
}

fn join(member_id: &str) -> StreamsGroupHeartbeatRequest {
    Thread::new(member_id, "p", &stateless("t")).request()
}

fn instance(id: &str, request: StreamsGroupHeartbeatRequest) -> StreamsGroupHeartbeatRequest {
    StreamsGroupHeartbeatRequest { instance_id: Some(id.to_owned()), ..request }
}

/// Says that it has one active task.
fn has(subtopology: &str, partition: i32, request: StreamsGroupHeartbeatRequest) -> StreamsGroupHeartbeatRequest {
    StreamsGroupHeartbeatRequest {
        active_tasks: Some(vec![TaskIds { subtopology_id: subtopology.to_owned(), partitions: vec![partition] }]),
        standby_tasks: Some(Vec::new()),
        warmup_tasks: Some(Vec::new()),
        ..request
    }
}

#[test]
fn each_request_gets_kafkas_code() {
    use ErrorCode as E;
    let (cast, e) = world();
    let member = cast.streams().member("a").expect("is there");
    let before = member.previous_epoch;
    let own = member.assigned.active.keys().next().expect("has some").partition;
    let foreign = (0..6).find(|number| !member.assigned.active.keys().any(|task| task.partition == *number));
    let foreign = foreign.expect("others have some");
    let offset = || TaskOffset { subtopology_id: "0".to_owned(), partition: 0, offset: 1 };
    let twice = Some(vec![offset(), offset()]);
    let other = |group: &str, request| StreamsGroupHeartbeatRequest { group_id: group.to_owned(), ..request };
    let cases: Vec<(&str, StreamsGroupHeartbeatRequest, ErrorCode)> = vec![
        ("is alive", request("a", e), E::NONE),
        ("joins", join("b"), E::NONE),
        ("joins again", join("a"), E::NONE),
        ("unknown member", request("b", e), E::UNKNOWN_MEMBER_ID),
        ("unknown group", other("x", request("a", e)), E::GROUP_ID_NOT_FOUND),
        ("leaves an unknown group", other("x", request("a", -1)), E::GROUP_ID_NOT_FOUND),
        ("a group of consumers", other("consumers", request("c", 2)), E::GROUP_ID_NOT_FOUND),
        ("joins a group of consumers", other("consumers", join("b")), E::GROUP_ID_NOT_FOUND),
        ("an epoch ahead", request("a", e + 1), E::FENCED_MEMBER_EPOCH),
        ("an epoch behind, says nothing", request("a", before), E::FENCED_MEMBER_EPOCH),
        ("an epoch behind", has("0", own, request("a", before)), E::NONE),
        ("an epoch behind, has too much", has("0", foreign, request("a", before)), E::FENCED_MEMBER_EPOCH),
        ("two epochs behind", has("0", own, request("a", before - 1)), E::FENCED_MEMBER_EPOCH),
        ("has what there is not", has("1", 0, request("a", e)), E::INVALID_REQUEST),
        ("a task too many", has("0", 6, request("a", e)), E::INVALID_REQUEST),
        ("a negative task", has("0", -1, request("a", e)), E::INVALID_REQUEST),
        (
            "an offset twice",
            StreamsGroupHeartbeatRequest { task_offsets: twice, ..request("a", e) },
            E::INVALID_REQUEST,
        ),
        ("static, is alive", instance("i", request("s", e)), E::NONE),
        ("static, unknown instance", instance("x", request("s", e)), E::UNKNOWN_MEMBER_ID),
        ("static, of another", instance("i", request("a", e)), E::FENCED_INSTANCE_ID),
        ("static, joins", instance("new", join("b")), E::NONE),
        ("static, takes a place that is taken", instance("i", join("b")), E::UNRELEASED_INSTANCE_ID),
        ("static, comes back", instance("g", join("b")), E::NONE),
        ("static, comes back as itself", instance("g", join("gone")), E::NONE),
        ("static, is alive although it left", instance("g", request("gone", e)), E::FENCED_MEMBER_EPOCH),
        ("leaves", request("a", -1), E::NONE),
        ("leaves, unknown", request("b", -1), E::UNKNOWN_MEMBER_ID),
        ("static, leaves for now", instance("i", request("s", -2)), E::NONE),
        ("static, leaves for good", instance("i", request("s", -1)), E::NONE),
        ("static, another leaves", instance("i", request("a", -1)), E::FENCED_INSTANCE_ID),
        ("static, nobody leaves", instance("x", request("s", -2)), E::UNKNOWN_MEMBER_ID),
    ];
    for (name, request, expected) in cases {
        let (mut world, _) = world();
        let consumer = other_group_of_consumers(&mut world);
        assert_eq!(consumer, ErrorCode::NONE);
        let snapshot = world.state.snapshot();
        let result = world.streams_beat(&request);
        assert_eq!(result.as_ref().map_or_else(|error| error.code, |_| E::NONE), expected, "{name}: {result:?}");
        if expected.is_error() {
            assert_eq!(world.state.snapshot(), snapshot, "{name}: nothing has changed");
        }
    }
}

fn other_group_of_consumers(world: &mut World) -> ErrorCode {
    let mut request = Consumer::new("c", &["t"]).request();
    request.group_id = "consumers".to_owned();
    world.consumer_beat(&request).map_or_else(|error| error.code, |_| ErrorCode::NONE)
}

#[test]
fn other_protocols_do_not_get_into_a_streams_group() {
    let (mut world, e) = world();
    let mut consumer = Consumer::new("c", &["t"]);
    assert_eq!(consumer.beat(&mut world), ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(world.heartbeat("a", e), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(world.leave("a", None), ErrorCode::UNKNOWN_MEMBER_ID);
    let token = world.sync("a", e, &[]);
    assert_eq!(world.synced(token).error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(world.state.describe(GROUP, 6).error_code, ErrorCode::GROUP_ID_NOT_FOUND);
    let described = world.state.describe_consumer_group(GROUP, &world.image);
    assert_eq!(described.error_code, ErrorCode::GROUP_ID_NOT_FOUND);
}

#[test]
fn a_full_group_takes_nobody_and_one_that_cannot_work_is_not_made() {
    let (mut world, _) = world();
    let streams = crate::groups::streams::StreamsSettings { size_max: 3, ..world.settings.streams.clone() };
    let settings = Rc::new(GroupSettings { streams, ..(*world.settings).clone() });
    world.state.set_settings(settings);
    let code = |world: &mut World, request| world.streams_beat(&request).map_or_else(|e| e.code, |_| ErrorCode::NONE);
    assert_eq!(code(&mut world, join("b")), ErrorCode::GROUP_MAX_SIZE_REACHED);
    assert_eq!(code(&mut world, join("a")), ErrorCode::NONE);
    assert_eq!(code(&mut world, instance("g", join("b"))), ErrorCode::NONE);
    let looping = protocol::messages::streams_group_heartbeat::Subtopology {
        repartition_source_topics: vec![info("r", 0)],
        ..reading("0", "t")
    };
    let mut request = join("b");
    (request.group_id, request.topology) = ("new".to_owned(), Some(said(vec![looping])));
    assert_eq!(code(&mut world, request), ErrorCode::STREAMS_INVALID_TOPOLOGY);
    assert!(world.state.group("new").is_none());
}
