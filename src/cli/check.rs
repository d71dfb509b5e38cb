//! `holdfast check`.

use crate::app::config::explain;
use crate::app::reach;
use crate::cli::flags::Common;
use crate::cli::prepare::{runtime, settings};
use crate::cli::terminal::{Ending, say};
use clap::Args;

/// Flags of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The registry.
    #[command(flatten)]
    common: Common,
    /// Also try what it names: the storage, the metadata, the certificate
    #[arg(long)]
    connect: bool,
}

/// Prints what the configuration means, or every mistake in it; and whether what it names can be used.
pub fn run(args: &Check) -> Result<(), Ending> {
    let settings = settings(&args.common.flags())?;
    say(explain::explain(&settings).trim_end());
    if !args.connect {
        return Ok(());
    }
    say("");
    let mut all_fine = true;
    for tried in runtime()?.block_on(reach::all(&settings)) {
        let (word, text) = match &tried.result {
            Ok(text) => ("ok", text),
            Err(text) => ("BAD", text),
        };
        all_fine &= tried.result.is_ok();
        say(&format!("{word:<4}{:<10}{text}", tried.what));
    }
    if all_fine { Ok(()) } else { Err(Ending::Told) }
}
