//! Keeps the source of a move still for its last steps: asks the server that runs on it to take no changes, and asks
//! again before that ends by itself. Where no server runs there is nobody to ask.

use crate::app::admin;
use crate::clock::SystemClock;
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
use std::sync::Arc;
use std::time::Duration;

/// The admin API's switch.
const PATH: &str = "/api/v1/read-only";
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

    /// Whether there is one.
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running(_))
    }

    /// Does `work` while no change is taken. It is an error if one was taken before the work was done. The source stays
    /// held for some time after, so that it can be decided what becomes of it.
    pub async fn still<T, E: From<Unheld>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let Some(unbroken) = self.begin().await? else { return work.await };
        let renew = async {
            loop {
                tokio::time::sleep(RENEWAL).await;
                if let Err(error) = self.renewed(&unbroken).await {
                    return error;
                }
            }
        };
        let done = tokio::select! {
            done = work => done?,
            error = renew => return Err(error.into()),
        };
        self.renewed(&unbroken).await?;
        Ok(done)
    }

    /// The source takes no changes until its server is started anew.
    pub async fn keep(&self) -> Result<(), Unheld> {
        if let Self::Running(client) = self {
            ask(client, &json!({})).await?;
        }
        Ok(())
    }

    /// The source takes changes again.
    pub async fn let_go(&self) -> Result<(), Unheld> {
        let Self::Running(client) = self else { return Ok(()) };
        let reply = client.send(Method::DELETE, PATH, None).await?;
        if reply.status.is_success() { Ok(()) } else { Err(refused(&reply.body)) }
    }

    async fn begin(&self) -> Result<Option<String>, Unheld> {
        const PAUSE: Duration = Duration::from_secs(1);
        let Self::Running(client) = self else { return Ok(None) };
        let mut waited = Duration::ZERO;
        loop {
            let answer = ask(client, &json!({ "secs": TERM.as_secs() })).await?;
            match answer {
                Answer { unbroken: Some(unbroken), under_way: 0 } => return Ok(Some(unbroken)),
                Answer { under_way, .. } if waited > QUIET_WITHIN => return Err(Unheld::Restless(under_way)),
                _ => {}
            }
            tokio::time::sleep(PAUSE).await;
            waited += PAUSE;
        }
    }

    async fn renewed(&self, unbroken: &str) -> Result<(), Unheld> {
        let Self::Running(client) = self else { return Ok(()) };
        let answer = ask(client, &json!({ "secs": TERM.as_secs() })).await?;
        if answer.unbroken.as_deref() == Some(unbroken) { Ok(()) } else { Err(Unheld::Broken) }
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
