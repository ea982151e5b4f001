//! `listeners`, `advertised.listeners` and `listener.security.protocol.map` as one list
//! (core/.../AbstractKafkaConfig.java, KafkaConfig.scala: validateValues).

use std::collections::BTreeMap;

use thiserror::Error;

use crate::config::settings::Settings;
use crate::config::value::split_list;

/// A place to listen on and what clients are told about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its name, in upper case.
    pub name: String,
    /// Address to bind; empty for every interface.
    pub host: String,
    /// Port to bind; 0 lets the system choose.
    pub port: u16,
    /// Host told to clients; `None` when the listener is not advertised. Empty for the name of this machine.
    pub advertised_host: Option<String>,
    /// Port told to clients; 0 stands for the port that was bound.
    pub advertised_port: u16,
}

/// Listeners that cannot be served, each in one sentence.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ListenerError {
    /// Not NAME://host:port.
    #[error("{setting}: \"{text}\" is not of the form NAME://host:port")]
    Malformed {
        /// The config.
        setting: &'static str,
        /// The item.
        text: String,
    },
    /// A name or a port twice.
    #[error("{setting}: each listener needs its own {what}, \"{text}\" is used twice")]
    Twice {
        /// The config.
        setting: &'static str,
        /// `name` or `port`.
        what: &'static str,
        /// The double.
        text: String,
    },
    /// No protocol for a name.
    #[error("listener.security.protocol.map has no security protocol for the listener {0}")]
    Unmapped(String),
    /// SSL or SASL.
    #[error(
        "listener {name} asks for {protocol}, which msgloop cannot serve yet: only PLAINTEXT listeners can be opened"
    )]
    Unsupported {
        /// The listener.
        name: String,
        /// Its protocol.
        protocol: String,
    },
    /// Advertised but not listened on.
    #[error("advertised.listeners names {0}, which is not among the listeners")]
    NotListened(String),
    /// 0.0.0.0 leads nowhere.
    #[error(
        "advertised.listeners cannot use the nonroutable address 0.0.0.0; use a routable IP address or a host name"
    )]
    Nonroutable,
}

/// One NAME://host:port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Endpoint {
    name: String,
    host: String,
    port: u16,
}

/// The listeners in force, without Kafka's controller listeners (`controller.listener.names`): those are not opened.
pub fn parse_listeners(settings: &Settings) -> Result<Vec<Listener>, ListenerError> {
    let controllers: Vec<_> =
        settings.list("controller.listener.names").iter().map(|name| name.to_ascii_uppercase()).collect();
    let served = |endpoint: &Endpoint| !controllers.contains(&endpoint.name);
    let mut bound = parse_endpoints("listeners", &settings.text("listeners"))?;
    bound.retain(served);
    ensure_distinct_ports(&bound)?;
    ensure_plaintext(&bound, &settings.text("listener.security.protocol.map"))?;
    let mut advertised = match settings.optional_text("advertised.listeners") {
        Some(text) => parse_endpoints("advertised.listeners", &text)?,
        None => bound.clone(),
    };
    advertised.retain(served);
    let explicit = settings.optional_text("advertised.listeners").is_some();
    combine(bound, advertised, explicit)
}

fn combine(bound: Vec<Endpoint>, advertised: Vec<Endpoint>, explicit: bool) -> Result<Vec<Listener>, ListenerError> {
    if let Some(stray) = advertised.iter().find(|one| !bound.iter().any(|other| other.name == one.name)) {
        return Err(ListenerError::NotListened(stray.name.clone()));
    }
    if explicit && advertised.iter().any(|endpoint| endpoint.host == "0.0.0.0") {
        return Err(ListenerError::Nonroutable);
    }
    let told = |name: &str| advertised.iter().find(|endpoint| endpoint.name == name);
    let listener = |endpoint: Endpoint| {
        let advertised = told(&endpoint.name);
        Listener {
            advertised_host: advertised.map(|one| if one.host == "0.0.0.0" { String::new() } else { one.host.clone() }),
            advertised_port: advertised.map_or(0, |one| one.port),
            name: endpoint.name,
            host: endpoint.host,
            port: endpoint.port,
        }
    };
    Ok(bound.into_iter().map(listener).collect())
}

fn parse_endpoints(setting: &'static str, text: &str) -> Result<Vec<Endpoint>, ListenerError> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for item in split_list(text) {
        let malformed = || ListenerError::Malformed { setting, text: item.to_owned() };
        let endpoint = parse_endpoint(item).ok_or_else(malformed)?;
        if endpoints.iter().any(|other| other.name == endpoint.name) {
            return Err(ListenerError::Twice { setting, what: "name", text: endpoint.name });
        }
        endpoints.push(endpoint);
    }
    if endpoints.is_empty() {
        return Err(ListenerError::Malformed { setting, text: text.to_owned() });
    }
    Ok(endpoints)
}

/// `NAME://host:port` or `NAME://[ipv6]:port`; the host may be empty.
fn parse_endpoint(item: &str) -> Option<Endpoint> {
    let (name, address) = item.split_once("://")?;
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
    let name_is_valid =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    let host_is_valid = !host.contains(['/', '@', ' ']);
    (name_is_valid && host_is_valid).then_some(())?;
    Some(Endpoint { name: name.to_ascii_uppercase(), host: host.to_owned(), port: port.parse().ok()? })
}

fn ensure_distinct_ports(endpoints: &[Endpoint]) -> Result<(), ListenerError> {
    for (index, endpoint) in endpoints.iter().enumerate() {
        let clash = |other: &Endpoint| {
            // Two hosts on one port are two addresses; without a host, or with the same, they are one.
            other.port == endpoint.port
                && (other.host == endpoint.host || other.host.is_empty() || endpoint.host.is_empty())
        };
        if endpoint.port != 0 && endpoints[..index].iter().any(clash) {
            return Err(ListenerError::Twice { setting: "listeners", what: "port", text: endpoint.port.to_string() });
        }
    }
    Ok(())
}

fn ensure_plaintext(endpoints: &[Endpoint], map: &str) -> Result<(), ListenerError> {
    let protocols: BTreeMap<String, String> = split_list(map)
        .into_iter()
        .filter_map(|pair| pair.split_once(':'))
        .map(|(name, protocol)| (name.trim().to_ascii_uppercase(), protocol.trim().to_ascii_uppercase()))
        .collect();
    for endpoint in endpoints {
        match protocols.get(&endpoint.name).map(String::as_str) {
            Some("PLAINTEXT") => {}
            Some(protocol) => {
                return Err(ListenerError::Unsupported { name: endpoint.name.clone(), protocol: protocol.to_owned() });
            }
            None => return Err(ListenerError::Unmapped(endpoint.name.clone())),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Values;

    fn parse(text: &str) -> Result<String, String> {
        let values: Values = text
            .split_whitespace()
            .map(|pair| pair.split_once('=').expect("name=value"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let show = |listener: &Listener| {
            let host = listener.advertised_host.clone().unwrap_or("-".to_owned());
            format!("{} {}:{} {}:{}", listener.name, listener.host, listener.port, host, listener.advertised_port)
        };
        parse_listeners(&Settings::fixed(values))
            .map(|listeners| listeners.iter().map(show).collect::<Vec<_>>().join("; "))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn listeners_are_bound_and_advertised_as_in_kafka() {
        let check = |text: &str, expected: &str| assert_eq!(parse(text).as_deref(), Ok(expected), "{text}");
        check("", "PLAINTEXT 127.0.0.1:9092 127.0.0.1:9092");
        check("listeners=PLAINTEXT://:9092", "PLAINTEXT :9092 :9092");
        check("listeners=PLAINTEXT://0.0.0.0:0", "PLAINTEXT 0.0.0.0:0 :0");
        check("listeners=plaintext://[::1]:9092", "PLAINTEXT ::1:9092 ::1:9092");
        check(
            "listeners=IN://:9092,OUT://:9093 listener.security.protocol.map=IN:PLAINTEXT,OUT:PLAINTEXT \
             advertised.listeners=IN://a:1,OUT://b:2",
            "IN :9092 a:1; OUT :9093 b:2",
        );
        check(
            "listeners=PLAINTEXT://:9092,CONTROLLER://:9093 controller.listener.names=CONTROLLER \
             advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
            "PLAINTEXT :9092 localhost:9092",
        );
    }

    #[test]
    fn what_cannot_be_served_is_one_sentence() {
        let check = |text: &str, part: &str| {
            let error = parse(text).expect_err(text);
            assert!(error.contains(part), "{error}");
        };
        check("listeners=9092", "not of the form");
        check("listeners=PLAINTEXT://:99999", "not of the form");
        check("listeners=PLAINTEXT://:1,PLAINTEXT://:2", "own name");
        check("listeners=PLAINTEXT://:1,SSL://:1", "own port");
        check("listeners=SSL://:1", "only PLAINTEXT");
        check("listeners=INSIDE://:1", "no security protocol");
        check("advertised.listeners=SSL://h:1", "not among the listeners");
        check("advertised.listeners=PLAINTEXT://0.0.0.0:1", "nonroutable");
    }
}
