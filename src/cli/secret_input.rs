//! A password from its owner: through a pipe, or typed without being shown.

use crate::cli::terminal::Complaint;
use crate::secret::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};

/// Longest password.
const PASSWORD_BYTES_MAX: u64 = 64 << 10;

/// The password on standard input: all of it, without the end of the line.
pub fn piped() -> Result<Secret, Complaint> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(PASSWORD_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|_| "the password on standard input is no text".to_owned())?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        Err("there is no password on standard input".into())
    } else {
        Ok(Secret::new(password))
    }
}

/// The password as it is typed at the terminal of this process; `piped`: the flag that takes it from standard input.
pub fn typed(question: &str, piped: &str) -> Result<Secret, Complaint> {
    let no_terminal =
        |_| format!("there is no terminal to ask for the password: give it on standard input with {piped}");
    let mut terminal = File::options().read(true).write(true).open("/dev/tty").map_err(no_terminal)?;
    let _ = write!(terminal, "{question}: ");
    let quiet = Quiet::new(&terminal)?;
    let mut line = String::new();
    let read = BufReader::new((&terminal).take(PASSWORD_BYTES_MAX)).read_line(&mut line);
    drop(quiet);
    let _ = writeln!(terminal);
    read.map_err(|e| format!("the password cannot be read: {e}"))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() { Err("no password was typed".into()) } else { Ok(Secret::new(password)) }
}

/// A terminal that does not show what is typed, until this is dropped.
struct Quiet<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn new(terminal: &'a File) -> Result<Self, Complaint> {
        let told = |e| format!("the terminal cannot be made to hide what is typed: {e}");
        let before = tcgetattr(terminal).map_err(told)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Now, &hidden).map_err(told)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}
