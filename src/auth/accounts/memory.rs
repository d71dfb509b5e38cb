//! What of the documents is always at hand: which names are taken, who is in which groups, all grants, whose tokens
//! there are. Made from the documents and from nothing else; so is each change of it.

use crate::acl::grant::Subject;
use crate::auth::accounts::document::{self, Document};
use crate::auth::accounts::grant::StoredGrant;
use crate::auth::accounts::group::{Group, Member};
use crate::auth::accounts::index::Index;
use crate::auth::accounts::name::folded;
use crate::auth::accounts::service::ServiceAccount;
use crate::auth::accounts::token::Token;
use crate::auth::accounts::user::User;
use crate::record::{Record, Shelf};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What is always at hand.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Names of users and service accounts, by what names that differ only by case have in common.
    accounts: HashMap<String, (Shelf, Arc<str>)>,
    /// Likewise of groups.
    groups: HashMap<String, Arc<str>>,
    /// Those who keep the administration open.
    admins: BTreeSet<Arc<str>>,
    /// What is being removed.
    leaving: BTreeSet<(Shelf, String)>,
    members: HashMap<Arc<str>, BTreeSet<Arc<Member>>>,
    memberships: HashMap<Arc<Member>, BTreeSet<Arc<str>>>,
    grants: BTreeMap<Arc<str>, Arc<StoredGrant>>,
    tokens: Index,
}

impl Memory {
    /// A record stands so now, or is gone. Answers whether something that may have been read before is outdated: only a
    /// token that is new outdates nothing. One that does not read is as good as gone: nothing is allowed by it.
    pub fn apply(&mut self, shelf: Shelf, name: &str, record: Option<&Record>) -> bool {
        match shelf {
            Shelf::Users => self.user(name, read::<User>(name, record).as_ref(), record.is_some()),
            Shelf::ServiceAccounts => {
                let leaving = read::<ServiceAccount>(name, record).is_some_and(|account| account.removing);
                self.account(shelf, name, record.is_some(), leaving);
            }
            Shelf::Groups => self.group(name, read::<Group>(name, record).as_ref(), record.is_some()),
            Shelf::Grants => match read::<StoredGrant>(name, record) {
                Some(grant) => drop(self.grants.insert(name.into(), Arc::new(grant))),
                None => drop(self.grants.remove(name)),
            },
            Shelf::Marks => return false,
            Shelf::Tokens => {
                let Some(token) = read::<Token>(name, record) else {
                    self.tokens.remove(name);
                    return true;
                };
                return self.tokens.put(&token);
            }
        }
        true
    }

    /// The account that has this name, or one that differs only by case.
    pub fn account_like(&self, name: &str) -> Option<(Shelf, Arc<str>)> {
        self.accounts.get(&folded(name)).cloned()
    }

    /// Likewise of groups.
    pub fn group_like(&self, name: &str) -> Option<Arc<str>> {
        self.groups.get(&folded(name)).cloned()
    }

    /// Whether there is any user.
    pub fn has_users(&self) -> bool {
        self.accounts.values().any(|(shelf, _)| *shelf == Shelf::Users)
    }

    /// Administrators that are not disabled.
    pub fn admins(&self) -> Vec<Arc<str>> {
        self.admins.iter().cloned().collect()
    }

    /// Whether a document is being removed.
    pub fn is_leaving(&self, shelf: Shelf, name: &str) -> bool {
        self.leaving.contains(&(shelf, name.to_owned()))
    }

    /// What is being removed.
    pub fn leaving(&self) -> Vec<(Shelf, String)> {
        self.leaving.iter().cloned().collect()
    }

    /// The groups that somebody is in, in byte order.
    pub fn groups_of(&self, member: &Member) -> Vec<String> {
        let names = self.memberships.get(member).into_iter().flatten();
        names.map(|name| (**name).to_owned()).collect()
    }

    /// All grants, in the order of their ids.
    pub fn grants(&self) -> &BTreeMap<Arc<str>, Arc<StoredGrant>> {
        &self.grants
    }

    /// The tokens.
    pub fn tokens(&self) -> &Index {
        &self.tokens
    }

    fn user(&mut self, name: &str, user: Option<&User>, stands: bool) {
        self.account(Shelf::Users, name, stands, user.is_some_and(|user| user.removing));
        if user.is_some_and(User::is_active_admin) {
            self.admins.insert(name.into());
        } else {
            self.admins.remove(name);
        }
    }

    /// A name is taken as long as its record stands, whether that reads or not.
    fn account(&mut self, shelf: Shelf, name: &str, stands: bool, leaving: bool) {
        let key = folded(name);
        if stands {
            self.accounts.insert(key, (shelf, name.into()));
        } else if self.accounts.get(&key).is_some_and(|(at, known)| *at == shelf && **known == *name) {
            self.accounts.remove(&key);
        }
        self.leaves(shelf, name, leaving);
    }

    fn group(&mut self, name: &str, group: Option<&Group>, stands: bool) {
        let key = folded(name);
        if stands {
            self.groups.insert(key, name.into());
        } else if self.groups.get(&key).is_some_and(|known| **known == *name) {
            self.groups.remove(&key);
        }
        self.leaves(Shelf::Groups, name, group.is_some_and(|group| group.removing));
        let there = group.filter(|group| !group.removing).map_or(&[][..], |group| &group.members);
        self.are_in(name, there);
    }

    /// These and nobody else are in a group. Costs little where little changed: names stay where they are.
    fn are_in(&mut self, name: &str, members: &[Member]) {
        let mut before = self.members.remove(name).unwrap_or_default();
        let group: Arc<str> = name.into();
        let mut now = BTreeSet::new();
        for member in members {
            let member = before.take(member).unwrap_or_else(|| Arc::new(member.clone()));
            self.memberships.entry(member.clone()).or_default().insert(group.clone());
            now.insert(member);
        }
        for gone in before.difference(&now) {
            if let Some(groups) = self.memberships.get_mut(gone) {
                groups.remove(name);
                if groups.is_empty() {
                    self.memberships.remove(gone);
                }
            }
        }
        if !now.is_empty() {
            self.members.insert(group, now);
        }
    }

    fn leaves(&mut self, shelf: Shelf, name: &str, leaving: bool) {
        let entry = (shelf, name.to_owned());
        if leaving {
            self.leaving.insert(entry);
        } else {
            self.leaving.remove(&entry);
        }
    }

    /// The grants of a subject, or all, that follow on this id.
    pub fn grants_after<'a>(
        &'a self,
        subject: Option<&'a Subject>,
        last: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<StoredGrant>> {
        let after = move |grant: &&Arc<StoredGrant>| last.is_none_or(|last| grant.id.as_str() > last);
        let of = move |grant: &&Arc<StoredGrant>| subject.is_none_or(|subject| grant.subject == *subject);
        self.grants.values().filter(after).filter(of)
    }
}

fn read<D: Document>(name: &str, record: Option<&Record>) -> Option<D> {
    document::read(name, record?)
        .inspect_err(|error| tracing::error!(%error, "a document does not read, and is passed over"))
        .ok()
}
