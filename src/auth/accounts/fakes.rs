//! Storage and metadata in memory, which fail where a test wants them to. For tests of this room, and of those above.

use crate::acl::grant::Grants;
use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::load;
use crate::auth::error::Result;
use crate::clock::FixedClock;
use crate::metadata::accounts::Accounts;
use crate::metadata::intents::Begun;
use crate::oci::page::{Listed, Page};
use crate::record::{Record, Shelf};
use crate::storage::records::{FoundRecord, Records, Written};
use crate::{metadata, storage};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// When a test's world stands.
pub const NOW: u64 = 1_800_000_000;

type Key = (Shelf, String);

/// Tells the metadata, which is empty, all that storage holds, as `registry::rebuild` does. Answers what was skipped.
pub async fn rebuild(directory: &Directory) -> Result<Vec<String>> {
    let mut odd = Vec::new();
    for shelf in Shelf::ALL {
        let mut names = Vec::new();
        let mut visit = |found| match found {
            FoundRecord::Record(name, _) => names.push(name),
            FoundRecord::Odd { path, why } => odd.push(format!("{path}: {why}")),
        };
        directory.records.walk(shelf, &mut visit).await?;
        for name in names {
            if let Some(record) = directory.records.get(shelf, &name).await? {
                directory.accounts.keep(shelf, &name, record).await?;
            }
        }
    }
    Ok(odd)
}

/// How calls fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// After so many calls that pass.
    pub after: usize,
    /// So many calls.
    pub calls: usize,
    /// Whether the first of them did what it was asked for, and only could not say so.
    pub done: bool,
}

/// Counts calls, and makes some fail.
#[derive(Default)]
pub struct Faults {
    armed: Mutex<Option<Fault>>,
    calls: AtomicUsize,
    fired: AtomicBool,
}

enum Gate {
    Pass,
    Fail,
    DoAndFail,
}

/// The answer takes its way: whoever waits for it may be gone before it comes.
async fn answered<T, E>(answer: T) -> std::result::Result<T, E> {
    tokio::task::yield_now().await;
    Ok(answer)
}

impl Faults {
    /// From now on.
    pub fn arm(&self, fault: Fault) {
        self.calls.store(0, Ordering::Relaxed);
        self.fired.store(false, Ordering::Relaxed);
        *self.armed.lock().unwrap() = Some(fault);
    }

    /// No more. Answers whether any call failed.
    pub fn disarm(&self) -> bool {
        *self.armed.lock().unwrap() = None;
        self.fired.load(Ordering::Relaxed)
    }

    /// Calls since the beginning, or since it was armed.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    async fn gate(&self) -> Gate {
        // So that others come in between.
        tokio::task::yield_now().await;
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let Some(fault) = *self.armed.lock().unwrap() else { return Gate::Pass };
        if call < fault.after || call - fault.after >= fault.calls {
            return Gate::Pass;
        }
        self.fired.store(true, Ordering::Relaxed);
        if fault.done && call == fault.after { Gate::DoAndFail } else { Gate::Fail }
    }

    async fn storage<T>(&self, act: impl FnOnce() -> T) -> storage::error::Result<T> {
        let fault = || storage::error::Error::at("made up", io::Error::other("a made-up fault"));
        match self.gate().await {
            Gate::Pass => answered(act()).await,
            Gate::Fail => Err(fault()),
            Gate::DoAndFail => {
                act();
                Err(fault())
            }
        }
    }

    async fn metadata<T>(&self, act: impl FnOnce() -> T) -> metadata::error::Result<T> {
        let fault = || metadata::error::Error::Fault("made up".into());
        match self.gate().await {
            Gate::Pass => answered(act()).await,
            Gate::Fail => Err(fault()),
            Gate::DoAndFail => {
                act();
                Err(fault())
            }
        }
    }
}

/// Storage. A name that was removed keeps its version.
#[derive(Default)]
pub struct FakeRecords {
    rows: Mutex<BTreeMap<Key, (u64, Option<Bytes>)>>,
    faults: Arc<Faults>,
}

impl FakeRecords {
    /// All that stands.
    pub fn all(&self) -> BTreeMap<Key, Record> {
        let rows = self.rows.lock().unwrap();
        let standing = rows.iter().filter_map(|(key, (version, json))| {
            Some((key.clone(), Record { version: *version, json: json.clone()? }))
        });
        standing.collect()
    }

    /// Puts something there behind everybody's back.
    pub fn plant(&self, shelf: Shelf, name: &str, json: &str) {
        let mut rows = self.rows.lock().unwrap();
        let row = rows.entry((shelf, name.to_owned())).or_default();
        *row = (row.0 + 1, Some(Bytes::from(json.to_owned())));
    }

    fn write(&self, shelf: Shelf, name: &str, json: Option<Bytes>, seen: u64) -> Written {
        let mut rows = self.rows.lock().unwrap();
        let row = rows.entry((shelf, name.to_owned())).or_default();
        let stands = if row.1.is_some() { row.0 } else { 0 };
        if stands != seen || (json.is_none() && seen == 0) {
            return Written::Stale;
        }
        *row = (row.0 + u64::from(json.is_some()), json);
        Written::Done(row.0)
    }
}

#[async_trait::async_trait]
impl Records for FakeRecords {
    async fn get(&self, shelf: Shelf, name: &str) -> storage::error::Result<Option<Record>> {
        let get = || {
            let rows = self.rows.lock().unwrap();
            let (version, json) = rows.get(&(shelf, name.to_owned()))?.clone();
            Some(Record { version, json: json? })
        };
        self.faults.storage(get).await
    }

    async fn put(&self, shelf: Shelf, name: &str, json: Bytes, seen: u64) -> storage::error::Result<Written> {
        self.faults.storage(|| self.write(shelf, name, Some(json), seen)).await
    }

    async fn remove(&self, shelf: Shelf, name: &str, seen: u64) -> storage::error::Result<Written> {
        self.faults.storage(|| self.write(shelf, name, None, seen)).await
    }

    async fn walk(
        &self,
        shelf: Shelf,
        visit: &mut (dyn FnMut(FoundRecord) + Send),
    ) -> storage::error::Result<()> {
        let all = self.faults.storage(|| self.all()).await?;
        for ((_, name), record) in all.into_iter().filter(|((at, _), _)| *at == shelf) {
            visit(FoundRecord::Record(name, record));
        }
        Ok(())
    }

    async fn is_empty(&self) -> storage::error::Result<bool> {
        self.faults.storage(|| self.all().is_empty()).await
    }
}

/// Metadata.
#[derive(Default)]
pub struct FakeAccounts {
    rows: Mutex<BTreeMap<Key, Record>>,
    pending: Mutex<BTreeSet<Key>>,
    used: Mutex<HashMap<String, u64>>,
    faults: Arc<Faults>,
}

impl FakeAccounts {
    /// All that stands.
    pub fn all(&self) -> BTreeMap<Key, Record> {
        self.rows.lock().unwrap().clone()
    }

    /// Names whose change was not ended.
    pub fn all_pending(&self) -> BTreeSet<Key> {
        self.pending.lock().unwrap().clone()
    }

    /// Loses everything.
    pub fn clear(&self) {
        self.rows.lock().unwrap().clear();
        self.pending.lock().unwrap().clear();
        self.used.lock().unwrap().clear();
    }
}

#[async_trait::async_trait]
impl Accounts for FakeAccounts {
    async fn find(&self, shelf: Shelf, name: &str) -> metadata::error::Result<Option<Record>> {
        self.faults.metadata(|| self.rows.lock().unwrap().get(&(shelf, name.to_owned())).cloned()).await
    }

    async fn list(&self, shelf: Shelf, page: &Page) -> metadata::error::Result<Listed<(String, Record)>> {
        let following = || -> Vec<(String, Record)> {
            let rows = self.rows.lock().unwrap();
            let last = (shelf, page.last.clone().unwrap_or_default());
            let after = rows.range((Bound::Excluded(last), Bound::Unbounded));
            let of_shelf = after.take_while(|((at, _), _)| *at == shelf).take(page.entries_max + 1);
            of_shelf.map(|((_, name), record)| (name.clone(), record.clone())).collect()
        };
        let mut entries = self.faults.metadata(following).await?;
        let more = page.entries_max > 0 && entries.len() > page.entries_max;
        entries.truncate(page.entries_max);
        Ok(Listed { entries, more })
    }

    async fn begin(&self, shelf: Shelf, name: &str) -> metadata::error::Result<Begun> {
        let begin = || {
            self.pending.lock().unwrap().insert((shelf, name.to_owned()));
            Begun::Stands
        };
        self.faults.metadata(begin).await
    }

    async fn keep(&self, shelf: Shelf, name: &str, record: Record) -> metadata::error::Result<()> {
        let keep = || {
            let key = (shelf, name.to_owned());
            self.pending.lock().unwrap().remove(&key);
            let mut rows = self.rows.lock().unwrap();
            if rows.get(&key).is_none_or(|known| known.version <= record.version) {
                rows.insert(key, record);
            }
        };
        self.faults.metadata(keep).await
    }

    async fn forget(&self, shelf: Shelf, name: &str) -> metadata::error::Result<()> {
        let forget = || {
            let key = (shelf, name.to_owned());
            self.pending.lock().unwrap().remove(&key);
            self.rows.lock().unwrap().remove(&key);
        };
        self.faults.metadata(forget).await
    }

    async fn pending(&self, count: usize) -> metadata::error::Result<Vec<Key>> {
        let pending = || self.pending.lock().unwrap().iter().take(count).cloned().collect();
        self.faults.metadata(pending).await
    }

    async fn used(&self, uses: &[(String, u64)]) -> metadata::error::Result<()> {
        self.faults.metadata(|| self.used.lock().unwrap().extend(uses.iter().cloned())).await
    }

    async fn last_used(&self, token: &str) -> metadata::error::Result<Option<u64>> {
        self.faults.metadata(|| self.used.lock().unwrap().get(token).copied()).await
    }
}

/// Both places, a clock that stands still, and what was handed to the rules.
#[derive(Clone)]
pub struct World {
    /// Storage.
    pub records: Arc<FakeRecords>,
    /// Metadata.
    pub accounts: Arc<FakeAccounts>,
    /// Stands at [`NOW`].
    pub clock: Arc<FixedClock>,
    /// Of both places.
    pub faults: Arc<Faults>,
    /// The grants as they were last handed on.
    pub published: Arc<Mutex<Grants>>,
}

impl Default for World {
    fn default() -> Self {
        let faults = Arc::new(Faults::default());
        Self {
            records: Arc::new(FakeRecords { faults: faults.clone(), ..FakeRecords::default() }),
            accounts: Arc::new(FakeAccounts { faults: faults.clone(), ..FakeAccounts::default() }),
            clock: Arc::new(FixedClock::at(NOW)),
            faults,
            published: Arc::default(),
        }
    }
}

impl World {
    /// A directory as after a start.
    pub async fn start(&self) -> Directory {
        let directory = self.unloaded();
        load::load(&directory).await.unwrap();
        directory
    }

    /// A directory that has not been loaded.
    pub fn unloaded(&self) -> Directory {
        let published = self.published.clone();
        let taker = Box::new(move |grants| *published.lock().unwrap() = grants);
        Directory::new(self.records.clone(), self.accounts.clone(), self.clock.clone(), taker)
    }
}
