//! What goes over the wire, as people see it: a counter that turns while they wait, each request if they want to see it,
//! and the sum at the end. All of it on standard error.

use crate::cli::terminal::complain;
use crate::upstream::client::Client;
use crate::upstream::error::printable;
use crate::upstream::options::Watch;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Shows progress until it is dropped. Without a terminal nothing is shown.
pub struct Progress {
    bar: ProgressBar,
    verbose: bool,
    start: Instant,
}

impl Progress {
    /// Begins to count. `verbose` shows each request instead.
    pub fn new(verbose: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} requests") {
            bar.set_style(style);
        }
        if verbose {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { bar, verbose, start: Instant::now() }
    }

    /// What a client tells of each request.
    pub fn watch(&self) -> Watch {
        let (bar, verbose) = (self.bar.clone(), self.verbose);
        Arc::new(move |exchange| {
            bar.inc(1);
            if bar.position() == 1 {
                // Not before: a password may have been asked for meanwhile.
                bar.enable_steady_tick(Duration::from_millis(200));
            }
            if verbose {
                let (status, bytes, took) = (exchange.status, exchange.bytes, exchange.took.as_millis());
                complain(&format!(
                    "{} {} {status}, {bytes} bytes, {took} ms",
                    exchange.method,
                    printable(exchange.url)
                ));
            }
        })
    }

    /// Takes the counter off the screen.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// Does something with the counter off the screen.
    pub fn suspended<T>(&self, something: impl FnOnce() -> T) -> T {
        self.bar.suspend(something)
    }

    /// Tells what it took.
    pub fn statistics(&self, clients: &[&Client]) {
        let traffic: Vec<_> = clients.iter().map(|client| client.traffic()).collect();
        let (requests, bytes) = traffic.iter().fold((0, 0), |(r, b), one| (r + one.requests, b + one.bytes));
        complain(&format!(
            "{requests} requests, {bytes} bytes, {:.1} seconds",
            self.start.elapsed().as_secs_f32()
        ));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
