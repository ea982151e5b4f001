//! What a row of the config table says, and how a text becomes a value. Types, checks and the wording of their errors
//! are Kafka's (clients/.../common/config/ConfigDef.java), because tools show them to people as they are.

use std::fmt;

use thiserror::Error;

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

/// A value that its config does not allow; the wording is Kafka's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// Wrong type or out of bounds.
    #[error("Invalid value {value} for configuration {name}: {reason}")]
    Invalid {
        /// The config.
        name: String,
        /// What was given, or `null`.
        value: String,
        /// What it should have been.
        reason: String,
    },
    /// A list with an empty item, or empty where it may not be.
    #[error("Configuration '{name}' {reason}")]
    List {
        /// The config.
        name: String,
        /// What is wrong with the list.
        reason: String,
    },
}

impl Config {
    const fn new(
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

    /// Checks type and bounds of `value` and returns it as it is kept: trimmed, lists joined by bare commas.
    pub fn normalize(&self, value: &str) -> Result<String, ConfigError> {
        let value = value.trim();
        let normal = match self.kind {
            Kind::Boolean => self.normalize_boolean(value)?,
            Kind::Int => self.normalize_integer(value, i64::from(i32::MIN), i64::from(i32::MAX))?,
            Kind::Short => self.normalize_integer(value, i64::from(i16::MIN), i64::from(i16::MAX))?,
            Kind::Long => self.normalize_integer(value, i64::MIN, i64::MAX)?,
            Kind::Double => self.normalize_double(value)?,
            Kind::List => without_doubles(value),
            Kind::String | Kind::Class | Kind::Password => value.to_owned(),
        };
        self.satisfies_check(&normal)?;
        Ok(normal)
    }

    fn normalize_boolean(&self, value: &str) -> Result<String, ConfigError> {
        match value.to_ascii_lowercase().as_str() {
            normal @ ("true" | "false") => Ok(normal.to_owned()),
            _ => Err(self.invalid(value, "Expected value to be either true or false")),
        }
    }

    fn normalize_integer(&self, value: &str, min: i64, max: i64) -> Result<String, ConfigError> {
        match value.parse::<i64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(number.to_string()),
            _ => Err(self.invalid(value, &format!("Not a number of type {}", self.kind))),
        }
    }

    fn normalize_double(&self, value: &str) -> Result<String, ConfigError> {
        match value.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(value.to_owned()),
            _ => Err(self.invalid(value, &format!("Not a number of type {}", self.kind))),
        }
    }

    fn satisfies_check(&self, value: &str) -> Result<(), ConfigError> {
        match self.check {
            Check::Any => Ok(()),
            Check::AtLeast(min) => self.within(value, min, i64::MAX),
            Check::Between(min, max) => self.within(value, min, max),
            Check::Ratio(min, max) => self.ratio_within(value, min, max),
            Check::OneOf(allowed) => self.one_of(value, allowed),
            Check::OneOfIgnoringCase(allowed) => self.one_of_ignoring_case(value, allowed),
            Check::NonEmpty if value.is_empty() => Err(self.invalid(value, "String must be non-empty")),
            Check::NonEmpty => Ok(()),
            Check::Distinct => self.list(value, &[], true),
            Check::NonEmptyList => self.list(value, &[], false),
            Check::ListOf(allowed) => self.list(value, allowed, true),
            Check::NonEmptyListOf(allowed) => self.list(value, allowed, false),
            Check::GzipLevel => self.gzip_level(value),
            Check::ThrottledReplicas => self.throttled_replicas(value),
            Check::AutoOffsetReset => self.auto_offset_reset(value),
        }
    }

    fn within(&self, value: &str, min: i64, max: i64) -> Result<(), ConfigError> {
        let number = value.parse::<i64>().unwrap_or_default();
        if number < min {
            return Err(self.invalid(value, &format!("Value must be at least {min}")));
        }
        if number > max {
            return Err(self.invalid(value, &format!("Value must be no more than {max}")));
        }
        Ok(())
    }

    fn ratio_within(&self, value: &str, min: f64, max: f64) -> Result<(), ConfigError> {
        let number = value.parse::<f64>().unwrap_or_default();
        if number < min {
            return Err(self.invalid(value, &format!("Value must be at least {min}")));
        }
        if number > max {
            return Err(self.invalid(value, &format!("Value must be no more than {max}")));
        }
        Ok(())
    }

    fn one_of(&self, value: &str, allowed: &[&str]) -> Result<(), ConfigError> {
        if allowed.contains(&value) {
            return Ok(());
        }
        Err(self.invalid(value, &format!("String must be one of: {}", allowed.join(", "))))
    }

    fn one_of_ignoring_case(&self, value: &str, allowed: &[&str]) -> Result<(), ConfigError> {
        if allowed.iter().any(|one| one.eq_ignore_ascii_case(value)) {
            return Ok(());
        }
        Err(self.invalid(value, &format!("String must be one of (case insensitive): {}", allowed.join(", "))))
    }

    fn list(&self, value: &str, allowed: &[&str], may_be_empty: bool) -> Result<(), ConfigError> {
        let items = split_list(value);
        let wrong = |reason: String| Err(ConfigError::List { name: self.name.to_owned(), reason });
        if items.is_empty() && !may_be_empty {
            let valid =
                if allowed.is_empty() { "any non-empty value".to_owned() } else { format!("[{}]", allowed.join(", ")) };
            return wrong(format!("must not be empty. Valid values include: {valid}"));
        }
        for item in items {
            if item.is_empty() {
                return wrong("values must not be empty.".to_owned());
            }
            if !allowed.is_empty() {
                self.one_of(item, allowed)?;
            }
        }
        Ok(())
    }

    fn gzip_level(&self, value: &str) -> Result<(), ConfigError> {
        match value.parse::<i64>().unwrap_or_default() {
            -1 | 1..=9 => Ok(()),
            _ => Err(self.invalid(value, "Value must be between 1 and 9 or equal to -1")),
        }
    }

    fn throttled_replicas(&self, value: &str) -> Result<(), ConfigError> {
        let is_pair = |item: &str| {
            let numbers = item.split_once(':').map(|(partition, broker)| [partition, broker]);
            numbers.is_some_and(|pair| {
                pair.iter().all(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
            })
        };
        let items = split_list(value);
        if items == ["*"] || items.iter().all(|item| is_pair(item)) {
            return Ok(());
        }
        Err(self.invalid(
            value,
            &format!(
                "{} must be the literal '*' or a list of replicas in the following format: \
                 [partitionId]:[brokerId],[partitionId]:[brokerId],...",
                self.name
            ),
        ))
    }

    fn auto_offset_reset(&self, value: &str) -> Result<(), ConfigError> {
        let lower = value.to_ascii_lowercase();
        let known = matches!(lower.as_str(), "latest" | "earliest")
            || lower
                .strip_prefix("by_duration:")
                .is_some_and(|duration| duration.starts_with('p') && duration.len() > 2);
        if known {
            return Ok(());
        }
        Err(self.invalid(value, "must be one of latest, earliest or by_duration:PnDTnHnMn.nS"))
    }

    /// An error about this config, in Kafka's form.
    pub fn invalid(&self, value: &str, reason: &str) -> ConfigError {
        ConfigError::Invalid { name: self.name.to_owned(), value: value.to_owned(), reason: reason.to_owned() }
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

/// The list with each item once, as Kafka's parser keeps it.
fn without_doubles(value: &str) -> String {
    let mut items: Vec<&str> = Vec::new();
    for item in split_list(value) {
        if !items.contains(&item) {
            items.push(item);
        }
    }
    items.join(",")
}

/// Items of a list value; an empty text has none.
pub fn split_list(value: &str) -> Vec<&str> {
    if value.trim().is_empty() {
        return Vec::new();
    }
    value.split(',').map(str::trim).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_normalized_or_refused_in_kafkas_words() {
        let config = |kind, check| Config::new(kind, "x", None, check, "");
        let check = |config: Config, value: &str, expected: Result<&str, &str>| {
            let actual = config.normalize(value).map_err(|error| error.to_string());
            assert_eq!(actual.as_deref().map_err(String::as_str), expected, "{value}");
        };
        check(config(Kind::Boolean, Check::Any), " TRUE ", Ok("true"));
        check(
            config(Kind::Boolean, Check::Any),
            "yes",
            Err("Invalid value yes for configuration x: Expected value to be either true or false"),
        );
        check(config(Kind::Long, Check::AtLeast(-1)), "-1", Ok("-1"));
        check(
            config(Kind::Long, Check::AtLeast(-1)),
            "-2",
            Err("Invalid value -2 for configuration x: Value must be at least -1"),
        );
        check(
            config(Kind::Int, Check::Any),
            "4294967296",
            Err("Invalid value 4294967296 for configuration x: Not a number of type INT"),
        );
        check(
            config(Kind::Int, Check::Between(1, 17)),
            "18",
            Err("Invalid value 18 for configuration x: Value must be no more than 17"),
        );
        check(config(Kind::Int, Check::GzipLevel), "-1", Ok("-1"));
        check(
            config(Kind::Int, Check::GzipLevel),
            "0",
            Err("Invalid value 0 for configuration x: Value must be between 1 and 9 or equal to -1"),
        );
        let policies = Check::ListOf(&["compact", "delete"]);
        check(config(Kind::List, policies), "compact , delete", Ok("compact,delete"));
        check(config(Kind::List, policies), "", Ok(""));
        check(config(Kind::List, policies), "delete, delete", Ok("delete"));
        check(
            config(Kind::List, policies),
            "drop",
            Err("Invalid value drop for configuration x: String must be one of: compact, delete"),
        );
        check(config(Kind::List, policies), "delete,delete", Ok("delete"));
        check(config(Kind::List, policies), "delete,,compact", Err("Configuration 'x' values must not be empty."));
        check(
            config(Kind::List, Check::NonEmptyList),
            "",
            Err("Configuration 'x' must not be empty. Valid values include: any non-empty value"),
        );
        check(config(Kind::List, Check::ThrottledReplicas), "0:1,1:2", Ok("0:1,1:2"));
        assert!(config(Kind::List, Check::ThrottledReplicas).normalize("0-1").is_err());
        assert!(config(Kind::Double, Check::Ratio(0.0, 1.0)).normalize("1.5").is_err());
    }
}
