//! `holdfast events`: the audit trail, newest first.

use crate::cli::accounts::api::{Api, Shape, To};
use crate::cli::terminal::Ending;
use clap::Args;

/// Flags of `events`.
#[derive(Debug, Args)]
pub struct Events {
    /// How many
    #[arg(short, default_value_t = 50)]
    n: u64,
    /// Where.
    #[command(flatten)]
    to: To,
}

const SHAPE: Shape<7> = Shape([
    ("TIME", "at_millis"),
    ("WHAT", "what"),
    ("WHO", "who"),
    ("OBJECT", "object"),
    ("DETAIL", "detail"),
    ("ADDRESS", "address"),
    ("COUNT", "count"),
]);

/// Runs it.
pub fn run(args: &Events) -> Result<(), Ending> {
    Api::open(&args.to)?.get(&format!("/events?n={}", args.n.clamp(1, 1000)), &SHAPE)
}
