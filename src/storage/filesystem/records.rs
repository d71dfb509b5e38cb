//! The trait of records, on a filesystem: one small file each, in folders that are for the owner alone.

use crate::record::{NAME_BYTES_MAX, RECORD_BYTES_MAX, Record, Shelf};
use crate::storage::error::{Error, Result};
use crate::storage::filesystem::record;
use crate::storage::filesystem::record_changes::{self, Change, Outcome};
use crate::storage::filesystem::record_files;
use crate::storage::filesystem::root::Root;
use crate::storage::filesystem::store::{Filesystem, aside};
use crate::storage::layout;
use crate::storage::records::{FoundRecord, Records, Written};
use bytes::Bytes;
use std::fs::{self, DirEntry, ReadDir};
use std::io;
use std::sync::Arc;
use tokio::sync::mpsc::{self, Sender};

/// What is kept free of a disk for one record beside its bytes.
const FILE_BYTES: u64 = 16 << 10;
/// Records that are read ahead of a visitor: enough to hide the disk, and a bound on memory.
const AHEAD: usize = 16;

#[async_trait::async_trait]
impl Records for Filesystem {
    async fn get(&self, shelf: Shelf, name: &str) -> Result<Option<Record>> {
        let (root, path) = (Arc::clone(&self.root), file(shelf, name)?);
        aside(move || record_files::read(root.folder(), &path).map_err(|e| Error::at(path, e))).await
    }

    async fn put(&self, shelf: Shelf, name: &str, json: Bytes, seen: u64) -> Result<Written> {
        let path = file(shelf, name)?;
        if json.len() > RECORD_BYTES_MAX {
            return Err(refused(path, format!("a record has at most {RECORD_BYTES_MAX} bytes")));
        }
        self.root.admit(FILE_BYTES + json.len() as u64)?;
        let outcome = Outcome::default();
        let job = record_changes::put(Change { shelf, path, seen }, json, &outcome);
        self.publisher.publish(job).await?;
        told(&outcome)
    }

    async fn remove(&self, shelf: Shelf, name: &str, seen: u64) -> Result<Written> {
        let (path, outcome) = (file(shelf, name)?, Outcome::default());
        self.publisher.publish(record_changes::remove(Change { shelf, path, seen }, &outcome)).await?;
        told(&outcome)
    }

    async fn walk(&self, shelf: Shelf, visit: &mut (dyn FnMut(FoundRecord) + Send)) -> Result<()> {
        let (send, mut found) = mpsc::channel(AHEAD);
        let root = Arc::clone(&self.root);
        let walking = aside(move || walk(&root, shelf, &send));
        let visiting = async {
            while let Some(found) = found.recv().await {
                visit(found);
            }
        };
        futures_util::future::join(walking, visiting).await.0
    }

    async fn is_empty(&self) -> Result<bool> {
        let root = Arc::clone(&self.root);
        aside(move || {
            for shelf in Shelf::ALL {
                // What does not read counts too: there was a record once. What a removal has left does not.
                let folder = layout::shelf(shelf);
                for entry in entries(&root, &folder)?.into_iter().flatten() {
                    let entry = entry.map_err(|e| Error::at(&folder, e))?;
                    if found(&root, &folder, &entry).is_some() {
                        return Ok(false);
                    }
                }
            }
            Ok(true)
        })
        .await
    }

    async fn sync(&self) -> Result<()> {
        self.publisher.publish(record::sync()).await
    }
}

fn file(shelf: Shelf, name: &str) -> Result<String> {
    let why = || format!("the name of a record has 1 to {NAME_BYTES_MAX} bytes, not {}", name.len());
    layout::record(shelf, name).ok_or_else(|| refused(layout::shelf(shelf), why()))
}

fn refused(what: String, why: String) -> Error {
    Error::at(what, io::Error::new(io::ErrorKind::InvalidInput, why))
}

fn told(outcome: &Outcome) -> Result<Written> {
    let untold = || Error::at("a change of a record", io::Error::other("it ended without a word"));
    outcome.get().cloned().ok_or_else(untold)
}

/// The entries of a folder; `None` if it is not there.
fn entries(root: &Root, folder: &str) -> Result<Option<ReadDir>> {
    match fs::read_dir(root.below(folder)) {
        Ok(entries) => Ok(Some(entries)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::at(folder, e)),
    }
}

/// Hands on all records of a shelf. A folder that cannot be read to its end is an error: records that are only
/// missed must not look gone. Ends early when nobody listens.
fn walk(root: &Root, shelf: Shelf, send: &Sender<FoundRecord>) -> Result<()> {
    if let Err(e) = record_files::removed(root.folder(), shelf) {
        drop(send.blocking_send(FoundRecord::Odd { path: layout::removed(shelf), why: e.to_string() }));
    }
    let folder = layout::shelf(shelf);
    let Some(entries) = entries(root, &folder)? else { return Ok(()) };
    for entry in entries {
        let entry = entry.map_err(|e| Error::at(&folder, e))?;
        if let Some(found) = found(root, &folder, &entry)
            && send.blocking_send(found).is_err()
        {
            break;
        }
    }
    Ok(())
}

/// What an entry of a shelf's folder is. `None`: it went away meanwhile.
fn found(root: &Root, folder: &str, entry: &DirEntry) -> Option<FoundRecord> {
    let name = entry.file_name();
    let path = format!("{folder}/{}", name.to_string_lossy());
    let Some(name) = name.to_str().and_then(layout::record_name) else {
        return Some(FoundRecord::Odd { path, why: "its name is not that of a record".into() });
    };
    match record_files::read(root.folder(), &path) {
        Ok(record) => Some(FoundRecord::Record(name, record?)),
        Err(e) => Some(FoundRecord::Odd { path, why: e.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::filesystem::publisher::Publisher;
    use crate::storage::filesystem::sync::Way;
    use crate::storage::records_contract::{self, got, json, put, walked};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    fn open(folder: &Path) -> Filesystem {
        Filesystem::new(Root::open(folder, 0).unwrap()).unwrap()
    }

    /// The same with another way to sync.
    fn open_with(folder: &Path, way: Way) -> Filesystem {
        let mut filesystem = open(folder);
        filesystem.publisher = Publisher::start_with(Arc::clone(&filesystem.root), way).unwrap();
        filesystem
    }

    macro_rules! keep_the_contract {
        ($($rule:ident,)*) => {
            mod contract_whole { $(keep_the_contract!(one $rule, Whole);)* }
            mod contract_each { $(keep_the_contract!(one $rule, Each);)* }
        };
        (one $rule:ident, $way:ident) => {
            #[tokio::test]
            async fn $rule() {
                let folder = tempfile::tempdir().unwrap();
                let filesystem = super::open_with(folder.path(), super::Way::$way);
                super::records_contract::$rule(&filesystem).await;
                assert!(super::left(folder.path()).is_empty(), "a write left something beside");
            }
        };
    }
    records_contract::every_rule!(keep_the_contract);

    fn left(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder.join(layout::STAGING)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn records_are_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        let filesystem = open(folder.path());
        put(&filesystem, Shelf::Users, "a", "x", 0).await;
        put(&filesystem, Shelf::Users, "b", "x", 0).await;
        put(&filesystem, Shelf::Users, "a", "y", 1).await;
        filesystem.remove(Shelf::Users, "b", 1).await.unwrap();
        assert_eq!(mode(&at(layout::RECORDS)), 0o700);
        assert_eq!(mode(&at("holdfast/records/users")), 0o700);
        assert_eq!(mode(&at("holdfast/records/users/a.json")), 0o600);
        assert_eq!(mode(&at("holdfast/records/users.removed")), 0o600);
        // Opened up by hand or by a restore, it is closed at the next start.
        fs::set_permissions(at(layout::RECORDS), fs::Permissions::from_mode(0o755)).unwrap();
        let filesystem = open(folder.path());
        assert_eq!(mode(&at(layout::RECORDS)), 0o700);
        // Made again after somebody has taken it away.
        fs::remove_dir_all(at(layout::RECORDS)).unwrap();
        put(&filesystem, Shelf::Users, "a", "x", 0).await;
        assert_eq!(mode(&at(layout::RECORDS)), 0o700);
    }

    #[tokio::test]
    async fn a_restart_finds_all_records_and_remembers_versions() {
        let folder = tempfile::tempdir().unwrap();
        let before = open(folder.path());
        put(&before, Shelf::Users, "a", "x", 0).await;
        let gone = put(&before, Shelf::Users, "b", "x", 0).await;
        let gone = put(&before, Shelf::Users, "b", "y", gone).await;
        before.remove(Shelf::Users, "b", gone).await.unwrap();
        let after = open(folder.path());
        assert_eq!(got(&after, Shelf::Users, "a").await, Some((1, json("x"))));
        assert!(put(&after, Shelf::Users, "b", "z", 0).await > gone);
    }

    #[tokio::test]
    async fn what_does_not_read_is_told_and_its_name_is_not_free() {
        let folder = tempfile::tempdir().unwrap();
        let filesystem = open(folder.path());
        put(&filesystem, Shelf::Users, "good", "x", 0).await;
        let shelf = layout::shelf(Shelf::Users);
        let write =
            |file: &str, text: &str| fs::write(folder.path().join(format!("{shelf}/{file}")), text).unwrap();
        write("empty.json", "");
        write("torn.json", r#"{"version":1,"record":{"hash":"#);
        write("foreign.json", r#"{"name":"foreign"}"#);
        write(
            "large.json",
            &format!(r#"{{"version":1,"record":"{}"}}"#, "x".repeat(RECORD_BYTES_MAX + 5000)),
        );
        fs::create_dir(folder.path().join(format!("{shelf}/folder.json"))).unwrap();
        symlink("good.json", folder.path().join(format!("{shelf}/link.json"))).unwrap();
        for name in ["empty", "torn", "foreign", "large", "folder", "link"] {
            let Err(Error::Fault { what, .. }) = filesystem.get(Shelf::Users, name).await else {
                panic!("{name} looks free")
            };
            assert_eq!(what, format!("{shelf}/{name}.json"));
            for seen in [0, 1] {
                assert!(filesystem.put(Shelf::Users, name, json("x"), seen).await.is_err(), "{name}");
                assert!(filesystem.remove(Shelf::Users, name, seen.max(1)).await.is_err(), "{name}");
            }
        }
        write("stray", "x");
        write("a b.json", r#"{"version":1,"record":{}}"#);
        write(".hidden.json", r#"{"version":1,"record":{}}"#);
        let (good, odd) = walked(&filesystem, Shelf::Users).await;
        assert_eq!(good.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["good"]);
        let names = [".hidden", "a b", "empty", "folder", "foreign", "large", "link", "torn"]
            .map(|name| format!("{name}.json"));
        let mut expected: Vec<String> =
            names.into_iter().chain(["stray".into()]).map(|name| format!("{shelf}/{name}")).collect();
        expected.sort();
        assert_eq!(odd, expected);
        put(&filesystem, Shelf::Users, "others are served", "x", 0).await;
    }

    #[tokio::test]
    async fn what_only_looks_like_a_record_is_not_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let filesystem = open(folder.path());
        let gone = put(&filesystem, Shelf::Tokens, "t", "x", 0).await;
        filesystem.remove(Shelf::Tokens, "t", gone).await.unwrap();
        assert!(filesystem.is_empty().await.unwrap());
        fs::create_dir(folder.path().join(layout::shelf(Shelf::Users))).unwrap();
        assert!(filesystem.is_empty().await.unwrap());
        fs::write(folder.path().join("holdfast/records/users/a.json"), "torn").unwrap();
        assert!(!filesystem.is_empty().await.unwrap());
    }

    #[tokio::test]
    async fn what_a_bucket_has_left_of_a_record_is_no_record() {
        let folder = tempfile::tempdir().unwrap();
        let filesystem = open(folder.path());
        fs::create_dir_all(folder.path().join(layout::shelf(Shelf::Users))).unwrap();
        fs::write(folder.path().join(layout::removed(Shelf::Users)), "7").unwrap();
        fs::write(folder.path().join("holdfast/records/users/a.json"), r#"{"removed":7}"#).unwrap();
        assert!(filesystem.is_empty().await.unwrap());
        assert_eq!(walked(&filesystem, Shelf::Users).await, (vec![], vec![]));
        assert_eq!(got(&filesystem, Shelf::Users, "a").await, None);
        assert_eq!(filesystem.remove(Shelf::Users, "a", 7).await.unwrap(), Written::Stale);
        assert_eq!(put(&filesystem, Shelf::Users, "a", "x", 0).await, 8);
    }

    #[tokio::test]
    async fn a_shelf_that_cannot_be_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let filesystem = open(folder.path());
        fs::write(folder.path().join(layout::shelf(Shelf::Users)), "no folder").unwrap();
        let mut visit = |found| panic!("{found:?}");
        assert!(filesystem.walk(Shelf::Users, &mut visit).await.is_err());
        assert!(filesystem.is_empty().await.is_err());
        assert!(filesystem.get(Shelf::Users, "a").await.is_err());
        assert!(filesystem.put(Shelf::Users, "a", json("x"), 0).await.is_err());
        assert!(left(folder.path()).is_empty());
    }

    #[tokio::test]
    async fn versions_that_do_not_read_give_no_new_ones() {
        let folder = tempfile::tempdir().unwrap();
        let filesystem = open(folder.path());
        let seen = put(&filesystem, Shelf::Users, "a", "x", 0).await;
        for text in ["", "x", "-1", "99999999999999999999", &"1".repeat(99)] {
            fs::write(folder.path().join(layout::removed(Shelf::Users)), text).unwrap();
            let refused = filesystem.put(Shelf::Users, "b", json("x"), 0).await.unwrap_err();
            assert!(refused.to_string().contains("users.removed"), "{refused}");
            assert!(filesystem.remove(Shelf::Users, "a", seen).await.is_err());
            assert_eq!(walked(&filesystem, Shelf::Users).await.1, [layout::removed(Shelf::Users)]);
        }
        assert_eq!(
            put(&filesystem, Shelf::Users, "a", "y", seen).await,
            seen + 1,
            "one that is there has its own"
        );
        // At the end of all versions nothing is given twice.
        fs::write(folder.path().join(layout::removed(Shelf::Users)), (1_u64 << 53).to_string()).unwrap();
        assert!(filesystem.put(Shelf::Users, "b", json("x"), 0).await.is_err());
    }

    #[tokio::test]
    async fn a_full_disk_refuses_writes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        put(&open(folder.path()), Shelf::Users, "a", "x", 0).await;
        let full = Filesystem::new(Root::open(folder.path(), u64::MAX).unwrap()).unwrap();
        assert!(matches!(full.put(Shelf::Users, "a", json("y"), 1).await, Err(Error::Full)));
        assert_eq!(got(&full, Shelf::Users, "a").await, Some((1, json("x"))));
        assert_eq!(full.remove(Shelf::Users, "a", 1).await.unwrap(), Written::Done(1));
    }

    #[tokio::test]
    async fn a_failing_disk_changes_no_record() {
        let folder = tempfile::tempdir().unwrap();
        put(&open(folder.path()), Shelf::Users, "a", "x", 0).await;
        let failing = open_with(folder.path(), Way::Fails);
        assert!(failing.put(Shelf::Users, "a", json("y"), 1).await.is_err());
        let failing = open_with(folder.path(), Way::Fails);
        assert!(failing.remove(Shelf::Users, "a", 1).await.is_err());
        assert!(failing.sync().await.is_err());
        let afresh = open(folder.path());
        assert_eq!(got(&afresh, Shelf::Users, "a").await, Some((1, json("x"))));
        assert!(left(folder.path()).is_empty(), "what may be torn is not kept");
    }
}
