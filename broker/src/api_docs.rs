//! `docs/apis.md`, made from the API table; a test keeps it fresh.

use std::fmt::Write;

use protocol::messages::ApiKey;

use crate::api::APIS;

/// The page.
pub fn render() -> String {
    let mut page = "# APIs\n\nMade from the table in `broker/src/api.rs`; do not edit (`UPDATE_DOCS=1 cargo test -p broker \
        docs` rewrites it).\n\nKafka's protocol as this broker serves it: keys and versions are what ApiVersions tells a \
        client. An API that is not listed is not advertised; a request for it closes the connection, as Kafka does.\n\n\
        | key | API | versions | flexible from |\n| --- | --- | --- | --- |\n"
        .to_owned();
    for key in APIS.iter().map(|api| api.key) {
        let versions = format!("{}-{}", key.versions().min, key.highest_stable_version());
        let _ = writeln!(page, "| {} | {} | {versions} | {} |", key.code(), key.name(), flexible_from(key));
    }
    page
}

fn flexible_from(key: ApiKey) -> String {
    let first = key.versions().flexible_from;
    if first <= key.highest_stable_version() { first.to_string() } else { "none".to_owned() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn docs_of_apis_are_fresh() {
        crate::docs::assert_fresh("apis.md", &super::render());
    }
}
