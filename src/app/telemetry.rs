//! Where the log goes: standard error, one line an event.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The form of a line.
    pub format: Format,
    /// The least that is told, or a filter by target.
    pub level: String,
}

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object, for machines.
    Json,
    /// Words, for people.
    Text,
}

impl Default for Config {
    fn default() -> Self {
        Self { format: Format::Json, level: "info".into() }
    }
}

/// Starts the log. A second call changes nothing.
pub fn start(config: &Config) {
    let filter = EnvFilter::try_new(&config.level).unwrap_or_else(|_| EnvFilter::new("info"));
    // A log that cannot be written (a full disk, a reader that has gone) must not take the registry with it: left
    // to itself the library would print to the same place, and panic there.
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    let _ = match config.format {
        Format::Json => {
            log.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
        }
        Format::Text => log.try_init(),
    };
}
