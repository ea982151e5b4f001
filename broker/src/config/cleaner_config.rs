//! The settings of `log.cleaner.*` as one core's cleaner needs them. Kafka shares its memory and its rate out among
//! threads; here the cores share them.

use std::time::Duration;

use storage::CleanerConfig;

use crate::config::settings::Settings;

/// One core's share of what is in force. `log.cleaner.threads` only says whether there is a cleaner: each core has one.
pub fn cleaner_config(settings: &Settings, cores: usize) -> CleanerConfig {
    let real = |name: &str| settings.text(name).parse::<f64>().unwrap_or_default();
    let share = |name: &str| usize::try_from(settings.number(name)).unwrap_or_default() / cores.max(1);
    CleanerConfig {
        enabled: settings.boolean("log.cleaner.enable") && settings.number("log.cleaner.threads") > 0,
        io_bytes_per_second: real("log.cleaner.io.max.bytes.per.second") / cores.max(1) as f64,
        dedupe_buffer_bytes: share("log.cleaner.dedupe.buffer.size"),
        load_factor: real("log.cleaner.io.buffer.load.factor"),
        io_buffer_bytes: share("log.cleaner.io.buffer.size"),
        backoff: Duration::from_millis(u64::try_from(settings.number("log.cleaner.backoff.ms")).unwrap_or_default()),
        ..CleanerConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Values;

    #[test]
    fn cores_share_memory_and_rate() {
        let config = cleaner_config(&Settings::default(), 4);
        assert_eq!(config.dedupe_buffer_bytes, (128 << 20) / 4);
        assert_eq!((config.io_buffer_bytes, config.load_factor), ((512 << 10) / 4, 0.9));
        assert_eq!((config.enabled, config.backoff), (true, Duration::from_secs(15)));
        let set = |name: &str, value: &str| {
            cleaner_config(&Settings::fixed(Values::from([(name.to_owned(), value.to_owned())])), 2)
        };
        assert!(!set("log.cleaner.enable", "false").enabled && !set("log.cleaner.threads", "0").enabled);
        assert_eq!(set("log.cleaner.io.max.bytes.per.second", "1000000").io_bytes_per_second, 500_000.0);
    }
}
