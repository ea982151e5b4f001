//! What a row of the config table says. Types and checks are Kafka's (clients/.../common/config/ConfigDef.java).

use std::fmt;

/// Type of a config's value; the number is DescribeConfigs' `ConfigType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum Kind {
    /// `true` or `false`, in any case.
    Boolean = 1,
    /// Any text.
    String = 2,
    /// 32 bits.
    Int = 3,
    /// 16 bits.
    Short = 4,
    /// 64 bits.
    Long = 5,
    /// A floating point number.
    Double = 6,
    /// Texts separated by commas; blanks around them do not count.
    List = 7,
    /// Name of a Java class.
    Class = 8,
    /// A text that is never shown.
    Password = 9,
}

/// What a value must satisfy beyond its type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Check {
    /// Nothing.
    Any,
    /// A number not below this.
    AtLeast(i64),
    /// A number within these, both included.
    Between(i64, i64),
    /// A fraction within these, both included.
    Ratio(f64, f64),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// One of these texts, in any case.
    OneOfIgnoringCase(&'static [&'static str]),
    /// A text that is not empty.
    NonEmpty,
    /// A list, possibly empty. Doubles of a list are dropped.
    Distinct,
    /// A list that is not empty.
    NonEmptyList,
    /// A possibly empty list of these.
    ListOf(&'static [&'static str]),
    /// A list of at least one of these.
    NonEmptyListOf(&'static [&'static str]),
    /// 1 to 9 or -1.
    GzipLevel,
    /// `*` or `partition:broker` pairs.
    ThrottledReplicas,
    /// `latest`, `earliest` or `by_duration:` with an ISO-8601 duration.
    AutoOffsetReset,
}

/// Whether a broker config can change while the broker runs (Kafka's dynamicConfigUpdateModes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// Only at start.
    ReadOnly,
    /// For one broker at a time.
    PerBroker,
    /// For all brokers or for one.
    ClusterWide,
}

/// What the broker does with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It acts on it.
    Acted,
    /// It takes it, keeps it, shows it and does nothing with it, for this reason.
    Ignored(&'static str),
}

/// A broker config that gives a topic or group config its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synonym {
    /// Name of the broker config.
    pub name: &'static str,
    /// What its value is multiplied with to get the topic's (hours and minutes to milliseconds); 1 for the same value.
    pub factor: i64,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Kafka's name, or one of ours beginning with `msgloop.`.
    pub name: &'static str,
    /// Type of the value.
    pub kind: Kind,
    /// Default as text; `None` is Kafka's null.
    pub default: Option<&'static str>,
    /// What a value must satisfy.
    pub check: Check,
    /// For a topic or group: broker configs that stand behind it, the first that is set wins.
    pub synonyms: &'static [Synonym],
    /// For a broker: whether it can change while running.
    pub update: Update,
    /// What the broker does with it.
    pub effect: Effect,
    /// Internal in Kafka: accepted, but neither documented nor described.
    pub internal: bool,
    /// Described only once it is set (Kafka keeps these outside its table).
    pub unlisted: bool,
    /// One sentence for people.
    pub doc: &'static str,
}

impl Config {
    pub(super) const fn new(
        kind: Kind,
        name: &'static str,
        default: Option<&'static str>,
        check: Check,
        doc: &'static str,
    ) -> Config {
        Config {
            name,
            kind,
            default,
            check,
            synonyms: &[],
            update: Update::ReadOnly,
            effect: Effect::Acted,
            internal: false,
            unlisted: false,
            doc,
        }
    }

    pub(super) const fn synonyms(mut self, synonyms: &'static [Synonym]) -> Config {
        self.synonyms = synonyms;
        self
    }

    pub(super) const fn cluster_wide(mut self) -> Config {
        self.update = Update::ClusterWide;
        self
    }

    pub(super) const fn per_broker(mut self) -> Config {
        self.update = Update::PerBroker;
        self
    }

    pub(super) const fn internal(mut self) -> Config {
        self.internal = true;
        self
    }

    pub(super) const fn unlisted(mut self) -> Config {
        self.unlisted = true;
        self
    }

    pub(super) const fn ignored(mut self, reason: &'static str) -> Config {
        self.effect = Effect::Ignored(reason);
        self
    }

    /// Whether the value must not be shown.
    pub fn is_sensitive(&self) -> bool {
        self.kind == Kind::Password
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Kind::Boolean => "BOOLEAN",
            Kind::String => "STRING",
            Kind::Int => "INT",
            Kind::Short => "SHORT",
            Kind::Long => "LONG",
            Kind::Double => "DOUBLE",
            Kind::List => "LIST",
            Kind::Class => "CLASS",
            Kind::Password => "PASSWORD",
        })
    }
}

/// The broker config with the same unit.
pub(super) const fn same(name: &'static str) -> Synonym {
    Synonym { name, factor: 1 }
}

/// A broker config in minutes behind a config in milliseconds.
pub(super) const fn minutes(name: &'static str) -> Synonym {
    Synonym { name, factor: 60_000 }
}

/// A broker config in hours behind a config in milliseconds.
pub(super) const fn hours(name: &'static str) -> Synonym {
    Synonym { name, factor: 3_600_000 }
}

macro_rules! constructors {
    ($($function:ident $kind:ident),*) => {$(
        pub(super) const fn $function(
            name: &'static str,
            default: Option<&'static str>,
            check: Check,
            doc: &'static str,
        ) -> Config {
            Config::new(Kind::$kind, name, default, check, doc)
        }
    )*};
}

constructors!(boolean Boolean, string String, int Int, short Short, long Long, double Double, list List, class Class, password Password);
