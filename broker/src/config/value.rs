//! How a text becomes the value of a config. The wording of the errors is Kafka's (clients/.../common/config/ConfigDef.java),
//! because tools show them to people as they are.

use thiserror::Error;

use super::definition::{Check, Config, Kind};

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
        // Kafka looks at a list before it drops what is there twice.
        self.satisfies_check(if self.kind == Kind::List { value } else { &normal })?;
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
            return Err(self.invalid(&format!("{number:?}"), &format!("Value must be at least {min}")));
        }
        if number > max {
            return Err(self.invalid(&format!("{number:?}"), &format!("Value must be no more than {max}")));
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
            &format!("[{}]", items.join(", ")),
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
        let reason = format!(
            "Invalid value `{value}` for configuration {}. The value must be either 'earliest', 'latest' or of the \
             format 'by_duration:<PnDTnHnMn.nS>'.",
            self.name
        );
        Err(self.invalid(value, &reason))
    }

    /// An error about this config, in Kafka's form.
    pub fn invalid(&self, value: &str, reason: &str) -> ConfigError {
        ConfigError::Invalid { name: self.name.to_owned(), value: value.to_owned(), reason: reason.to_owned() }
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
