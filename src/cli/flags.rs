//! Flags that several commands share: where a server of this machine has its data and its configuration, and how lists of
//! a registry are gone through.

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

/// Flags of the commands that go through lists of a registry: `ls` and `rm`.
#[derive(Debug, Args)]
pub struct Lists {
    /// Print JSON
    #[arg(long, short)]
    pub json: bool,
    /// Tell at the end how many requests it took
    #[arg(long)]
    pub statistics: bool,
    /// Names to ask for at once; a registry may give fewer
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub page_size: u32,
}
