//! The directory of our own accounts: the two places where documents stand, and what is always at hand of them. Holds
//! the parts and keeps them together; the rules are in the files of their objects.

use crate::acl::identity::AccountKind;
use crate::auth::accounts::document::{self, Document};
use crate::auth::accounts::freshness::Freshness;
use crate::auth::accounts::group::Member;
use crate::auth::accounts::index::Held;
use crate::auth::accounts::locks::Locks;
use crate::auth::accounts::memory::Memory;
use crate::auth::accounts::publish::{Publisher, Taker};
use crate::auth::accounts::token::Token;
use crate::auth::accounts::uses::Uses;
use crate::auth::authenticator::Login;
use crate::auth::error::{Error, Result};
use crate::clock::Clock;
use crate::metadata::accounts::Accounts;
use crate::metadata::leases::Leases;
use crate::metadata::news::Newspaper;
use crate::read_only::ReadOnly;
use crate::record::{Record, Shelf};
use crate::storage::records::Records;
use moka::sync::Cache;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

/// Most names that are remembered while storage cannot be asked. Of others the intent, which stands, is enough.
const UNSETTLED_MAX: usize = 10_000;
/// Bytes of each of the three caches.
const CACHE_BYTES: u64 = 16 << 20;

/// What other processes do that share the metadata.
pub(crate) struct Others {
    /// Who of all does what.
    pub(crate) leases: Arc<dyn Leases>,
    /// What they have changed.
    pub(crate) newspaper: Arc<dyn Newspaper>,
}

/// Our own accounts.
pub struct Directory {
    /// The truth.
    pub(crate) records: Arc<dyn Records>,
    /// The facts.
    pub(crate) accounts: Arc<dyn Accounts>,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether changes are taken.
    pub(crate) read_only: Arc<ReadOnly>,
    /// Whether nobody else can have claimed the storage meanwhile.
    may_change: Box<dyn Fn() -> bool + Send + Sync>,
    /// Who may change what now.
    pub(crate) locks: Locks,
    /// Up to when changes of other processes are known.
    pub freshness: Freshness,
    /// Other processes, where there are any.
    pub(crate) others: Option<Others>,
    /// Uses of tokens that are not told yet.
    pub(crate) uses: Uses,
    /// Names that could not be settled after a fault.
    unsettled: Mutex<BTreeSet<(Shelf, String)>>,
    /// Where the sweep of tokens has come to.
    pub(crate) swept: Mutex<Option<Arc<str>>>,
    /// Logins of users and of service accounts, and tokens, as they stood.
    pub(crate) users: Cache<String, Known<Login>>,
    pub(crate) services: Cache<String, Known<Login>>,
    pub(crate) tokens: Cache<String, Known<Token>>,
    memory: RwLock<Memory>,
    /// What has changed since all of it is being read anew; `None` while it is not.
    noted: Mutex<Option<Noted>>,
    generation: AtomicU64,
    publisher: Publisher,
}

/// Records as they were changed to; `None`: removed.
type Noted = BTreeMap<(Shelf, String), Option<Record>>;

/// Something that was read, and at which generation. It holds as long as that has not moved.
pub(crate) struct Known<T> {
    pub(crate) generation: u64,
    pub(crate) value: Arc<T>,
}

impl<T> Clone for Known<T> {
    fn clone(&self) -> Self {
        Self { generation: self.generation, value: self.value.clone() }
    }
}

impl Directory {
    /// A directory of these parts, which knows nothing until `load::load` has read it. All grants go to `taker` whenever
    /// they change.
    pub fn new(
        records: Arc<dyn Records>,
        accounts: Arc<dyn Accounts>,
        clock: Arc<dyn Clock>,
        taker: Taker,
    ) -> Self {
        Self {
            records,
            accounts,
            clock,
            read_only: Arc::default(),
            may_change: Box::new(|| true),
            locks: Locks::default(),
            freshness: Freshness::default(),
            others: None,
            uses: Uses::default(),
            unsettled: Mutex::default(),
            swept: Mutex::default(),
            users: cache(login_bytes),
            services: cache(login_bytes),
            tokens: cache(token_bytes),
            memory: RwLock::default(),
            noted: Mutex::default(),
            generation: AtomicU64::new(0),
            publisher: Publisher::new(taker),
        }
    }

    /// The same directory, which asks `read_only` before each change.
    #[must_use]
    pub fn heeding(mut self, read_only: Arc<ReadOnly>) -> Self {
        self.read_only = read_only;
        self
    }

    /// The same directory, which changes something only while `may_change` says so: while the storage is ours.
    #[must_use]
    pub fn while_it_is_ours(mut self, may_change: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.may_change = Box::new(may_change);
        self
    }

    /// The same directory, beside those of other processes.
    #[must_use]
    pub fn beside_others(mut self, leases: Arc<dyn Leases>, newspaper: Arc<dyn Newspaper>) -> Self {
        self.others = Some(Others { leases, newspaper });
        self
    }

    /// Refuses once the storage may be somebody else's.
    pub(crate) fn ours(&self) -> Result<()> {
        if (self.may_change)() { Ok(()) } else { Err(Error::Unclaimed) }
    }

    /// Moves with each change of anything but the making of a token. What was read before it moved may be outdated.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether a token of this id is known and not over. Whether its owner's epoch has moved is not asked. Fast enough
    /// to be asked at each request.
    pub fn has_token(&self, id: &str) -> bool {
        let now = self.clock.unix_secs();
        self.memory().tokens().get(id).is_some_and(|held| !held.is_expired(now))
    }

    /// Whether an account has this name, or one that differs only by case.
    pub fn knows_account(&self, name: &str) -> bool {
        self.memory().account_like(name).is_some()
    }

    /// Whether there is a user of ours of just this name, disabled or not.
    pub fn has_user(&self, name: &str) -> bool {
        self.memory()
            .account_like(name)
            .is_some_and(|(shelf, known)| shelf == Shelf::Users && *known == *name)
    }

    /// The groups that an account of any source is in here.
    pub fn groups_of(&self, kind: AccountKind, name: &str) -> Vec<String> {
        Member::new(kind, name).map(|member| self.memory().groups_of(&member)).unwrap_or_default()
    }

    /// What is always at hand. Never held across an `await`.
    pub(crate) fn memory(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a token without reading it.
    pub(crate) fn held_token(&self, id: &str) -> Option<Held> {
        self.memory().tokens().get(id).cloned()
    }

    /// A record stands so in both places now, or is gone from both. The generation moves last: what is read after it
    /// has moved is new.
    pub(crate) fn absorb(&self, shelf: Shelf, name: &str, record: Option<&Record>) {
        let outdated = {
            let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(noted) = &mut *self.noted() {
                noted.insert((shelf, name.to_owned()), record.cloned());
            }
            memory.apply(shelf, name, record)
        };
        if outdated {
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
        if shelf == Shelf::Grants {
            self.publisher.publish(&self.memory);
        }
    }

    /// All of it was read anew.
    pub(crate) fn replace(&self, memory: Memory) {
        *self.memory.write().unwrap_or_else(PoisonError::into_inner) = memory;
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.publisher.publish(&self.memory);
    }

    /// From now on until `replace_noting` it is noted what changes: all of it is about to be read anew. One at a time.
    pub(crate) fn note_changes(&self) {
        *self.noted() = Some(BTreeMap::new());
    }

    /// All of it was read anew, but for what has changed meanwhile. Answers that: what was read of it may be newer yet.
    pub(crate) fn replace_noting(&self, mut memory: Memory) -> Vec<(Shelf, String)> {
        let mut noted = Vec::new();
        {
            let mut held = self.memory.write().unwrap_or_else(PoisonError::into_inner);
            for ((shelf, name), record) in self.noted().take().unwrap_or_default() {
                memory.apply(shelf, &name, record.as_ref());
                noted.push((shelf, name));
            }
            *held = memory;
        }
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.publisher.publish(&self.memory);
        noted
    }

    /// Only ever taken while the memory is held for writing, or alone.
    fn noted(&self) -> MutexGuard<'_, Option<Noted>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether storage, metadata and memory may tell different things of a name.
    pub(crate) fn mark_settled(&self, shelf: Shelf, name: &str, is_settled: bool) {
        let mut unsettled = self.unsettled.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = (shelf, name.to_owned());
        if is_settled {
            unsettled.remove(&entry);
        } else if unsettled.len() < UNSETTLED_MAX {
            unsettled.insert(entry);
        }
    }

    /// Names of which they may.
    pub(crate) fn unsettled(&self) -> Vec<(Shelf, String)> {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// A document and its version, from storage: for whoever is about to change it.
    pub(crate) async fn current<D: Document>(&self, name: &str) -> Result<Option<(D, u64)>> {
        if !D::may_be(name) {
            return Ok(None);
        }
        let record = self.records.get(D::SHELF, name).await?;
        record.map(|record| Ok((document::read(name, &record)?, record.version))).transpose()
    }

    /// A document, from the metadata: for whoever only wants to look at it.
    pub(crate) async fn find<D: Document>(&self, name: &str) -> Result<Option<D>> {
        if !D::may_be(name) {
            return Ok(None);
        }
        let record = self.accounts.find(D::SHELF, name).await?;
        record.map(|record| document::read(name, &record)).transpose()
    }
}

fn cache<T: Send + Sync + 'static>(bytes: fn(&T) -> usize) -> Cache<String, Known<T>> {
    Cache::builder()
        .max_capacity(CACHE_BYTES)
        .weigher(move |name: &String, known: &Known<T>| {
            let bytes = 256 + name.len() + size_of::<T>() + bytes(&known.value);
            u32::try_from(bytes).unwrap_or(u32::MAX)
        })
        .build()
}

fn login_bytes(login: &Login) -> usize {
    login.identity.name.len() + texts(&login.identity.groups)
}

fn token_bytes(token: &Token) -> usize {
    let globs = token
        .ceiling
        .as_ref()
        .map_or(0, |ceiling| ceiling.repositories().map(|glob| glob.len() + size_of::<String>()).sum());
    let labels: usize = token.labels.iter().map(|(name, values)| name.len() + texts(values)).sum();
    globs + labels + texts(&token.groups) + token.description.len()
}

fn texts(texts: &[String]) -> usize {
    texts.iter().map(|text| text.len() + size_of::<String>()).sum()
}
