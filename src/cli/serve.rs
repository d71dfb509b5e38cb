//! `holdfast serve`.

use crate::app::config::load::Flags;
use crate::app::config::settings::Settings;
use crate::app::{self, build, server, start, telemetry};
use crate::cli::args::Serve;
use crate::cli::prepare::{runtime, settings};
use crate::cli::terminal::{Complaint, say};
use crate::http::state::Door;
use crate::registry::parts::Registry;
use crate::workers::purge;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

const NOT_OPEN: &str = "accounts and access rules are not built yet, so everybody who can reach the port could \
read, change and delete every image. Say that you want this with --open, on a network where you trust everybody";

/// Serves until SIGTERM or SIGINT.
pub fn run(args: &Serve) -> Result<(), Complaint> {
    if !args.open {
        return Err(NOT_OPEN.into());
    }
    app::memory::keep_buffers();
    let settings = settings(&Flags { listen: args.listen.clone(), ..args.common.flags() })?;
    telemetry::start(&settings.log);
    app::open_files::raise_limit();
    let built = build::build(&settings, None).map_err(|e| e.to_string())?;
    if let Some(aside) = &built.moved_aside {
        tracing::error!(
            moved_to = %aside.display(),
            "the metadata did not open; it was moved aside, and is made again from the images in storage"
        );
    }
    tracing::warn!(
        "open: no accounts; everybody who can reach this port may read, change and delete everything"
    );
    let runtime = runtime()?;
    let served = runtime.block_on(serve(&settings, &built.registry));
    // What still waits for the disk may end; then the last holder of the metadata writes it out and closes it. A
    // change whose client has gone may be cut off here: its intent stands, and the next start settles it.
    runtime.shutdown_timeout(Duration::from_secs(5));
    served
}

async fn serve(settings: &Settings, registry: &Arc<Registry>) -> Result<(), Complaint> {
    let stop = stop()?;
    let listener = server::bind(&settings.server)
        .await
        .map_err(|e| format!("cannot listen on {}: {e}", settings.server.listen))?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let catching_up = start::start(registry)
        .await
        .map_err(|e| format!("what the last run left could not be settled: {e}"))?;
    if let Some(catching_up) = catching_up {
        spawn(catching_up);
    }
    spawn(purge::run(Arc::clone(registry)));
    say(&format!("listening on http://{address}"));
    let door = Door::new(Arc::clone(registry), Duration::from_secs(settings.server.stall_secs));
    server::serve(&settings.server, listener, door, stop).await;
    Ok(())
}

/// Done when the process is asked to stop.
fn stop() -> Result<impl Future<Output = ()>, Complaint> {
    let complaint = |e: std::io::Error| format!("signals cannot be heard: {e}");
    let mut terminate = signal(SignalKind::terminate()).map_err(complaint)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(complaint)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[allow(clippy::disallowed_methods)] // one of the few homes of tasks
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}
