//! What each request gets in each state, right and wrong: code and state afterwards, as Kafka's.

use protocol::ErrorCode;
use protocol::messages::SyncGroupRequest;

use super::*;

/// Requests of the table. `A` leads, `B` follows, `s` is the static member's instance; the generation is the current
/// one unless told otherwise.
#[derive(Debug, Clone, Copy)]
enum Ask {
    JoinAs(&'static str),
    JoinOtherProtocol,
    JoinOtherType,
    JoinInstanceAs(&'static str, &'static str),
    Heartbeat(&'static str, i32),
    HeartbeatInstance(&'static str, &'static str),
    Sync(&'static str, i32),
    SyncProtocol(&'static str, &'static str, &'static str),
    Leave(&'static str, Option<&'static str>),
    Commit(&'static str, i32),
    CommitInstance(&'static str, &'static str, i32),
    DeleteGroup,
    DeleteOffsets,
}

use Ask::*;

/// Relative to the group's generation.
const OLD: i32 = -1;
const NOW: i32 = 0;
const NEXT: i32 = 1;
/// No generation at all.
const NONE: i32 = -100;

struct Cast {
    world: World,
    ids: Vec<String>,
}

impl Cast {
    fn in_state(state: &str) -> Cast {
        let mut world = World::new();
        let joins = [Join::new(""), Join::new(""), Join::instance("s")];
        let ids = match state {
            "Dead" => Vec::new(),
            "CompletingRebalance" => world.completing(&joins),
            _ => world.stable(&joins),
        };
        match state {
            "Empty" => {
                world.leave(&ids[0], None);
                world.leave(&ids[1], None);
                world.leave("", Some("s"));
            }
            "PreparingRebalance" => {
                // B asks for another generation; the others do not know yet.
                world.join(&Join::new(&ids[1]).protocols(&[("range", "more")]));
            }
            _ => {}
        }
        assert_eq!(world.state_name(), state);
        Cast { world, ids }
    }

    fn id(&self, name: &str) -> String {
        let known = ["A", "B", "S"].iter().position(|known| *known == name).and_then(|index| self.ids.get(index));
        known.cloned().unwrap_or_else(|| name.to_owned())
    }

    fn generation(&self, relative: i32) -> i32 {
        let current = self.world.state.group(GROUP).map_or(1, |_| self.world.group().generation());
        if relative == NONE { -1 } else { current + relative }
    }

    /// The code of the answer; `None` while the request is parked.
    fn ask(&mut self, ask: Ask) -> Option<ErrorCode> {
        match ask {
            JoinAs(name) => self.join(Join::new(&self.id(name))),
            JoinOtherProtocol => self.join(Join::new("").protocols(&[("mine", "x")])),
            JoinOtherType => self.join(Join { protocol_type: "connect".to_owned(), ..Join::new("") }),
            JoinInstanceAs(instance, name) => self.join(Join::new(&self.id(name)).with_instance(instance)),
            Heartbeat(name, generation) => Some(self.world.heartbeat(&self.id(name), self.generation(generation))),
            HeartbeatInstance(instance, name) => {
                Some(self.world.heartbeat_as(&self.id(name), Some(instance), self.generation(NOW)))
            }
            Sync(name, generation) => {
                let token = self.world.sync(&self.id(name), self.generation(generation), &[]);
                self.answer(token)
            }
            SyncProtocol(name, protocol_type, protocol) => {
                let token = self.world.sync_request(&SyncGroupRequest {
                    group_id: GROUP.to_owned(),
                    generation_id: self.generation(NOW),
                    member_id: self.id(name),
                    protocol_type: Some(protocol_type.to_owned()),
                    protocol_name: Some(protocol.to_owned()),
                    ..Default::default()
                });
                self.answer(token)
            }
            Leave(name, instance) => Some(self.world.leave(&self.id(name), instance)),
            Commit(name, generation) => Some(self.world.commit(by(&self.id(name), self.generation(generation)), 8, 1)),
            CommitInstance(instance, name, generation) => {
                let id = self.id(name);
                let who = Committer { group_instance_id: Some(instance), ..by(&id, self.generation(generation)) };
                Some(self.world.commit(who, 8, 1))
            }
            DeleteGroup => {
                let deleted = self.world.apply(|state, _, effects| state.delete_groups(&[GROUP.to_owned()], effects));
                Some(deleted[0].error_code)
            }
            DeleteOffsets => {
                let deleted = self.world.apply(|state, _, effects| state.delete_offsets(GROUP, &[], effects));
                Some(deleted.err().unwrap_or(ErrorCode::NONE))
            }
        }
    }

    fn join(&mut self, join: Join) -> Option<ErrorCode> {
        let token = self.world.join(&join);
        self.answer(token)
    }

    fn answer(&mut self, token: Token) -> Option<ErrorCode> {
        self.world.replies.remove(&token).map(|reply| match reply {
            Reply::Join(response) => response.error_code,
            Reply::Sync(response) => response.error_code,
        })
    }
}

fn check(state: &'static str, rows: &[(Ask, Option<ErrorCode>, &str)]) {
    for (ask, expected, after) in rows {
        let mut cast = Cast::in_state(state);
        let code = cast.ask(*ask);
        assert_eq!((code, cast.world.state_name()), (*expected, *after), "{ask:?} in {state}");
    }
}

const FINE: Option<ErrorCode> = Some(ErrorCode::NONE);
const PARKED: Option<ErrorCode> = None;
const ID_REQUIRED: Option<ErrorCode> = Some(ErrorCode::MEMBER_ID_REQUIRED);
const UNKNOWN: Option<ErrorCode> = Some(ErrorCode::UNKNOWN_MEMBER_ID);
const FENCED: Option<ErrorCode> = Some(ErrorCode::FENCED_INSTANCE_ID);
const GENERATION: Option<ErrorCode> = Some(ErrorCode::ILLEGAL_GENERATION);
const REBALANCE: Option<ErrorCode> = Some(ErrorCode::REBALANCE_IN_PROGRESS);
const PROTOCOL: Option<ErrorCode> = Some(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
const NON_EMPTY: Option<ErrorCode> = Some(ErrorCode::NON_EMPTY_GROUP);
const NOT_FOUND: Option<ErrorCode> = Some(ErrorCode::GROUP_ID_NOT_FOUND);

#[test]
fn of_a_group_that_is_not_there() {
    check(
        "Dead",
        &[
            (JoinAs("stranger"), UNKNOWN, "Dead"),
            (JoinAs(""), ID_REQUIRED, "Empty"),
            (JoinInstanceAs("s", "stranger"), UNKNOWN, "Dead"),
            (Heartbeat("stranger", NOW), UNKNOWN, "Dead"),
            (Sync("stranger", NOW), UNKNOWN, "Dead"),
            (Leave("stranger", None), UNKNOWN, "Dead"),
            (Leave("", Some("s")), UNKNOWN, "Dead"),
            (Commit("", NONE), FINE, "Empty"),
            (Commit("stranger", NOW), GENERATION, "Dead"),
            (DeleteGroup, NOT_FOUND, "Dead"),
            (DeleteOffsets, NOT_FOUND, "Dead"),
        ],
    );
}

#[test]
fn of_an_empty_group() {
    check(
        "Empty",
        &[
            (JoinAs(""), ID_REQUIRED, "Empty"),
            (JoinAs("A"), UNKNOWN, "Empty"),
            (JoinOtherType, ID_REQUIRED, "Empty"),
            (JoinInstanceAs("s", ""), PARKED, "PreparingRebalance"),
            (JoinInstanceAs("s", "S"), UNKNOWN, "Empty"),
            (Heartbeat("A", NOW), UNKNOWN, "Empty"),
            (Sync("A", NOW), UNKNOWN, "Empty"),
            (Leave("A", None), UNKNOWN, "Empty"),
            (Commit("", NONE), FINE, "Empty"),
            (Commit("A", NONE), FINE, "Empty"),
            (Commit("A", NOW), UNKNOWN, "Empty"),
            (DeleteOffsets, FINE, "Empty"),
            (DeleteGroup, FINE, "Dead"),
        ],
    );
}

#[test]
fn of_a_group_that_waits_for_its_members() {
    let on = "PreparingRebalance";
    check(
        on,
        &[
            (JoinAs(""), ID_REQUIRED, on),
            (JoinAs("A"), PARKED, on),
            (JoinAs("stranger"), UNKNOWN, on),
            (JoinOtherProtocol, PROTOCOL, on),
            (JoinOtherType, PROTOCOL, on),
            (JoinInstanceAs("s", ""), PARKED, on),
            (JoinInstanceAs("s", "A"), FENCED, on),
            (JoinInstanceAs("other", "A"), UNKNOWN, on),
            (Heartbeat("A", NOW), REBALANCE, on),
            (Heartbeat("A", OLD), GENERATION, on),
            (Heartbeat("stranger", NOW), UNKNOWN, on),
            (HeartbeatInstance("s", "S"), REBALANCE, on),
            (HeartbeatInstance("s", "A"), FENCED, on),
            (HeartbeatInstance("other", "A"), UNKNOWN, on),
            (Sync("A", NOW), REBALANCE, on),
            (Sync("A", NEXT), GENERATION, on),
            (Leave("A", None), FINE, on),
            (Leave("stranger", None), UNKNOWN, on),
            (Leave("", Some("s")), FINE, on),
            (Leave("", Some("other")), UNKNOWN, on),
            (Leave("A", Some("s")), FENCED, on),
            // The work of the old generation may still be committed.
            (Commit("A", NOW), FINE, on),
            (Commit("A", OLD), GENERATION, on),
            (Commit("", NONE), UNKNOWN, on),
            (Commit("stranger", NOW), UNKNOWN, on),
            (CommitInstance("s", "S", NOW), FINE, on),
            (CommitInstance("s", "A", NOW), FENCED, on),
            (DeleteGroup, NON_EMPTY, on),
            (DeleteOffsets, FINE, on),
        ],
    );
}

#[test]
fn of_a_group_that_waits_for_its_leader() {
    let on = "CompletingRebalance";
    check(
        on,
        &[
            (JoinAs(""), ID_REQUIRED, on),
            // The answer was lost on the way: the same again.
            (JoinAs("A"), FINE, on),
            (JoinAs("B"), FINE, on),
            (JoinAs("stranger"), UNKNOWN, on),
            (JoinOtherProtocol, PROTOCOL, on),
            (JoinInstanceAs("s", ""), PARKED, "PreparingRebalance"),
            (JoinInstanceAs("s", "A"), FENCED, on),
            (Heartbeat("A", NOW), FINE, on),
            (Heartbeat("A", OLD), GENERATION, on),
            (Heartbeat("stranger", NOW), UNKNOWN, on),
            (Sync("A", OLD), GENERATION, on),
            (Sync("stranger", NOW), UNKNOWN, on),
            (Sync("B", NOW), PARKED, on),
            (SyncProtocol("B", "connect", "range"), PROTOCOL, on),
            (SyncProtocol("B", "consumer", "other"), PROTOCOL, on),
            (SyncProtocol("B", "consumer", "range"), PARKED, on),
            (Sync("A", NOW), FINE, "Stable"),
            (Leave("A", None), FINE, "PreparingRebalance"),
            (Leave("stranger", None), UNKNOWN, on),
            (Commit("A", NOW), REBALANCE, on),
            (Commit("A", OLD), GENERATION, on),
            (Commit("stranger", NOW), UNKNOWN, on),
            (Commit("", NONE), UNKNOWN, on),
            (DeleteGroup, NON_EMPTY, on),
            (DeleteOffsets, FINE, on),
        ],
    );
}

#[test]
fn of_a_stable_group() {
    let on = "Stable";
    check(
        on,
        &[
            (JoinAs(""), ID_REQUIRED, on),
            (JoinAs("B"), FINE, on),
            // A leader that joins again wants to assign again.
            (JoinAs("A"), PARKED, "PreparingRebalance"),
            (JoinAs("stranger"), UNKNOWN, on),
            (JoinOtherProtocol, PROTOCOL, on),
            (JoinOtherType, PROTOCOL, on),
            (JoinInstanceAs("s", ""), FINE, on),
            (JoinInstanceAs("s", "S"), FINE, on),
            (JoinInstanceAs("s", "A"), FENCED, on),
            (JoinInstanceAs("new", ""), PARKED, "PreparingRebalance"),
            (Heartbeat("A", NOW), FINE, on),
            (Heartbeat("A", NEXT), GENERATION, on),
            (Heartbeat("stranger", NOW), UNKNOWN, on),
            (HeartbeatInstance("s", "S"), FINE, on),
            (HeartbeatInstance("s", "B"), FENCED, on),
            (Sync("B", NOW), FINE, on),
            (Sync("B", OLD), GENERATION, on),
            (SyncProtocol("B", "connect", "range"), PROTOCOL, on),
            (Leave("A", None), FINE, "PreparingRebalance"),
            (Leave("S", Some("s")), FINE, "PreparingRebalance"),
            (Leave("A", Some("s")), FENCED, on),
            (Leave("stranger", None), UNKNOWN, on),
            (Commit("A", NOW), FINE, on),
            (Commit("A", NEXT), GENERATION, on),
            (Commit("A", NONE), GENERATION, on),
            (Commit("", NONE), UNKNOWN, on),
            (Commit("stranger", NOW), UNKNOWN, on),
            (CommitInstance("s", "S", NOW), FINE, on),
            (CommitInstance("s", "B", NOW), FENCED, on),
            (CommitInstance("other", "B", NOW), UNKNOWN, on),
            (DeleteGroup, NON_EMPTY, on),
            (DeleteOffsets, FINE, on),
        ],
    );
}

#[test]
fn a_join_is_checked_before_its_group_is_looked_for() {
    let settings = GroupSettings::default();
    let join = |session_ms, group_id: &str| JoinGroupRequest {
        group_id: group_id.to_owned(),
        ..Join { session_ms, ..Join::new("") }.request()
    };
    for (request, expected) in [
        (join(6_000, "g"), Ok(())),
        (join(1_800_000, "g"), Ok(())),
        (join(5_999, "g"), Err(ErrorCode::INVALID_SESSION_TIMEOUT)),
        (join(1_800_001, "g"), Err(ErrorCode::INVALID_SESSION_TIMEOUT)),
        (join(-1, "g"), Err(ErrorCode::INVALID_SESSION_TIMEOUT)),
        (join(-1, ""), Err(ErrorCode::INVALID_GROUP_ID)),
    ] {
        assert_eq!(GroupState::check_join(&settings, &request), expected);
    }
}

#[test]
fn a_join_without_protocols_or_type_is_refused() {
    for join in [Join::new("").protocols(&[]), Join { protocol_type: String::new(), ..Join::new("") }] {
        let mut world = World::new();
        let token = world.join(&join);
        let response = world.joined(token);
        assert_eq!((response.error_code, response.member_id.as_str()), (ErrorCode::INCONSISTENT_GROUP_PROTOCOL, ""));
    }
}

#[test]
fn a_commit_to_an_unknown_group_is_told_so_from_version_9() {
    for (version, expected) in [(8, ErrorCode::ILLEGAL_GENERATION), (9, ErrorCode::GROUP_ID_NOT_FOUND)] {
        assert_eq!(World::new().commit(by("m", 1), version, 1), expected);
    }
}

#[test]
fn a_group_without_consumers_lets_no_offset_be_deleted_while_it_has_members() {
    let mut world = World::new();
    world.stable(&[Join { protocol_type: "connect".to_owned(), ..Join::new("") }]);
    let deleted = world.apply(|state, _, effects| state.delete_offsets(GROUP, &[], effects));
    assert_eq!(deleted, Err(ErrorCode::NON_EMPTY_GROUP));
}
