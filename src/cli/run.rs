//! From arguments to a command, and from its answer to an exit code.

use crate::cli::args::{Cli, Command};
use crate::cli::terminal::{Ending, complain};
use crate::cli::{check, inspect, ls, rebuild, rm, serve};
use clap::Parser;
use std::process::ExitCode;

/// What clap says for arguments that it does not know.
const USAGE: u8 = 2;

/// Runs the command of this process.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args).map_err(Ending::from),
        Command::Check(args) => check::run(&args).map_err(Ending::from),
        Command::Rebuild(args) => rebuild::run(&args).map_err(Ending::from),
        Command::Ls(args) => ls::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Rm(args) => rm::run(&args),
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
