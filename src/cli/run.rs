//! From arguments to a command, and from its answer to an exit code.

use crate::app::config::load::{Flags, load};
use crate::app::config::settings::Settings;
use crate::cli::args::{Cli, Command};
use crate::cli::{check, rebuild, serve};
use clap::Parser;
use std::process::ExitCode;

/// A sentence for the person at the terminal.
pub type Complaint = String;

/// Runs the command of this process.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Rebuild(args) => rebuild::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            complain(&complaint);
            ExitCode::FAILURE
        }
    }
}

/// The configuration, or all mistakes in it as one complaint.
pub fn settings(flags: &Flags) -> Result<Settings, Complaint> {
    load(flags).map_err(|mistakes| {
        let list: Vec<String> = mistakes.iter().map(|mistake| format!("  - {mistake}")).collect();
        format!("the configuration has {} mistake(s):\n{}", list.len(), list.join("\n"))
    })
}

/// A runtime for a command.
pub fn runtime() -> Result<tokio::runtime::Runtime, Complaint> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("no threads could be started: {e}"))
}

/// Says something to the person at the terminal.
#[allow(clippy::print_stderr)]
pub fn complain(text: &str) {
    eprintln!("holdfast: {text}");
}

/// Prints a command's answer.
#[allow(clippy::print_stdout)]
pub fn say(text: &str) {
    println!("{text}");
}
