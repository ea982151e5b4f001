//! Who is to have which partition: pure functions of the members, what they subscribe to and what they had before.
//!
//! Racks are not looked at, as in Apache Kafka 4: a consumer reads from a replica of its own rack wherever the leader is.

mod range;
mod uniform;
mod uniform_mixed;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use protocol::Uuid;

use super::partitions::Partitions;

/// An assignor the broker has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assignor {
    /// Equal shares over all topics together, with as few moves as possible.
    Uniform,
    /// Equal ranges of each topic: members get the same numbers of topics that have equally many partitions.
    Range,
}

/// All of them, by the names clients and settings know.
const ASSIGNORS: &[(&str, Assignor)] = &[("uniform", Assignor::Uniform), ("range", Assignor::Range)];

/// A member as an assignor sees it.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    /// Names the member.
    pub member_id: Rc<str>,
    /// Of a static member.
    pub instance_id: Option<&'a str>,
    /// Topics it subscribes to; all of them exist. Members with equal subscriptions share one set.
    pub topics: Rc<BTreeSet<Uuid>>,
    /// What it was to have so far.
    pub had: &'a Partitions,
}

impl Assignor {
    /// The assignor of this name.
    pub fn of(name: &str) -> Option<Assignor> {
        ASSIGNORS.iter().find(|(known, _)| *known == name).map(|(_, assignor)| *assignor)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        ASSIGNORS.iter().find(|(_, assignor)| *assignor == self).map_or("", |(name, _)| name)
    }

    /// Gives every partition of every subscribed topic to exactly one of its subscribers. One result a candidate, in
    /// their order. `counts` is how many partitions the subscribed topics have.
    pub fn assign(self, members: &[Candidate<'_>], counts: &BTreeMap<Uuid, i32>) -> Vec<Partitions> {
        let same = members
            .windows(2)
            .all(|pair| Rc::ptr_eq(&pair[0].topics, &pair[1].topics) || pair[0].topics == pair[1].topics);
        match self {
            Assignor::Uniform if same => uniform::assign(members, counts),
            Assignor::Uniform => uniform_mixed::assign(members, counts),
            Assignor::Range => range::assign(members, counts),
        }
    }
}

#[cfg(test)]
mod tests;
