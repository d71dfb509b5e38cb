//! What a move shows of itself: a bar with an estimate on standard error, or events as lines of JSON on standard output;
//! and at the end what was moved, what was left and what to do next.

use crate::app::hold::Server;
use crate::app::moving::{Move, Step};
use crate::cli::terminal::{Ending, complain, say};
use crate::registry::transfer::tally::Tally;
use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the bar moves, and how often an event of progress is told.
const TICK: Duration = Duration::from_millis(250);
const EVENT_EVERY: u32 = 4;

/// Shows a move.
pub struct Shown {
    json: bool,
    bar: ProgressBar,
    tally: Arc<Tally>,
    begun: Mutex<Option<Instant>>,
}

impl Shown {
    /// Shows what `tally` counts.
    pub fn new(json: bool, tally: &Arc<Tally>) -> Self {
        let target = if json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {msg}") {
            bar.set_style(style);
        }
        Self { json, bar, tally: Arc::clone(tally), begun: Mutex::default() }
    }

    /// The move is at another step.
    pub fn step(&self, step: Step) {
        if step == Step::Copy {
            self.begun.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
        }
        let (event, text) = match step {
            Step::Survey => ("survey", "counting what there is"),
            Step::Copy => ("copy", "copying; the source takes changes meanwhile"),
            Step::Facts => ("metadata", "making the target's metadata"),
            Step::Last => ("read_only", "the source takes no changes now; copying the last of it"),
            Step::Done => ("complete", "all is there"),
        };
        if self.json {
            say(&json!({ "event": event }).to_string());
        } else {
            self.bar.suspend(|| complain(text));
        }
    }

    /// Shows how far it is, for as long as it is polled.
    pub async fn watch(&self) -> Infallible {
        let mut ticks = tokio::time::interval(TICK);
        for number in 0_u32.. {
            ticks.tick().await;
            self.bar.set_length(self.tally.total.bytes.now().max(1));
            self.bar.set_position(self.tally.bytes.now());
            self.bar.set_message(self.line());
            if self.json && number % EVENT_EVERY == 0 {
                say(&self.progress().to_string());
            }
        }
        std::future::pending().await
    }

    /// Takes the bar off the screen.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// Tells how it ended. What could not be carried makes it a failure.
    pub fn summary(&self, moving: &Move, to: &Path, keep_writing: bool) -> Result<(), Ending> {
        let (odd, odd_untold) = self.tally.odd.all();
        let (lost, lost_untold) = self.tally.lost.all();
        if self.json {
            for (event, list) in [("left", &odd), ("lost", &lost)] {
                for (at, why) in list {
                    say(&json!({ "event": event, "at": at, "why": why }).to_string());
                }
            }
            let mut done = self.progress();
            done["event"] = "done".into();
            done["left"] = (odd.len() as u64 + odd_untold).into();
            done["lost"] = (lost.len() as u64 + lost_untold).into();
            say(&done.to_string());
        } else {
            for (list, untold, what) in [(&odd, odd_untold, "left behind"), (&lost, lost_untold, "LOST")] {
                for (at, why) in list {
                    complain(&format!("{what}: {at}: {why}"));
                }
                if untold > 0 {
                    complain(&format!("{what}: and {untold} more"));
                }
            }
            say(&self.told());
            say(&next(moving, to, keep_writing));
        }
        if lost.is_empty() { Ok(()) } else { Err(Ending::Told) }
    }

    fn told(&self) -> String {
        let tally = &self.tally;
        format!(
            "{} blobs, {} in the target; copied by this run: {} blobs, {}, {} names, {} records of accounts",
            tally.blobs.now(),
            HumanBytes(tally.bytes.now()),
            tally.blobs_copied.now(),
            HumanBytes(tally.bytes_copied.now()),
            tally.names.now(),
            tally.records.now(),
        )
    }

    fn line(&self) -> String {
        let (tally, total) = (&self.tally, &self.tally.total);
        let left = self.left().map_or_else(String::new, |left| format!(", {} left", HumanDuration(left)));
        format!(
            "{} of {}, {} of {} blobs{left}",
            HumanBytes(tally.bytes.now()),
            HumanBytes(total.bytes.now()),
            tally.blobs.now(),
            total.blobs.now()
        )
    }

    fn progress(&self) -> Value {
        let (tally, total) = (&self.tally, &self.tally.total);
        json!({
            "event": "progress",
            "repositories": total.repositories.now(),
            "blobs": tally.blobs.now(),
            "blobs_total": total.blobs.now(),
            "blobs_copied": tally.blobs_copied.now(),
            "bytes": tally.bytes.now(),
            "bytes_total": total.bytes.now(),
            "bytes_copied": tally.bytes_copied.now(),
            "names": tally.names.now(),
            "records": tally.records.now(),
            "secs_left": self.left().map(|left| left.as_secs()),
        })
    }

    /// How long it takes at the pace so far: of bytes or of blobs, whichever is further behind.
    fn left(&self) -> Option<Duration> {
        let begun = (*self.begun.lock().unwrap_or_else(PoisonError::into_inner))?;
        let taken = begun.elapsed().as_millis();
        let (tally, total) = (&self.tally, &self.tally.total);
        let left = |done: u64, all: u64| {
            let millis = taken * u128::from(all.saturating_sub(done)) / u128::from(done.max(1));
            (done > 0 || all == 0).then(|| Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
        };
        Some(left(tally.bytes.now(), total.bytes.now())?.max(left(tally.blobs.now(), total.blobs.now())?))
    }
}

fn next(moving: &Move, to: &Path, keep_writing: bool) -> String {
    let start = format!("holdfast serve --config {}", to.display());
    if !moving.server.is_running() {
        return format!("all is moved; start it there: {start}");
    }
    if keep_writing {
        return "all is moved; the old server takes changes again, which the same command carries too".into();
    }
    if matches!(moving.server, Server::Sharing(_)) {
        return format!(
            "all is moved. The old servers take no changes for ten minutes: stop them now, and start the new one: {start}"
        );
    }
    format!(
        "all is moved, and the old server takes no changes any more. Stop it, and start the new one: {start}\n\
         To stay with the old one: holdfast move --abort"
    )
}
