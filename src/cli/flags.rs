//! The flags that say where a server of this machine has its data and its configuration.

use crate::app::config::load::Flags;
use clap::Args;
use std::path::PathBuf;

/// Flags of every command.
#[derive(Debug, Args)]
pub struct Common {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "HOLDFAST_CONFIG")]
    pub config: Option<PathBuf>,
    /// Folder of the metadata, and of the images unless configured otherwise
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl Common {
    /// What the configuration's loader needs.
    pub fn flags(&self) -> Flags {
        Flags { config: self.config.clone(), data: self.data.clone(), ..Flags::default() }
    }
}
