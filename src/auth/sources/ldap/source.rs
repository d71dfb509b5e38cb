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
use crate::secret::Secret;
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

impl Told {
    fn read(self) -> Result<Verdict> {
        match self {
            Self::Verdict(verdict) => Ok(*verdict),
            Self::Busy(secs) => Err(Error::Busy(secs)),
            Self::Failed(why) => Err(Error::Source { name: NAME.into(), why }),
        }
    }
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
        let deadline = tokio::time::Instant::now() + limit;
        let turn = tokio::time::timeout_at(deadline, self.turns.acquire()).await;
        let _turn = turn.map_err(|_| Error::Busy(RETRY_SECS))?.map_err(|error| failed(error.to_string()))?;
        // A task of its own, for the library panics at answers that it does not understand; the set ends it when
        // nobody waits for it any more.
        let (way, mut task) = (Arc::clone(&self.way), JoinSet::new());
        task.spawn(async move { way.ask(question).await });
        match tokio::time::timeout_at(deadline, task.join_next()).await {
            Ok(Some(Ok(answer))) => answer.map_err(failed),
            Ok(Some(Err(error))) => Err(failed(format!("an answer that makes no sense: {error}"))),
            Ok(None) => Err(failed("nobody asked".into())),
            Err(_) => Err(failed(format!("no answer within {} seconds", limit.as_secs()))),
        }
    }

    /// Without a password: the account as it stands.
    async fn check(&self, account: &str, password: Option<&Secret>) -> Told {
        let question = Question { account: account.to_owned(), password: password.cloned() };
        let verdict = match self.ask(question).await {
            Ok(Answer::Nobody) => Verdict::Unknown,
            Ok(Answer::Several) => {
                tracing::warn!(account, "the directory has several entries of one name: refused");
                Verdict::Wrong
            }
            Ok(Answer::Refused(words)) => {
                tracing::debug!(account, words, "the directory refused a password");
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
        let verdict = self.flights.join(key, self.check(name, Some(password))).await.read()?;
        if let Verdict::Known(login) = &verdict {
            self.right.keep(key, login.clone());
        }
        Ok(verdict)
    }

    async fn lookup(&self, name: &str) -> Result<Option<Login>> {
        if name::fault(name).is_some() {
            return Ok(None);
        }
        // A login never has an empty password, so this is the key of no login.
        let key = self.right.key(&Proof { source: NAME, name, password: &Secret::default(), hash: "" });
        match self.flights.join(key, self.check(name, None)).await.read()? {
            Verdict::Known(login) => Ok(Some(login)),
            Verdict::Wrong | Verdict::Unknown => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::sources::ldap::fake::{Entry, Fake, Mood};
    use crate::clock::FixedClock;

    fn source(config: Config) -> Ldap {
        Ldap::new(config, 0, Arc::new(FixedClock::at(0))).unwrap()
    }

    fn credentials(name: &str, password: &str) -> Credentials {
        Credentials { name: name.into(), password: Secret::new(password), address: None }
    }

    const AMY: &str = "uid=amy,dc=example";

    fn entries() -> Vec<Entry> {
        let entry = |dn, password, attributes: &[_]| Entry { dn, password, attributes: attributes.to_vec() };
        vec![
            entry("cn=holdfast,dc=example", "service", &[]),
            entry(AMY, "right", &[("uid", "amy"), ("title", "Chief")]),
            entry("uid=twin,ou=a,dc=example", "right", &[("uid", "twin")]),
            entry("uid=twin,ou=b,dc=example", "right", &[("uid", "twin")]),
            entry("cn=Admins,ou=groups,dc=example", "", &[("cn", "Admins"), ("member", AMY)]),
            entry("cn=others,ou=groups,dc=example", "", &[("cn", "others"), ("member", "uid=bob")]),
        ]
    }

    fn config(fake: &Fake) -> Config {
        Config {
            url: fake.url.clone(),
            bind_dn: "cn=holdfast,dc=example".into(),
            bind_password: Secret::new("service"),
            base: "dc=example".into(),
            group_base: "ou=groups,dc=example".into(),
            admin_group: "Admins".into(),
            timeout_secs: 5,
            ..Config::default()
        }
    }

    #[tokio::test]
    async fn an_account_that_many_ask_for_at_once_is_asked_for_once() {
        let fake = Fake::start(Mood::Well, entries()).await;
        let source = source(config(&fake));
        let found = futures_util::future::join_all((0..20).map(|_| source.lookup("amy"))).await;
        assert!(found.into_iter().all(|found| found.unwrap().is_some_and(|amy| amy.identity.admin)));
        assert_eq!(fake.binds(), ["cn=holdfast,dc=example"]);
    }

    async fn verdict(source: &Ldap, name: &str, password: &str) -> String {
        format!("{:?}", source.authenticate(&credentials(name, password)).await.unwrap())
    }

    /// The text for the log, where an error of the source is due.
    async fn failure(mood: Mood) -> String {
        let fake = Fake::start(mood, entries()).await;
        match source(config(&fake)).authenticate(&credentials("amy", "right")).await {
            Err(Error::Source { name, why }) if name == "ldap" && !why.contains("right") => why,
            other => panic!("{mood:?}: {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_user_is_found_and_bound_and_has_groups() {
        let fake = Fake::start(Mood::Well, entries()).await;
        let source = source(config(&fake));
        let Verdict::Known(amy) = source.authenticate(&credentials("amy", "right")).await.unwrap() else {
            panic!("not known")
        };
        assert_eq!((amy.identity.name.as_str(), amy.identity.admin, amy.epoch), ("amy", true, 0));
        assert_eq!(amy.identity.groups, ["Admins"]);
        assert_eq!(fake.binds(), ["cn=holdfast,dc=example", AMY, "cn=holdfast,dc=example"]);
        assert_eq!(source.lookup("amy").await.unwrap(), Some(amy.clone()));
        assert_eq!(fake.binds().iter().filter(|dn| *dn == AMY).count(), 1, "a look-up needs no password");
    }

    #[tokio::test]
    async fn refusals_are_wrong_and_strangers_unknown() {
        let fake = Fake::start(Mood::Well, entries()).await;
        let source = source(config(&fake));
        for (name, password, expected) in [
            ("amy", "wrong", "Wrong"),
            ("twin", "right", "Wrong"),
            ("AMY", "right", "Unknown"),
            ("bob", "right", "Unknown"),
            ("", "right", "Unknown"),
        ] {
            assert_eq!(verdict(&source, name, password).await, expected, "{name}");
        }
        assert_eq!(source.lookup("twin").await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_empty_password_reaches_no_server() {
        let fake = Fake::start(Mood::Well, entries()).await;
        let source = source(config(&fake));
        assert_eq!(verdict(&source, "amy", "").await, "Wrong");
        assert_eq!(fake.book.lock().unwrap().connections, 0);
    }

    #[tokio::test]
    async fn an_unknown_name_takes_as_many_steps_and_shows_the_password_to_nobody() {
        let fake = Fake::start(Mood::Well, entries()).await;
        let source = source(config(&fake));
        source.authenticate(&credentials("amy", "canary")).await.unwrap();
        let known = fake.binds().len();
        source.authenticate(&credentials("bob", "canary")).await.unwrap();
        assert_eq!(fake.binds().len(), 2 * known);
        let shown =
            fake.book.lock().unwrap().binds.iter().filter(|(_, password)| password == "canary").count();
        assert_eq!(shown, 1);
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_well_is_an_error_and_no_verdict() {
        assert!(failure(Mood::Closes).await.contains("binding as `bind_dn`"));
        assert!(failure(Mood::Search(10)).await.contains("referral"));
        assert!(failure(Mood::Search(32)).await.contains("noSuchObject"));
        assert!(failure(Mood::Bind(51)).await.contains("busy"));
        // Not LDAP; LDAP that no library expects, of which ours panics.
        failure(Mood::Says(b"\x48\x02no")).await;
        failure(Mood::Says(b"\x30\x00")).await;
        failure(Mood::Says(b"\x30\x05\x02\x01\x01\x61\x00")).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_is_not_waited_for() {
        failure(Mood::Silent).await;
    }

    #[tokio::test]
    async fn a_server_that_is_down_is_an_error() {
        let fake = Fake::start(Mood::Well, entries()).await;
        let config = config(&fake);
        drop(fake);
        let source = source(config);
        let refused = source.authenticate(&credentials("amy", "right")).await;
        assert!(matches!(refused, Err(Error::Source { .. })), "{refused:?}");
        assert!(matches!(source.lookup("amy").await, Err(Error::Source { .. })));
    }

    #[tokio::test]
    async fn our_own_password_being_wrong_is_not_the_users_fault() {
        let fake = Fake::start(Mood::Well, entries()).await;
        let source = source(Config { bind_password: Secret::new("canary"), ..config(&fake) });
        let Err(error) = source.authenticate(&credentials("amy", "right")).await else { panic!("no error") };
        assert!(error.to_string().contains("`bind_dn` was refused") && !error.to_string().contains("canary"));
    }

    #[tokio::test]
    async fn codes_about_the_account_are_refusals() {
        for code in [19, 48, 50, 53] {
            let fake = Fake::start(Mood::Bind(code), entries()).await;
            let source =
                source(Config { bind_dn: String::new(), bind_password: Secret::default(), ..config(&fake) });
            assert_eq!(verdict(&source, "amy", "right").await, "Wrong", "{code}");
        }
    }

    #[tokio::test]
    async fn equal_logins_are_asked_for_once() {
        let fake = Fake::start(Mood::Well, entries()).await;
        let source = Ldap::new(config(&fake), 60, Arc::new(FixedClock::at(0))).unwrap();
        let login = credentials("amy", "right");
        let at_once = futures_util::future::join_all((0..50).map(|_| source.authenticate(&login))).await;
        assert!(at_once.iter().all(|verdict| matches!(verdict, Ok(Verdict::Known(_)))));
        assert!(matches!(source.authenticate(&login).await, Ok(Verdict::Known(_))));
        assert_eq!(fake.book.lock().unwrap().connections, 1);
        assert_eq!(verdict(&source, "amy", "wrong").await, "Wrong");
        assert_eq!(fake.book.lock().unwrap().connections, 2);
    }

    #[test]
    fn mistakes_and_absent_certificates_are_refused() {
        let refusal = |config| Ldap::new(config, 0, Arc::new(FixedClock::at(0))).err().unwrap().to_string();
        let base = Config { url: "ldaps://h".into(), base: "dc=x".into(), ..Config::default() };
        assert!(refusal(Config { base: String::new(), ..base.clone() }).contains("`auth.ldap.base`"));
        let absent = refusal(Config { ca_certificate: "/nowhere/ca.pem".into(), ..base.clone() });
        assert!(absent.contains("`auth.ldap.ca_certificate`: /nowhere/ca.pem"), "{absent}");
        let none = refusal(Config { ca_certificate: "Cargo.toml".into(), ..base });
        assert!(none.contains("holds no certificate"), "{none}");
    }
}
