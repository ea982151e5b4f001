//! Client quotas as metadata: whom one is for, and what it is.

use std::collections::BTreeMap;
use std::fmt;

use crate::metadata::codec::{Input, Output};
use crate::metadata::record::RecordError;

/// What a part of an entity names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum EntityType {
    /// Who is authenticated.
    User = 1,
    /// What a client calls itself.
    ClientId = 2,
    /// The address a client comes from.
    Ip = 3,
}

impl EntityType {
    /// Kafka's name (ClientQuotaEntity).
    pub fn name(self) -> &'static str {
        match self {
            EntityType::User => "user",
            EntityType::ClientId => "client-id",
            EntityType::Ip => "ip",
        }
    }

    /// The type of this name.
    pub fn of(name: &str) -> Option<EntityType> {
        [EntityType::User, EntityType::ClientId, EntityType::Ip].into_iter().find(|kind| kind.name() == name)
    }
}

/// Whom a quota is for: a user, a client id, both, or an address. A part without a name is the default of its type, for
/// those that have no quota of their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct QuotaEntity(pub BTreeMap<EntityType, Option<String>>);

impl QuotaEntity {
    /// What the part of this type names: nothing if the entity has none, the default's `None`, or a name.
    pub fn part(&self, kind: EntityType) -> Option<Option<&str>> {
        self.0.get(&kind).map(Option::as_deref)
    }
}

/// As Kafka shows it in messages.
impl fmt::Display for QuotaEntity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.iter().map(|(kind, name)| (kind.name(), name.as_deref())).collect();
        let parts: Vec<_> = parts.iter().map(|(kind, name)| format!("{kind}={}", name.unwrap_or("null"))).collect();
        write!(formatter, "ClientQuotaEntity(entries={{{}}})", parts.join(", "))
    }
}

/// A quota's number, compared by its bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaValue(u64);

impl QuotaValue {
    /// Of a number.
    pub fn new(value: f64) -> QuotaValue {
        QuotaValue(value.to_bits())
    }

    /// The number.
    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// What is set for an entity, by Kafka's name of the quota.
pub type Quotas = BTreeMap<String, QuotaValue>;

pub(super) fn encode(output: &mut Output, entity: &QuotaEntity, key: &str, value: Option<QuotaValue>) {
    let parts: Vec<_> = entity.0.iter().collect();
    output.list(&parts, |output, (kind, name)| {
        output.u8(**kind as u8);
        output.optional_text(name.as_deref());
    });
    output.text(key);
    output.u8(u8::from(value.is_some()));
    if let Some(value) = value {
        output.i64(value.0.cast_signed());
    }
}

pub(super) fn decode(input: &mut Input<'_>) -> Result<(QuotaEntity, String, Option<QuotaValue>), RecordError> {
    let parts = input.list(|input| {
        let kind = match input.u8()? {
            1 => EntityType::User,
            2 => EntityType::ClientId,
            3 => EntityType::Ip,
            _ => return Err(RecordError::Damaged("unknown entity type")),
        };
        Ok((kind, input.optional_text()?))
    })?;
    let key = input.text()?;
    let value = match input.u8()? {
        0 => None,
        1 => Some(QuotaValue(input.i64()?.cast_unsigned())),
        _ => return Err(RecordError::Damaged("presence is neither 0 nor 1")),
    };
    Ok((QuotaEntity(parts.into_iter().collect()), key, value))
}
