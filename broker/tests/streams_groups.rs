//! Streams groups over the wire: an application gets its topics and tasks, keeps them over a restart, and is told what
//! stands in the way.

mod support;

use protocol::ErrorCode;
use protocol::messages::describe_configs::DescribeConfigsResource;
use protocol::messages::streams_group_heartbeat::{KeyValue, Subtopology, TaskIds, TopicInfo, Topology};
use protocol::messages::{
    DescribeConfigsRequest, FindCoordinatorRequest, ListGroupsRequest, StreamsGroupDescribeRequest,
    StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse,
};
use support::{Broker, Client, pause};

/// Groups that wait for nobody.
const PROMPT: [&str; 2] = ["group.streams.initial.rebalance.delay.ms=0", "group.streams.assignment.interval.ms=0"];

/// Counts the words of `t`; the counts are kept in a topic of this policy.
fn word_count(policy: &str) -> Topology {
    let topic = |name: &str| TopicInfo { name: name.to_owned(), ..Default::default() };
    let config = KeyValue { key: "cleanup.policy".to_owned(), value: policy.to_owned() };
    let first = Subtopology {
        subtopology_id: "0".to_owned(),
        source_topics: vec!["t".to_owned()],
        repartition_sink_topics: vec!["repartition".to_owned()],
        ..Default::default()
    };
    let second = Subtopology {
        subtopology_id: "1".to_owned(),
        repartition_source_topics: vec![topic("repartition")],
        state_changelog_topics: vec![TopicInfo { topic_configs: vec![config], ..topic("counts") }],
        ..Default::default()
    };
    Topology { epoch: 0, subtopologies: vec![first, second] }
}

fn join(topology: Topology) -> StreamsGroupHeartbeatRequest {
    StreamsGroupHeartbeatRequest {
        group_id: "g".to_owned(),
        member_id: "m".to_owned(),
        rebalance_timeout_ms: 60_000,
        process_id: Some("p".to_owned()),
        topology: Some(topology),
        active_tasks: Some(Vec::new()),
        standby_tasks: Some(Vec::new()),
        warmup_tasks: Some(Vec::new()),
        ..Default::default()
    }
}

fn alive(epoch: i32) -> StreamsGroupHeartbeatRequest {
    StreamsGroupHeartbeatRequest {
        group_id: "g".to_owned(),
        member_id: "m".to_owned(),
        member_epoch: epoch,
        ..Default::default()
    }
}

/// Asks until the coordinator has read its log.
fn beat(client: &mut Client, request: &StreamsGroupHeartbeatRequest) -> StreamsGroupHeartbeatResponse {
    for _ in 0..200 {
        let answer = client.call(request, 1);
        let soon = [ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, ErrorCode::NOT_COORDINATOR];
        if !soon.contains(&answer.error_code) {
            return answer;
        }
        pause();
    }
    panic!("the coordinator does not come");
}

fn client(broker: &Broker) -> Client {
    let mut client = broker.client_with_topic("t");
    let request = FindCoordinatorRequest { key: "g".to_owned(), ..Default::default() };
    assert_eq!(client.call(&request, 3).error_code, ErrorCode::NONE);
    client
}

fn statuses(answer: &StreamsGroupHeartbeatResponse) -> Vec<(i8, &str)> {
    let statuses = answer.status.iter().flatten();
    statuses.map(|status| (status.status_code, status.status_detail.as_str())).collect()
}

#[test]
fn an_application_gets_its_topics_and_tasks_and_keeps_them_over_a_restart() {
    let mut broker = Broker::start(&PROMPT);
    let mut client = client(&broker);
    let joined = beat(&mut client, &join(word_count("compact")));
    assert_eq!((joined.error_code, joined.error_message.clone()), (ErrorCode::NONE, None));
    assert_eq!(statuses(&joined), [(3, "Internal topics are missing: counts, repartition")]);
    let working = beat(&mut client, &alive(joined.member_epoch));
    assert_eq!(statuses(&working), []);
    let task = |id: &str| TaskIds { subtopology_id: id.to_owned(), partitions: vec![0] };
    assert_eq!(working.active_tasks, Some(vec![task("0"), task("1")]));
    let resource = DescribeConfigsResource {
        resource_type: 2,
        resource_name: "counts".to_owned(),
        configuration_keys: Some(vec!["cleanup.policy".to_owned()]),
    };
    let configs = client.call(&DescribeConfigsRequest { resources: vec![resource], ..Default::default() }, 4);
    assert_eq!(configs.results[0].configs[0].value.as_deref(), Some("compact"));

    broker.restart();
    let mut client = broker.client();
    let back = beat(&mut client, &alive(working.member_epoch));
    assert_eq!((back.error_code, back.member_epoch, statuses(&back)), (ErrorCode::NONE, working.member_epoch, vec![]));
    let listed = client.call(&ListGroupsRequest { types_filter: vec!["streams".to_owned()], ..Default::default() }, 5);
    let lines: Vec<_> = listed.groups.iter().map(|group| (&*group.group_id, &*group.group_state)).collect();
    assert_eq!(lines, [("g", "Stable")]);
    let request = StreamsGroupDescribeRequest {
        group_ids: vec!["g".to_owned(), "x".to_owned(), String::new()],
        include_topology_description: true,
        ..Default::default()
    };
    let described = client.call(&request, 1).groups;
    let codes: Vec<ErrorCode> = described.iter().map(|group| group.error_code).collect();
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::GROUP_ID_NOT_FOUND, ErrorCode::INVALID_GROUP_ID]);
    assert_eq!((&*described[0].group_state, described[0].topology_description_status), ("Stable", 1));
    assert_eq!(described[0].members[0].assignment, described[0].members[0].target_assignment);
}

#[test]
fn a_topic_that_cannot_be_made_is_told_with_the_reason() {
    let broker = Broker::start(&PROMPT);
    let mut client = client(&broker);
    let joined = beat(&mut client, &join(word_count("nonsense")));
    let told = statuses(&joined);
    assert!(told.len() == 1 && told[0].0 == 3 && told[0].1.contains("; Creation failed: counts ("), "{told:?}");
    let again = beat(&mut client, &alive(joined.member_epoch));
    let told = statuses(&again);
    assert!(
        told.len() == 1 && told[0].1.starts_with("Internal topics are missing: counts;"),
        "the other one is made: {told:?}"
    );
}

#[test]
fn the_protocol_can_be_switched_off() {
    let broker = Broker::start(&["group.coordinator.rebalance.protocols=classic,consumer"]);
    let mut client = client(&broker);
    assert_eq!(client.call(&join(word_count("compact")), 0).error_code, ErrorCode::UNSUPPORTED_VERSION);
    let request = StreamsGroupDescribeRequest { group_ids: vec!["g".to_owned()], ..Default::default() };
    assert_eq!(client.call(&request, 0).groups[0].error_code, ErrorCode::UNSUPPORTED_VERSION);
}
