//! A new password: read from standard input or a file, or made up here. Never from the command line, where every
//! process can read it.

use crate::auth::passwords::rules;
use crate::cli::secret_input;
use crate::cli::terminal::{Complaint, complain};
use crate::secret::Secret;
use clap::Args;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;

/// Where a password comes from.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct PasswordFrom {
    /// Read the new password from standard input
    #[arg(long)]
    new_password_stdin: bool,
    /// Read the new password from a file
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
}

/// A password, and whether nobody knows it yet.
pub struct NewPassword {
    secret: Secret,
    made: bool,
}

/// Reads the password, or makes one up if none is given.
pub fn new_password(from: &PasswordFrom) -> Result<NewPassword, Complaint> {
    let text = if let Some(file) = &from.new_password_file {
        std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?
    } else if from.new_password_stdin {
        if std::io::stdin().is_terminal() {
            complain("the password, then Enter and Ctrl-D:");
        }
        let mut text = String::new();
        let read = std::io::stdin().take(64 << 10).read_to_string(&mut text);
        read.map_err(|e| format!("the password could not be read: {e}"))?;
        text
    } else {
        let secret = rules::initial().map_err(|e| e.to_string())?;
        return Ok(NewPassword { secret, made: true });
    };
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    Ok(NewPassword { secret: Secret::new(text), made: false })
}

/// Reads the password that somebody gives themselves, or asks for it if none is given.
pub fn own_password(from: &PasswordFrom) -> Result<NewPassword, Complaint> {
    if from.new_password_stdin || from.new_password_file.is_some() {
        return new_password(from);
    }
    let secret = secret_input::typed("New password", "--new-password-stdin")?;
    Ok(NewPassword { secret, made: false })
}

impl PasswordFrom {
    /// Whether it comes from standard input.
    pub fn is_piped(&self) -> bool {
        self.new_password_stdin
    }
}

impl NewPassword {
    /// The text, for the request.
    pub fn text(&self) -> &str {
        self.secret.expose()
    }

    /// Tells a password that was made up here to the person who asked for it.
    pub fn tell_if_made(&self, name: &str) {
        if self.made {
            complain(&format!("the password of {name}, shown this once: {}", self.secret.expose()));
        }
    }
}
