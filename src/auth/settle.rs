//! Making the metadata agree with storage about accounts, where a change was cut short: by a crash, or by a fault
//! between its two places.
//!
//! Storage is the truth: what it holds is kept, and what it does not hold is forgotten. Either is right, since nobody
//! was told how the change ended. Knows nothing of what a record says.

use crate::auth::error::{Error, Result};
use crate::metadata::accounts::Accounts;
use crate::record::Shelf;
use crate::storage::records::Records;
use std::collections::HashSet;

/// Settles all changes that the last run left under way, before anybody is let in. Answers how many those were. A
/// record that cannot be read is told, and its change stays for the next start: one damaged file must not keep the
/// others out.
pub async fn settle(records: &dyn Records, accounts: &dyn Accounts) -> Result<usize> {
    const AT_ONCE: usize = 1024;
    let (mut settled, mut unsettled) = (0, HashSet::new());
    let mut synced = false;
    loop {
        let mut pending = accounts.pending(AT_ONCE + unsettled.len()).await?;
        pending.retain(|change| !unsettled.contains(change));
        if pending.is_empty() {
            return Ok(settled);
        }
        if !std::mem::replace(&mut synced, true) {
            // What the last run wrote may still be on its way to the disk; facts must not overtake it.
            records.sync().await?;
        }
        for (shelf, name) in pending {
            match agree(records, accounts, shelf, &name).await {
                Ok(()) => settled += 1,
                Err(Error::Storage(error)) => {
                    tracing::error!(
                        shelf = shelf.as_str(), name, %error,
                        "a record cannot be read; what is known of it may be old until that is mended"
                    );
                    unsettled.insert((shelf, name));
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Settles one change that has failed in this run, so that its name can be changed again. What is wrong with storage
/// is told by the error; then the change stays for the next start.
pub async fn one(records: &dyn Records, accounts: &dyn Accounts, shelf: Shelf, name: &str) -> Result<()> {
    records.sync().await?;
    agree(records, accounts, shelf, name).await
}

async fn agree(records: &dyn Records, accounts: &dyn Accounts, shelf: Shelf, name: &str) -> Result<()> {
    match records.get(shelf, name).await? {
        Some(record) => accounts.keep(shelf, name, record).await?,
        None => accounts.forget(shelf, name).await?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::open::Metadata;
    use crate::record::Record;
    use crate::storage::open::Storage;
    use crate::storage::records::Written;
    use crate::{metadata, storage};
    use bytes::Bytes;
    use std::path::Path;

    fn open(folder: &Path) -> (Storage, Metadata) {
        let storage = storage::open::open(&storage::config::Config::default(), folder).unwrap();
        let at = folder.join("metadata");
        let opened = metadata::open::open(&metadata::config::Config::default(), &at, 0).unwrap();
        (storage, opened.metadata)
    }

    fn json(text: &str) -> Bytes {
        format!("{{\"text\":\"{text}\"}}").into()
    }

    /// A change whose end nobody has seen: it stands in storage, and its intent in the metadata.
    async fn cut_short(storage: &Storage, metadata: &Metadata, name: &str, text: &str, seen: u64) {
        metadata.accounts.begin(Shelf::Users, name).await.unwrap();
        let written = storage.records.put(Shelf::Users, name, json(text), seen).await.unwrap();
        assert_eq!(written, Written::Done(seen + 1));
    }

    async fn whole(storage: &Storage, metadata: &Metadata, name: &str) {
        cut_short(storage, metadata, name, "old", 0).await;
        let record = Record { version: 1, json: json("old") };
        metadata.accounts.keep(Shelf::Users, name, record).await.unwrap();
    }

    async fn known(metadata: &Metadata, name: &str) -> Option<(u64, Bytes)> {
        let found = metadata.accounts.find(Shelf::Users, name).await.unwrap();
        found.map(|record| (record.version, record.json))
    }

    #[tokio::test]
    async fn what_a_crash_left_between_storage_and_metadata_is_settled_both_ways() {
        let folder = tempfile::tempdir().unwrap();
        {
            let (storage, metadata) = open(folder.path());
            for name in ["changed", "removed", "only begun", "left alone"] {
                whole(&storage, &metadata, name).await;
            }
            cut_short(&storage, &metadata, "new", "new", 0).await;
            cut_short(&storage, &metadata, "changed", "new", 1).await;
            metadata.accounts.begin(Shelf::Users, "removed").await.unwrap();
            storage.records.remove(Shelf::Users, "removed", 1).await.unwrap();
            for name in ["only begun", "never made"] {
                metadata.accounts.begin(Shelf::Users, name).await.unwrap();
            }
        }
        let (storage, metadata) = open(folder.path());
        assert_eq!(known(&metadata, "changed").await, Some((1, json("old"))));
        assert!(known(&metadata, "removed").await.is_some());
        assert_eq!(settle(&*storage.records, &*metadata.accounts).await.unwrap(), 5);
        assert_eq!(known(&metadata, "new").await, Some((1, json("new"))));
        assert_eq!(known(&metadata, "changed").await, Some((2, json("new"))));
        assert_eq!(known(&metadata, "removed").await, None);
        assert_eq!(known(&metadata, "only begun").await, Some((1, json("old"))));
        assert_eq!(known(&metadata, "never made").await, None);
        assert_eq!(known(&metadata, "left alone").await, Some((1, json("old"))));
        assert_eq!(metadata.accounts.pending(9).await.unwrap(), []);
        assert_eq!(settle(&*storage.records, &*metadata.accounts).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn one_record_that_does_not_read_keeps_nobody_else_out() {
        let folder = tempfile::tempdir().unwrap();
        let (storage, metadata) = open(folder.path());
        for name in ["a", "b", "c"] {
            cut_short(&storage, &metadata, name, "new", 0).await;
        }
        let file = folder.path().join("registry/holdfast/records/users/b.json");
        let good = std::fs::read(&file).unwrap();
        std::fs::write(&file, &good[..good.len() / 2]).unwrap();
        assert_eq!(settle(&*storage.records, &*metadata.accounts).await.unwrap(), 2);
        assert_eq!((known(&metadata, "a").await.is_some(), known(&metadata, "b").await), (true, None));
        assert!(known(&metadata, "c").await.is_some());
        // It stands until it can be told.
        assert_eq!(metadata.accounts.pending(9).await.unwrap(), [(Shelf::Users, "b".into())]);
        assert!(one(&*storage.records, &*metadata.accounts, Shelf::Users, "b").await.is_err());
        std::fs::write(&file, good).unwrap();
        one(&*storage.records, &*metadata.accounts, Shelf::Users, "b").await.unwrap();
        assert_eq!(known(&metadata, "b").await, Some((1, json("new"))));
        assert_eq!(metadata.accounts.pending(9).await.unwrap(), []);
    }
}
