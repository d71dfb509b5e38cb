//! The command line.

use crate::cli::accounts::acl::Acl;
use crate::cli::accounts::api::To;
use crate::cli::accounts::events::Events;
use crate::cli::accounts::grant::Grant;
use crate::cli::accounts::group::Group;
use crate::cli::accounts::passwd::Passwd;
use crate::cli::accounts::service::Service;
use crate::cli::accounts::token::Token;
use crate::cli::accounts::user::User;
use crate::cli::check::Check;
use crate::cli::flags::Common;
use crate::cli::import::Import;
use crate::cli::initial_password::InitialPassword;
use crate::cli::inspect::Inspect;
use crate::cli::ls::Ls;
use crate::cli::move_to::Move;
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
    Check(Check),
    /// Make the metadata again from the images in storage; the server must be stopped
    Rebuild(Common),
    /// Move the registry to where another configuration says, while it goes on serving
    Move(Move),
    /// List the repositories of a registry, or the tags of a repository
    Ls(Ls),
    /// Show what an image is made of
    Inspect(Inspect),
    /// Remove tags, or manifests with all their tags
    Rm(Rm),
    /// Users
    #[command(subcommand)]
    User(User),
    /// Change one's own password
    Passwd(Passwd),
    /// Groups of accounts
    #[command(subcommand)]
    Group(Group),
    /// Service accounts: accounts of machines
    #[command(subcommand)]
    Service(Service),
    /// One's own personal access tokens
    #[command(subcommand)]
    Token(Token),
    /// Who may do what, beside the rules of the configuration
    #[command(subcommand)]
    Grant(Grant),
    /// Why an account may or may not do something, and what is doubtful in the rules
    #[command(subcommand)]
    Acl(Acl),
    /// The audit trail, newest first
    Events(Events),
    /// Print the administrator's password that the first start has made
    InitialPassword(InitialPassword),
    /// Whether the server answers: for a container's health check
    Health(To),
    /// Print the configuration that means the same as another program's
    Import(Import),
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
    /// A proxy in front ends TLS: listen wider than on 127.0.0.1 without a certificate
    #[arg(long)]
    pub behind_proxy: bool,
    /// No accounts: everybody who can reach the port may read, change and delete everything
    #[arg(long)]
    pub open: bool,
}
