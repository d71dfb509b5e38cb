//! The way of our grants to the rules: after each change all of them are made ready again and handed on, the newest set
//! last. The only file that turns one form of a grant into the other.

use crate::acl::access::Action;
use crate::acl::grant::{Grant, Grants, Subject};
use crate::auth::accounts::grant::StoredGrant;
use crate::auth::accounts::memory::Memory;
use crate::auth::error::{Error, Result};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

/// Takes the grants, whenever they have changed.
pub type Taker = Box<dyn Fn(Grants) + Send + Sync>;

/// Hands grants on.
pub struct Publisher {
    wanted: AtomicU64,
    published: Mutex<u64>,
    taker: Taker,
}

impl Publisher {
    /// Hands them to this taker.
    pub fn new(taker: Taker) -> Self {
        Self { wanted: AtomicU64::new(0), published: Mutex::new(0), taker }
    }

    /// The grants in memory have changed: when this returns, those or newer ones were handed on. Several who come at
    /// once are served by one.
    pub fn publish(&self, memory: &RwLock<Memory>) {
        let mine = self.wanted.fetch_add(1, Ordering::AcqRel) + 1;
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        if *published >= mine {
            return;
        }
        // Before the memory is read: what was changed before it was counted is then among what is read.
        let upto = self.wanted.load(Ordering::Acquire);
        let grants: Vec<Grant> = {
            let memory = memory.read().unwrap_or_else(PoisonError::into_inner);
            memory.grants().values().map(|grant| plain(grant)).collect()
        };
        (self.taker)(compiled(grants));
        *published = upto;
    }
}

/// A glob of repositories, if it is one.
pub fn check_glob(glob: &str) -> Result<()> {
    let trial = Grant {
        id: String::new(),
        subject: Subject::Anonymous,
        repository: glob.to_owned(),
        actions: vec![Action::Pull],
    };
    Grants::compile(vec![trial]).map(drop).map_err(Error::Invalid)
}

fn plain(grant: &StoredGrant) -> Grant {
    Grant {
        id: grant.id.clone(),
        subject: grant.subject.clone(),
        repository: grant.repository.clone(),
        actions: grant.actions.clone(),
    }
}

/// One that does not read, from a newer version perhaps, gives nothing and takes nothing from the others.
fn compiled(grants: Vec<Grant>) -> Grants {
    if let Ok(compiled) = Grants::compile(grants.clone()) {
        return compiled;
    }
    let good = |grant: &Grant| match Grants::compile(vec![grant.clone()]) {
        Ok(_) => true,
        Err(why) => {
            tracing::error!(grant = grant.id, why, "a grant does not read, and gives nothing");
            false
        }
    };
    Grants::compile(grants.into_iter().filter(good).collect()).unwrap_or_else(|why| {
        tracing::error!(why, "the grants do not read together; none of them counts");
        Grants::default()
    })
}
