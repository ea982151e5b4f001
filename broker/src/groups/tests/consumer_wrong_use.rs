//! What each ConsumerGroupHeartbeat gets, right and wrong: the code, as Kafka's.

use protocol::messages::ConsumerGroupHeartbeatRequest;
use protocol::messages::consumer_group_heartbeat::TopicPartitions;

use super::consumer::{Consumer, converge};
use super::*;
use crate::groups::consumer::check_heartbeat;

/// A group of a dynamic member `a`, a static member `s` of the instance `i`, and a static member `gone` of the instance
/// `g` that left to come back. All others are in the epoch `E`.
fn world() -> (World, i32) {
    let mut world = World::eager();
    world.topic("t", 4);
    let mut members =
        [Consumer::new("a", &["t"]), Consumer::named("s", "i", &["t"]), Consumer::named("gone", "g", &["t"])];
    let [a, s, gone] = &mut members;
    converge(&mut world, &mut [a, s, gone]);
    members[2].leave(&mut world, -2);
    let epoch = world.consumers().epoch();
    (world, epoch)
}

fn request(member_id: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: GROUP.to_owned(),
        member_id: member_id.to_owned(),
        member_epoch: epoch,
        ..Default::default()
    }
}

fn join(member_id: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        rebalance_timeout_ms: 1_000,
        subscribed_topic_names: Some(vec!["t".to_owned()]),
        topic_partitions: Some(Vec::new()),
        ..request(member_id, 0)
    }
}

fn instance(id: &str, request: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest { instance_id: Some(id.to_owned()), ..request }
}

#[test]
fn each_request_gets_kafkas_code() {
    use ErrorCode as E;
    let (cast, e) = world();
    let before = cast.consumers().member("a").expect("is there").previous_epoch;
    let some = |text: &str| Some(text.to_owned());
    let reads = |topic: u8| Some(vec![TopicPartitions { topic_id: Uuid([topic; 16]), partitions: vec![0] }]);
    let cases: Vec<(&str, i16, ConsumerGroupHeartbeatRequest, ErrorCode)> = vec![
        ("is alive", 1, request("a", e), E::NONE),
        ("joins", 1, join("b"), E::NONE),
        ("joins without an id", 1, join(""), E::INVALID_REQUEST),
        ("is given an id", 0, join(""), E::NONE),
        ("blank id", 1, join("  "), E::INVALID_REQUEST),
        ("no group", 1, ConsumerGroupHeartbeatRequest { group_id: String::new(), ..join("b") }, E::INVALID_REQUEST),
        ("empty instance", 1, instance("", join("b")), E::INVALID_REQUEST),
        ("empty rack", 1, ConsumerGroupHeartbeatRequest { rack_id: some(""), ..join("b") }, E::INVALID_REQUEST),
        ("no timeout", 1, ConsumerGroupHeartbeatRequest { rebalance_timeout_ms: -1, ..join("b") }, E::INVALID_REQUEST),
        (
            "no topics",
            1,
            ConsumerGroupHeartbeatRequest { subscribed_topic_names: None, ..join("b") },
            E::INVALID_REQUEST,
        ),
        ("reads unsaid", 1, ConsumerGroupHeartbeatRequest { topic_partitions: None, ..join("b") }, E::INVALID_REQUEST),
        ("reads", 1, ConsumerGroupHeartbeatRequest { topic_partitions: reads(1), ..join("b") }, E::INVALID_REQUEST),
        ("epoch -3", 1, request("a", -3), E::INVALID_REQUEST),
        (
            "assignor",
            1,
            ConsumerGroupHeartbeatRequest { server_assignor: some("x"), ..join("b") },
            E::UNSUPPORTED_ASSIGNOR,
        ),
        (
            "pattern",
            1,
            ConsumerGroupHeartbeatRequest { subscribed_topic_regex: some("("), ..join("b") },
            E::INVALID_REGULAR_EXPRESSION,
        ),
        (
            "subscription too large for a record",
            1,
            ConsumerGroupHeartbeatRequest { subscribed_topic_names: Some(vec!["x".repeat(600_000)]), ..join("b") },
            E::UNKNOWN_SERVER_ERROR,
        ),
        ("unknown", 1, request("x", e), E::UNKNOWN_MEMBER_ID),
        ("from the future", 1, request("a", e + 1), E::FENCED_MEMBER_EPOCH),
        ("from the past", 1, request("a", before - 1), E::FENCED_MEMBER_EPOCH),
        ("one behind, unsaid", 1, request("a", before), E::FENCED_MEMBER_EPOCH),
        (
            "one behind, reads nothing",
            1,
            ConsumerGroupHeartbeatRequest { topic_partitions: Some(Vec::new()), ..request("a", before) },
            E::NONE,
        ),
        (
            "one behind, reads what it has not",
            1,
            ConsumerGroupHeartbeatRequest { topic_partitions: reads(9), ..request("a", before) },
            E::FENCED_MEMBER_EPOCH,
        ),
        ("joins again", 1, join("a"), E::NONE),
        ("instance in use", 1, instance("i", join("b")), E::UNRELEASED_INSTANCE_ID),
        ("instance free", 1, instance("g", join("b")), E::NONE),
        ("instance of another", 1, instance("i", request("a", e)), E::FENCED_INSTANCE_ID),
        ("instance unknown", 1, instance("x", request("a", e)), E::UNKNOWN_MEMBER_ID),
        ("static is alive", 1, instance("i", request("s", e)), E::NONE),
        ("static from the future", 1, instance("i", request("s", e + 1)), E::FENCED_MEMBER_EPOCH),
        ("leaves", 1, request("a", -1), E::NONE),
        ("leaves unknown", 1, request("x", -1), E::UNKNOWN_MEMBER_ID),
        ("leaves without an id", 0, request("", -1), E::INVALID_REQUEST),
        ("leaves for now, not static", 1, request("a", -2), E::INVALID_REQUEST),
        ("leaves for now", 1, instance("i", request("s", -2)), E::NONE),
        ("leaves for another", 1, instance("i", request("a", -2)), E::FENCED_INSTANCE_ID),
        ("leaves for good, instance unknown", 1, instance("x", request("a", -1)), E::UNKNOWN_MEMBER_ID),
    ];
    for (name, version, request, expected) in cases {
        let (mut world, _) = world();
        let said = world.state.snapshot();
        let checked = check_heartbeat(&world.settings, &request, version);
        let result = checked.and_then(|()| world.consumer_beat(&request));
        let code = result.as_ref().err().map_or(E::NONE, |error| error.code);
        assert_eq!(code, expected, "{name}: {result:?}");
        if code != E::NONE {
            assert_eq!(world.state.snapshot(), said, "{name}: a refused request changes nothing");
        }
    }
}

#[test]
fn groups_of_other_kinds_and_full_ones() {
    let mut world = World::new();
    assert_eq!(world.consumer_beat(&request("a", 1)).map_err(|e| e.code), Err(ErrorCode::GROUP_ID_NOT_FOUND));
    assert_eq!(world.consumer_beat(&request("a", -1)).map_err(|e| e.code), Err(ErrorCode::GROUP_ID_NOT_FOUND));
    world.commit(NOBODY, 8, 1);
    assert_eq!(world.consumer_beat(&request("a", 1)).map_err(|e| e.code), Err(ErrorCode::GROUP_ID_NOT_FOUND));
    let mut world = World::with(GroupSettings { consumer_group_size_max: 1, ..GroupSettings::default() });
    assert!(world.consumer_beat(&join("a")).is_ok());
    assert_eq!(world.consumer_beat(&join("b")).map_err(|e| e.code), Err(ErrorCode::GROUP_MAX_SIZE_REACHED));
    assert!(world.consumer_beat(&join("a")).is_ok());
    // What DescribeGroups, DeleteGroups and OffsetDelete say of it.
    assert_eq!(world.state.describe(GROUP, 6).error_code, ErrorCode::GROUP_ID_NOT_FOUND);
    let deleted = world.apply(|state, _, effects| state.delete_groups(&[GROUP.to_owned()], effects));
    assert_eq!(deleted[0].error_code, ErrorCode::NON_EMPTY_GROUP);
    assert!(world.consumer_beat(&request("a", -1)).is_ok());
    let deleted = world.apply(|state, _, effects| state.delete_groups(&[GROUP.to_owned()], effects));
    assert_eq!((deleted[0].error_code, world.state.group_count()), (ErrorCode::NONE, 0));
    super::consumer::check_replay(&world);
}
