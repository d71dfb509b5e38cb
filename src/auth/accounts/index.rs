//! Which tokens there are, whose they are, and until when: enough to list one owner's, to count them, to find those
//! that are over, and to say at each request whether one still stands. Holds neither hashes nor texts.

use crate::auth::accounts::owner::Owner;
use crate::auth::accounts::token::{Token, TokenKind};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

/// What is known of a token without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Whose it is.
    pub owner: Arc<Owner>,
    /// What sort.
    pub kind: TokenKind,
    /// When it was made.
    pub created: u64,
    /// From when on it is none.
    pub expires: Option<u64>,
    /// The owner's epoch when it was made.
    pub epoch: u64,
}

impl Held {
    /// Whether its time is over.
    pub fn is_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|expires| now >= expires)
    }
}

/// All tokens.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Index {
    by_id: BTreeMap<Arc<str>, Held>,
    by_owner: HashMap<Arc<Owner>, BTreeSet<Arc<str>>>,
}

impl Index {
    /// A token stands so. Answers whether it was known before.
    pub fn put(&mut self, token: &Token) -> bool {
        let known = self.remove(&token.id);
        let owner = match self.by_owner.get_key_value(&token.owner) {
            Some((owner, _)) => owner.clone(),
            None => Arc::new(token.owner.clone()),
        };
        let id: Arc<str> = token.id.as_str().into();
        self.by_owner.entry(owner.clone()).or_default().insert(id.clone());
        let held = Held {
            owner,
            kind: token.kind,
            created: token.created,
            expires: token.expires,
            epoch: token.epoch,
        };
        self.by_id.insert(id, held);
        known
    }

    /// A token is gone. Answers whether it was known.
    pub fn remove(&mut self, id: &str) -> bool {
        let Some(held) = self.by_id.remove(id) else { return false };
        if let Some(ids) = self.by_owner.get_mut(&held.owner) {
            ids.remove(id);
            if ids.is_empty() {
                self.by_owner.remove(&held.owner);
            }
        }
        true
    }

    /// What is known of a token.
    pub fn get(&self, id: &str) -> Option<&Held> {
        self.by_id.get(id)
    }

    /// The tokens of an owner, in the order of their ids.
    pub fn of(&self, owner: &Owner) -> Vec<(Arc<str>, Held)> {
        let ids = self.by_owner.get(owner).into_iter().flatten();
        ids.filter_map(|id| Some((id.clone(), self.by_id.get(id)?.clone()))).collect()
    }

    /// At most `count` tokens whose ids follow on this one.
    pub fn after(&self, last: Option<&Arc<str>>, count: usize) -> Vec<(Arc<str>, Held)> {
        let from = last.map_or(Bound::Unbounded, |id| Bound::Excluded(id.clone()));
        let range = self.by_id.range((from, Bound::Unbounded));
        range.take(count).map(|(id, held)| (id.clone(), held.clone())).collect()
    }
}
