//! The pair in its two files: read at the start, and again whenever somebody replaced them, by writing, renaming
//! or turning a symbolic link (as Kubernetes and certbot do), or when SIGHUP asks. A bad new pair changes nothing.

use crate::app::tls::config::Config;
use crate::app::tls::pair::{Bad, Pair};
use crate::app::tls::shown::Shown;
use crate::clock::Clock;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How often a certificate near its end, or beyond, is told of: in looks.
const LOOKS_A_DAY: u32 = 24 * 3600 / 2;
/// A longer file is no certificate and no key.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why there is no pair.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One of the two is not given.
    #[error("`server.tls.{0}` is not set, but `server.tls.{1}` is: TLS needs both")]
    Half(&'static str, &'static str),
    /// A file does not read.
    #[error("`server.tls.{0}`: {1} cannot be read: {2}")]
    Unread(&'static str, PathBuf, io::Error),
    /// They read, and are no pair.
    #[error("`server.tls`: {2} (certificate {0}, key {1})")]
    Bad(PathBuf, PathBuf, Bad),
}

/// Where the pair is.
#[derive(Debug, Clone)]
pub struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What a file looks like from outside. Follows links, so that turning one changes it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look(u64, u64, u64, i64, i64);

type Looks = [Option<Look>; 2];

impl Files {
    /// The files that the configuration names, if it names any.
    pub fn of(config: &Config) -> Result<Option<Self>, Error> {
        match (config.certificate.as_str(), config.key.as_str()) {
            ("", "") => Ok(None),
            (_, "") => Err(Error::Half("key", "certificate")),
            ("", _) => Err(Error::Half("certificate", "key")),
            (certificate, key) => Ok(Some(Self { certificate: certificate.into(), key: key.into() })),
        }
    }

    /// Reads the pair.
    pub fn load(&self) -> Result<Pair, Error> {
        let read = |what, path: &Path| bytes(path).map_err(|error| Error::Unread(what, path.into(), error));
        let (certificate, key) = (read("certificate", &self.certificate)?, read("key", &self.key)?);
        Pair::parse(&certificate, &key)
            .map_err(|bad| Error::Bad(self.certificate.clone(), self.key.clone(), bad))
    }

    fn look(&self) -> Looks {
        let look = |path: &Path| {
            fs::metadata(path)
                .ok()
                .map(|it: Metadata| Look(it.dev(), it.ino(), it.size(), it.mtime(), it.mtime_nsec()))
        };
        [look(&self.certificate), look(&self.key)]
    }

    /// Keeps what is shown as the files have it; `pair` is what was read first. SIGHUP is heard from this call on,
    /// not only once the future runs: unheard, it would end the process.
    pub fn keep(
        self,
        pair: Pair,
        shown: Arc<Shown>,
        clock: Arc<dyn Clock>,
    ) -> impl Future<Output = ()> + Send {
        let hangup = signal(SignalKind::hangup()).ok();
        Keeper { files: self, pair, shown, clock, loaded: None }.run(hangup)
    }
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1 MiB"));
    }
    Ok(bytes)
}

struct Keeper {
    files: Files,
    pair: Pair,
    shown: Arc<Shown>,
    clock: Arc<dyn Clock>,
    /// How the files looked when they were last read.
    loaded: Option<Looks>,
}

impl Keeper {
    async fn run(mut self, mut hangup: Option<Signal>) {
        let mut before = None;
        let mut looks = 0_u32;
        loop {
            let asked = tokio::select! {
                () = tokio::time::sleep(LOOK) => false,
                () = heard(&mut hangup) => true,
            };
            let files = self.files.clone();
            let Ok(now) = tokio::task::spawn_blocking(move || files.look()).await else { continue };
            if asked || self.is_due(before.as_ref(), &now) {
                self.loaded = Some(now.clone());
                self.load(asked).await;
            }
            before = Some(now);
            looks = (looks + 1) % LOOKS_A_DAY;
            if looks == 0 {
                self.warn();
            }
        }
    }

    /// Files that changed are read once they stand still, so that a pair which is being written, one file after the
    /// other, is not read half.
    fn is_due(&self, before: Option<&Looks>, now: &Looks) -> bool {
        self.loaded.as_ref() != Some(now) && before == Some(now)
    }

    async fn load(&mut self, asked: bool) {
        let files = self.files.clone();
        let read = tokio::task::spawn_blocking(move || files.load()).await;
        match read {
            Ok(Ok(pair)) if pair.shown.cert == self.pair.shown.cert => {
                if asked {
                    tracing::info!(
                        certificate = pair.told(),
                        "the certificate was read again, and is the same"
                    );
                }
            }
            Ok(Ok(pair)) => {
                tracing::info!(certificate = pair.told(), "the new certificate is shown from now on");
                self.shown.replace(Arc::clone(&pair.shown));
                self.pair = pair;
                self.warn();
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "the new certificate is NOT taken; the old one is still shown");
            }
            Err(error) => tracing::error!(%error, "the new certificate could not be read"),
        }
    }

    fn warn(&self) {
        if let Some(warning) = self.pair.warning(self.clock.unix_secs()) {
            tracing::warn!(certificate = self.pair.told(), "{warning}");
        }
    }
}

/// Done at the next SIGHUP; never, where signals cannot be heard.
async fn heard(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => {
            hangup.recv().await;
        }
        None => std::future::pending().await,
    }
}
