//! DescribeConfigs (key 32): reads the configuration of topics, brokers and groups.

use super::ApiKey;
use crate::ErrorCode;

message! {
    /// The resources and configs asked about.
    DescribeConfigsRequest(ApiKey::DescribeConfigs.versions()) {
        resources:             Vec<DescribeConfigsResource>, 0+;
        include_synonyms:      bool,                         1+;
        include_documentation: bool,                         3+;
    }

    /// Element of [`DescribeConfigsRequest::resources`].
    DescribeConfigsResource {
        resource_type:      i8,                  0+;
        resource_name:      String,              0+;
        configuration_keys: Option<Vec<String>>, 0+, null 0, = Some(Vec::new());
    }

    /// Configs with their values, sources and types.
    DescribeConfigsResponse(ApiKey::DescribeConfigs.versions()) {
        throttle_time_ms: i32,                        0+;
        results:          Vec<DescribeConfigsResult>, 0+;
    }

    /// Element of [`DescribeConfigsResponse::results`].
    DescribeConfigsResult {
        error_code:    ErrorCode,                          0+;
        error_message: Option<String>,                     0+, null 0, = Some(String::new());
        resource_type: i8,                                 0+;
        resource_name: String,                             0+;
        configs:       Vec<DescribeConfigsResourceResult>, 0+;
    }

    /// Element of [`DescribeConfigsResult::configs`].
    DescribeConfigsResourceResult {
        name:          String,                      0+;
        value:         Option<String>,              0+, null 0, = Some(String::new());
        read_only:     bool,                        0+;
        config_source: i8,                          1+, = -1;
        is_sensitive:  bool,                        0+;
        synonyms:      Vec<DescribeConfigsSynonym>, 1+;
        config_type:   i8,                          3+;
        documentation: Option<String>,              3+, null 0, = Some(String::new());
    }

    /// Element of [`DescribeConfigsResourceResult::synonyms`].
    DescribeConfigsSynonym {
        name:   String,         1+;
        value:  Option<String>, 1+, null 0, = Some(String::new());
        source: i8,             1+;
    }
}
