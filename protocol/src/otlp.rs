//! Metrics as clients push them (KIP-714): OpenTelemetry's `MetricsData` of version 1, as far as it carries numbers.
//!
//! Read in place: nothing is reserved for what a client claims, and nothing nests deeper than the format does, so that a
//! message costs its length in time and no memory. Fields that are not listed here are skipped, as protocol buffers
//! want it (opentelemetry-proto: metrics/v1/metrics.proto, common/v1/common.proto).

mod fields;

use std::fmt;

use fields::{Field, Fields};

/// Why bytes are no metrics.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OtlpError {
    /// A field ends behind the message it is in.
    #[error("a field ends behind its message")]
    Truncated,
    /// A varint of more than ten bytes or 64 bits.
    #[error("varint overflow")]
    VarintOverflow,
    /// A type of field that is not in use any more, or never was.
    #[error("wire type {0} is unknown")]
    WireType(u8),
    /// Field numbers begin at 1 and end at 2^29 - 1.
    #[error("field number {0} is not allowed")]
    FieldNumber(u64),
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    NotUtf8,
}

/// What the value of a point means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointKind {
    /// As it was when it was measured.
    Gauge,
    /// A sum.
    Sum {
        /// It never falls.
        is_monotonic: bool,
        /// It tells what came since the push before, not since the start.
        is_delta: bool,
    },
}

/// One number of one metric.
#[derive(Debug, Clone, Copy)]
pub struct Point<'a> {
    /// Name of the metric, dots included.
    pub metric: &'a str,
    /// What the value means.
    pub kind: PointKind,
    /// The value; whole numbers beyond 2^53 are rounded.
    pub value: f64,
    /// What tells it from other points of its metric.
    pub attributes: Attributes<'a>,
    /// What tells its sender from others.
    pub resource: Attributes<'a>,
}

/// Names with values.
#[derive(Debug, Clone, Copy, Default)]
pub struct Attributes<'a> {
    message: &'a [u8],
    field: u32,
}

/// Value of an attribute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Text.
    Text(&'a str),
    /// A whole number.
    Integer(i64),
    /// A number.
    Double(f64),
    /// Yes or no.
    Boolean(bool),
    /// A list, a map, bytes, or nothing.
    Other,
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => formatter.write_str(text),
            Value::Integer(number) => number.fmt(formatter),
            Value::Double(number) => number.fmt(formatter),
            Value::Boolean(truth) => truth.fmt(formatter),
            Value::Other => Ok(()),
        }
    }
}

/// Shows every gauge and sum of `data` to `visit`, in the order of the message. After an error some were shown already.
/// Histograms and summaries are left out.
pub fn walk<'a>(data: &'a [u8], visit: &mut impl FnMut(Point<'a>)) -> Result<(), OtlpError> {
    for resource_metrics in messages(data, 1) {
        let resource_metrics = resource_metrics?;
        let resource = last_message(resource_metrics, 1)?;
        let resource = Attributes::new(resource, 1)?;
        for scope_metrics in messages(resource_metrics, 2) {
            for metric in messages(scope_metrics?, 2) {
                walk_metric(metric?, resource, visit)?;
            }
        }
    }
    Ok(())
}

fn walk_metric<'a>(
    message: &'a [u8],
    resource: Attributes<'a>,
    visit: &mut impl FnMut(Point<'a>),
) -> Result<(), OtlpError> {
    let (mut metric, mut data) = ("", None);
    for field in Fields::new(message) {
        match field? {
            (1, Field::Bytes(name)) => metric = text(name)?,
            (5, Field::Bytes(gauge)) => data = Some((PointKind::Gauge, gauge)),
            (7, Field::Bytes(sum)) => data = Some((kind_of_sum(sum)?, sum)),
            // The last of them counts: they are alternatives.
            (9..=11, Field::Bytes(_)) => data = None,
            _ => {}
        }
    }
    let Some((kind, data)) = data else { return Ok(()) };
    for point in messages(data, 1) {
        let point = point?;
        let attributes = Attributes::new(point, 7)?;
        if let Some(value) = number(point)? {
            visit(Point { metric, kind, value, attributes, resource });
        }
    }
    Ok(())
}

fn kind_of_sum(sum: &[u8]) -> Result<PointKind, OtlpError> {
    let (mut is_monotonic, mut is_delta) = (false, false);
    for field in Fields::new(sum) {
        match field? {
            (2, Field::Varint(temporality)) => is_delta = temporality == 1,
            (3, Field::Varint(flag)) => is_monotonic = flag != 0,
            _ => {}
        }
    }
    Ok(PointKind::Sum { is_monotonic, is_delta })
}

fn number(point: &[u8]) -> Result<Option<f64>, OtlpError> {
    let mut value = None;
    for field in Fields::new(point) {
        match field? {
            (4, Field::Fixed64(bits)) => value = Some(f64::from_bits(bits)),
            (6, Field::Fixed64(bits)) => value = Some(bits.cast_signed() as f64),
            _ => {}
        }
    }
    Ok(value)
}

impl<'a> Attributes<'a> {
    /// Those in `field` of `message`, all of which parse.
    fn new(message: &'a [u8], field: u32) -> Result<Attributes<'a>, OtlpError> {
        let attributes = Attributes { message, field };
        attributes.parse().try_for_each(|attribute| attribute.map(drop))?;
        Ok(attributes)
    }

    /// In the order of the message.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + use<'a> {
        self.parse().filter_map(Result::ok)
    }

    fn parse(&self) -> impl Iterator<Item = Result<(&'a str, Value<'a>), OtlpError>> + use<'a> {
        messages(self.message, self.field).map(|attribute| key_value(attribute?))
    }
}

fn key_value(message: &[u8]) -> Result<(&str, Value<'_>), OtlpError> {
    let (mut key, mut value) = ("", Value::Other);
    for field in Fields::new(message) {
        match field? {
            (1, Field::Bytes(name)) => key = text(name)?,
            (2, Field::Bytes(any)) => value = any_value(any)?,
            _ => {}
        }
    }
    Ok((key, value))
}

fn any_value(message: &[u8]) -> Result<Value<'_>, OtlpError> {
    let mut value = Value::Other;
    for field in Fields::new(message) {
        value = match field? {
            (1, Field::Bytes(bytes)) => Value::Text(text(bytes)?),
            (2, Field::Varint(flag)) => Value::Boolean(flag != 0),
            (3, Field::Varint(bits)) => Value::Integer(bits.cast_signed()),
            (4, Field::Fixed64(bits)) => Value::Double(f64::from_bits(bits)),
            // Lists and maps could nest; no client sends them.
            (5..=7, Field::Bytes(_)) => Value::Other,
            _ => value,
        };
    }
    Ok(value)
}

/// The messages in `field` of `message`.
fn messages(message: &[u8], field: u32) -> impl Iterator<Item = Result<&[u8], OtlpError>> {
    Fields::new(message).filter_map(move |found| match found {
        Ok((number, Field::Bytes(bytes))) if number == field => Some(Ok(bytes)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

/// The message in `field` of `message`; empty if there is none.
fn last_message(message: &[u8], field: u32) -> Result<&[u8], OtlpError> {
    messages(message, field).last().unwrap_or(Ok(&[]))
}

fn text(bytes: &[u8]) -> Result<&str, OtlpError> {
    std::str::from_utf8(bytes).map_err(|_| OtlpError::NotUtf8)
}

#[cfg(test)]
mod tests;
