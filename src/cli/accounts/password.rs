//! A new password: read from standard input or a file, or made up here. Never from the command line, where every
//! process can read it.

use crate::cli::terminal::{Complaint, complain};
use crate::secret::Secret;
use aws_lc_rs::rand;
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

/// Letters and digits that are not taken for each other.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789A";
const LENGTH: usize = 26;

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
        return Ok(NewPassword { secret: made_up()?, made: true });
    };
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    Ok(NewPassword { secret: Secret::new(text), made: false })
}

fn made_up() -> Result<Secret, Complaint> {
    let mut bytes = [0; LENGTH];
    rand::fill(&mut bytes).map_err(|_| "the system gives no randomness".to_owned())?;
    let letters = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    Ok(Secret::new(letters.collect::<String>()))
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
