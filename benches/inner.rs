//! The inner loops.
fn main() {}
