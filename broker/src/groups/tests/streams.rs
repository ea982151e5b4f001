//! Streams groups, told as short stories.

use super::streams_client::{Thread, check_replay, converge, stateless, word_count};
use super::*;
use crate::groups::state::ListFilter;
use crate::groups::streams::MemberState;
use crate::groups::streams::topology::tests::{reading, said};

#[test]
fn the_first_member_has_topics_made_and_gets_every_task() {
    let mut world = World::prompt_streams();
    world.topic("t", 2);
    let mut first = Thread::new("a", "p", &word_count());
    let answer = world.streams_beat(&first.request()).expect("joined");
    let made: Vec<_> = answer.missing.iter().map(|topic| (topic.name.as_str(), topic.num_partitions)).collect();
    assert_eq!(made, [("counts", 2), ("repartition", 2)]);
    let status = &answer.response.status.as_ref().expect("told")[0];
    assert_eq!((status.status_code, &*status.status_detail), (3, "Internal topics are missing: counts, repartition"));
    assert_eq!(world.state_name(), "NotReady");
    let response = &answer.response;
    assert_eq!((response.member_epoch, response.heartbeat_interval_ms), (2, 5_000));
    assert_eq!((response.task_offset_interval_ms, response.acceptable_recovery_lag), (60_000, 10_000));
    converge(&mut world, &mut [&mut first]);
    assert_eq!((first.tasks().as_str(), first.epoch, first.codes()), ("0:0 0:1 1:0 1:1", 3, vec![]));
    assert_eq!(world.state_name(), "Stable");
    let quiet = world.streams_beat(&first.request()).expect("alive").response;
    assert_eq!((quiet.active_tasks, quiet.status), (None, Some(Vec::new())), "nothing new to tell");
    check_replay(&world);
}

#[test]
fn members_that_come_together_are_assigned_together() {
    let mut world = World::new();
    world.topic("t", 4);
    let mut threads: Vec<Thread> = ["a", "b"].iter().map(|id| Thread::new(id, id, &stateless("t"))).collect();
    for thread in &mut threads {
        thread.beat(&mut world);
        assert_eq!((thread.epoch, thread.tasks().as_str(), thread.codes()), (1, "", vec![5]), "{}", thread.id);
    }
    assert_eq!(world.state_name(), "Assigning");
    world.advance(2_999);
    assert_eq!(world.streams().assignment_epoch(), 1);
    world.advance(1);
    assert_eq!((world.streams().epoch(), world.streams().assignment_epoch()), (3, 3), "without a heartbeat");
    threads.iter_mut().for_each(|thread| assert_eq!(thread.beat(&mut world), ErrorCode::NONE));
    let told: Vec<String> = threads.iter().map(Thread::tasks).collect();
    assert_eq!((told, world.state_name()), (vec!["0:0 0:2".to_owned(), "0:1 0:3".to_owned()], "Stable"));
    // The next assignment keeps its distance from this one.
    let mut third = Thread::new("c", "c", &stateless("t"));
    world.advance(999);
    third.beat(&mut world);
    assert_eq!((third.codes(), world.streams().assignment_epoch()), (vec![5], 3));
    world.advance(1);
    third.beat(&mut world);
    assert_eq!((third.codes(), world.streams().assignment_epoch()), (vec![], 4));
    check_replay(&world);
}

#[test]
fn a_group_that_emptied_while_it_waited_is_not_assigned() {
    let mut world = World::new();
    world.topic("t", 4);
    let mut first = Thread::new("a", "p", &stateless("t"));
    first.beat(&mut world);
    assert_eq!(first.leave(&mut world, -1), ErrorCode::NONE);
    world.advance(3_000);
    assert_eq!((world.state_name(), world.streams().assignment_epoch()), ("Empty", 3));
    // Who comes then waits anew.
    first.beat(&mut world);
    assert_eq!(first.codes(), [5]);
    world.advance(3_000);
    first.beat(&mut world);
    assert_eq!(first.tasks(), "0:0 0:1 0:2 0:3");
    check_replay(&world);
}

#[test]
fn a_group_that_could_not_be_deleted_waits_anew() {
    let mut world = World::new();
    world.topic("t", 1);
    let mut thread = Thread::new("a", "p", &stateless("t"));
    thread.beat(&mut world);
    thread.leave(&mut world, -1);
    world.outcome = Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
    world.apply(|state, _, effects| state.delete_groups(&[GROUP.to_owned()], effects));
    world.outcome = Ok(());
    assert_eq!(world.state_name(), "Empty", "it is back");
    thread.beat(&mut world);
    world.advance(3_000);
    thread.beat(&mut world);
    assert_eq!((thread.tasks().as_str(), thread.codes()), ("0:0", vec![]));
}

#[test]
fn a_second_member_waits_until_the_first_has_given_up_its_share() {
    let mut world = World::prompt_streams();
    world.topic("t", 4);
    let (mut first, mut second) = (Thread::new("a", "p", &stateless("t")), Thread::new("b", "q", &stateless("t")));
    converge(&mut world, &mut [&mut first]);
    second.beat(&mut world);
    assert_eq!((second.epoch, second.tasks().as_str(), world.state_name()), (3, "", "Reconciling"));
    let state = |world: &World, id: &str| world.streams().member(id).map(|member| member.state);
    assert_eq!(state(&world, "b"), Some(MemberState::UnreleasedTasks));
    first.beat(&mut world);
    assert_eq!((first.epoch, first.tasks().as_str()), (2, "0:0 0:1"), "asked to give up two, in its old epoch");
    assert_eq!(state(&world, "a"), Some(MemberState::UnrevokedTasks));
    second.beat(&mut world);
    assert_eq!(second.tasks(), "", "not yet given up");
    first.beat(&mut world);
    second.beat(&mut world);
    assert_eq!((first.epoch, second.tasks().as_str(), world.state_name()), (3, "0:2 0:3", "Stable"));
    check_replay(&world);
}

#[test]
fn standby_copies_are_elsewhere_and_take_over() {
    let mut world = World::prompt_streams();
    world.configure("streams.num.standby.replicas", "1");
    world.topic("t", 2);
    let (mut first, mut second) = (Thread::new("a", "p", &word_count()), Thread::new("b", "q", &word_count()));
    converge(&mut world, &mut [&mut first, &mut second]);
    assert_eq!((first.tasks().as_str(), second.tasks().as_str()), ("0:0 1:0 / 1:1", "0:1 1:1 / 1:0"));
    second.leave(&mut world, -1);
    converge(&mut world, &mut [&mut first]);
    assert_eq!(first.tasks(), "0:0 0:1 1:0 1:1");
    let epoch = world.streams().epoch();
    world.configure("streams.num.standby.replicas", "0");
    converge(&mut world, &mut [&mut first]);
    assert_eq!(world.streams().epoch(), epoch + 1, "a setting of the assignment begins an epoch");
    check_replay(&world);
}

#[test]
fn topics_that_come_go_and_do_not_fit_are_followed() {
    let mut world = World::prompt_streams();
    let mut thread = Thread::new("a", "p", &stateless("t u"));
    world.topic("t", 2);
    thread.beat(&mut world);
    assert_eq!(thread.statuses, [(1, "Source topics u are missing.".to_owned())]);
    assert_eq!((world.state_name(), thread.epoch), ("NotReady", 2));
    world.topic("u", 3);
    converge(&mut world, &mut [&mut thread]);
    assert_eq!((thread.tasks().as_str(), thread.codes()), ("0:0 0:1 0:2", vec![]));
    world.topic("u", 4);
    converge(&mut world, &mut [&mut thread]);
    assert_eq!(thread.tasks(), "0:0 0:1 0:2 0:3");
    let epoch = world.streams().epoch();
    world.topic("other", 1);
    converge(&mut world, &mut [&mut thread]);
    assert_eq!(world.streams().epoch(), epoch, "what is not read does not matter");
    world.delete_topic("u");
    converge(&mut world, &mut [&mut thread]);
    assert_eq!((thread.tasks().as_str(), thread.codes(), world.state_name()), ("", vec![1], "NotReady"));
    check_replay(&world);

    let mut world = World::prompt_streams();
    world.topic("t", 2);
    world.topic("counts", 3);
    let mut thread = Thread::new("a", "p", &word_count());
    thread.beat(&mut world);
    let detail = "Existing topic counts has different number of partitions: expected 2, found 3";
    assert_eq!(thread.statuses, [(2, detail.to_owned())]);
}

#[test]
fn silence_ends_a_session_and_slow_revocation_ends_it_too() {
    let mut world = World::prompt_streams();
    world.topic("t", 4);
    let (mut first, mut second) = (Thread::new("a", "p", &stateless("t")), Thread::new("b", "q", &stateless("t")));
    converge(&mut world, &mut [&mut first]);
    second.beat(&mut world);
    // The first keeps beating and never gives up what it should.
    for _ in 0..13 {
        let mut request = first.request();
        (request.active_tasks, request.standby_tasks, request.warmup_tasks) = (None, None, None);
        let _ = world.streams_beat(&request);
        world.advance(5_000);
        second.beat(&mut world);
    }
    assert!(world.streams().member("a").is_none(), "its rebalance timeout is over");
    converge(&mut world, &mut [&mut second]);
    assert_eq!(second.tasks(), "0:0 0:1 0:2 0:3");
    world.advance(44_999);
    assert_eq!(world.state_name(), "Stable");
    world.advance(1);
    assert_eq!(world.state_name(), "Empty");
    check_replay(&world);
}

#[test]
fn a_static_member_that_leaves_for_now_gets_the_same_back() {
    let mut world = World::prompt_streams();
    world.topic("t", 4);
    let mut threads = [Thread::named("a", "s1", &stateless("t")), Thread::named("b", "s2", &stateless("t"))];
    let [first, second] = &mut threads;
    converge(&mut world, &mut [first, second]);
    let (had, epoch) = (threads[0].has.clone(), world.streams().epoch());
    assert_eq!(threads[0].leave(&mut world, -2), ErrorCode::NONE);
    assert_eq!(world.streams().member("a").map(|member| member.epoch), Some(-2));
    let mut back = Thread::named("a2", "s1", &stateless("t"));
    assert_eq!(back.beat(&mut world), ErrorCode::NONE);
    assert_eq!((back.has.clone(), back.epoch, world.streams().epoch()), (had.clone(), epoch, epoch));
    assert!(world.streams().member("a").is_none());
    check_replay(&world);
    // What changes nothing about who gets what begins no epoch.
    back.leave(&mut world, -2);
    let mut elsewhere = Thread { endpoint: Some(9), ..Thread::named("a3", "s1", &stateless("t")) };
    assert_eq!((elsewhere.beat(&mut world), world.streams().epoch()), (ErrorCode::NONE, epoch));
    assert_eq!(elsewhere.has, had);
    // Who did not say goodbye keeps its place until its session ends.
    let mut thief = Thread::named("c", "s1", &stateless("t"));
    assert_eq!(thief.beat(&mut world), ErrorCode::UNRELEASED_INSTANCE_ID);
    world.advance(45_000);
    assert_eq!(thief.beat(&mut world), ErrorCode::NONE);
    // In another process it is another member to the assignor.
    let epoch = world.streams().epoch();
    thief.leave(&mut world, -2);
    let mut moved = Thread { process: "elsewhere".to_owned(), ..Thread::named("d", "s1", &stateless("t")) };
    assert_eq!((moved.beat(&mut world), world.streams().epoch()), (ErrorCode::NONE, epoch + 1));
    check_replay(&world);
}

#[test]
fn a_topology_stays_and_older_ones_are_stale() {
    let mut world = World::prompt_streams();
    world.topic("t", 2);
    world.topic("u", 2);
    let newer = protocol::messages::streams_group_heartbeat::Topology { epoch: 1, ..stateless("t") };
    let mut first = Thread::new("a", "p", &newer);
    converge(&mut world, &mut [&mut first]);
    let mut stale = Thread::new("b", "q", &stateless("u"));
    stale.beat(&mut world);
    let detail = "The member's topology epoch 0 is behind the group's topology epoch 1.";
    assert_eq!(stale.statuses, [(0, detail.to_owned())]);
    converge(&mut world, &mut [&mut first, &mut stale]);
    assert_eq!((stale.tasks().as_str(), stale.codes()), ("0:1", vec![0]), "it works all the same, and is told again");
    let other = protocol::messages::streams_group_heartbeat::Topology { epoch: 1, ..stateless("u") };
    assert_eq!(Thread::new("c", "r", &other).beat(&mut world), ErrorCode::INVALID_REQUEST);
    let newest = protocol::messages::streams_group_heartbeat::Topology { epoch: 2, ..stateless("t") };
    assert_eq!(Thread::new("c", "r", &newest).beat(&mut world), ErrorCode::INVALID_REQUEST);
    // The order of subtopologies is none.
    let (ab, ba) = (said(vec![reading("0", "t"), reading("1", "u")]), said(vec![reading("1", "u"), reading("0", "t")]));
    let mut world = World::prompt_streams();
    assert_eq!(Thread::new("a", "p", &ab).beat(&mut world), ErrorCode::NONE);
    assert_eq!(Thread::new("b", "p", &ba).beat(&mut world), ErrorCode::NONE);
}

#[test]
fn a_wish_to_shut_down_is_told_to_all_until_they_are_gone() {
    let mut world = World::prompt_streams();
    world.topic("t", 2);
    let (mut first, mut second) = (Thread::new("a", "p", &stateless("t")), Thread::new("b", "q", &stateless("t")));
    converge(&mut world, &mut [&mut first, &mut second]);
    let mut request = first.request();
    request.shutdown_application = true;
    let result = world.streams_beat(&request);
    first.hear(&request, result);
    second.beat(&mut world);
    let detail =
        "Streams group member a encountered a fatal error and requested a shutdown for the entire application.";
    assert_eq!((first.codes(), second.statuses.clone()), (vec![4], vec![(4, detail.to_owned())]));
    first.leave(&mut world, -1);
    second.leave(&mut world, -1);
    second.beat(&mut world);
    assert!(second.codes().is_empty(), "who comes next begins anew");
}

#[test]
fn endpoints_are_told_when_something_moved() {
    let mut world = World::prompt_streams();
    world.topic("t", 2);
    world.topic("small", 1);
    let topology = stateless("t small");
    let mut first = Thread { endpoint: Some(1), ..Thread::new("a", "p", &topology) };
    let mut second = Thread { endpoint: Some(2), ..Thread::new("b", "q", &topology) };
    converge(&mut world, &mut [&mut first]);
    assert_eq!(first.endpoint_epoch, 0, "the first change of a new group does not count");
    converge(&mut world, &mut [&mut first, &mut second]);
    let topics = |topics: &[protocol::messages::streams_group_heartbeat::TopicPartition]| {
        let topics = topics.iter().map(|topic| format!("{} {:?}", topic.topic, topic.partitions));
        topics.collect::<Vec<String>>().join(", ")
    };
    let told = |thread: &Thread| -> Vec<String> {
        let at = thread.endpoints.iter();
        at.map(|at| format!("{}: {}", at.user_endpoint.port, topics(&at.active_partitions))).collect()
    };
    let expected = vec!["1: t [0], small [0]".to_owned(), "2: t [1]".to_owned()];
    assert_eq!((told(&first), told(&second)), (expected.clone(), expected));
    assert_eq!(first.endpoint_epoch, second.endpoint_epoch);
    let quiet = world.streams_beat(&first.request()).expect("alive").response;
    assert_eq!((quiet.partitions_by_user_endpoint, quiet.endpoint_information_epoch), (None, first.endpoint_epoch));
}

#[test]
fn missing_tags_are_told_to_those_who_understand() {
    let mut world = World::prompt_streams();
    world.configure("streams.rack.aware.assignment.tags", "zone, cluster");
    world.topic("t", 1);
    let mut thread = Thread { tags: vec![("zone", "a")], ..Thread::new("a", "p", &stateless("t")) };
    thread.beat(&mut world);
    assert_eq!(thread.codes(), [6]);
    assert!(thread.statuses[0].1.contains("[cluster]"), "{}", thread.statuses[0].1);
    let old = world.streams_beat_in(0, &thread.request()).expect("alive").response;
    assert_eq!(old.status, Some(Vec::new()));
}

#[test]
fn settings_of_the_group_come_before_those_of_the_broker() {
    let mut world = World::new();
    world.topic("t", 1);
    world.configure("streams.heartbeat.interval.ms", "7000");
    world.configure("streams.session.timeout.ms", "50000");
    world.configure("streams.task.offset.interval.ms", "20000");
    world.configure("streams.acceptable.recovery.lag", "5");
    world.configure("streams.initial.rebalance.delay.ms", "0");
    let mut thread = Thread::new("a", "p", &stateless("t"));
    let response = world.streams_beat(&thread.request()).expect("joined").response;
    assert_eq!((response.heartbeat_interval_ms, response.task_offset_interval_ms), (7_000, 20_000));
    assert_eq!((response.acceptable_recovery_lag, response.member_epoch), (5, 2));
    thread.beat(&mut world);
    world.advance(49_999);
    assert_eq!(world.state_name(), "Stable");
    world.advance(1);
    assert_eq!(world.state_name(), "Empty");
}

#[test]
fn settings_of_the_group_are_kept_to_the_bounds_in_force() {
    let mut world = World::prompt_streams();
    world.topic("t", 1);
    for (name, value) in [
        ("streams.heartbeat.interval.ms", "1"),
        ("streams.session.timeout.ms", "70000"),
        ("streams.task.offset.interval.ms", "100"),
        ("streams.num.standby.replicas", "100"),
    ] {
        world.configure(name, value);
    }
    let threads = ["a", "b", "c", "d"].map(|id| Thread::new(id, id, &word_count()));
    let response = world.streams_beat(&threads[0].request()).expect("joined").response;
    assert_eq!((response.heartbeat_interval_ms, response.task_offset_interval_ms), (5_000, 15_000));
    let mut threads = threads.to_vec();
    converge(&mut world, &mut threads.iter_mut().collect::<Vec<_>>());
    assert_eq!(threads.iter().map(|thread| thread.has.standby.len()).sum::<usize>(), 2, "two copies of one task");
    world.advance(59_999);
    assert_eq!(world.state_name(), "Stable");
    world.advance(1);
    assert_eq!(world.state_name(), "Empty");
}

#[test]
fn a_member_may_commit_what_it_had_before_its_newest_epoch() {
    let mut world = World::prompt_streams();
    world.topic("t", 4);
    world.topic("other", 4);
    let (mut first, mut second) = (Thread::new("a", "p", &stateless("t")), Thread::new("b", "q", &stateless("t")));
    converge(&mut world, &mut [&mut first]);
    converge(&mut world, &mut [&mut first, &mut second]);
    assert_eq!((first.tasks().as_str(), first.epoch, second.epoch), ("0:0 0:1", 3, 3));
    let check = |world: &mut World, member: &str, epoch: i32, (topic, partition): (&str, i32), version, code| {
        let commit = OffsetToCommit { partition, offset: 1, leader_epoch: -1, metadata: None };
        let topics = [TopicToCommit { name: topic.to_owned(), topic_id: TOPIC_ID, partitions: vec![commit] }];
        let event = CommitEvent { who: by(member, epoch), version, retention_ms: -1, topics: &topics };
        let result = world.apply(|state, now_ms, effects| state.commit_offsets(GROUP, event, now_ms, effects));
        assert_eq!(result.err().unwrap_or(ErrorCode::NONE), code, "{member} {epoch} {topic} {partition} {version}");
    };
    check(&mut world, "a", 3, ("t", 0), 9, ErrorCode::NONE);
    check(&mut world, "a", 3, ("other", 0), 9, ErrorCode::NONE);
    check(&mut world, "a", 2, ("t", 0), 9, ErrorCode::NONE);
    check(&mut world, "a", 2, ("other", 0), 9, ErrorCode::STALE_MEMBER_EPOCH);
    check(&mut world, "a", 1, ("t", 0), 9, ErrorCode::STALE_MEMBER_EPOCH);
    check(&mut world, "a", 4, ("t", 0), 9, ErrorCode::STALE_MEMBER_EPOCH);
    check(&mut world, "a", 2, ("t", 2), 9, ErrorCode::STALE_MEMBER_EPOCH);
    check(&mut world, "b", 2, ("t", 2), 9, ErrorCode::STALE_MEMBER_EPOCH);
    check(&mut world, "b", 3, ("t", 2), 8, ErrorCode::UNSUPPORTED_VERSION);
    check(&mut world, "c", 3, ("t", 2), 9, ErrorCode::UNKNOWN_MEMBER_ID);
    check(&mut world, "", -1, ("t", 2), 9, ErrorCode::UNKNOWN_MEMBER_ID);
    let transactional = Committer { transactional: true, ..NOBODY };
    assert_eq!(world.commit(transactional, 9, 5), ErrorCode::NONE, "who says nothing in a transaction");
    let fetch =
        |world: &World, member: Option<&str>, epoch: i32| world.state.validate_offset_fetch(GROUP, member, epoch);
    assert_eq!(fetch(&world, None, -1), Ok(()));
    assert_eq!(fetch(&world, Some("a"), 3), Ok(()));
    assert_eq!(fetch(&world, Some("a"), 2), Err(ErrorCode::STALE_MEMBER_EPOCH));
    assert_eq!(fetch(&world, Some("x"), 2), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    check_replay(&world);
}

#[test]
fn groups_change_their_type_while_they_are_empty() {
    let mut world = World::prompt_streams();
    world.topic("t", 2);
    world.commit(NOBODY, 8, 7);
    let mut thread = Thread::new("a", "p", &stateless("t"));
    converge(&mut world, &mut [&mut thread]);
    assert_eq!(world.state.offsets().len(), 1, "offsets stay");
    check_replay(&world);
    let (_, token) = world.enter(Join::new("").version(3));
    assert_eq!(world.joined(token).error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    thread.leave(&mut world, -1);
    let ids = world.stable(&[Join::new("")]);
    let type_name = |state: &GroupState| state.group(GROUP).map(Group::type_name);
    assert_eq!(type_name(&world.state), Some("classic"));
    assert_eq!(type_name(&replay::replayed(&world.settings, &world.log, world.now_ms)), Some("classic"));
    assert_eq!(thread.beat(&mut world), ErrorCode::GROUP_ID_NOT_FOUND);
    world.leave(&ids[0], None);
    assert_eq!(thread.beat(&mut world), ErrorCode::NONE);
    assert_eq!(type_name(&world.state), Some("streams"));
    check_replay(&world);
}

#[test]
fn a_group_is_listed_described_and_deleted() {
    let mut world = World::prompt_streams();
    world.topic("t", 2);
    let mut thread = Thread { endpoint: Some(7), tags: vec![("zone", "a")], ..Thread::new("a", "p", &word_count()) };
    thread.beat(&mut world);
    let listed = |world: &World, states: &[&str], types: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<String>>();
        let groups = world.state.list(&ListFilter::new(&owned(states), &owned(types)));
        groups.iter().map(|g| (g.group_type.clone(), g.protocol_type.clone(), g.group_state.clone())).next()
    };
    let line = |state: &str| Some(("streams".to_owned(), "streams".to_owned(), state.to_owned()));
    assert_eq!(listed(&world, &["NotReady"], &["Streams"]), line("NotReady"));
    assert_eq!(listed(&world, &["not_ready"], &[]), line("NotReady"));
    assert_eq!((listed(&world, &["Stable"], &[]), listed(&world, &[], &["consumer"])), (None, None));
    let partitions = |world: &World| -> Vec<i32> {
        let topology = world.state.describe_streams_group(GROUP).topology.expect("told");
        let subtopologies = topology.subtopologies.expect("told");
        subtopologies.iter().flat_map(|sub| &sub.state_changelog_topics).map(|topic| topic.partitions).collect()
    };
    assert_eq!(partitions(&world), [0], "as the member said, as long as topics are missing");
    converge(&mut world, &mut [&mut thread]);
    assert_eq!(partitions(&world), [2]);
    let described = world.state.describe_streams_group(GROUP);
    let epochs = (described.group_epoch, described.assignment_epoch, described.group_state.as_str());
    assert_eq!((epochs, described.assignor_name.as_deref()), ((3, 3, "Stable"), Some("sticky")));
    let member = &described.members[0];
    assert_eq!((member.member_id.as_str(), member.process_id.as_str(), member.topology_epoch), ("a", "p", 0));
    assert_eq!((member.user_endpoint.as_ref().map(|at| at.port), member.client_tags.len()), (Some(7), 1));
    assert_eq!((member.assignment.active_tasks.len(), &member.assignment), (2, &member.target_assignment));
    let delete = |world: &mut World| {
        world.apply(|state, _, effects| state.delete_groups(&[GROUP.to_owned()], effects))[0].error_code
    };
    assert_eq!(delete(&mut world), ErrorCode::NON_EMPTY_GROUP);
    assert_eq!(world.state.describe_streams_group("x").error_code, ErrorCode::GROUP_ID_NOT_FOUND);
    thread.leave(&mut world, -1);
    assert_eq!((delete(&mut world), world.state.group_count()), (ErrorCode::NONE, 0));
    assert_eq!(replay::replayed(&world.settings, &world.log, world.now_ms).group_count(), 0);
}

#[test]
fn reported_offsets_bring_tasks_back_to_where_their_state_is() {
    let mut world = World::new();
    world.topic("t", 2);
    world.topic("repartition", 2);
    world.topic("counts", 2);
    let mut threads = [Thread::new("a", "p", &word_count()), Thread::new("b", "q", &word_count())];
    let offset = |partition: i32| protocol::messages::streams_group_heartbeat::TaskOffset {
        subtopology_id: "1".to_owned(),
        partition,
        offset: 100,
    };
    for (thread, partition) in threads.iter_mut().zip([1, 0]) {
        let mut request = thread.request();
        request.task_offsets = Some(vec![offset(partition)]);
        let result = world.streams_beat(&request);
        assert_eq!(thread.hear(&request, result), ErrorCode::NONE);
    }
    let described = world.state.describe_streams_group(GROUP);
    assert_eq!(described.members[0].task_offsets.iter().map(|at| at.partition).collect::<Vec<_>>(), [1]);
    world.advance(3_000);
    threads.iter_mut().for_each(|thread| assert_eq!(thread.beat(&mut world), ErrorCode::NONE));
    let told: Vec<String> = threads.iter().map(Thread::tasks).collect();
    assert_eq!(told, ["0:0 1:1", "0:1 1:0"], "each has the state it reported");
}

#[test]
fn what_the_log_refused_is_written_with_the_next_change() {
    let mut world = World::prompt_streams();
    world.topic("t", 2);
    let mut thread = Thread::new("a", "p", &stateless("t"));
    world.outcome = Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
    let request = thread.request();
    assert!(world.streams_beat(&request).is_ok(), "the driver tells the client of the refused append");
    assert!(world.log.is_empty());
    world.outcome = Ok(());
    converge(&mut world, &mut [&mut thread]);
    assert_eq!(thread.tasks(), "0:0 0:1");
    check_replay(&world);
}

#[test]
fn a_group_that_would_not_fit_into_memory_is_not_made() {
    let mut world = World::prompt_streams();
    world.topic("t", 1);
    let names: Vec<String> = (0..2_000).map(|number| format!("topic-of-some-length-{number}")).collect();
    let large = Thread::new("a", "p", &stateless(&names.join(" ")));
    let settings = GroupSettings { state_bytes_max: 100_000, ..(*world.settings).clone() };
    world.state.set_settings(Rc::new(settings));
    let code = |world: &mut World, thread: &Thread| {
        world.streams_beat(&thread.request()).map_or_else(|error| error.code, |_| ErrorCode::NONE)
    };
    assert_eq!(code(&mut world, &large), ErrorCode::COORDINATOR_NOT_AVAILABLE);
    assert_eq!((world.state.group_count(), world.state.bytes(), world.log.len()), (0, 0, 0));
    assert_eq!(code(&mut world, &Thread::new("a", "p", &stateless("t"))), ErrorCode::NONE);
}

#[test]
fn five_hundred_threads_come_to_rest_in_a_few_beats() {
    let mut world = World::new();
    world.configure("streams.num.standby.replicas", "1");
    world.topic("t", 500);
    let mut threads: Vec<Thread> = (0..500)
        .map(|number| Thread::new(&format!("m{number}"), &format!("p{}", number / 10), &word_count()))
        .collect();
    for _ in 0..6 {
        for thread in &mut threads {
            thread.beat(&mut world);
        }
        world.advance(3_000);
    }
    assert_eq!(world.state_name(), "Stable");
    assert!(threads.iter().all(|thread| thread.has.active.len() == 2));
    let copies: usize = threads.iter().map(|thread| thread.has.standby.len()).sum();
    assert_eq!(copies, 500);
    let bytes = world.state.bytes();
    assert!((500_000..4_000_000).contains(&bytes), "{bytes} bytes");
    check_replay(&world);
}
