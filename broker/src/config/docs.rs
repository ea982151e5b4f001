//! `docs/configs.md`, made from the table; a test keeps it fresh (`UPDATE_DOCS=1 cargo test -p broker docs` rewrites it).

use std::fmt::Write;

use crate::config::definition::{Check, Config, Effect, Update};
use crate::config::reasons::REMOVED;
use crate::config::table::{BROKER, CLIENT_METRICS, GROUP, Section, TOPIC};

const INTRODUCTION: &str = "\
# Settings

Made from the table in `broker/src/config/table/`; do not edit (`UPDATE_DOCS=1 cargo test -p broker docs` rewrites it).

A Kafka `server.properties` works as it is: `msgloop --config server.properties`, single settings by
`--override name=value`. Names, defaults and bounds are Kafka's unless noted in differences.md; settings of ours begin
with `msgloop.`. A value altered for a topic wins over one altered for this broker, that over one altered for all
brokers, that over the file, that over the default. *Dynamic* says whether a setting can be altered while the broker
runs. A setting that is **not used** is taken, kept and shown, and does nothing, for the reason given; setting it in the
file is warned about once.
";

/// The whole page.
pub fn render() -> String {
    let mut page = INTRODUCTION.to_owned();
    for section in TOPIC.iter().chain(BROKER).chain(GROUP).chain(CLIENT_METRICS) {
        render_section(&mut page, section);
    }
    page.push_str(
        "\n## Settings Kafka no longer has\n\nTaken with a warning, because old files and manifests carry them.\n\n",
    );
    page.push_str("| name | why it is not used |\n| --- | --- |\n");
    for (name, reason) in REMOVED {
        let _ = writeln!(page, "| `{name}` | {reason} |");
    }
    page
}

fn render_section(page: &mut String, section: &Section) {
    let _ = write!(page, "\n## {}\n\n", section.title);
    page.push_str("| name | type | default | valid | dynamic | meaning |\n| --- | --- | --- | --- | --- | --- |\n");
    for config in section.configs.iter().filter(|config| !config.internal) {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} |",
            config.name,
            config.kind.to_string().to_lowercase(),
            default(config),
            valid(config.check),
            dynamic(config),
            meaning(config)
        );
    }
}

fn default(config: &Config) -> String {
    match config.default {
        None => "null".to_owned(),
        Some("") => "\"\"".to_owned(),
        Some(default) => format!("`{default}`"),
    }
}

fn valid(check: Check) -> String {
    match check {
        Check::Any | Check::Distinct => String::new(),
        Check::AtLeast(min) => format!("≥ {min}"),
        Check::Between(min, max) => format!("{min} … {max}"),
        Check::Ratio(min, max) => format!("{min} … {max}"),
        Check::OneOf(allowed) | Check::OneOfIgnoringCase(allowed) => allowed.join(", "),
        Check::NonEmpty | Check::NonEmptyList => "not empty".to_owned(),
        Check::ListOf(allowed) => format!("any of {}", allowed.join(", ")),
        Check::NonEmptyListOf(allowed) => format!("some of {}", allowed.join(", ")),
        Check::GzipLevel => "1 … 9 or -1".to_owned(),
        Check::ThrottledReplicas => "partition:broker pairs or *".to_owned(),
        Check::AutoOffsetReset => "latest, earliest, by_duration:PnDTnHnMn.nS".to_owned(),
    }
}

fn dynamic(config: &Config) -> &'static str {
    match config.update {
        _ if !config.synonyms.is_empty() => "",
        Update::ReadOnly => "",
        Update::PerBroker => "per broker",
        Update::ClusterWide => "cluster-wide",
    }
}

fn meaning(config: &Config) -> String {
    let mut text = config.doc.to_owned();
    if !config.synonyms.is_empty() {
        let names: Vec<_> = config.synonyms.iter().map(|synonym| format!("`{}`", synonym.name)).collect();
        let _ = write!(text, " Default from {}.", names.join(", "));
    }
    if let Effect::Ignored(reason) = config.effect {
        let _ = write!(text, " **Not used**: {reason}.");
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn docs_of_configs_are_fresh() {
        crate::docs::assert_fresh("configs.md", &super::render());
    }
}
