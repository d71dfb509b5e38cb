//! The binary: hands the arguments to `cli` and its answer to the operating system.

use std::process::ExitCode;

fn main() -> ExitCode {
    holdfast::cli::run::run()
}
