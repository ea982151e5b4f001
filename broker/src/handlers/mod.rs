//! One file per Kafka API, opened by what a client sees. `api.rs` lists them.

pub mod api_versions;
