//! Settings of a client metrics subscription (resource type 16).

use crate::config::definition::Check::{Any, Distinct};
use crate::config::definition::{Config, int, list};

pub(super) const CONFIGS: &[Config] = &[
    list("metrics", Some(""), Distinct, "Prefixes of the metrics clients push; * for all."),
    int("interval.ms", Some("300000"), Any, "How often clients push, 100 ms to 1 hour."),
    list("match", Some(""), Distinct, "Which clients push, as selector=pattern."),
];
