//! A setting said to be acted on has somebody who reads it.

use std::fs;
use std::path::Path;

use super::definition::{Config, Effect};
use super::table;

/// The crate's source but for the table itself and for tests at the foot of files.
fn source(directory: &Path, text: &mut String) {
    for entry in fs::read_dir(directory).expect("the source is there").map(|entry| entry.expect("readable")) {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "table" && name != "tests") {
            source(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let content = fs::read_to_string(&path).expect("UTF-8");
            text.push_str(content.split("#[cfg(test)]").next().unwrap_or_default());
        }
    }
}

#[test]
fn a_setting_that_is_acted_on_is_read_by_name_or_through_a_topic_or_group() {
    let mut text = String::new();
    source(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
    let is_acted_on = |config: &&Config| config.effect == Effect::Acted;
    let is_named = |name: &str| text.contains(&format!("\"{name}\""));
    let is_behind = |name: &str| {
        let inheriting = table::topic_configs().chain(table::group_configs()).filter(is_acted_on);
        inheriting.filter(|config| config.synonyms.iter().any(|synonym| synonym.name == name)).count() > 0
    };
    let unread: Vec<_> = table::broker_configs()
        .filter(is_acted_on)
        .filter(|config| !is_named(config.name) && !is_behind(config.name))
        .chain(table::topic_configs().filter(is_acted_on).filter(|config| !is_named(config.name)))
        .chain(table::group_configs().filter(is_acted_on).filter(|config| !is_named(config.name)))
        .map(|config| config.name)
        .collect();
    assert!(unread.is_empty(), "nobody reads {unread:?}");
}
