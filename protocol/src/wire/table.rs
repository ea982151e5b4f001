//! Message tables: one row a field, from which decoding, encoding and the tests' generator follow.
//!
//! ```text
//! message! {
//!     /// One line on what the message is for.
//!     FetchRequest(ApiKey::Fetch.versions()) {
//!         cluster_id: Option<String>, 12+, null 12, tag 0;     // nullable since version 12, tagged with tag 0
//!         replica_id: i32, 0-14, = -1;                         // absent from version 15 on; default -1
//!         topics: Vec<FetchTopic>, 0+;
//!     }
//!     /// A structure inside the message has no versions of its own.
//!     FetchTopic { ... }
//! }
//! ```
//! Version ranges are written as Kafka writes them. A field that the version at hand does not have is left out when
//! writing and takes its default when reading.

use super::{DecodeError, Nullable, Reader, Wire, Writer};

/// The versions of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// Lowest version.
    pub min: i16,
    /// Highest version.
    pub max: i16,
    /// First version in the flexible encoding (compact lengths, tagged fields).
    pub flexible_from: i16,
}

impl Versions {
    /// Versions `min` to `max`, the flexible encoding from `flexible_from` on.
    pub const fn new(min: i16, max: i16, flexible_from: i16) -> Versions {
        Versions { min, max, flexible_from }
    }

    /// Versions `min` to `max`, none of them flexible.
    pub const fn classic(min: i16, max: i16) -> Versions {
        Versions::new(min, max, i16::MAX)
    }

    /// Whether `version` is one of them.
    pub const fn contains(&self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }

    /// Whether `version` uses the flexible encoding.
    pub const fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible_from
    }
}

/// A message with versions of its own: a request, a response, or the key or value of an internal record.
pub trait Message: Table + Default {
    /// The versions it can be read and written in.
    const VERSIONS: Versions;

    /// Reads the message in `version`. Bytes after it stay in the reader.
    fn decode(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        if !Self::VERSIONS.contains(version) {
            return Err(DecodeError::UnsupportedVersion(version));
        }
        let mut message = Self::default();
        read_table(&mut message, reader, Context::new(version, Self::VERSIONS))?;
        Ok(message)
    }

    /// Writes the message in `version`, which must be one of [`Message::VERSIONS`].
    fn encode(&self, writer: &mut Writer, version: i16)
    where
        Self: Sized,
    {
        debug_assert!(Self::VERSIONS.contains(version), "version {version} of {:?}", Self::VERSIONS);
        write_table(self, writer, Context::new(version, Self::VERSIONS));
    }

    /// Makes a message of `version` up.
    #[cfg(feature = "testing")]
    fn generate(generator: &mut super::Generator, version: i16) -> Self {
        let mut message = Self::default();
        generator.fill(&mut message, Context::new(version, Self::VERSIONS));
        message
    }
}

/// What a value has to know about the message it is part of.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// The message's version.
    pub version: i16,
    /// Whether lengths are compact and tagged fields follow each structure.
    pub flexible: bool,
    /// Whether the field being read or written may be null.
    pub nullable: bool,
    /// Whether the field being read or written is a tagged one.
    pub tagged: bool,
}

impl Context {
    fn new(version: i16, versions: Versions) -> Context {
        Context { version, flexible: versions.is_flexible(version), nullable: false, tagged: false }
    }

    /// The context of an array's elements, which are never null.
    pub(crate) fn element(self) -> Context {
        Context { nullable: false, tagged: false, ..self }
    }

    pub(crate) fn of(self, field: Field) -> Context {
        Context { nullable: self.version >= field.nullable_since, tagged: field.tag.is_some(), ..self }
    }
}

/// One row of a table.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    since: i16,
    until: i16,
    nullable_since: i16,
    tag: Option<u32>,
}

impl Field {
    /// A field that appears in version `version`.
    pub const fn since(version: i16) -> Field {
        Field { since: version, until: i16::MAX, nullable_since: i16::MAX, tag: None }
    }

    /// The field's last version.
    pub const fn until(self, version: i16) -> Field {
        Field { until: version, ..self }
    }

    /// The first version in which it may be null.
    pub const fn nullable(self, version: i16) -> Field {
        Field { nullable_since: version, ..self }
    }

    /// Moves it to the tagged fields.
    pub const fn tag(self, tag: u32) -> Field {
        Field { tag: Some(tag), ..self }
    }

    pub(crate) fn in_version(&self, version: i16) -> bool {
        self.since <= version && version <= self.until
    }
}

/// A structure declared by `message!`: it shows its fields, in wire order, to whoever reads or writes them.
///
/// The fields are shown as trait objects. Code made for each of the 450 structures, three passes each, took two minutes to
/// build where this takes seconds, and a virtual call a field is lost beside the string or array it reads.
pub trait Table {
    /// Shows each field to `fields`, to be filled. Fields hold their defaults.
    fn read_fields(&mut self, fields: &mut dyn ReadFields) -> Result<(), DecodeError>;

    /// Shows each field to `fields`, to be written.
    fn write_fields(&self, fields: &mut dyn WriteFields);

    /// Sets the field of this name, which nearly every response has; nothing happens to others.
    fn set_throttle_time_ms(&mut self, throttle_time_ms: i32);
}

/// Fills fields.
pub trait ReadFields {
    /// Fills one field; `value` holds its default.
    fn field(&mut self, field: Field, value: &mut dyn Wire) -> Result<(), DecodeError>;
}

/// Writes fields.
pub trait WriteFields {
    /// Writes a field that is not tagged.
    fn field(&mut self, field: Field, value: &dyn Wire);

    /// Writes a field with tag `tag` that is away from its default.
    fn tagged(&mut self, field: Field, tag: u32, value: &dyn Wire);
}

impl<M: Table> Wire for M {
    fn read(&mut self, reader: &mut Reader, context: Context) -> Result<(), DecodeError> {
        read_table(self, reader, context)
    }

    fn write(&self, writer: &mut Writer, context: Context) {
        write_table(self, writer, context);
    }

    #[cfg(feature = "testing")]
    fn generate(&mut self, generator: &mut super::Generator, context: Context) {
        generator.fill(self, context);
    }
}

/// A nullable structure has one byte in front: 1 for a value; for null -1, or 0 in a tagged field.
impl<M: Table + Default> Nullable for M {
    fn read_nullable(reader: &mut Reader, context: Context) -> Result<Option<Self>, DecodeError> {
        let presence = reader.read_i8()?;
        if presence < 0 || (context.tagged && presence == 0) {
            return Ok(None);
        }
        let mut value = M::default();
        read_table(&mut value, reader, context)?;
        Ok(Some(value))
    }

    fn write_null(writer: &mut Writer, context: Context) {
        writer.put_i8(if context.tagged { 0 } else { -1 });
    }

    fn write_present(&self, writer: &mut Writer, context: Context) {
        writer.put_i8(1);
        write_table(self, writer, context);
    }
}

fn read_table(table: &mut dyn Table, reader: &mut Reader, context: Context) -> Result<(), DecodeError> {
    table.read_fields(&mut PlainFields { reader, context })?;
    if !context.flexible {
        return Ok(());
    }
    for _ in 0..reader.read_tag_count()? {
        reader.read_tagged(|reader, tag| {
            let mut fields = TaggedField { reader, context, tag, known: false };
            table.read_fields(&mut fields)?;
            Ok(fields.known)
        })?;
    }
    Ok(())
}

fn write_table(table: &dyn Table, writer: &mut Writer, context: Context) {
    let mut fields = FieldWriter { writer, context, tagged: Vec::new() };
    table.write_fields(&mut fields);
    if !context.flexible {
        return;
    }
    let mut tagged = fields.tagged;
    tagged.sort_by_key(|&(tag, _)| tag);
    writer.put_unsigned_varint(tagged.len() as u32);
    for (tag, value) in tagged {
        writer.put_unsigned_varint(tag);
        writer.put_unsigned_varint(value.len() as u32);
        writer.append(value);
    }
}

struct PlainFields<'a> {
    reader: &'a mut Reader,
    context: Context,
}

impl ReadFields for PlainFields<'_> {
    fn field(&mut self, field: Field, value: &mut dyn Wire) -> Result<(), DecodeError> {
        if field.tag.is_some() || !field.in_version(self.context.version) {
            return Ok(());
        }
        value.read(self.reader, self.context.of(field))
    }
}

struct TaggedField<'a> {
    reader: &'a mut Reader,
    context: Context,
    tag: u32,
    known: bool,
}

impl ReadFields for TaggedField<'_> {
    fn field(&mut self, field: Field, value: &mut dyn Wire) -> Result<(), DecodeError> {
        if field.tag != Some(self.tag) || !field.in_version(self.context.version) {
            return Ok(());
        }
        self.known = true;
        value.read(self.reader, self.context.of(field))
    }
}

struct FieldWriter<'a> {
    writer: &'a mut Writer,
    context: Context,
    /// They follow the other fields in the order of their tags.
    tagged: Vec<(u32, Writer)>,
}

impl WriteFields for FieldWriter<'_> {
    fn field(&mut self, field: Field, value: &dyn Wire) {
        if field.in_version(self.context.version) {
            value.write(self.writer, self.context.of(field));
        }
    }

    fn tagged(&mut self, field: Field, tag: u32, value: &dyn Wire) {
        if field.in_version(self.context.version) {
            let mut writer = Writer::new();
            value.write(&mut writer, self.context.of(field));
            self.tagged.push((tag, writer));
        }
    }
}

/// Declares structures from tables; see the top of this file.
macro_rules! message {
    ($(
        $(#[$meta:meta])*
        $name:ident $(($versions:expr))? { $(
            $field:ident : $type:ty, $since:literal $(+)? $(- $until:literal)?
            $(, null $nullable:literal)? $(, tag $tag:literal)? $(, = $default:expr)? ;
        )* }
    )*) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $(
                #[allow(missing_docs, reason = "the name is Kafka's and the table says the rest")]
                pub $field: $type,
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $($field: default_of!($($default)?),)* }
            }
        }

        impl $crate::wire::Table for $name {
            #[allow(unused_variables, reason = "a table may be empty")]
            fn read_fields(
                &mut self,
                fields: &mut dyn $crate::wire::ReadFields,
            ) -> Result<(), $crate::wire::DecodeError> {
                $( fields.field(field!($since $(- $until)? $(, null $nullable)? $(, tag $tag)?), &mut self.$field)?; )*
                Ok(())
            }

            #[allow(unused_variables, reason = "a table may be empty")]
            fn write_fields(&self, fields: &mut dyn $crate::wire::WriteFields) {
                $( write_field!(
                    fields,
                    field!($since $(- $until)? $(, null $nullable)? $(, tag $tag)?),
                    &self.$field,
                    $type,
                    default_of!($($default)?)
                    $(, $tag)?
                ); )*
            }

            #[allow(unused_variables, reason = "most structures have no such field")]
            fn set_throttle_time_ms(&mut self, throttle_time_ms: i32) {
                $( set_throttle_time!(self, $field, throttle_time_ms); )*
            }
        }

        $( impl $crate::wire::Message for $name {
            const VERSIONS: $crate::wire::Versions = $versions;
        } )?
    )* };
}

/// Sets the one field of this name.
macro_rules! set_throttle_time {
    ($message:expr, throttle_time_ms, $value:expr) => {
        $message.throttle_time_ms = $value;
    };
    ($message:expr, $other:ident, $value:expr) => {};
}

/// The [`Field`] of one row.
macro_rules! field {
    ($since:literal $(- $until:literal)? $(, null $nullable:literal)? $(, tag $tag:literal)?) => {
        const { $crate::wire::Field::since($since)$(.until($until))?$(.nullable($nullable))?$(.tag($tag))? }
    };
}

/// Writes one row; a tagged one only when it is away from its default.
macro_rules! write_field {
    ($fields:ident, $field:expr, $value:expr, $type:ty, $default:expr) => {
        $fields.field($field, $value)
    };
    ($fields:ident, $field:expr, $value:expr, $type:ty, $default:expr, $tag:literal) => {
        let default: $type = $default;
        if *$value != default {
            $fields.tagged($field, $tag, $value);
        }
    };
}

/// A row's default.
macro_rules! default_of {
    () => {
        Default::default()
    };
    ($default:expr) => {
        $default
    };
}
