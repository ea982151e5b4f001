//! Loggers as configs (resource type 8; KIP-412, RuntimeLoggerManager.java): what IncrementalAlterConfigs and DescribeConfigs
//! share about them.

use protocol::ErrorCode;
use protocol::messages::describe_configs::DescribeConfigsResourceResult;
use protocol::messages::incremental_alter_configs::AlterConfigsResource;
use tracing::level_filters::LevelFilter;

use crate::logging;
use crate::metadata::decide::ApiError;

/// ConfigResource.Type of loggers, which are no configs.
pub const BROKER_LOGGER: i8 = 8;
/// ConfigSource of a logger's level.
const LOGGER_SOURCE: i8 = 6;
const SET: i8 = 0;
const DELETE: i8 = 1;
const VALID_LEVELS: &str = "DEBUG, ERROR, FATAL, INFO, TRACE, WARN";

/// All loggers, or those of `names`.
pub fn describe(names: Option<&[String]>) -> Vec<DescribeConfigsResourceResult> {
    let is_wanted = |name: &String| names.is_none_or(|names| names.contains(name));
    let found = logging::levels().into_iter().filter(|(name, _)| is_wanted(name));
    let row = |(name, level): (String, LevelFilter)| DescribeConfigsResourceResult {
        name,
        value: Some(level.to_string().to_uppercase()),
        config_source: LOGGER_SOURCE,
        documentation: None,
        ..Default::default()
    };
    found.map(row).collect()
}

/// Changes levels as a whole or not at all; all is checked first.
pub fn alter(resource: &AlterConfigsResource, node_id: i32, validate_only: bool) -> Result<(), ApiError> {
    let name = &resource.resource_name;
    match name.parse::<i32>() {
        Err(_) => return Err(invalid_request(format!("Node id must be an integer, but it is: {name}"))),
        Ok(id) if id != node_id => {
            return Err(invalid_request(format!("Unexpected node id. Expected {node_id}, but received {id}")));
        }
        Ok(_) => {}
    }
    let change = |config: &protocol::messages::incremental_alter_configs::AlterableConfig| {
        change(config.config_operation, &config.name, config.value.as_deref())
    };
    let changes = resource.configs.iter().map(change).collect::<Result<Vec<_>, _>>()?;
    if !validate_only {
        logging::set_levels(&changes);
    }
    Ok(())
}

fn change(operation: i8, logger: &str, level: Option<&str>) -> Result<(String, Option<LevelFilter>), ApiError> {
    if !matches!(operation, SET | DELETE) {
        return Err(invalid_request(format!("Operation {operation} is not allowed for the BROKER_LOGGER resource")));
    }
    if !logging::levels().contains_key(logger) {
        return Err(ApiError::new(ErrorCode::INVALID_CONFIG, format!("Logger {logger} does not exist!")));
    }
    if operation == SET {
        let level = level.unwrap_or_default();
        let found = level_of(level).ok_or_else(|| unsupported(logger, level))?;
        return Ok((logger.to_owned(), Some(found)));
    }
    if logger == logging::ROOT {
        return Err(invalid_request(format!("Removing the log level of the {logger} logger is not allowed")));
    }
    Ok((logger.to_owned(), None))
}

/// Kafka's level of that name; nothing here is worse than an error.
fn level_of(name: &str) -> Option<LevelFilter> {
    match name {
        "FATAL" | "ERROR" => Some(LevelFilter::ERROR),
        "WARN" => Some(LevelFilter::WARN),
        "INFO" => Some(LevelFilter::INFO),
        "DEBUG" => Some(LevelFilter::DEBUG),
        "TRACE" => Some(LevelFilter::TRACE),
        _ => None,
    }
}

fn invalid_request(message: String) -> ApiError {
    ApiError::new(ErrorCode::INVALID_REQUEST, message)
}

fn unsupported(logger: &str, level: &str) -> ApiError {
    let message = format!(
        "Cannot set the log level of {logger} to {level} as it is not a supported log level. Valid log levels are {VALID_LEVELS}"
    );
    ApiError::new(ErrorCode::INVALID_CONFIG, message)
}

#[cfg(test)]
mod tests {
    use protocol::messages::incremental_alter_configs::AlterableConfig;

    use super::*;

    #[test]
    fn wrong_changes_get_kafkas_codes() {
        let check = |node: &str, operation: i8, logger: &str, level: Option<&str>, expected: ErrorCode| {
            let config = AlterableConfig {
                name: logger.to_owned(),
                config_operation: operation,
                value: level.map(str::to_owned),
            };
            let resource = AlterConfigsResource {
                resource_type: BROKER_LOGGER,
                resource_name: node.to_owned(),
                configs: vec![config],
            };
            let code = alter(&resource, 1, true).map_or_else(|error| error.code, |()| ErrorCode::NONE);
            assert_eq!(code, expected, "{node} {operation} {logger} {level:?}");
        };
        check("1", SET, "storage", Some("DEBUG"), ErrorCode::NONE);
        check("1", SET, "root", Some("FATAL"), ErrorCode::NONE);
        check("1", DELETE, "broker.net", None, ErrorCode::NONE);
        check("2", SET, "storage", Some("DEBUG"), ErrorCode::INVALID_REQUEST);
        check("", SET, "storage", Some("DEBUG"), ErrorCode::INVALID_REQUEST);
        check("1", SET, "kafka.server", Some("DEBUG"), ErrorCode::INVALID_CONFIG);
        check("1", SET, "storage", Some("LOUD"), ErrorCode::INVALID_CONFIG);
        check("1", SET, "storage", None, ErrorCode::INVALID_CONFIG);
        check("1", DELETE, "root", None, ErrorCode::INVALID_REQUEST);
        check("1", 2, "storage", Some("DEBUG"), ErrorCode::INVALID_REQUEST);
        check("1", 9, "storage", Some("DEBUG"), ErrorCode::INVALID_REQUEST);
    }
}
