//! `holdfast check`.

use crate::app::config::explain;
use crate::cli::flags::Common;
use crate::cli::prepare::settings;
use crate::cli::terminal::{Complaint, say};

/// Prints what the configuration means, or every mistake in it.
pub fn run(args: &Common) -> Result<(), Complaint> {
    let settings = settings(&args.flags())?;
    say(explain::explain(&settings).trim_end());
    Ok(())
}
