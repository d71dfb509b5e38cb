//! The person at the terminal: what is said to them, and where. A terminal that has gone away is no reason to
//! fall over.

use crate::upstream::error::Error;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{BufRead, IsTerminal, Write};

/// A sentence for the person at the terminal.
pub type Complaint = String;

/// How a command ends that did not do all that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// What was asked for makes no sense; nothing was done. Exit code 2, as for flags that are not known.
    Usage(Complaint),
    /// It failed. Exit code 1.
    Failed(Complaint),
    /// Some of it failed, and that was told already. Exit code 1.
    Told,
}

impl From<Complaint> for Ending {
    fn from(complaint: Complaint) -> Self {
        Self::Failed(complaint)
    }
}

impl From<Error> for Ending {
    fn from(error: Error) -> Self {
        match error {
            Error::Given(text) => Self::Usage(text),
            other => Self::Failed(other.to_string()),
        }
    }
}

/// Says something to the person at the terminal.
pub fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "holdfast: {text}");
}

/// Prints a command's answer.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints bytes as they are.
pub fn say_bytes(bytes: &[u8]) {
    let mut out = std::io::stdout();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// Prints a command's answer as JSON. Control characters that a stranger has put into it are written as escapes.
pub fn say_json(answer: &impl Serialize) -> Result<(), Complaint> {
    let text = serde_json::to_string_pretty(answer)
        .map_err(|e| format!("the answer cannot be written as JSON: {e}"))?;
    say(&escaped(&text));
    Ok(())
}

/// Control characters stand only inside the strings of a JSON text, except for the ends of lines.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() && c != '\n' {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

/// Whether there is a person who could answer a question.
pub fn is_attended() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks a question that is answered by yes or by anything else.
pub fn confirmed(question: &str) -> bool {
    let _ = write!(std::io::stderr(), "{question} [y/N] ");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_cannot_steer_a_terminal_and_stays_the_same_json() {
        let value = serde_json::json!({"a": "x\u{1b}[2J\u{9b}31m\u{7f}\n"});
        let text = escaped(&serde_json::to_string_pretty(&value).unwrap());
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
