//! Users who stand in a list with the hashes of their passwords: what static users and an htpasswd file have in common.
//! Knows not where a list comes from.

use crate::acl::identity::{AccountKind, Identity};
use crate::auth::authenticator::{Credentials, Login, Verdict};
use crate::auth::error::Result;
use crate::auth::passwords::hash::{Scheme, StoredHash};
use crate::auth::passwords::verifier::{Given, Passwords};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// One of them.
#[derive(Debug, Clone)]
pub struct User {
    /// Their hash.
    pub hash: StoredHash,
    /// What the list says of them beside that.
    pub groups: Vec<String>,
    /// Likewise.
    pub labels: BTreeMap<String, Vec<String>>,
    /// May do everything.
    pub admin: bool,
}

/// A whole list.
pub struct Listed {
    source: &'static str,
    users: HashMap<String, User>,
    /// Costs what most of the hashes cost.
    dummy: StoredHash,
}

impl Listed {
    /// A list; `source` is the name of the source that it belongs to.
    pub fn new(source: &'static str, users: HashMap<String, User>) -> Result<Self> {
        let dummy = StoredHash::dummy(usual(&users).unwrap_or(Scheme::Bcrypt { cost: 5 }))?;
        Ok(Self { source, users, dummy })
    }

    /// How many users there are.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Checks a password. An unknown name costs nothing here: see `burn`.
    pub async fn authenticate(&self, passwords: &Passwords, credentials: &Credentials) -> Result<Verdict> {
        let Some(user) = self.users.get(&credentials.name) else { return Ok(Verdict::Unknown) };
        if passwords.verify(self.given(credentials), &user.hash).await? {
            Ok(Verdict::Known(self.login(&credentials.name, user)))
        } else {
            Ok(Verdict::Wrong)
        }
    }

    /// A user as the list has them.
    pub fn lookup(&self, name: &str) -> Option<Login> {
        self.users.get(name).map(|user| self.login(name, user))
    }

    /// Spends what checking a password of this list usually costs.
    pub async fn burn(&self, passwords: &Passwords, credentials: &Credentials) -> Result<()> {
        if self.users.is_empty() {
            return Ok(());
        }
        passwords.burn(self.given(credentials), &self.dummy).await
    }

    fn given<'a>(&self, credentials: &'a Credentials) -> Given<'a> {
        Given { source: self.source, name: &credentials.name, password: &credentials.password }
    }

    fn login(&self, name: &str, user: &User) -> Login {
        let identity = Identity {
            kind: AccountKind::User,
            name: name.to_owned(),
            admin: user.admin,
            groups: user.groups.clone(),
            labels: user.labels.clone(),
        };
        Login { identity, source: self.source, epoch: epoch(&user.hash), token: None }
    }
}

/// The same as long as the hash is, in every process.
fn epoch(hash: &StoredHash) -> u64 {
    let digest = Sha256::digest(hash.text().as_bytes());
    digest.iter().take(8).fold(0, |epoch, byte| epoch << 8 | u64::from(*byte))
}

/// The scheme of most hashes; the dearest of those that are equally many.
fn usual(users: &HashMap<String, User>) -> Option<Scheme> {
    let mut counts: BTreeMap<Scheme, usize> = BTreeMap::new();
    for user in users.values() {
        *counts.entry(user.hash.scheme()).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(scheme, count)| (*count, *scheme)).map(|(scheme, _)| scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(hash: &str) -> User {
        User {
            hash: StoredHash::parse(hash).unwrap(),
            groups: Vec::new(),
            labels: BTreeMap::new(),
            admin: false,
        }
    }

    const COST_5: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    const COST_6: &str = "$2a$06$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

    fn list(hashes: &[&str]) -> Listed {
        let users = hashes.iter().enumerate().map(|(n, hash)| (format!("user{n}"), user(hash)));
        Listed::new("static", users.collect()).unwrap()
    }

    #[test]
    fn the_dummy_costs_what_most_cost() {
        assert_eq!(list(&[COST_5, COST_5, COST_6]).dummy.scheme(), Scheme::Bcrypt { cost: 5 });
        assert_eq!(list(&[COST_5, COST_6, COST_6]).dummy.scheme(), Scheme::Bcrypt { cost: 6 });
        assert_eq!(list(&[COST_5, COST_6]).dummy.scheme(), Scheme::Bcrypt { cost: 6 });
        assert!(list(&[]).is_empty());
    }

    #[test]
    fn a_changed_hash_is_another_epoch_and_a_restart_is_not() {
        let epoch = |hash| list(&[hash]).lookup("user0").unwrap().epoch;
        assert_eq!(epoch(COST_5), epoch(COST_5));
        assert_ne!(epoch(COST_5), epoch(COST_6));
        assert_eq!(epoch(COST_5), 0xAD31_F8AF_322B_728C);
    }
}
