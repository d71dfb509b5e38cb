//! Asks the sources of users one after the other, and slows whoever fails.
//!
//! A source that knows a name has the last word on it: a wrong password there is wrong, whatever the next source would
//! say. All refusals cost the same, so that nobody learns from time which names there are. Emits no event: whoever
//! calls knows what the login was for.

use crate::auth::authenticator::{Authenticator, Credentials, Login, Verdict};
use crate::auth::error::Result;
use crate::auth::passwords::rules::PASSWORD_BYTES_MAX;
use crate::auth::sources::name;
use crate::auth::throttle::Throttle;
use std::sync::Arc;

/// What became of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is them.
    Known(Login),
    /// No source knows the name, or the one that does refused the password. Which of the two is not said.
    Wrong,
    /// Not now: too many failed before. Says nothing about this password.
    Throttled {
        /// When to come back.
        retry_secs: u64,
    },
}

/// The sources of users, in order.
pub struct Chain {
    sources: Vec<Arc<dyn Authenticator>>,
    throttle: Throttle,
}

impl Chain {
    /// Asks these in this order.
    pub fn new(sources: Vec<Arc<dyn Authenticator>>, throttle: Throttle) -> Self {
        Self { sources, throttle }
    }

    /// Checks a name and a password. `Err` means that nobody could tell: too many wait, or a source is down.
    pub async fn authenticate(&self, credentials: &Credentials) -> Result<Outcome> {
        let password = credentials.password.expose();
        let fit = (1..=PASSWORD_BYTES_MAX).contains(&password.len()) && !password.contains('\0');
        if !fit || name::fault(&credentials.name).is_some() {
            return Ok(Outcome::Wrong); // nobody is called so, so nobody learns anything from the time it took
        }
        if let Some(source) = self.sources.iter().find(|source| source.takes_token(password)) {
            // Nobody can guess a token, so nobody is slowed: a machine left behind with an old one must not keep out
            // the others at its address. And no success with a token makes up for failures with passwords.
            let verdict = source.authenticate(credentials).await?;
            return Ok(known(verdict, credentials).map_or(Outcome::Wrong, Outcome::Known));
        }
        let attempt = match self.throttle.begin(&credentials.name, credentials.address) {
            Ok(attempt) => attempt,
            Err(retry_secs) => return Ok(Outcome::Throttled { retry_secs }),
        };
        match self.ask(credentials).await {
            Ok(Answer::Known(login)) => Ok(told(attempt.right(), Outcome::Known(login))),
            Ok(Answer::Refused { by }) => {
                let burnt = self.burn(credentials, by).await;
                // Counted whether or not the time could be spent: "busy" is an answer to a guess, too.
                let settled = attempt.wrong();
                burnt?;
                Ok(told(settled, Outcome::Wrong))
            }
            Err(error) => {
                attempt.void();
                Err(error)
            }
        }
    }

    /// An account of a source as it stands now. `None`: it is gone or disabled, or there is no such source any more.
    pub async fn lookup(&self, source: &str, account: &str) -> Result<Option<Login>> {
        match self.sources.iter().find(|known| known.name() == source) {
            Some(source) => source.lookup(account).await,
            None => Ok(None),
        }
    }

    /// The names of the sources, in order.
    pub fn sources(&self) -> impl Iterator<Item = &'static str> {
        self.sources.iter().map(|source| source.name())
    }

    async fn ask(&self, credentials: &Credentials) -> Result<Answer> {
        for (at, source) in self.sources.iter().enumerate() {
            match source.authenticate(credentials).await? {
                Verdict::Unknown => {}
                Verdict::Wrong => return Ok(Answer::Refused { by: Some(at) }),
                verdict @ Verdict::Known(_) => {
                    return Ok(
                        known(verdict, credentials).map_or(Answer::Refused { by: Some(at) }, Answer::Known)
                    );
                }
            }
        }
        Ok(Answer::Refused { by: None })
    }

    /// Spends what the sources that did not refuse would have spent.
    async fn burn(&self, credentials: &Credentials, refused_by: Option<usize>) -> Result<()> {
        for (at, source) in self.sources.iter().enumerate() {
            if refused_by != Some(at) {
                source.burn(credentials).await?;
            }
        }
        Ok(())
    }
}

/// What the sources say together.
enum Answer {
    Known(Login),
    /// By one of them, or by all of them.
    Refused {
        by: Option<usize>,
    },
}

fn told(settled: std::result::Result<(), u64>, outcome: Outcome) -> Outcome {
    settled.map_or_else(|retry_secs| Outcome::Throttled { retry_secs }, |()| outcome)
}

/// Rules go by the name, so nobody is ever let in under another name than the one given, whatever a source thinks.
fn known(verdict: Verdict, credentials: &Credentials) -> Option<Login> {
    let Verdict::Known(login) = verdict else { return None };
    if login.identity.name != credentials.name || login.identity.is_anonymous() {
        tracing::error!(source = login.source, given = ?credentials.name, "a source answered for another name");
        return None;
    }
    Some(login)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::identity::{AccountKind, Identity};
    use crate::auth::error::Error;
    use crate::auth::throttle::Limits;
    use crate::clock::{Clock, FixedClock};
    use crate::secret::Secret;
    use futures_util::future::join_all;
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    /// Knows one name with one password, and keeps a book of what it was asked.
    struct Fake {
        name: &'static str,
        user: &'static str,
        password: &'static str,
        answers_as: Option<&'static str>,
        fails: Option<fn() -> Error>,
        burn_fails: bool,
        book: Arc<Mutex<Vec<String>>>,
    }

    fn login(source: &'static str, name: &str) -> Login {
        let identity = Identity {
            kind: AccountKind::User,
            name: name.into(),
            admin: false,
            groups: Vec::new(),
            labels: BTreeMap::new(),
        };
        Login { identity, source, epoch: 0, token: None }
    }

    #[async_trait::async_trait]
    impl Authenticator for Fake {
        fn name(&self) -> &'static str {
            self.name
        }

        async fn authenticate(&self, credentials: &Credentials) -> Result<Verdict> {
            self.book.lock().unwrap().push(format!("{} asked", self.name));
            if let Some(fails) = self.fails {
                return Err(fails());
            }
            Ok(match (credentials.name == self.user, credentials.password.expose() == self.password) {
                (false, _) => Verdict::Unknown,
                (true, false) => Verdict::Wrong,
                (true, true) => Verdict::Known(login(self.name, self.answers_as.unwrap_or(self.user))),
            })
        }

        async fn lookup(&self, name: &str) -> Result<Option<Login>> {
            Ok((name == self.user).then(|| login(self.name, name)))
        }

        fn takes_token(&self, text: &str) -> bool {
            self.name == "accounts" && text.starts_with("hfp_")
        }

        async fn burn(&self, _: &Credentials) -> Result<()> {
            self.book.lock().unwrap().push(format!("{} burnt", self.name));
            if self.burn_fails { Err(Error::Busy(5)) } else { Ok(()) }
        }
    }

    struct Hall {
        chain: Chain,
        book: Arc<Mutex<Vec<String>>>,
    }

    /// Three sources: amy and bob and cid, "right".
    fn hall(change: impl Fn(&mut Fake)) -> Hall {
        let book = Arc::new(Mutex::new(Vec::new()));
        let fake = |(name, user)| {
            let mut fake = Fake {
                name,
                user,
                password: "right",
                answers_as: None,
                fails: None,
                burn_fails: false,
                book: Arc::clone(&book),
            };
            change(&mut fake);
            Arc::new(fake) as Arc<dyn Authenticator>
        };
        let sources =
            [("accounts", "amy"), ("htpasswd", "bob"), ("ldap", "cid")].into_iter().map(fake).collect();
        let clock = Arc::new(FixedClock::at(1_700_000_000)) as Arc<dyn Clock>;
        Hall { chain: Chain::new(sources, Throttle::new(Limits::default(), clock)), book }
    }

    impl Hall {
        async fn try_in(&self, name: &str, password: &str) -> Result<Outcome> {
            let address = Some([192, 0, 2, 1].into());
            let credentials = Credentials { name: name.into(), password: Secret::new(password), address };
            self.chain.authenticate(&credentials).await
        }

        async fn log_in(&self, name: &str, password: &str) -> Outcome {
            self.try_in(name, password).await.unwrap()
        }

        fn read(&self) -> String {
            std::mem::take(&mut *self.book.lock().unwrap()).join(", ")
        }
    }

    #[tokio::test]
    async fn sources_are_asked_in_order_until_one_knows_the_name() {
        let hall = hall(|_| ());
        assert_eq!(hall.log_in("bob", "right").await, Outcome::Known(login("htpasswd", "bob")));
        assert_eq!(hall.read(), "accounts asked, htpasswd asked", "and a success burns nothing");
    }

    #[tokio::test]
    async fn a_wrong_password_never_falls_through_to_the_next_source() {
        let hall = hall(|fake| fake.user = "amy");
        assert_eq!(hall.log_in("amy", "wrong").await, Outcome::Wrong);
        assert!(!hall.read().contains("htpasswd asked"));
    }

    #[tokio::test]
    async fn all_refusals_cost_the_same() {
        let hall = hall(|_| ());
        for (name, expected) in [
            ("amy", "accounts asked, htpasswd burnt, ldap burnt"),
            ("bob", "accounts asked, htpasswd asked, accounts burnt, ldap burnt"),
            (
                "nobody",
                "accounts asked, htpasswd asked, ldap asked, accounts burnt, htpasswd burnt, ldap burnt",
            ),
        ] {
            assert_eq!(hall.log_in(name, "wrong").await, Outcome::Wrong);
            assert_eq!(hall.read(), expected);
        }
    }

    #[tokio::test]
    async fn an_empty_chain_lets_nobody_in() {
        let clock = Arc::new(FixedClock::at(0)) as Arc<dyn Clock>;
        let chain = Chain::new(Vec::new(), Throttle::new(Limits::default(), clock));
        let credentials = Credentials { name: "amy".into(), password: Secret::new("x"), address: None };
        assert_eq!(chain.authenticate(&credentials).await.unwrap(), Outcome::Wrong);
    }

    #[tokio::test]
    async fn what_cannot_be_a_name_or_a_password_is_shown_to_no_source() {
        let (hall, long) = (hall(|_| ()), "x".repeat(1025));
        for (name, password) in [
            ("", "right"),
            ("amy", ""),
            ("amy", &long),
            (&long[..256], "right"),
            ("amy", "right\0"),
            ("amy\0", "right"),
            ("amy\r\nx", "right"),
            ("a:my", "right"),
        ] {
            assert_eq!(hall.log_in(name, password).await, Outcome::Wrong, "{name:?}");
        }
        assert_eq!(hall.read(), "");
        hall.log_in(&long[..255], &long[..1024]).await;
        assert!(hall.read().starts_with("accounts asked"));
    }

    #[tokio::test]
    async fn a_source_that_is_down_is_an_error_and_nobody_is_told_wrong() {
        let hall = hall(|fake| {
            if fake.name == "htpasswd" {
                fake.fails = Some(|| Error::Source { name: "htpasswd".into(), why: "down".into() });
            }
        });
        for _ in 0..50 {
            assert!(
                matches!(hall.try_in("cid", "right").await, Err(Error::Source { .. })),
                "and none is a failure"
            );
        }
        assert_eq!(hall.read().matches("ldap").count(), 0);
        assert_eq!(hall.log_in("amy", "right").await, Outcome::Known(login("accounts", "amy")));
    }

    #[tokio::test]
    async fn a_guess_that_is_answered_by_busy_is_a_guess() {
        let hall = hall(|fake| fake.burn_fails = true);
        for _ in 0..5 {
            assert!(matches!(hall.try_in("amy", "wrong").await, Err(Error::Busy(5))));
        }
        assert_eq!(hall.log_in("amy", "right").await, Outcome::Throttled { retry_secs: 1 });
    }

    #[tokio::test]
    async fn failures_are_slowed_and_then_no_source_is_asked() {
        let hall = hall(|_| ());
        for _ in 0..5 {
            assert_eq!(hall.log_in("amy", "wrong").await, Outcome::Wrong);
        }
        hall.read();
        for password in ["wrong", "right"] {
            assert_eq!(hall.log_in("amy", password).await, Outcome::Throttled { retry_secs: 1 });
        }
        assert_eq!(hall.read(), "");
        assert_eq!(hall.log_in("bob", "right").await, Outcome::Known(login("htpasswd", "bob")));
    }

    #[tokio::test]
    async fn unknown_names_are_slowed_as_known_ones_are() {
        let hall = hall(|_| ());
        for name in ["amy", "nobody"] {
            let outcomes = join_all((0..7).map(|_| hall.try_in(name, "wrong"))).await;
            let wrong = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Outcome::Wrong))).count();
            assert_eq!(wrong, 5, "{name}");
        }
    }

    #[tokio::test]
    async fn a_token_is_shown_to_its_source_only_and_is_neither_slowed_nor_makes_up_for_failures() {
        let hall = hall(|fake| {
            if fake.name == "accounts" {
                fake.password = "hfp_right";
            }
        });
        for _ in 0..50 {
            assert_eq!(hall.log_in("amy", "hfp_wrong").await, Outcome::Wrong);
        }
        assert_eq!(hall.read().matches("accounts asked").count(), 50);
        for _ in 0..4 {
            hall.log_in("amy", "wrong").await;
        }
        assert_eq!(hall.log_in("amy", "hfp_right").await, Outcome::Known(login("accounts", "amy")));
        hall.log_in("amy", "wrong").await;
        assert_eq!(hall.log_in("amy", "wrong").await, Outcome::Throttled { retry_secs: 1 });
        hall.read();
        assert_eq!(hall.log_in("bob", "hfp_wrong").await, Outcome::Wrong);
        assert_eq!(hall.read(), "accounts asked");
    }

    #[tokio::test]
    async fn a_source_that_answers_for_another_name_lets_nobody_in() {
        let hall = hall(|fake| fake.answers_as = Some("admin"));
        assert_eq!(hall.log_in("bob", "right").await, Outcome::Wrong);
    }

    #[tokio::test]
    async fn accounts_are_looked_up_in_the_source_that_knows_them() {
        let chain = hall(|_| ()).chain;
        assert_eq!(chain.lookup("htpasswd", "bob").await.unwrap(), Some(login("htpasswd", "bob")));
        assert_eq!(chain.lookup("accounts", "bob").await.unwrap(), None);
        assert_eq!(chain.lookup("gone", "bob").await.unwrap(), None);
        assert_eq!(chain.sources().collect::<Vec<_>>(), ["accounts", "htpasswd", "ldap"]);
    }
}
