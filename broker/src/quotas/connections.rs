//! How fast connections may be made: `max.connection.creation.rate` in all, and the quota `connection_creation_rate` of an
//! address (ConnectionQuotas in SocketServer.scala). All listeners accept on one core, which counts for all.

use std::net::IpAddr;
use std::time::Duration;

use super::limits::{QuotaKind, Sharer};
use super::rate::Window;
use crate::metadata::decide::quotas::CONNECTION_CREATION_RATE;
use crate::metadata::{EntityType, MetadataImage, QuotaEntity};
use crate::shard::Shard;

/// What becomes of a connection that was just accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is served, and the next one is accepted after so long.
    Served(Duration),
    /// Its address makes connections too fast: it is closed after so long, which keeps the client from trying at once.
    Refused(Duration),
}

/// Counts a connection from `ip`; to be called on the core that accepts.
pub fn admit(shard: &Shard, ip: IpAddr) -> Admission {
    let config = shard.config();
    let window = Window { samples: config.quota_samples, sample_seconds: config.quota_sample_seconds };
    let now = shard.runtime().now();
    let count = |of: Option<String>, limit: f64, amount: f64| {
        let sharer = Sharer { kind: QuotaKind::Connection, user: None, client_id: of };
        shard.quotas().record(sharer, limit, amount, window, now)
    };
    let ip = ip.to_canonical();
    if let Some(limit) = limit_of_ip(&shard.image(), ip) {
        let pause = count(Some(ip.to_string()), limit, 1.0);
        if !pause.is_zero() {
            // What was refused does not count.
            count(Some(ip.to_string()), limit, -1.0);
            return Admission::Refused(pause);
        }
    }
    let limit = config.connection_creation_rate_max;
    let is_limited = limit < i32::MAX as usize;
    let pause = if is_limited { count(None, limit.max(1) as f64, 1.0) } else { Duration::ZERO };
    Admission::Served(pause)
}

fn limit_of_ip(image: &MetadataImage, ip: IpAddr) -> Option<f64> {
    let of = |name: Option<String>| {
        let entity = QuotaEntity([(EntityType::Ip, name)].into());
        image.quotas.get(&entity)?.get(CONNECTION_CREATION_RATE).map(|value| value.get())
    };
    if image.quotas.is_empty() {
        return None;
    }
    of(Some(ip.to_string())).or_else(|| of(None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{MetadataRecord, QuotaValue};

    #[test]
    fn an_address_has_its_own_rate_or_the_default() {
        let mut image = MetadataImage::default();
        let ip: IpAddr = [192, 0, 2, 7].into();
        assert_eq!(limit_of_ip(&image, ip), None);
        let mut set = |name: Option<&str>, value: f64| {
            let entity = QuotaEntity([(EntityType::Ip, name.map(str::to_owned))].into());
            let (key, value) = (CONNECTION_CREATION_RATE.to_owned(), Some(QuotaValue::new(value)));
            image.apply(&MetadataRecord::QuotaChanged { entity, key, value }).expect("fits");
            image.clone()
        };
        assert_eq!(limit_of_ip(&set(None, 5.0), ip), Some(5.0));
        assert_eq!(limit_of_ip(&set(Some("192.0.2.7"), 9.0), ip), Some(9.0));
    }
}
