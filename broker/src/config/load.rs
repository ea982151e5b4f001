//! A node's settings from a properties file and the command line: a real Kafka's file works as it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::config::broker_config::BrokerConfig;
use crate::config::definition::Effect;
use crate::config::listeners::ListenerError;
use crate::config::properties::{decode_properties, parse_properties};
use crate::config::reasons::{NO_TIERING, REMOVED};
use crate::config::rules::broken_rule;
use crate::config::settings::{Settings, Values};
use crate::config::table;
use crate::config::value::ConfigError;

/// Settings a node can start with.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Typed and checked.
    pub config: BrokerConfig,
    /// One sentence for each setting that is not what the file's author may think.
    pub warnings: Vec<String>,
}

/// Why a node cannot start with these settings, in one sentence.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file is missing or unreadable.
    #[error("cannot read the config file {path}: {error}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Not `name=value`.
    #[error("--override {0:?} is not of the form name=value")]
    Override(String),
    /// Wrong type or out of bounds.
    #[error(transparent)]
    Invalid(#[from] ConfigError),
    /// Listeners that cannot be served.
    #[error(transparent)]
    Listeners(#[from] ListenerError),
    /// Settings that contradict each other, or promise what is not there.
    #[error("{0}")]
    Contradiction(String),
}

/// Reads `file`, then `overrides` of the form `name=value`, the later ones winning.
pub fn load(file: Option<&Path>, overrides: &[String]) -> Result<Loaded, LoadError> {
    let mut pairs = match file {
        Some(path) => read_file(path)?,
        None => Vec::new(),
    };
    for text in overrides {
        let pair = text.split_once('=').ok_or_else(|| LoadError::Override(text.clone()))?;
        pairs.push((pair.0.trim().to_owned(), pair.1.to_owned()));
    }
    from_pairs(pairs)
}

fn read_file(path: &Path) -> Result<Vec<(String, String)>, LoadError> {
    let bytes = std::fs::read(path).map_err(|error| LoadError::Unreadable { path: path.to_owned(), error })?;
    Ok(parse_properties(&decode_properties(&bytes)))
}

fn from_pairs(pairs: Vec<(String, String)>) -> Result<Loaded, LoadError> {
    let mut values = Values::new();
    let mut warnings = BTreeMap::new();
    for (name, value) in pairs {
        if let Some(config) = table::broker_config(&name) {
            // Kafka's files write `name=` for "not set" as well as for an empty list.
            let normal = config.normalize(&value)?;
            if let Effect::Ignored(reason) = config.effect {
                warnings.insert(name.clone(), format!("{name} is not used: {reason}"));
            }
            values.insert(name, normal);
        } else {
            let warning = explain_unknown(&name);
            warnings.insert(name, warning);
        }
    }
    let settings = Settings::fixed(values);
    ensure_consistent(&settings)?;
    Ok(Loaded { config: BrokerConfig::new(settings)?, warnings: warnings.into_values().collect() })
}

fn explain_unknown(name: &str) -> String {
    if let Some((_, reason)) = REMOVED.iter().find(|(removed, _)| *removed == name) {
        return format!("{name} is not used: Kafka no longer has it and {reason}");
    }
    if name.starts_with("rsm.config.") || name.starts_with("rlmm.config.") {
        return format!("{name} is not used: {NO_TIERING}");
    }
    if let Some((_, base)) = name.strip_prefix("listener.name.").and_then(|rest| rest.split_once('.')) {
        return format!("{name} is not used: {base} cannot be set for one listener");
    }
    if let Some(config) = table::topic_config(name)
        && let Some(synonym) = config.synonyms.first()
    {
        return format!("{name} is a topic setting: its default is set by {}", synonym.name);
    }
    match nearest_name(name) {
        Some(nearest) => format!("{name} is unknown and not used; did you mean {nearest}?"),
        None => format!("{name} is unknown and not used"),
    }
}

/// The broker config whose name is closest, if it is close at all.
pub fn nearest_name(name: &str) -> Option<&'static str> {
    let distance_max = (name.len() / 4).clamp(1, 6);
    table::broker_configs()
        .filter(|config| !config.internal)
        .map(|config| (edit_distance(name, config.name), config.name))
        .filter(|(distance, _)| *distance <= distance_max)
        .min()
        .map(|(_, nearest)| nearest)
}

/// Levenshtein distance in bytes; names are ASCII.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, right) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// Kafka's rules between settings, ours, and what would be a false promise if it were let pass.
fn ensure_consistent(settings: &Settings) -> Result<(), LoadError> {
    let wrong = |sentence: String| Err(LoadError::Contradiction(sentence));
    if let (Some(node), Some(broker)) = (settings.fixed.get("node.id"), settings.fixed.get("broker.id"))
        && node != broker
    {
        return wrong(format!("node.id={node} and broker.id={broker} differ: set the same value, or node.id only"));
    }
    if let Some(sentence) = broken_rule(settings) {
        return wrong(sentence);
    }
    if settings.optional_text("authorizer.class.name").is_some() {
        return wrong(
            "authorizer.class.name asks for authorization, which msgloop does not have yet: remove it to serve everyone"
                .to_owned(),
        );
    }
    if let Some(admin) = settings.optional_text("msgloop.admin.listener")
        && admin.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err())
    {
        return wrong(format!("msgloop.admin.listener: \"{admin}\" is not of the form host:port"));
    }
    if settings.number("msgloop.wal.file.bytes") * 2 > settings.number("msgloop.wal.bytes") {
        return wrong("msgloop.wal.bytes must hold at least two files of msgloop.wal.file.bytes".to_owned());
    }
    if settings.number("message.max.bytes") > settings.number("socket.request.max.bytes") {
        return wrong("message.max.bytes must not be larger than socket.request.max.bytes".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str) -> Result<Loaded, String> {
        from_pairs(parse_properties(text)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_real_kafkas_file_starts_us_with_one_warning_for_each_setting_it_cannot_use() {
        let loaded = load_text(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=localhost:9093\n\
             listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ninter.broker.listener.name=PLAINTEXT\n\
             advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n\
             controller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL\n\
             num.network.threads=3\nnum.io.threads=8\nsocket.send.buffer.bytes=102400\n\
             socket.receive.buffer.bytes=102400\nsocket.request.max.bytes=104857600\n\
             log.dirs=/tmp/kraft-combined-logs\nnum.partitions=1\nnum.recovery.threads.per.data.dir=1\n\
             offsets.topic.replication.factor=1\nshare.coordinator.state.topic.replication.factor=1\n\
             share.coordinator.state.topic.min.isr=1\ntransaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\nlog.retention.hours=168\nlog.segment.bytes=1073741824\n\
             log.retention.check.interval.ms=300000\n",
        )
        .expect("starts");
        assert_eq!(loaded.config.listeners.len(), 1);
        assert_eq!(loaded.config.listeners[0].advertised_host.as_deref(), Some("localhost"));
        let about = |name: &str| loaded.warnings.iter().filter(|warning| warning.starts_with(name)).count();
        for name in
            ["process.roles", "controller.listener.names", "controller.quorum.bootstrap.servers", "num.io.threads"]
        {
            assert_eq!(about(name), 1, "{name}: {:?}", loaded.warnings);
        }
        assert_eq!(about("log.retention"), 0);
    }

    #[test]
    fn names_that_are_not_in_the_table_are_explained() {
        let check = |text: &str, part: &str| {
            let loaded = load_text(text).expect("starts");
            assert!(loaded.warnings.len() == 1 && loaded.warnings[0].contains(part), "{:?}", loaded.warnings);
        };
        check("log.retention.hour=1", "did you mean log.retention.hours?");
        check("num.partition=1", "did you mean num.partitions?");
        check("zzz.completely.different=1", "zzz.completely.different is unknown and not used");
        check("zookeeper.connect=localhost:2181", "no ZooKeeper");
        check("retention.ms=1", "its default is set by log.retention.ms");
        check("rsm.config.bucket=x", "tiered storage");
        check("listener.name.plaintext.ssl.keystore.location=x", "one listener");
    }

    #[test]
    fn what_cannot_be_started_with_is_one_sentence() {
        let check = |text: &str, part: &str| {
            let error = load_text(text).expect_err(text);
            assert!(error.contains(part) && !error.contains('\n'), "{error}");
        };
        check("num.partitions=0", "Invalid value 0 for configuration num.partitions: Value must be at least 1");
        check("listeners=SSL://:9093", "only PLAINTEXT");
        check("node.id=1\nbroker.id=2", "differ");
        check("log.retention.ms=0", "unlimited (-1)");
        check("authorizer.class.name=x.Y", "does not have yet");
        check("msgloop.admin.listener=9644", "host:port");
        check("msgloop.io.backend=magic", "String must be one of: auto, uring, threads, glommio");
        check("message.max.bytes=200000000", "must not be larger");
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let overrides = ["node.id=5".to_owned(), "node.id=6".to_owned()];
        assert_eq!(load(None, &overrides).expect("valid").config.node_id, 6);
        assert!(matches!(load(None, &["node.id".to_owned()]), Err(LoadError::Override(_))));
        assert!(matches!(load(Some(Path::new("/nonexistent/x")), &[]), Err(LoadError::Unreadable { .. })));
    }
}
