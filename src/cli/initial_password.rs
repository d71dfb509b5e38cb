//! `holdfast initial-password`.

use crate::app::first_admin;
use crate::cli::flags::Common;
use crate::cli::prepare::settings;
use crate::cli::terminal::{Complaint, say, say_json};
use clap::Args;
use serde_json::json;
use std::io;
use std::path::Path;

/// Flags of `initial-password`.
#[derive(Debug, Args)]
pub struct InitialPassword {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Which server of this machine.
    #[command(flatten)]
    common: Common,
}

/// Prints the password that the first start has made.
pub fn run(args: &InitialPassword) -> Result<(), Complaint> {
    let settings = settings(&args.common.flags())?;
    let data = Path::new(&settings.data);
    let (file, name) = (first_admin::path(data), first_admin::name(data));
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            let password = text.trim_end();
            if args.json {
                return say_json(&json!({ "name": name, "password": password }));
            }
            say(password);
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
