//! How the server shows who it is: by a certificate from files, by one from an ACME server, or not at all. What is
//! asked for and cannot be had refuses the start: it is never served in the clear instead.

use crate::app::acme::answers::Answers;
use crate::app::acme::cache::Cache;
use crate::app::acme::http01::{self, Plain};
use crate::app::acme::keeper::{self, Keeper};
use crate::app::acme::{order, selfmade};
use crate::app::listener::{addresses, bind};
use crate::app::server::Config;
use crate::app::tls::files::Files;
use crate::app::tls::handshake::Handshake;
use crate::app::tls::pair::Pair;
use crate::app::tls::shown::Shown;
use crate::clock::Clock;
use rustls::crypto::aws_lc_rs::default_provider;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// How the server shows who it is.
pub enum Identity {
    /// Not at all: plain HTTP.
    Plain,
    /// By a certificate in files.
    Files(Files, Pair),
    /// By one from an ACME server.
    Acme,
}

/// Something that runs for as long as the server does.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What it takes to show it.
#[derive(Default)]
pub struct Front {
    /// Makes connections secure. `None`: they are plain.
    pub handshake: Option<Arc<Handshake>>,
    /// What must run beside the server.
    pub tasks: Vec<Task>,
}

impl Identity {
    /// What the configuration asks for. Reads the files, and makes nothing.
    pub fn of(config: &Config) -> Result<Self, String> {
        // For libraries that ask for "the" cryptography of the process.
        let _ = default_provider().install_default();
        if config.acme.is_on() {
            if !config.acme.ca_certificate.is_empty() {
                order::client(&config.acme).map_err(|e| {
                    format!("`server.acme.ca_certificate`: {} does not read: {e}", config.acme.ca_certificate)
                })?;
            }
            return Ok(Self::Acme);
        }
        match Files::of(&config.tls).map_err(|e| e.to_string())? {
            None => Ok(Self::Plain),
            Some(files) => {
                let pair = files.load().map_err(|e| e.to_string())?;
                Ok(Self::Files(files, pair))
            }
        }
    }

    /// Makes ready what shows it.
    pub fn start(self, config: &Config, data: &Path, clock: Arc<dyn Clock>) -> Result<Front, String> {
        match self {
            Self::Plain => Ok(Front { handshake: None, tasks: vec![Box::pin(hang_up())] }),
            Self::Files(files, pair) => {
                tracing::info!(certificate = pair.told(), "TLS is spoken with this certificate");
                if let Some(warning) = pair.warning(clock.unix_secs()) {
                    tracing::warn!("{warning}");
                }
                let shown = Arc::new(Shown::new(Arc::clone(&pair.shown)));
                let handshake = handshake(config, &shown, false)?;
                let keeping = files.keep(pair, shown, clock);
                Ok(Front { handshake: Some(handshake), tasks: vec![Box::pin(keeping)] })
            }
            Self::Acme => acme(config, data, clock),
        }
    }
}

fn handshake(config: &Config, shown: &Arc<Shown>, challenges: bool) -> Result<Arc<Handshake>, String> {
    Handshake::new(&config.tls, Arc::clone(shown), challenges)
        .map(Arc::new)
        .map_err(|e| format!("TLS cannot be spoken: {e}"))
}

fn acme(config: &Config, data: &Path, clock: Arc<dyn Clock>) -> Result<Front, String> {
    let acme = &config.acme;
    let folder = match acme.cache.as_str() {
        "" => data.join("acme"),
        folder => PathBuf::from(folder),
    };
    let cache = Cache::open(&folder, acme)
        .map_err(|e| format!("`server.acme.cache`: the folder {} cannot be used: {e}", folder.display()))?;
    let kept = keeper::kept(&cache);
    let first = if let Some(pair) = &kept {
        tracing::info!(certificate = pair.told(), "TLS is spoken with the certificate of the last run");
        Arc::clone(&pair.shown)
    } else {
        tracing::warn!(
            domains = ?acme.domains,
            "until the ACME server has given a certificate, a temporary one is shown that nobody trusts"
        );
        selfmade::temporary(&acme.domains).map_err(|e| format!("no temporary certificate: {e}"))?
    };
    let shown = Arc::new(Shown::new(first));
    let answers = Arc::new(Answers::new(Arc::clone(&shown)));
    let handshake = handshake(config, &shown, true)?;
    let mut tasks: Vec<Task> = vec![Box::pin(hang_up())];
    if !acme.http_listen.is_empty() {
        let listener = addresses(&acme.http_listen)
            .and_then(|addresses| bind(&addresses))
            .map_err(|e| format!("cannot listen on {} (`server.acme.http_listen`): {e}", acme.http_listen))?;
        let external = config.external_url.trim_end_matches('/');
        let external = external.starts_with("https://").then(|| external.to_owned());
        let plain = Plain { answers: Arc::clone(&answers), domains: acme.domains.clone(), external };
        tasks.push(Box::pin(http01::serve(listener, plain)));
    }
    let keeper = Keeper { config: acme.clone(), cache, answers, shown, clock };
    tasks.push(Box::pin(keeper.keep(kept)));
    Ok(Front { handshake: Some(handshake), tasks })
}

/// SIGHUP asks to read files again; where there are none it must not end the process instead.
fn hang_up() -> impl Future<Output = ()> + Send {
    let hangup = signal(SignalKind::hangup()).ok();
    async move {
        let Some(mut hangup) = hangup else { return };
        while hangup.recv().await.is_some() {
            tracing::info!(
                "SIGHUP: there is no certificate in files to read again; rules are read when they change"
            );
        }
    }
}

/// Why these addresses are not served in the clear, if nobody said that they may be. `open`: everybody may do
/// everything anyway.
pub fn too_wide(config: &Config, addresses: &[SocketAddr], open: bool) -> Option<String> {
    let tls = config.acme.is_on() || !config.tls.certificate.is_empty() || !config.tls.key.is_empty();
    let loopback = addresses.iter().all(|address| address.ip().to_canonical().is_loopback());
    if tls || loopback || open || config.behind_proxy {
        return None;
    }
    Some(format!(
        "`server.listen` is {}, which others can reach, and there is no TLS: passwords and images would cross the \
         network in the clear. There are three ways out: a certificate ([server.tls] certificate and key, or \
         [server.acme] domains); a proxy in front that ends TLS (--behind-proxy, or server.behind_proxy = true); or no \
         accounts at all (--open). To try things out, listen on 127.0.0.1",
        config.listen
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(listen: &str, change: impl Fn(&mut Config), open: bool) -> bool {
        let mut config = Config { listen: listen.into(), ..Config::default() };
        change(&mut config);
        too_wide(&config, &addresses(listen).unwrap(), open).is_some()
    }

    #[test]
    fn only_loopback_is_served_in_the_clear_unless_somebody_says_so() {
        for listen in ["127.0.0.1:0", "127.9.9.9:0", "[::1]:0", "[::ffff:127.0.0.1]:0", "localhost:0"] {
            assert!(!refused(listen, |_| {}, false), "{listen}");
        }
        for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.7:0", "[2001:db8::1]:0", "[::ffff:192.0.2.7]:0"] {
            assert!(refused(listen, |_| {}, false), "{listen}");
            assert!(!refused(listen, |_| {}, true), "{listen} --open");
            assert!(!refused(listen, |config| config.behind_proxy = true, false), "{listen} --behind-proxy");
            assert!(!refused(listen, |config| config.tls.certificate = "x".into(), false), "{listen} TLS");
            assert!(
                !refused(listen, |config| config.acme.domains = vec!["x".into()], false),
                "{listen} ACME"
            );
        }
    }

    #[test]
    fn the_refusal_names_the_three_ways_out() {
        let config = Config { listen: "0.0.0.0:5000".into(), ..Config::default() };
        let told = too_wide(&config, &addresses("0.0.0.0:5000").unwrap(), false).unwrap();
        for way in [
            "0.0.0.0:5000",
            "[server.tls]",
            "[server.acme]",
            "--behind-proxy",
            "server.behind_proxy",
            "--open",
        ] {
            assert!(told.contains(way), "{way} is not in {told}");
        }
    }
}
