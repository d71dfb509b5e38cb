//! From arguments to a command, and from its answer to an exit code.

use crate::cli::args::{Cli, Command};
use crate::cli::terminal::complain;
use crate::cli::{check, import, rebuild, serve};
use clap::Parser;
use std::process::ExitCode;

/// Runs the command of this process.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Rebuild(args) => rebuild::run(&args),
        Command::Import(args) => import::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            complain(&complaint);
            ExitCode::FAILURE
        }
    }
}
