//! Members that join, work, go silent, restart and leave at random, on a log that is slow and sometimes refuses.
//!
//! Held throughout: at most one answer a request and, in the end, one for each; a member is only ever given what the
//! leader of its own generation assigned to it; a generation has one leader; when clients behave, the group becomes
//! stable; and a crash at any moment leaves a state that the records explain.

use std::collections::BTreeMap;

use protocol::ErrorCode;

use super::replay::{compacted, replayed};
use super::*;

/// A small generator with the whole run in its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Phase {
    Out,
    Joining(Token),
    /// Knows its generation; owes a SyncGroup request.
    Joined {
        leader: bool,
        members: Vec<String>,
    },
    Syncing(Token),
    Working,
}

#[derive(Debug, Clone)]
struct Client {
    member_id: String,
    instance_id: Option<String>,
    generation: i32,
    phase: Phase,
}

struct Play {
    world: World,
    dice: Dice,
    clients: Vec<Client>,
    /// What the leader of a generation assigned.
    assigned: BTreeMap<(i32, String), String>,
    leaders: BTreeMap<i32, String>,
    asked: BTreeMap<Token, ()>,
}

impl Play {
    fn new(seed: u64) -> Play {
        let client = |number: usize| Client {
            member_id: String::new(),
            instance_id: number.is_multiple_of(3).then(|| format!("static{number}")),
            generation: -1,
            phase: Phase::Out,
        };
        let mut world = World::new();
        world.prompt = false;
        Play {
            world,
            dice: Dice(seed),
            clients: (0..6).map(client).collect(),
            assigned: BTreeMap::new(),
            leaders: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    fn step(&mut self, unruly: bool) {
        let number = self.dice.roll(self.clients.len() as u64) as usize;
        let action = self.dice.roll(100);
        match action {
            0..45 => self.behave(number),
            45..70 => self.log_moves(unruly),
            70..85 => {
                let ms = self.dice.roll(if unruly { 4_000 } else { 900 }) as i64;
                self.world.advance(ms);
            }
            85..90 if unruly => self.clients[number] = Client { phase: Phase::Out, ..self.clients[number].clone() },
            90..93 if unruly => self.restart(number),
            93..95 if unruly => self.leave(number),
            95..97 if unruly => self.wander(),
            97..99 if unruly => self.rejoin(number),
            _ => self.behave(number),
        }
        self.listen();
        self.forget();
        self.check();
    }

    fn behave(&mut self, number: usize) {
        let client = self.clients[number].clone();
        match client.phase {
            Phase::Out => self.join(number),
            Phase::Joined { leader, members } => self.sync(number, leader, &members),
            Phase::Working => {
                let instance = client.instance_id.as_deref();
                match self.world.heartbeat_as(&client.member_id, instance, client.generation) {
                    ErrorCode::NONE => {}
                    ErrorCode::REBALANCE_IN_PROGRESS => self.join(number),
                    _ => self.restart(number),
                }
            }
            Phase::Joining(_) | Phase::Syncing(_) => {}
        }
    }

    fn join(&mut self, number: usize) {
        let client = &self.clients[number];
        let said = format!("{number}");
        let join = Join::new(&client.member_id).protocols(&[("range", &said)]);
        let token = self.world.join(&Join { instance_id: client.instance_id.clone(), ..join });
        self.asked.insert(token, ());
        self.clients[number].phase = Phase::Joining(token);
    }

    fn rejoin(&mut self, number: usize) {
        if matches!(self.clients[number].phase, Phase::Working | Phase::Joining(_)) {
            self.join(number);
        }
    }

    fn sync(&mut self, number: usize, leader: bool, members: &[String]) {
        let client = self.clients[number].clone();
        let mut assignments = Vec::new();
        if leader {
            for member in members {
                let work = format!("{member} in {} by {}", client.generation, self.dice.roll(1_000_000));
                // A leader that asks twice in a generation may change its mind; the first word counts.
                self.assigned.entry((client.generation, member.clone())).or_insert(work.clone());
                assignments.push((member.clone(), work));
            }
        }
        let assignments: Vec<(&str, &str)> = assignments.iter().map(|(id, work)| (&**id, &**work)).collect();
        let token = self.world.sync(&client.member_id, client.generation, &assignments);
        self.asked.insert(token, ());
        self.clients[number].phase = Phase::Syncing(token);
    }

    fn restart(&mut self, number: usize) {
        let client = &mut self.clients[number];
        (client.member_id, client.phase) = (String::new(), Phase::Out);
    }

    fn leave(&mut self, number: usize) {
        let client = self.clients[number].clone();
        self.world.leave(&client.member_id, client.instance_id.as_deref());
        self.restart(number);
    }

    fn log_moves(&mut self, unruly: bool) {
        if !self.world.pending.is_empty() {
            let refuse = unruly && self.dice.roll(10) == 0;
            self.world.settle(if refuse { Err(ErrorCode::COORDINATOR_NOT_AVAILABLE) } else { Ok(()) });
        }
    }

    /// kill -9: what was not durable is gone, the rest is read back, perhaps after compaction; every connection breaks.
    fn wander(&mut self) {
        let cleaned = self.dice.roll(self.world.log.len() as u64 + 1) as usize;
        self.world.log = compacted(&self.world.log, cleaned, self.dice.roll(2) == 0);
        self.world.state = replayed(&self.world.settings, &self.world.log, self.world.now_ms);
        self.world.timers = Default::default();
        self.world.pending.clear();
        self.world.replies.clear();
        self.asked.clear();
        self.world.apply(|state, now_ms, effects| state.loaded(now_ms, effects));
        for client in &mut self.clients {
            if client.phase != Phase::Working {
                client.phase = Phase::Out;
            }
        }
    }

    /// Generations that were never recorded are counted again after a crash, and from one when a new group could not be
    /// recorded.
    fn forget(&mut self) {
        let current = self.world.state.group(GROUP).map_or(0, |_| self.world.group().generation());
        self.leaders.retain(|generation, _| *generation <= current);
        self.assigned.retain(|(generation, _), _| *generation <= current);
    }

    fn listen(&mut self) {
        for (token, reply) in std::mem::take(&mut self.world.replies) {
            self.asked.remove(&token).expect("an answer to a request that was asked and not answered yet");
            let waiting =
                |client: &Client| matches!(&client.phase, Phase::Joining(t) | Phase::Syncing(t) if *t == token);
            let Some(number) = self.clients.iter().position(waiting) else { continue };
            match reply {
                Reply::Join(response) => self.hear_join(number, response),
                Reply::Sync(response) => self.hear_sync(number, &response),
            }
        }
    }

    fn hear_join(&mut self, number: usize, response: JoinGroupResponse) {
        let client = &mut self.clients[number];
        match response.error_code {
            ErrorCode::NONE => {
                let leader = response.leader == response.member_id && !response.skip_assignment;
                if !response.members.is_empty() && leader {
                    let known = self.leaders.insert(response.generation_id, response.member_id.clone());
                    assert!(known.is_none_or(|id| id == response.member_id), "two leaders in one generation");
                }
                client.generation = response.generation_id;
                client.member_id = response.member_id;
                let members = response.members.into_iter().map(|member| member.member_id).collect();
                client.phase = Phase::Joined { leader, members };
            }
            ErrorCode::MEMBER_ID_REQUIRED => {
                (client.member_id, client.phase) = (response.member_id, Phase::Out);
            }
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::FENCED_INSTANCE_ID => self.restart(number),
            ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::REBALANCE_IN_PROGRESS => client.phase = Phase::Out,
            other => panic!("{other:?} to a join"),
        }
    }

    fn hear_sync(&mut self, number: usize, response: &SyncGroupResponse) {
        let client = &mut self.clients[number];
        match response.error_code {
            ErrorCode::NONE => {
                client.phase = Phase::Working;
                let given = String::from_utf8(response.assignment.to_vec()).expect("text");
                let expected = self.assigned.get(&(client.generation, client.member_id.clone()));
                // A static member under a new id still has the work of its old one.
                if client.instance_id.is_none() {
                    assert_eq!(Some(&given), expected, "{client:?}");
                }
            }
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::FENCED_INSTANCE_ID => self.restart(number),
            _ => client.phase = Phase::Out,
        }
    }

    fn check(&self) {
        let Some(Group::Classic(group)) = self.world.state.group(GROUP) else { return };
        let members: Vec<_> = group.members().collect();
        let leads = group.leader().map(|leader| members.iter().any(|member| *member.member_id == *leader));
        assert_eq!(leads.unwrap_or(false), !members.is_empty(), "the leader is a member");
        let bytes: usize = members.iter().map(|member| member.bytes()).sum();
        assert!(group.bytes() >= bytes && group.bytes() <= bytes + 20_000, "the books on memory: {}", group.bytes());
        match self.world.state_name() {
            "Empty" => assert!(members.is_empty()),
            "Stable" => assert!(!members.is_empty()),
            _ => {}
        }
        for member in members {
            assert!(member.awaiting_join.is_none() || member.awaiting_sync.is_none());
            let parked = member.awaiting_join.or(member.awaiting_sync);
            assert!(parked.is_none_or(|token| self.asked.contains_key(&token)), "a parked request is unanswered");
        }
    }

    /// From here on everyone behaves and the log takes everything: the group has to become stable.
    fn settle_down(&mut self, seed: u64) {
        for _ in 0..6_000 {
            self.step(false);
            let all = self.clients.iter().all(|client| client.phase == Phase::Working);
            let current = self.world.state.group(GROUP).map(|_| self.world.group().generation());
            let same = self.clients.iter().all(|client| Some(client.generation) == current);
            let stable = self.world.state_name() == "Stable" && self.world.pending.is_empty();
            // Members whose client restarted are there until their session ends.
            if all && same && stable && self.world.group().members().count() == self.clients.len() {
                return;
            }
        }
        panic!("seed {seed}: stuck in {}, {:#?}", self.world.state_name(), self.clients);
    }
}

#[test]
fn no_order_of_events_breaks_a_group_or_leaves_it_stuck() {
    for seed in 0..300 {
        let mut play = Play::new(seed);
        for _ in 0..400 {
            play.step(true);
        }
        play.settle_down(seed);
        // Everything left unanswered is answered when the partition goes.
        play.world.apply(|state, now_ms, effects| state.close(now_ms, effects));
        play.listen();
        assert!(play.asked.is_empty(), "seed {seed}: unanswered {:?}", play.asked);
    }
}
