//! Rules between settings, for a start and for a change alike (KafkaConfig.validateValues). The words are Kafka's.

use crate::config::settings::Settings;
use crate::config::table;

/// The least memory for the keys of each cleaner, in bytes; it must have more.
const CLEANER_MEMORY_BYTES_MIN: i64 = 1024 * 1024;
/// Stands for all log directories in `cordoned.log.dirs`.
const ALL_DIRECTORIES: &str = "*";

/// The first rule that `settings` break, as a sentence.
pub fn broken_rule(settings: &Settings) -> Option<String> {
    broken_rule_of_times(settings)
        .or_else(|| broken_rule_of_cleaners(settings))
        .or_else(|| broken_rule_of_addresses(settings))
        .or_else(|| broken_rule_of_cordoned_directories(settings))
}

/// Defaults of topics, in milliseconds whatever unit they were set in.
fn broken_rule_of_times(settings: &Settings) -> Option<String> {
    let default_of = |topic_config: &str| -> i64 {
        let config = table::topic_config(topic_config).expect("configs are read by names of the table");
        settings.inherited(config).and_then(|value| value.parse().ok()).unwrap_or_default()
    };
    if default_of("segment.ms") < 1 {
        return Some("log.roll.ms must be greater than or equal to 1".to_owned());
    }
    if default_of("segment.jitter.ms") < 0 {
        return Some("log.roll.jitter.ms must be greater than or equal to 0".to_owned());
    }
    // Anything below zero is unlimited.
    (default_of("retention.ms") == 0)
        .then(|| "log.retention.ms must be unlimited (-1) or, greater than or equal to 1".to_owned())
}

/// Without cleaners there is nothing to keep.
fn broken_rule_of_cleaners(settings: &Settings) -> Option<String> {
    let (bytes, cleaners) = (settings.number("log.cleaner.dedupe.buffer.size"), settings.number("log.cleaner.threads"));
    (cleaners > 0 && bytes / cleaners <= CLEANER_MEMORY_BYTES_MIN)
        .then(|| "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.".to_owned())
}

fn broken_rule_of_addresses(settings: &Settings) -> Option<String> {
    let nobody = settings.number("max.connections.per.ip") == 0
        && settings.optional_text("max.connections.per.ip.overrides").is_none();
    nobody.then(|| {
        "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.".to_owned()
    })
}

fn broken_rule_of_cordoned_directories(settings: &Settings) -> Option<String> {
    let cordoned = settings.list("cordoned.log.dirs");
    if cordoned.iter().any(|directory| directory == ALL_DIRECTORIES) {
        let sentence = "When cordoned.log.dirs is set to *, it must not contain other values";
        return (cordoned.len() > 1).then(|| sentence.to_owned());
    }
    let directories = match settings.list("log.dirs") {
        listed if listed.is_empty() => settings.list("log.dir"),
        listed => listed,
    };
    let missing: Vec<_> = cordoned.into_iter().filter(|directory| !directories.contains(directory)).collect();
    (!missing.is_empty()).then(|| {
        let missing = missing.join(", ");
        format!("All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : {missing}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Values;

    #[test]
    fn settings_that_contradict_each_other_are_refused_in_kafkas_words() {
        let check = |pairs: &[(&str, &str)], expected: Option<&str>| {
            let values: Values = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let broken = broken_rule(&Settings::fixed(values));
            assert_eq!(broken.is_some(), expected.is_some(), "{pairs:?} {broken:?}");
            assert!(broken.unwrap_or_default().contains(expected.unwrap_or_default()), "{pairs:?}");
        };
        check(&[], None);
        check(&[("log.roll.ms", "0")], Some("log.roll.ms must be"));
        check(&[("log.roll.hours", "1"), ("log.roll.ms", "1")], None);
        check(&[("log.roll.jitter.ms", "-1")], Some("log.roll.jitter.ms must be"));
        check(&[("log.retention.minutes", "0")], Some("log.retention.ms must be"));
        check(&[("log.retention.minutes", "0"), ("log.retention.ms", "1")], None);
        check(&[("log.retention.hours", "-1")], None);
        check(&[("log.cleaner.dedupe.buffer.size", "1048576")], Some("at least 1MB per"));
        check(&[("log.cleaner.dedupe.buffer.size", "1048577")], None);
        check(&[("log.cleaner.threads", "128")], Some("at least 1MB per"));
        check(&[("log.cleaner.threads", "0")], None);
        check(&[("max.connections.per.ip", "0")], Some("can be set to zero only if"));
        check(&[("max.connections.per.ip", "0"), ("max.connections.per.ip.overrides", "127.0.0.1:1")], None);
        check(&[("cordoned.log.dirs", "/a"), ("log.dirs", "/a,/b")], None);
        check(&[("cordoned.log.dirs", "/a,/c"), ("log.dirs", "/a,/b")], Some("Missing entries : /c"));
        check(&[("cordoned.log.dirs", "/a"), ("log.dir", "/a")], None);
        check(&[("cordoned.log.dirs", "*")], None);
        check(&[("cordoned.log.dirs", "*,/a")], Some("must not contain other values"));
    }
}
