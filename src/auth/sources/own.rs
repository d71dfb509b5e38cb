//! Our own accounts as a source of users, whose personal access tokens and service account secrets are taken in place
//! of a password.
//!
//! Knows not how accounts are kept: `StoredAccounts` is all that it asks of them.

use crate::auth::authenticator::{Authenticator, Credentials, Login, Verdict};
use crate::auth::error::Result;
use crate::auth::passwords::hash::{BCRYPT_BYTES, Scheme, StoredHash};
use crate::auth::passwords::verifier::{Given, Passwords};
use crate::secret::Secret;
use std::sync::Arc;

/// What this source is called.
pub const NAME: &str = "accounts";
/// What a refresh token begins with. It is made for machines that cannot type, and opens the token endpoint alone.
const REFRESH_PREFIX: &str = "hfr_";

/// How the password of an account stands.
#[derive(Debug, Clone)]
pub struct StoredPassword {
    /// Its hash. `None`: the account has no password, and logs in with tokens only.
    pub hash: Option<Secret>,
    /// Whether the account is disabled.
    pub disabled: bool,
}

/// What this source asks of where accounts are kept.
#[async_trait::async_trait]
pub trait StoredAccounts: Send + Sync {
    /// The password of an account. `None`: there is no such account.
    async fn password(&self, name: &str) -> Result<Option<StoredPassword>>;

    /// Replaces a hash by a better one of the same password, if it still stands. Changes no epoch.
    async fn upgrade(&self, name: &str, old: &str, new: &str) -> Result<()>;

    /// An account as it stands now. `None`: there is none, or it is disabled.
    async fn login(&self, name: &str) -> Result<Option<Login>>;

    /// The account that an opaque token speaks for, and the token in `Login::token`. `None`: it is unknown, expired or
    /// revoked, or its owner is disabled.
    async fn token(&self, text: &Secret) -> Result<Option<Login>>;

    /// Whether a text looks like a token that may stand in place of a password.
    fn is_token(&self, text: &str) -> bool;
}

/// Our own accounts.
pub struct OwnAccounts {
    stored: Arc<dyn StoredAccounts>,
    passwords: Arc<Passwords>,
}

impl OwnAccounts {
    /// Over where they are kept.
    pub fn new(stored: Arc<dyn StoredAccounts>, passwords: Arc<Passwords>) -> Self {
        Self { stored, passwords }
    }

    /// A token speaks for its owner, under the owner's name only. Final: what looks like a token is shown to no other
    /// source.
    async fn token(&self, credentials: &Credentials) -> Result<Verdict> {
        match self.stored.token(&credentials.password).await? {
            Some(login) if login.identity.name == credentials.name => {
                // Whatever source knows the owner: a personal access token may be one of an LDAP user.
                Ok(Verdict::Known(login))
            }
            _ => Ok(Verdict::Wrong),
        }
    }

    async fn password(&self, credentials: &Credentials) -> Result<Verdict> {
        let name = &credentials.name;
        // The account before the hash: should the password be changed in between, then what is given out here has
        // the epoch of the old one, and ends.
        let login = self.stored.login(name).await?;
        let Some(stored) = self.stored.password(name).await? else { return Ok(Verdict::Unknown) };
        let hash = stored.hash.as_ref().and_then(|text| read(name, text));
        let (Some(login), Some(hash), false) = (login, hash, stored.disabled) else {
            self.burn(credentials).await?;
            return Ok(Verdict::Wrong);
        };
        if !self.passwords.verify(given(credentials), &hash).await? {
            return Ok(Verdict::Wrong);
        }
        self.upgrade(credentials, &hash).await;
        Ok(Verdict::Known(Login { source: NAME, ..login }))
    }

    /// Best effort: whoever gave the right password is let in, and it is tried again at the next login. Once begun it
    /// comes to its end, though the client goes away meanwhile.
    #[allow(clippy::disallowed_methods)] // one of the few homes of tasks: a change of what is stored
    async fn upgrade(&self, credentials: &Credentials, old: &StoredHash) {
        let password = credentials.password.expose();
        // bcrypt has not seen the rest, which may be mistyped: our hash would hold the owner to the slip.
        let seen = !matches!(old.scheme(), Scheme::Bcrypt { .. }) || password.len() <= BCRYPT_BYTES;
        if !old.is_weak() || !seen {
            return;
        }
        let (stored, passwords) = (Arc::clone(&self.stored), Arc::clone(&self.passwords));
        let (credentials, old) = (credentials.clone(), old.text().to_owned());
        let upgrade = async move {
            let upgraded = match passwords.hash(&credentials.password).await {
                Ok(new) => stored.upgrade(&credentials.name, &old, new.text()).await,
                Err(error) => Err(error),
            };
            if let Err(error) = upgraded {
                tracing::warn!(account = ?credentials.name, %error, "a weak hash was not replaced");
            }
        };
        drop(tokio::spawn(upgrade).await);
    }
}

fn read(name: &str, text: &Secret) -> Option<StoredHash> {
    StoredHash::parse(text.expose())
        .inspect_err(
            |why| tracing::error!(account = ?name, why, "the stored hash of a password does not read"),
        )
        .ok()
}

fn given(credentials: &Credentials) -> Given<'_> {
    Given { source: NAME, name: &credentials.name, password: &credentials.password }
}

#[async_trait::async_trait]
impl Authenticator for OwnAccounts {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn authenticate(&self, credentials: &Credentials) -> Result<Verdict> {
        let text = credentials.password.expose();
        if text.starts_with(REFRESH_PREFIX) {
            return Ok(Verdict::Wrong);
        }
        if self.stored.is_token(text) {
            return self.token(credentials).await;
        }
        self.password(credentials).await
    }

    async fn lookup(&self, name: &str) -> Result<Option<Login>> {
        Ok(self.stored.login(name).await?.map(|login| Login { source: NAME, ..login }))
    }

    fn takes_token(&self, text: &str) -> bool {
        text.starts_with(REFRESH_PREFIX) || self.stored.is_token(text)
    }

    async fn burn(&self, credentials: &Credentials) -> Result<()> {
        self.passwords.burn(given(credentials), self.passwords.dummy()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::identity::{AccountKind, Identity};
    use crate::auth::authenticator::UsedToken;
    use crate::auth::passwords::config::Config;
    use crate::clock::FixedClock;
    use std::collections::{BTreeMap, HashMap};
    use std::sync::Mutex;

    /// Of "U*U".
    const BCRYPT: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    /// Of "password", on 256 KiB.
    const WEAK: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

    #[derive(Default)]
    struct Fake {
        passwords: Mutex<HashMap<String, StoredPassword>>,
        tokens: HashMap<String, String>,
        upgrade_fails: bool,
    }

    fn login(name: &str, token: Option<UsedToken>) -> Login {
        let identity = Identity {
            kind: AccountKind::User,
            name: name.into(),
            admin: false,
            groups: Vec::new(),
            labels: BTreeMap::new(),
        };
        Login { identity, source: "elsewhere", epoch: 7, token }
    }

    #[async_trait::async_trait]
    impl StoredAccounts for Fake {
        async fn password(&self, name: &str) -> Result<Option<StoredPassword>> {
            Ok(self.passwords.lock().unwrap().get(name).cloned())
        }

        async fn upgrade(&self, name: &str, old: &str, new: &str) -> Result<()> {
            if self.upgrade_fails {
                return Err(crate::auth::error::Error::Stale);
            }
            let mut passwords = self.passwords.lock().unwrap();
            let hash = passwords.get_mut(name).unwrap().hash.as_mut().unwrap();
            assert_eq!(hash.expose(), old);
            *hash = Secret::new(new);
            Ok(())
        }

        async fn login(&self, name: &str) -> Result<Option<Login>> {
            let stored = self.passwords.lock().unwrap().get(name).cloned();
            Ok(stored.filter(|stored| !stored.disabled).map(|_| login(name, None)))
        }

        async fn token(&self, text: &Secret) -> Result<Option<Login>> {
            let used = UsedToken { id: "t1".into(), ceiling: None, api: false };
            Ok(self.tokens.get(text.expose()).map(|owner| login(owner, Some(used))))
        }

        fn is_token(&self, text: &str) -> bool {
            text.starts_with("hfp_") || text.starts_with("hfs_")
        }
    }

    fn own(accounts: &[(&str, Option<&str>, bool)]) -> (OwnAccounts, Arc<Fake>) {
        let stored = |(name, hash, disabled): &(&str, Option<&str>, bool)| {
            (String::from(*name), StoredPassword { hash: hash.map(Secret::new), disabled: *disabled })
        };
        let fake = Fake {
            passwords: Mutex::new(accounts.iter().map(stored).collect()),
            tokens: HashMap::from([("hfp_amys".into(), "amy".into()), ("hfr_amys".into(), "amy".into())]),
            upgrade_fails: false,
        };
        over(fake)
    }

    fn over(fake: Fake) -> (OwnAccounts, Arc<Fake>) {
        let (passwords, fake) =
            (Passwords::new(&Config::default(), Arc::new(FixedClock::at(0))), Arc::new(fake));
        (OwnAccounts::new(Arc::clone(&fake) as _, Arc::new(passwords.unwrap())), fake)
    }

    async fn ask(own: &OwnAccounts, name: &str, password: &str) -> Verdict {
        let credentials = Credentials { name: name.into(), password: Secret::new(password), address: None };
        own.authenticate(&credentials).await.unwrap()
    }

    fn known(name: &str) -> Verdict {
        Verdict::Known(Login { source: "accounts", ..login(name, None) })
    }

    fn hash_of(fake: &Fake, name: &str) -> String {
        fake.passwords.lock().unwrap()[name].hash.as_ref().unwrap().expose().to_owned()
    }

    #[tokio::test]
    async fn the_right_password_lets_in_and_no_other() {
        let (own, _) = own(&[("amy", Some(BCRYPT), false)]);
        assert_eq!(ask(&own, "amy", "U*U").await, known("amy"));
        assert_eq!(ask(&own, "amy", "U*V").await, Verdict::Wrong);
        assert_eq!(ask(&own, "bob", "U*U").await, Verdict::Unknown);
        assert_eq!(own.lookup("amy").await.unwrap().unwrap().source, "accounts");
        assert_eq!(own.lookup("bob").await.unwrap(), None);
    }

    #[tokio::test]
    async fn disabled_accounts_and_those_without_a_password_cost_a_hash_and_are_wrong() {
        let (own, _) =
            own(&[("amy", Some(BCRYPT), true), ("ci", None, false), ("odd", Some("no hash"), false)]);
        for (n, name) in ["amy", "ci", "odd"].into_iter().enumerate() {
            assert_eq!(ask(&own, name, "U*U").await, Verdict::Wrong, "{name}");
            assert_eq!(own.passwords.computed(), n + 1);
        }
        assert_eq!(own.lookup("amy").await.unwrap(), None);
    }

    #[tokio::test]
    async fn weak_hashes_are_replaced_at_a_login() {
        let (own, fake) = own(&[("amy", Some(BCRYPT), false), ("bob", Some(WEAK), false)]);
        for (name, password) in [("amy", "U*U"), ("bob", "password")] {
            assert_eq!(ask(&own, name, "wrong").await, Verdict::Wrong);
            assert!([BCRYPT, WEAK].contains(&hash_of(&fake, name).as_str()), "not by a wrong password");
            assert_eq!(ask(&own, name, password).await, known(name));
            let upgraded = hash_of(&fake, name);
            assert!(upgraded.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
            assert_eq!(ask(&own, name, password).await, known(name), "and still lets in");
            assert_eq!(hash_of(&fake, name), upgraded, "once");
        }
    }

    #[tokio::test]
    async fn a_weak_hash_is_replaced_though_the_client_goes_away() {
        let (own, fake) = own(&[("amy", Some(BCRYPT), false)]);
        let stored = StoredHash::parse(BCRYPT).unwrap();
        let credentials = Credentials { name: "amy".into(), password: Secret::new("U*U"), address: None };
        let mut upgrade = Box::pin(own.upgrade(&credentials, &stored));
        assert!(futures_util::poll!(&mut upgrade).is_pending());
        drop(upgrade);
        let replaced = async {
            while hash_of(&fake, "amy") == BCRYPT {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), replaced).await.unwrap();
    }

    #[tokio::test]
    async fn a_hash_that_cannot_be_replaced_still_lets_in() {
        let stored = StoredPassword { hash: Some(Secret::new(BCRYPT)), disabled: false };
        let passwords = Mutex::new(HashMap::from([("amy".into(), stored)]));
        let (own, fake) = over(Fake { passwords, upgrade_fails: true, ..Fake::default() });
        assert_eq!(ask(&own, "amy", "U*U").await, known("amy"));
        assert_eq!(hash_of(&fake, "amy"), BCRYPT);
    }

    #[tokio::test]
    async fn what_bcrypt_has_not_seen_of_a_password_is_not_made_to_count() {
        let hash = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui";
        let password = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        let (own, fake) = own(&[("amy", Some(hash), false)]);
        assert_eq!(ask(&own, "amy", &format!("{password}mistyped")).await, known("amy"));
        assert_eq!(hash_of(&fake, "amy"), hash);
        assert_eq!(ask(&own, "amy", password).await, known("amy"));
        assert_ne!(hash_of(&fake, "amy"), hash);
    }

    #[tokio::test]
    async fn a_token_stands_for_its_owner_under_the_owners_name_only() {
        let (own, _) = own(&[("amy", Some(BCRYPT), false), ("bob", Some(BCRYPT), false)]);
        let Verdict::Known(amy) = ask(&own, "amy", "hfp_amys").await else { panic!("not known") };
        let source = "elsewhere"; // the owner may be one of another source
        assert_eq!((amy.source, amy.token.unwrap().id.as_str()), (source, "t1"));
        for name in ["bob", "Amy", "token", "oauth2accesstoken", "<token>", "cid", ""] {
            assert_eq!(ask(&own, name, "hfp_amys").await, Verdict::Wrong, "{name:?}");
        }
        for text in ["hfp_bobs", "hfs_", "hfp_amysx"] {
            assert_eq!(
                ask(&own, "amy", text).await,
                Verdict::Wrong,
                "{text:?}: final, for no other source to see"
            );
            assert_eq!(ask(&own, "cid", text).await, Verdict::Wrong, "{text:?}");
        }
        assert_eq!(own.passwords.computed(), 0);
    }

    #[tokio::test]
    async fn a_refresh_token_is_no_password() {
        let (own, _) = own(&[("amy", Some(BCRYPT), false)]);
        assert_eq!(ask(&own, "amy", "hfr_amys").await, Verdict::Wrong);
        assert!(own.takes_token("hfr_amys") && own.takes_token("hfp_x") && !own.takes_token("U*U"));
    }

    #[tokio::test]
    async fn an_unknown_name_burns_what_a_known_one_costs() {
        let (own, _) = own(&[]);
        let credentials = Credentials { name: "bob".into(), password: Secret::new("x"), address: None };
        assert_eq!(own.authenticate(&credentials).await.unwrap(), Verdict::Unknown);
        assert_eq!(own.passwords.computed(), 0);
        own.burn(&credentials).await.unwrap();
        assert_eq!(own.passwords.computed(), 1);
    }
}
