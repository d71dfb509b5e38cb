//! Keeps the source of a move still for its last steps: asks the server that runs on it to take no changes, and asks
//! again before that ends by itself. Servers that share their metadata are held by that. Where no server runs there is
//! nobody to ask.

use crate::app::admin;
use crate::clock::SystemClock;
use crate::metadata;
use crate::metadata::holds::Holds;
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
use tokio::time::Instant;

/// The admin API's switch.
const PATH: &str = "/api/v1/read-only";
/// How long servers that share their metadata stay held when all is moved: as long as it takes to stop them.
const AFTER: Duration = Duration::from_mins(10);
/// A server whose mover has died takes changes again after so long.
const TERM: Duration = Duration::from_mins(1);
/// How often the mover asks again.
const RENEWAL: Duration = Duration::from_secs(10);
/// How long changes may take that were under way, and how often it is asked whether they have ended.
const QUIET_WITHIN: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_secs(1);

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
    /// The metadata that servers share does not answer.
    #[error("the metadata of the source: {0}")]
    Metadata(#[from] metadata::error::Error),
    /// Somebody else holds them.
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
    /// Any number of servers, held by the metadata that they share.
    Sharing(Arc<dyn Holds>),
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
            Self::Sharing(holds) => drop(holds.begin_move(AFTER).await?),
        }
        Ok(())
    }

    /// The source takes changes again: this move does not hold it any more.
    pub async fn let_go(&self) -> Result<(), Unheld> {
        match self {
            Self::Stopped => Ok(()),
            Self::Sharing(holds) => Ok(holds.end_move().await?),
            Self::Running(client) => give_back(client).await,
        }
    }

    /// The source takes changes again, whoever holds it.
    pub async fn release(&self) -> Result<(), Unheld> {
        match self {
            Self::Stopped => Ok(()),
            Self::Sharing(holds) => Ok(holds.release().await?),
            Self::Running(client) => give_back(client).await,
        }
    }

    /// Answers the name of the time without changes that has begun, if a server has given it one.
    async fn begin(&self) -> Result<String, Unheld> {
        match self {
            Self::Stopped => Ok(String::new()),
            Self::Running(client) => quiet(client).await,
            Self::Sharing(holds) => {
                if !holds.begin_move(TERM).await? {
                    return Err(Unheld::Taken);
                }
                none_under_way(holds.as_ref()).await?;
                Ok(String::new())
            }
        }
    }

    async fn renew(&self, unbroken: &str) -> Result<(), Unheld> {
        let holds = match self {
            Self::Stopped => true,
            Self::Running(client) => {
                let answer = ask(client, &json!({ "secs": TERM.as_secs() })).await?;
                answer.unbroken.as_deref() == Some(unbroken)
            }
            Self::Sharing(holds) => holds.go_on(TERM).await?,
        };
        if holds { Ok(()) } else { Err(Unheld::Broken) }
    }
}

/// Takes hold of a server and waits until what was under way has ended.
async fn quiet(client: &Client) -> Result<String, Unheld> {
    let begun = Instant::now();
    loop {
        match ask(client, &json!({ "secs": TERM.as_secs() })).await? {
            Answer { unbroken: Some(unbroken), under_way: 0 } => return Ok(unbroken),
            Answer { under_way, .. } if begun.elapsed() > QUIET_WITHIN => {
                return Err(Unheld::Restless(under_way));
            }
            _ => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until no server has a change under way. While they are held none begins.
async fn none_under_way(holds: &dyn Holds) -> Result<(), Unheld> {
    let begun = Instant::now();
    loop {
        match holds.under_way().await? {
            0 => return Ok(()),
            under_way if begun.elapsed() > QUIET_WITHIN => return Err(Unheld::Restless(under_way)),
            _ => {}
        }
        tokio::time::sleep(PAUSE).await;
        if !holds.go_on(TERM).await? {
            return Err(Unheld::Broken);
        }
    }
}

async fn give_back(client: &Client) -> Result<(), Unheld> {
    let reply = client.send(Method::DELETE, PATH, None).await?;
    if reply.status.is_success() { Ok(()) } else { Err(refused(&reply.body)) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::error::Error as MetadataError;
    use crate::metadata::intents::{Begun, Intent, IntentId};
    use crate::metadata::open::Metadata;
    use crate::metadata::postgres::scratch;

    const ALIVE: Duration = Duration::from_secs(10);

    async fn begin(replica: &Metadata) -> (IntentId, Result<Begun, MetadataError>) {
        let (id, tags) = (IntentId::random(), vec!["1".parse().unwrap()]);
        let repository = "app".parse().unwrap();
        let intent = Intent { repository, blobs: vec![], manifests: vec![], tags, removing: false };
        (id, replica.intents.begin(id, &intent).await)
    }

    #[tokio::test]
    async fn servers_that_share_their_metadata_stand_still_once_the_last_change_has_ended() {
        let Some(scratch) = scratch::database().await else { return };
        let (replica, mover) = (scratch.process(ALIVE).await, scratch.process(ALIVE).await);
        let server = Server::Sharing(Arc::clone(&mover.shared.as_ref().unwrap().holds));
        let (push, begun) = begin(&replica).await;
        assert_eq!(begun.unwrap(), Begun::Stands);
        let work = async {
            assert!(!replica.intents.holds(push), "the push has ended before");
            assert_eq!(begin(&replica).await.1.unwrap(), Begun::Held);
            Ok::<_, Unheld>(())
        };
        let ends = async {
            tokio::time::sleep(PAUSE / 2).await;
            replica.intents.end(push).await.unwrap();
        };
        let (still, ()) = tokio::join!(server.still(work), ends);
        still.unwrap();
        server.let_go().await.unwrap();
        assert_eq!(begin(&replica).await.1.unwrap(), Begun::Stands);
    }

    #[tokio::test]
    async fn a_move_hears_of_it_when_others_let_changes_in() {
        let Some(scratch) = scratch::database().await else { return };
        let (replica, mover) = (scratch.process(ALIVE).await, scratch.process(ALIVE).await);
        let [theirs, own] = [&replica, &mover].map(|of| Arc::clone(&of.shared.as_ref().unwrap().holds));
        let work = async {
            Server::Sharing(theirs).release().await?;
            assert_eq!(begin(&replica).await.1.unwrap(), Begun::Stands);
            Ok::<_, Unheld>(())
        };
        let still = Server::Sharing(own).still(work).await;
        assert!(matches!(still, Err(Unheld::Broken)), "{still:?}");
    }
}
