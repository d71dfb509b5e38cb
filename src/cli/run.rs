//! From arguments to a command, and from its answer to an exit code.

use crate::cli::accounts::{acl, events, grant, group, passwd, service, token, user};
use crate::cli::args::{Cli, Command};
use crate::cli::terminal::{Ending, complain};
use crate::cli::{check, health, import, initial_password, inspect, ls, move_to, rebuild, rm, serve};
use clap::Parser;
use std::process::ExitCode;

/// What clap says for arguments that it does not know.
const USAGE: u8 = 2;

/// Runs the command of this process.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args).map_err(Ending::from),
        Command::Check(args) => check::run(&args),
        Command::Rebuild(args) => rebuild::run(&args).map_err(Ending::from),
        Command::Move(args) => move_to::run(&args),
        Command::Ls(args) => ls::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Rm(args) => rm::run(&args),
        Command::User(command) => user::run(&command),
        Command::Passwd(args) => passwd::run(&args),
        Command::Group(command) => group::run(&command),
        Command::Service(command) => service::run(&command),
        Command::Token(command) => token::run(&command),
        Command::Grant(command) => grant::run(&command),
        Command::Acl(command) => acl::run(&command),
        Command::Events(args) => events::run(&args),
        Command::InitialPassword(args) => initial_password::run(&args).map_err(Ending::from),
        Command::Health(remote) => health::run(&remote),
        Command::Import(args) => import::run(&args).map_err(Ending::from),
    };
    let Err(ending) = done else { return ExitCode::SUCCESS };
    match ending {
        Ending::Usage(complaint) => {
            complain(&complaint);
            ExitCode::from(USAGE)
        }
        Ending::Failed(complaint) => {
            complain(&complaint);
            ExitCode::FAILURE
        }
        Ending::Told => ExitCode::FAILURE,
    }
}
