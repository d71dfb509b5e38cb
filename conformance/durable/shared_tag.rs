//! A tag that all clients move at once. Its last value is any write that no other acknowledged write wholly
//! followed: the rule for a register with several writers. It must not know requests or servers.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The name of that tag in every repository.
pub const SHARED: &str = "shared";

#[derive(Clone, Debug)]
struct Write {
    digest: String,
    begun: u64,
    /// `None`: never acknowledged.
    ended: Option<u64>,
}

/// All writes to the shared tag of each repository, in an order that every client saw.
#[derive(Debug, Default)]
pub struct SharedTags {
    now: AtomicU64,
    writes: Mutex<BTreeMap<String, Vec<Write>>>,
}

impl SharedTags {
    fn tick(&self) -> u64 {
        self.now.fetch_add(1, Ordering::SeqCst)
    }

    /// A write is about to be sent; gives its number.
    pub fn begin(&self, repo: &str, digest: &str) -> usize {
        let mut writes = self.writes.lock().unwrap();
        let of_repo = writes.entry(repo.to_owned()).or_default();
        of_repo.push(Write { digest: digest.to_owned(), begun: self.tick(), ended: None });
        of_repo.len() - 1
    }

    /// That write was acknowledged.
    pub fn end(&self, repo: &str, number: usize) {
        let mut writes = self.writes.lock().unwrap();
        writes.get_mut(repo).unwrap()[number].ended = Some(self.tick());
    }

    /// What the tag of a repository may mean now.
    pub fn allowed(&self, repo: &str) -> Vec<Option<String>> {
        let writes = self.writes.lock().unwrap();
        let Some(of_repo) = writes.get(repo) else { return vec![None] };
        let overtaken = |write: &Write| {
            of_repo
                .iter()
                .any(|other| other.ended.is_some() && write.ended.is_some_and(|end| other.begun > end))
        };
        let mut allowed: Vec<Option<String>> = of_repo
            .iter()
            .filter(|write| !overtaken(write))
            .map(|write| Some(write.digest.clone()))
            .collect();
        if of_repo.iter().all(|write| write.ended.is_none()) {
            allowed.push(None);
        }
        allowed
    }

    /// The tag was found to mean this: from here on it is known.
    pub fn settle(&self, repo: &str, found: Option<&String>) {
        let (begun, ended) = (self.tick(), Some(self.tick()));
        let known = found.map(|digest| Write { digest: digest.clone(), begun, ended });
        self.writes.lock().unwrap().insert(repo.to_owned(), known.into_iter().collect());
    }
}
