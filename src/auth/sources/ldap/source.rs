//! LDAP behind `Authenticator`: a few conversations at once, each within its time, equal ones once.
//!
//! A server that cannot be asked is never "wrong" and never "unknown": it is an error.

use crate::auth::authenticator::{Authenticator, Credentials, Login, Verdict};
use crate::auth::error::{Error, Result};
use crate::auth::passwords::flights::Flights;
use crate::auth::passwords::remembered::{Proof, Remembered};
use crate::auth::sources::ldap::config::Config;
use crate::auth::sources::ldap::session::{Answer, Question, Way};
use crate::auth::sources::name;
use crate::clock::Clock;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What this source is called.
pub const NAME: &str = "ldap";
const RETRY_SECS: u64 = 5;

/// The users of a directory.
pub struct Ldap {
    way: Arc<Way>,
    turns: Semaphore,
    right: Remembered<Login>,
    flights: Flights<Told>,
}

/// What those who wait for one conversation are all told.
#[derive(Debug, Clone)]
enum Told {
    Verdict(Box<Verdict>),
    Busy(u64),
    Failed(String),
}

impl Ldap {
    /// Asks no server yet: one that is down keeps nobody from starting. A login that went well is believed again for
    /// `remember_secs`.
    pub fn new(config: Config, remember_secs: u64, clock: Arc<dyn Clock>) -> Result<Self> {
        let mistakes = config.mistakes();
        if !mistakes.is_empty() {
            return Err(Error::Invalid(mistakes.join("\n")));
        }
        let turns = Semaphore::new(config.connections_max);
        let way = Arc::new(Way::new(config).map_err(Error::Invalid)?);
        let right = Remembered::new(remember_secs, clock)?;
        Ok(Self { way, turns, right, flights: Flights::default() })
    }

    async fn ask(&self, question: Question) -> Result<Answer> {
        let failed = |why: String| Error::Source { name: NAME.into(), why };
        let limit = Duration::from_secs(self.way.config().timeout_secs);
        let turn = tokio::time::timeout(limit, self.turns.acquire()).await;
        let _turn = turn.map_err(|_| Error::Busy(RETRY_SECS))?.map_err(|error| failed(error.to_string()))?;
        // A task of its own, for the library panics at answers that it does not understand; the set ends it when
        // nobody waits for it any more.
        let (way, mut task) = (Arc::clone(&self.way), JoinSet::new());
        task.spawn(async move { way.ask(question).await });
        match tokio::time::timeout(limit, task.join_next()).await {
            Ok(Some(Ok(answer))) => answer.map_err(failed),
            Ok(Some(Err(error))) => Err(failed(format!("an answer that makes no sense: {error}"))),
            Ok(None) => Err(failed("nobody asked".into())),
            Err(_) => Err(failed(format!("no answer within {} seconds", limit.as_secs()))),
        }
    }

    async fn check(&self, credentials: &Credentials) -> Told {
        let account = credentials.name.clone();
        let question = Question { account, password: Some(credentials.password.clone()) };
        let verdict = match self.ask(question).await {
            Ok(Answer::Nobody) => Verdict::Unknown,
            Ok(Answer::Several) => {
                tracing::warn!(account = ?credentials.name, "the directory has several entries of one name: refused");
                Verdict::Wrong
            }
            Ok(Answer::Refused(words)) => {
                tracing::debug!(account = ?credentials.name, words, "the directory refused a password");
                Verdict::Wrong
            }
            Ok(Answer::Is { identity, epoch }) => {
                Verdict::Known(Login { identity, source: NAME, epoch, token: None })
            }
            Err(Error::Busy(secs)) => return Told::Busy(secs),
            Err(Error::Source { why, .. }) => return Told::Failed(why),
            Err(error) => return Told::Failed(error.to_string()),
        };
        Told::Verdict(Box::new(verdict))
    }
}

#[async_trait::async_trait]
impl Authenticator for Ldap {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn authenticate(&self, credentials: &Credentials) -> Result<Verdict> {
        if name::fault(&credentials.name).is_some() {
            return Ok(Verdict::Unknown);
        }
        if credentials.password.is_empty() {
            return Ok(Verdict::Wrong); // to a server it would be a login as nobody, which goes well
        }
        let Credentials { name, password, .. } = credentials;
        let key = self.right.key(&Proof { source: NAME, name, password, hash: "" });
        if let Some(login) = self.right.find(&key) {
            return Ok(Verdict::Known(login));
        }
        match self.flights.join(key, self.check(credentials)).await {
            Told::Verdict(verdict) => {
                if let Verdict::Known(login) = verdict.as_ref() {
                    self.right.keep(key, login.clone());
                }
                Ok(*verdict)
            }
            Told::Busy(secs) => Err(Error::Busy(secs)),
            Told::Failed(why) => Err(Error::Source { name: NAME.into(), why }),
        }
    }

    async fn lookup(&self, name: &str) -> Result<Option<Login>> {
        if name::fault(name).is_some() {
            return Ok(None);
        }
        match self.ask(Question { account: name.to_owned(), password: None }).await? {
            Answer::Is { identity, epoch } => Ok(Some(Login { identity, source: NAME, epoch, token: None })),
            Answer::Nobody | Answer::Several | Answer::Refused(_) => Ok(None),
        }
    }
}
