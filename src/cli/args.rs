//! The command line.

use crate::cli::flags::Common;
use crate::cli::inspect::Inspect;
use crate::cli::ls::Ls;
use crate::cli::rm::Rm;
use clap::{Args, Parser, Subcommand};

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
    /// List the repositories of a registry, or the tags of a repository
    Ls(Ls),
    /// Show what an image is made of
    Inspect(Inspect),
    /// Remove tags, or manifests with all their tags
    Rm(Rm),
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
