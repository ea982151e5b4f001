//! The file that says whose a log directory is.

use std::collections::BTreeMap;

use protocol::Uuid;

/// Its name.
pub(super) const IDENTITY_FILE: &str = "msgloop.properties";
/// Its name until it is complete.
pub(super) const IDENTITY_TEMPORARY: &str = "msgloop.properties.tmp";

/// What this program reads and writes. To be raised with the first change that an older program would misread.
pub const FORMAT_VERSION: u32 = 1;

/// Whose a log directory is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Version of everything in the directory.
    pub format_version: u32,
    /// Made with the directory; metadata names it, so that directories may be mounted elsewhere.
    pub directory_id: Uuid,
    /// Kafka's cluster id, up to 22 characters as a rule.
    pub cluster_id: String,
    /// The broker's `node.id`.
    pub node_id: i32,
}

impl Identity {
    pub(super) fn to_text(&self) -> String {
        format!(
            "# This directory belongs to msgloop. Do not edit, do not remove.\n\
             format.version={}\ndirectory.id={}\ncluster.id={}\nnode.id={}\n",
            self.format_version, self.directory_id, self.cluster_id, self.node_id
        )
    }

    /// The error ends a sentence that begins with the directory's name. Unknown names are passed over: a later version
    /// that adds one without raising the format version means it to be.
    pub(super) fn parse(text: &str) -> Result<Identity, String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let values: BTreeMap<&str, &str> = lines.filter_map(|line| line.split_once('=')).collect();
        let format_version = parsed(&values, "format.version", |value| value.parse().ok())?;
        if format_version > FORMAT_VERSION {
            // Before the rest is read: its meaning may have changed.
            return Err(format!(
                "was written by a newer msgloop (format {format_version}, this program knows {FORMAT_VERSION}): \
                 start that version or a newer one"
            ));
        }
        Ok(Identity {
            format_version,
            directory_id: parsed(&values, "directory.id", Uuid::parse)?,
            cluster_id: parsed(&values, "cluster.id", |value| (!value.is_empty()).then(|| value.to_owned()))?,
            node_id: parsed(&values, "node.id", |value| value.parse().ok())?,
        })
    }
}

fn parsed<T>(values: &BTreeMap<&str, &str>, name: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    values
        .get(name)
        .and_then(|value| parse(value.trim()))
        .ok_or_else(|| format!("has a damaged {IDENTITY_FILE}: {name} is missing or unreadable"))
}
