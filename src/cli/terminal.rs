//! The person at the terminal: what is said to them, and where.

/// A sentence for the person at the terminal.
pub type Complaint = String;

/// Says something to the person at the terminal.
#[allow(clippy::print_stderr)]
pub fn complain(text: &str) {
    eprintln!("holdfast: {text}");
}

/// Prints a command's answer.
#[allow(clippy::print_stdout)]
pub fn say(text: &str) {
    println!("{text}");
}
