//! `holdfast initial-password`.

use crate::app::first_admin;
use crate::cli::flags::Common;
use crate::cli::prepare::settings;
use crate::cli::terminal::{Complaint, say};
use std::io;
use std::path::Path;

/// Prints the password that the first start has made.
pub fn run(args: &Common) -> Result<(), Complaint> {
    let settings = settings(&args.flags())?;
    let file = first_admin::path(Path::new(&settings.data));
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            say(text.trim_end());
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(format!(
            "{} is not there: the server has not been started yet, the password was given to it, or it has been \
             changed; `holdfast user passwd admin` sets another one",
            file.display()
        )),
        Err(error) => Err(format!("{}: {error}", file.display())),
    }
}
