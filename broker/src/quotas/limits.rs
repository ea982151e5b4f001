//! Which quota a client has: the most specific one that is set, in Kafka's order (ClientQuotaManager.java).

use std::collections::BTreeMap;

use crate::metadata::decide::quotas::{
    CONNECTION_CREATION_RATE, CONSUMER_BYTE_RATE, CONTROLLER_MUTATION_RATE, PRODUCER_BYTE_RATE, REQUEST_PERCENTAGE,
};
use crate::metadata::{EntityType, QuotaEntity, Quotas};

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum QuotaKind {
    /// Bytes of Produce requests in a second.
    Produce,
    /// Bytes of records in Fetch answers in a second.
    Fetch,
    /// Percent of a core that requests take.
    Request,
    /// Partitions made and deleted in a second; see `mutations.rs`.
    ControllerMutation,
    /// Connections made in a second; see `connections.rs`.
    Connection,
}

impl QuotaKind {
    fn name(self) -> &'static str {
        match self {
            QuotaKind::Produce => PRODUCER_BYTE_RATE,
            QuotaKind::Fetch => CONSUMER_BYTE_RATE,
            QuotaKind::Request => REQUEST_PERCENTAGE,
            QuotaKind::ControllerMutation => CONTROLLER_MUTATION_RATE,
            QuotaKind::Connection => CONNECTION_CREATION_RATE,
        }
    }
}

/// Who shares a quota: everything with the same user, the same client id, or both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sharer {
    /// What is limited.
    pub kind: QuotaKind,
    /// The user, unless the quota is one of client ids.
    pub user: Option<String>,
    /// The client id, unless the quota is one of users; the address for connections.
    pub client_id: Option<String>,
}

/// The quota of `kind` that `user` has when it calls itself `client_id`, and who shares it.
pub fn limit(
    quotas: &BTreeMap<QuotaEntity, Quotas>,
    kind: QuotaKind,
    user: &str,
    client_id: &str,
) -> Option<(Sharer, f64)> {
    // A name, the default, or no such part: from the most to the least specific.
    let (this_user, any_user) = (Some(Some(user)), Some(None));
    let (this_client, any_client) = (Some(Some(client_id)), Some(None));
    let order = [
        (this_user, this_client),
        (this_user, any_client),
        (this_user, None),
        (any_user, this_client),
        (any_user, any_client),
        (any_user, None),
        (None, this_client),
        (None, any_client),
    ];
    order.into_iter().find_map(|(of_user, of_client)| {
        let value = quotas.get(&entity(of_user, of_client))?.get(kind.name())?;
        let sharer =
            Sharer { kind, user: of_user.map(|_| user.to_owned()), client_id: of_client.map(|_| client_id.to_owned()) };
        Some((sharer, value.get()))
    })
}

fn entity(user: Option<Option<&str>>, client_id: Option<Option<&str>>) -> QuotaEntity {
    let part = |kind, name: Option<Option<&str>>| name.map(|name| (kind, name.map(str::to_owned)));
    QuotaEntity([part(EntityType::User, user), part(EntityType::ClientId, client_id)].into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::QuotaValue;

    #[test]
    fn the_most_specific_quota_counts_and_says_who_shares_it() {
        let set = |user: Option<Option<&str>>, client_id: Option<Option<&str>>, value: f64| {
            let quotas = Quotas::from([(PRODUCER_BYTE_RATE.to_owned(), QuotaValue::new(value))]);
            (entity(user, client_id), quotas)
        };
        let all = [
            set(Some(Some("u")), Some(Some("c")), 1.0),
            set(Some(Some("u")), Some(None), 2.0),
            set(Some(Some("u")), None, 3.0),
            set(Some(None), Some(Some("c")), 4.0),
            set(Some(None), Some(None), 5.0),
            set(Some(None), None, 6.0),
            set(None, Some(Some("c")), 7.0),
            set(None, Some(None), 8.0),
        ];
        for first in 0..all.len() {
            let quotas: BTreeMap<_, _> = all[first..].iter().cloned().collect();
            let (sharer, value) = limit(&quotas, QuotaKind::Produce, "u", "c").expect("set");
            assert_eq!(value, first as f64 + 1.0);
            assert_eq!(sharer.user.as_deref(), (first < 6).then_some("u"));
            assert_eq!(sharer.client_id.as_deref(), (![2, 5].contains(&first)).then_some("c"));
            assert_eq!(limit(&quotas, QuotaKind::Fetch, "u", "c"), None);
        }
        let quotas: BTreeMap<_, _> = all.into_iter().collect();
        let value = |user, client_id| limit(&quotas, QuotaKind::Produce, user, client_id).map(|(_, value)| value);
        assert_eq!([value("u", "d"), value("v", "c"), value("v", "d")], [Some(2.0), Some(4.0), Some(5.0)]);
    }
}
