//! What every command needs before it begins.

use crate::app::config::load::{Flags, load};
use crate::app::config::settings::Settings;
use crate::cli::terminal::Complaint;

/// The configuration, or all mistakes in it as one complaint.
pub fn settings(flags: &Flags) -> Result<Settings, Complaint> {
    load(flags).map_err(|mistakes| listed(&mistakes))
}

/// All mistakes of a configuration as one complaint.
pub fn listed(mistakes: &[String]) -> Complaint {
    let list: Vec<String> = mistakes.iter().map(|mistake| format!("  - {mistake}")).collect();
    format!("the configuration has {} mistake(s):\n{}", list.len(), list.join("\n"))
}

/// A runtime for a command.
pub fn runtime() -> Result<tokio::runtime::Runtime, Complaint> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("no threads could be started: {e}"))
}
