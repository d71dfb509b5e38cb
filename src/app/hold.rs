//! Keeps the source of a move still for its last steps: asks the server that runs on it to take no changes, and asks
//! again before that ends by itself. Servers that share their metadata are asked by a lease in it. Where no server runs
//! there is nobody to ask.

use crate::app::admin;
use crate::clock::SystemClock;
use crate::metadata;
use crate::metadata::leases::Leases;
use crate::registry::transfer::marks::STAND_STILL;
use crate::upstream::address::Address;
use crate::upstream::client::Client;
use crate::upstream::credentials::Source;
use crate::upstream::error::{Error, Told};
use crate::upstream::options::Options;
use crate::upstream::patience::Patience;
use crate::upstream::trust::Trust;
use http::Method;
use serde::Deserialize;
use serde_json::json;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The admin API's switch.
const PATH: &str = "/api/v1/read-only";
/// Servers that look for a lease have seen it after so long, and ended what was under way.
const SEEN_WITHIN: Duration = Duration::from_secs(5);
/// How long servers that look for a lease stay held when all is moved: as long as it takes to stop them.
pub const AFTER: Duration = Duration::from_mins(10);
/// A server whose mover has died takes changes again after so long.
const TERM: Duration = Duration::from_mins(1);
/// How often the mover asks again.
const RENEWAL: Duration = Duration::from_secs(10);
/// How long changes may take that were under way.
const QUIET_WITHIN: Duration = Duration::from_mins(2);

/// Why the source could not be kept still.
#[derive(Debug, thiserror::Error)]
pub enum Unheld {
    /// The server does not answer, or not well.
    #[error("the server of the source: {0}")]
    Server(#[from] Error),
    /// It refuses.
    #[error("the server of the source does not take the switch: {0}")]
    Refused(String),
    /// Changes that were under way do not end.
    #[error("{0} changes of the source are under way and do not end; try again later")]
    Restless(u64),
    /// The lease cannot be had.
    #[error("the metadata of the source: {0}")]
    Lease(#[from] metadata::error::Error),
    /// Somebody else has it.
    #[error("another move of the source is under way, or has just ended; try again in {} minutes", AFTER.as_secs() / 60)]
    Taken,
    /// Changes were taken in between.
    #[error("the source has taken changes meanwhile")]
    Broken,
}

/// Whoever serves the source.
pub enum Server {
    /// Nobody.
    Stopped,
    /// A server, behind its admin socket.
    Running(Box<Client>),
    /// Any number of servers, which look for a lease in the metadata that they share.
    Sharing(Arc<dyn Leases>),
}

#[derive(Deserialize)]
struct Answer {
    unbroken: Option<String>,
    under_way: u64,
}

impl Server {
    /// The server that runs on a data folder.
    pub async fn running(data: &Path) -> Result<Self, Unheld> {
        let options = Options {
            address: Address::local(&admin::path(data))?,
            source: Source::None,
            realm_hosts: Vec::new(),
            trust: Trust::new(None, false)?,
            requests_max: 4,
            patience: Patience::default(),
            watch: None,
            clock: Arc::new(SystemClock),
        };
        Ok(Self::Running(Box::new(Client::open(options).await?)))
    }

    /// Whether there may be one.
    pub fn is_running(&self) -> bool {
        !matches!(self, Self::Stopped)
    }

    /// Does `work` while no change is taken. It is an error if one was taken before the work was done. The source stays
    /// held for some time after, so that it can be decided what becomes of it.
    pub async fn still<T, E: From<Unheld>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let unbroken = self.begin().await?;
        let renew = async {
            loop {
                tokio::time::sleep(RENEWAL).await;
                if let Err(error) = self.renew(&unbroken).await {
                    return error;
                }
            }
        };
        let done = tokio::select! {
            done = work => done?,
            error = renew => return Err(error.into()),
        };
        self.renew(&unbroken).await?;
        Ok(done)
    }

    /// The source takes no changes until its server is started anew; servers that share their metadata take none for
    /// some minutes.
    pub async fn keep(&self) -> Result<(), Unheld> {
        match self {
            Self::Stopped => {}
            Self::Running(client) => drop(ask(client, &json!({})).await?),
            Self::Sharing(leases) => drop(leases.take(STAND_STILL, AFTER).await?),
        }
        Ok(())
    }

    /// The source takes changes again.
    pub async fn let_go(&self) -> Result<(), Unheld> {
        match self {
            Self::Stopped => Ok(()),
            Self::Sharing(leases) => Ok(leases.give_back(STAND_STILL).await?),
            Self::Running(client) => {
                let reply = client.send(Method::DELETE, PATH, None).await?;
                if reply.status.is_success() { Ok(()) } else { Err(refused(&reply.body)) }
            }
        }
    }

    async fn begin(&self) -> Result<Unbroken, Unheld> {
        let since = Mutex::new(Instant::now());
        match self {
            Self::Stopped => Ok(Unbroken { name: String::new(), since }),
            Self::Running(client) => Ok(Unbroken { name: quiet(client).await?, since }),
            Self::Sharing(leases) => {
                if !leases.take(STAND_STILL, TERM).await? {
                    return Err(Unheld::Taken);
                }
                tokio::time::sleep(SEEN_WITHIN).await;
                Ok(Unbroken { name: String::new(), since })
            }
        }
    }

    async fn renew(&self, unbroken: &Unbroken) -> Result<(), Unheld> {
        let begun = Instant::now();
        let holds = match self {
            Self::Stopped => true,
            Self::Running(client) => {
                let answer = ask(client, &json!({ "secs": TERM.as_secs() })).await?;
                answer.unbroken.as_deref() == Some(&unbroken.name)
            }
            Self::Sharing(leases) => {
                let taken = leases.take(STAND_STILL, TERM).await?;
                // Whoever stood still for longer has had no lease in between.
                let mut since = unbroken.since.lock().unwrap_or_else(PoisonError::into_inner);
                taken && std::mem::replace(&mut *since, begun).elapsed() < TERM
            }
        };
        if holds { Ok(()) } else { Err(Unheld::Broken) }
    }
}

/// A time without changes: its name, if a server has given it one, and when it was last renewed.
struct Unbroken {
    name: String,
    since: Mutex<Instant>,
}

/// Takes hold of a server and waits until what was under way has ended.
async fn quiet(client: &Client) -> Result<String, Unheld> {
    const PAUSE: Duration = Duration::from_secs(1);
    let mut waited = Duration::ZERO;
    loop {
        match ask(client, &json!({ "secs": TERM.as_secs() })).await? {
            Answer { unbroken: Some(unbroken), under_way: 0 } => return Ok(unbroken),
            Answer { under_way, .. } if waited > QUIET_WITHIN => return Err(Unheld::Restless(under_way)),
            _ => {}
        }
        tokio::time::sleep(PAUSE).await;
        waited += PAUSE;
    }
}

async fn ask(client: &Client, body: &serde_json::Value) -> Result<Answer, Unheld> {
    let reply = client.send(Method::PUT, PATH, Some(body)).await?;
    if !reply.status.is_success() {
        return Err(refused(&reply.body));
    }
    serde_json::from_slice(&reply.body).map_err(|error| Unheld::Refused(error.to_string()))
}

fn refused(body: &[u8]) -> Unheld {
    Unheld::Refused(Told::read(body).message)
}
