//! Which clients a subscription is for: `selector=pattern` pairs, all of which must match (ClientMetricsConfigs.java).

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Client;
use crate::groups::consumer::pattern::Pattern;

/// What clients are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Selector {
    ClientInstanceId,
    ClientId,
    SoftwareName,
    SoftwareVersion,
    SourceAddress,
    SourcePort,
}

const SELECTORS: [(&str, Selector); 6] = [
    ("client_instance_id", Selector::ClientInstanceId),
    ("client_id", Selector::ClientId),
    ("client_software_name", Selector::SoftwareName),
    ("client_software_version", Selector::SoftwareVersion),
    ("client_source_address", Selector::SourceAddress),
    ("client_source_port", Selector::SourcePort),
];

/// The `match` config of a subscription; without patterns every client is meant.
#[derive(Debug)]
pub struct Matching(BTreeMap<Selector, Pattern>);

impl Matching {
    /// From the items of the config; the error is the item at fault. Of two patterns for one selector the later counts.
    pub fn parse<'a>(items: &[&'a str]) -> Result<Matching, &'a str> {
        let mut patterns = BTreeMap::new();
        for item in items {
            let (selector, pattern) = pair(item).ok_or(*item)?;
            patterns.insert(selector, pattern);
        }
        Ok(Matching(patterns))
    }

    pub(super) fn covers(&self, client: &Client) -> bool {
        self.0.iter().all(|(selector, pattern)| match value(*selector, client) {
            Some(value) => pattern.matches(&value),
            None => false,
        })
    }
}

/// Kafka splits at each `=` and wants two parts; those that are empty at the end do not count.
fn pair(item: &str) -> Option<(Selector, Pattern)> {
    let (name, pattern) = item.trim_end_matches('=').split_once('=')?;
    if pattern.contains('=') {
        return None;
    }
    let (_, selector) = SELECTORS.iter().find(|(known, _)| *known == name.trim())?;
    Some((*selector, Pattern::compile(pattern.trim()).ok()?))
}

fn value(selector: Selector, client: &Client) -> Option<String> {
    match selector {
        Selector::ClientInstanceId => Some(client.instance_id.to_string()),
        Selector::ClientId => client.client_id.clone(),
        Selector::SoftwareName => Some(client.software.name.clone()),
        Selector::SoftwareVersion => Some(client.software.version.clone()),
        Selector::SourceAddress => Some(address(client.source.ip())),
        Selector::SourcePort => Some(client.source.port().to_string()),
    }
}

/// As Java writes addresses: those of version 6 with all eight groups.
pub(super) fn address(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => address.segments().map(|group| format!("{group:x}")).join(":"),
    }
}

#[cfg(test)]
mod tests {
    use protocol::Uuid;

    use super::*;
    use crate::telemetry::ClientSoftware;

    fn client(source: &str) -> Client {
        Client {
            instance_id: Uuid::parse("AAAAAAAAAAAAAAAAAAAAAQ").expect("an id"),
            client_id: Some("payments-1".to_owned()),
            software: ClientSoftware::new("apache-kafka-java", "4.3.1"),
            source: source.parse().expect("an address"),
        }
    }

    #[test]
    fn all_patterns_must_match_the_whole_value() {
        let check = |items: &[&str], expected: bool| {
            let matching = Matching::parse(items).expect("valid");
            assert_eq!(matching.covers(&client("10.0.0.7:4711")), expected, "{items:?}");
        };
        check(&[], true);
        check(&["client_id=payments-.*"], true);
        check(&["client_id=payments"], false);
        check(&[" client_id = payments-[0-9] "], true);
        check(&["client_id=payments-1="], true);
        check(&["client_software_name=apache-kafka-java", r"client_software_version=4\..*"], true);
        check(&["client_software_name=apache-kafka-java", r"client_software_version=3\..*"], false);
        check(&["client_source_address=10.0.0.7", "client_source_port=4711"], true);
        check(&["client_source_address=10.0.0.8"], false);
        check(&["client_instance_id=A+Q"], true);
        check(&["client_id=x", "client_id=payments.*"], true);
        let unnamed = Client { client_id: None, ..client("10.0.0.7:1") };
        assert!(!Matching::parse(&["client_id=.*"]).expect("valid").covers(&unnamed));
    }

    #[test]
    fn addresses_are_written_as_java_does() {
        let check = |source: &str, expected: &str| assert_eq!(address(client(source).source.ip()), expected);
        check("10.0.0.7:1", "10.0.0.7");
        check("[::1]:1", "0:0:0:0:0:0:0:1");
        check("[::ffff:10.0.0.7]:1", "10.0.0.7");
    }

    #[test]
    fn what_is_no_pair_of_a_selector_and_a_pattern_is_refused() {
        for item in ["", "client_id", "client_id=", "=x", "client_id=a=b", "client_id==a", "client=a", "client_id=["] {
            assert_eq!(Matching::parse(&["client_id=a", item]).map(drop), Err(item));
        }
    }
}
