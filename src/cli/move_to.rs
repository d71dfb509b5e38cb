//! `holdfast move`.

use crate::app::config::load::load_target;
use crate::app::moving::{self, Move as Moving};
use crate::app::telemetry;
use crate::cli::flags::Common;
use crate::cli::move_shown::Shown;
use crate::cli::prepare::{listed, runtime, settings};
use crate::cli::terminal::{Ending, say};
use clap::Args;
use std::path::PathBuf;

/// Flags of `move`.
#[derive(Debug, Args)]
pub struct Move {
    /// Configuration of the registry to move to; its variables begin with HOLDFAST_TO_
    #[arg(long, value_name = "CONFIG", required_unless_present = "abort")]
    to: Option<PathBuf>,
    /// The registry that is moved.
    #[command(flatten)]
    common: Common,
    /// Let the old server take changes again when all is moved
    #[arg(long)]
    keep_writing: bool,
    /// Let the old server take changes again after a move, and do nothing else
    #[arg(long, conflicts_with_all = ["to", "keep_writing"])]
    abort: bool,
    /// Blobs under way at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Tell what happens as lines of JSON
    #[arg(long)]
    json: bool,
}

/// Moves the registry.
pub fn run(args: &Move) -> Result<(), Ending> {
    let from = settings(&args.common.flags())?;
    telemetry::start(&from.log);
    let runtime = runtime()?;
    let Some(file) = &args.to else {
        let begins_anew = runtime.block_on(moving::abort(&from)).map_err(told)?;
        say(if begins_anew {
            "the server takes changes again once it is started anew, when it makes its metadata from its storage"
        } else {
            "the registry takes changes again"
        });
        return Ok(());
    };
    let to = load_target(file, &from).map_err(|mistakes| listed(&mistakes))?;
    let ended = runtime.block_on(async {
        let moving = moving::open(&from, &to, args.jobs.into()).await.map_err(told)?;
        let shown = Shown::new(args.json, &moving.transfer.tally);
        let moved = tokio::select! {
            moved = moved(&moving, args, &shown) => moved,
            _ = tokio::signal::ctrl_c() => interrupted(&moving).await,
        };
        shown.end();
        moving.close().await;
        moved?;
        shown.summary(&moving, file, args.keep_writing)
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    ended
}

async fn moved(moving: &Moving, args: &Move, shown: &Shown) -> Result<(), Ending> {
    let step = |step| shown.step(step);
    let work = async {
        moving.copy(&step).await?;
        moving.finish(args.keep_writing, &step).await
    };
    tokio::select! {
        done = work => done.map_err(told),
        lost = moving.keep_claims() => Err(told(lost)),
        never = shown.watch() => match never {},
    }
}

async fn interrupted(moving: &Moving) -> Result<(), Ending> {
    let way_back = match moving.server.let_go().await {
        Ok(()) => "the source takes changes as before",
        Err(_) => "the source takes changes again within a minute",
    };
    Err(Ending::Failed(format!(
        "interrupted; {way_back}, and the same command goes on where this one stopped"
    )))
}

fn told(error: impl std::fmt::Display) -> Ending {
    Ending::Failed(error.to_string())
}
