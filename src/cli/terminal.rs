//! The person at the terminal: what is said to them, and where. A terminal that has gone away is no reason to
//! fall over.

use std::io::Write;

/// A sentence for the person at the terminal.
pub type Complaint = String;

/// Says something to the person at the terminal.
pub fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "holdfast: {text}");
}

/// Prints a command's answer.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
