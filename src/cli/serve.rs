//! `holdfast serve`.

use crate::app::accounts::{self, Accounts};
use crate::app::config::load::Flags;
use crate::app::config::settings::Settings;
use crate::app::identity::{Front, Identity, too_wide};
use crate::app::listener::{Listener, addresses, bind};
use crate::app::{self, admin, build, first_admin, reload, server, start, telemetry};
use crate::auth::gate::Gate;
use crate::cli::args::Serve;
use crate::cli::prepare::{runtime, settings};
use crate::cli::terminal::{Complaint, say};
use crate::events::queue;
use crate::events::sink::EventSink;
use crate::http::origin::Proxies;
use crate::http::state::Door;
use crate::registry::parts::Registry;
use crate::workers::audit::{self, Trail};
use crate::workers::{claim, follow, purge, settle, stand_still, tend};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// How long the last events may take to be written down, and work to be given back.
const WORKERS_END_IN: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT.
pub fn run(args: &Serve) -> Result<(), Complaint> {
    app::memory::keep_buffers();
    let flags = Flags { listen: args.listen.clone(), behind_proxy: args.behind_proxy, ..args.common.flags() };
    let seen = reload::Seen::now(&flags);
    let settings = settings(&flags)?;
    let listen = addresses(&settings.server.listen)
        .map_err(|e| format!("`server.listen`: {} is no address: {e}", settings.server.listen))?;
    if let Some(refusal) = too_wide(&settings.server, &listen, args.open) {
        return Err(refusal);
    }
    let identity = Identity::of(&settings.server)?;
    telemetry::start(&settings.log);
    app::open_files::raise_limit();
    let runtime = runtime()?;
    let built = runtime.block_on(build::build(&settings, None)).map_err(|e| e.to_string())?;
    if let Some(aside) = &built.moved_aside {
        tracing::error!(
            moved_to = %aside.display(),
            "the metadata did not open; it was moved aside, and is made again from the images in storage"
        );
    }
    if args.open {
        tracing::warn!(
            "open: no accounts; everybody who can reach this port may read, change and delete everything"
        );
    }
    let house = House {
        settings: &settings,
        registry: &built.registry,
        accounts: (!args.open).then_some((flags, seen)),
    };
    let served = runtime.block_on(serve(house, &listen, identity));
    // What still waits for the disk may end; then the last holder of the metadata writes it out and closes it. A
    // change whose client has gone may be cut off here: its intent stands, and the next start settles it.
    let handle = runtime.handle().clone();
    runtime.shutdown_timeout(Duration::from_secs(5));
    // Connections to a server say goodbye in tasks of the runtime; that nothing runs there any more does not matter.
    let _entered = handle.enter();
    drop(built);
    served
}

/// What is to be served.
struct House<'a> {
    settings: &'a Settings,
    registry: &'a Arc<Registry>,
    /// `None`: there are no accounts. Else where the rules are read again from, when that has changed.
    accounts: Option<(Flags, reload::Seen)>,
}

async fn serve(house: House<'_>, listen: &[SocketAddr], identity: Identity) -> Result<(), Complaint> {
    let House { settings, registry, accounts } = house;
    let (config, data) = (&settings.server, Path::new(&settings.data));
    let stop = stop()?;
    let port = bind(listen).map_err(|e| format!("cannot listen on {}: {e}", config.listen))?;
    let address = port.local_addr().map_err(|e| e.to_string())?;
    let Front { handshake, tasks } = identity.start(config, data, Arc::clone(&registry.clock))?;
    let (queue, events) = queue::queue();
    let queue = Arc::new(queue);
    let sink = Arc::clone(&queue) as Arc<dyn EventSink>;
    let gate = match &accounts {
        Some(_) => Some(gate(settings, registry, &sink).await?),
        None => None,
    };
    let unread = gate.as_ref().map(|gate| Accounts {
        gate: Arc::clone(gate),
        admin: settings.admin.clone(),
        data: data.to_owned(),
    });
    let catching_up = start::start(registry, unread)
        .await
        .map_err(|e| format!("the registry could not be made ready: {e}"))?;
    if let Some(catching_up) = catching_up {
        spawn(catching_up);
    }
    let (stopping, stopped) = watch::channel(false);
    let mut leased = vec![spawn(purge::run(Arc::clone(registry), until(&stopped)))];
    leased.push(spawn(claim::run(Arc::clone(registry), until(&stopped))));
    spawn(stand_still::run(Arc::clone(registry)));
    spawn(settle::run(Arc::clone(registry), gate.clone()));
    let (metadata, clock) = (registry.metadata.clone(), Arc::clone(&registry.clock));
    let trail = Trail { metadata, queue, clock, config: settings.audit.clone() };
    let (end_trail, trail_ends) = oneshot::channel();
    let trail = spawn(audit::run(trail, events, async move { drop(trail_ends.await) }));
    if let (Some(gate), Some((flags, seen))) = (&gate, accounts) {
        leased.push(spawn(tend::run(Arc::clone(gate), Arc::clone(registry), until(&stopped))));
        spawn(follow::run(Arc::clone(gate), Arc::clone(registry)));
        spawn(reload::run(Arc::clone(gate), flags, seen));
    }
    for task in tasks {
        spawn(task);
    }
    let scheme = if handshake.is_some() { "https" } else { "http" };
    say(&format!("listening on {scheme}://{address}"));
    let mut listeners = vec![Listener::tcp(port, handshake, config.connections_max)];
    listeners.extend(admin(data));
    let door = door(settings, registry)?.guarded(gate, sink);
    server::serve(config, listeners, door, stop).await;
    admin::unbind(data);
    // What was done in the last moment stands in the trail, too.
    let _ = end_trail.send(());
    // What this process did for all is for another one now.
    stopping.send_replace(true);
    leased.push(trail);
    let _ = tokio::time::timeout(WORKERS_END_IN, futures_util::future::join_all(leased)).await;
    Ok(())
}

async fn gate(
    settings: &Settings,
    registry: &Arc<Registry>,
    sink: &Arc<dyn EventSink>,
) -> Result<Arc<Gate>, Complaint> {
    let gate = accounts::build(settings, registry, Arc::clone(sink)).await;
    gate.map(Arc::new).map_err(|e| format!("accounts cannot be used: {e}"))
}

/// The admin socket. Not every filesystem can hold one, and a full disk cannot: images are served all the same.
fn admin(data: &Path) -> Option<Listener> {
    match admin::bind(data) {
        Ok(socket) => Some(Listener::local(socket)),
        Err(error) => {
            let path = admin::path(data);
            tracing::error!(
                path = %path.display(), %error,
                "no admin socket: `holdfast user` and its like do not reach this server without --server"
            );
            None
        }
    }
}

fn door(settings: &Settings, registry: &Arc<Registry>) -> Result<Door, Complaint> {
    let config = &settings.server;
    let proxies = Proxies::compile(&config.trusted_proxies, &config.external_url)
        .map_err(|mistakes| mistakes.join("\n"))?;
    if proxies.trusts_everybody() {
        tracing::warn!(
            "`server.trusted_proxies` trusts every address: every client may claim to be any other"
        );
    }
    if config.behind_proxy && config.external_url.is_empty() && config.trusted_proxies.is_empty() {
        tracing::warn!(
            "`server.behind_proxy` without `server.external_url` or `server.trusted_proxies`: clients that come through \
             a proxy are sent to http:// for their tokens, and all have the proxy's address"
        );
    }
    let stall = Duration::from_secs(config.stall_secs);
    let mut door = Door::new(Arc::clone(registry), stall).behind(proxies).with_hsts(config.tls.hsts);
    let data = PathBuf::from(&settings.data);
    door.initial_password_changed = Arc::new(move || first_admin::forget(&data));
    Ok(door)
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

/// Done when it is said that we stop.
fn until(stopped: &watch::Receiver<bool>) -> impl Future<Output = ()> + Send + 'static {
    let mut stopped = stopped.clone();
    async move { drop(stopped.wait_for(|stopped| *stopped).await) }
}

#[allow(clippy::disallowed_methods)] // one of the few homes of tasks
fn spawn(task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(task)
}
