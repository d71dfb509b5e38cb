//! The command line.

use crate::app::config::load::Flags;
use crate::cli::import::Import;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// A whole private container registry in one binary.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the registry
    Serve(Serve),
    /// Print what the configuration means, and every mistake in it
    Check(Common),
    /// Make the metadata again from the images in storage; the server must be stopped
    Rebuild(Common),
    /// Print the configuration that means the same as another program's
    Import(Import),
}

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

/// Flags of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// The common ones.
    #[command(flatten)]
    pub common: Common,
    /// Address and port to listen on; port 0 lets the system choose
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// No accounts: everybody who can reach the port may read, change and delete everything
    #[arg(long)]
    pub open: bool,
}

impl Common {
    /// What the configuration's loader needs.
    pub fn flags(&self) -> Flags {
        Flags { config: self.config.clone(), data: self.data.clone(), listen: None }
    }
}
