//! The claim on a folder: a lock that ends with the process, held by one process alone for a database of its own, and
//! by many together for one that they share. The file beside it says whose it is.

use crate::clock::Clock;
use crate::storage::claim::{Claim, Claimed, Holder, Kind, Written};
use crate::storage::error::{Error, Result};
use crate::storage::filesystem::files;
use crate::storage::filesystem::root::Root;
use crate::storage::filesystem::store::aside;
use crate::storage::layout;
use rustix::fd::OwnedFd;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Largest file that is read as a claim.
const CLAIM_BYTES_MAX: u64 = 64 << 10;
/// How often, and after what pause, a lock is tried for that somebody holds for a moment only.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// The claim on a folder.
pub struct FolderClaim {
    root: Arc<Root>,
    clock: Arc<dyn Clock>,
    held: Mutex<Option<(Holder, Arc<OwnedFd>)>>,
}

impl FolderClaim {
    /// A claim that is nobody's yet, as far as we know.
    pub fn new(root: Arc<Root>, clock: Arc<dyn Clock>) -> Self {
        Self { root, clock, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Option<(Holder, Arc<OwnedFd>)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl Claim for FolderClaim {
    async fn take(&self, holder: &Holder) -> Result<Claimed> {
        let (root, claim) = (Arc::clone(&self.root), Written::by(holder, self.clock.unix_secs()));
        let taken =
            aside(move || take(&root, &claim).map_err(|error| Error::at(layout::CLAIM, error))).await?;
        match taken {
            Ok(lock) => {
                *self.held() = Some((holder.clone(), Arc::new(lock)));
                Ok(Claimed::Ours)
            }
            Err(other) => Ok(Claimed::Theirs(other)),
        }
    }

    /// The lock holds for as long as the process does.
    async fn renew(&self) -> Result<Claimed> {
        match &*self.held() {
            Some(_) => Ok(Claimed::Ours),
            None => Err(Error::at(layout::CLAIM, io::Error::other("it was never taken"))),
        }
    }

    fn stands(&self) -> bool {
        self.held().is_some()
    }

    async fn release(&self) -> Result<()> {
        let Some((holder, lock)) = self.held().take() else { return Ok(()) };
        let (root, claim) = (Arc::clone(&self.root), Written::by(&holder, self.clock.unix_secs()));
        aside(move || {
            let gone = Written { released: true, until: None, ..claim };
            let released = write(&root, &gone).map_err(|error| Error::at(layout::CLAIM, error));
            drop(lock);
            released
        })
        .await
    }
}

/// Takes the lock and writes the claim, or tells who has it.
fn take(root: &Root, claim: &Written) -> io::Result<std::result::Result<OwnedFd, Holder>> {
    let lock = files::open(root.folder(), layout::CLAIM_LOCK, OFlags::CREATE | OFlags::RDWR)?;
    let mut tries = 0;
    loop {
        // Alone first, whatever the kind: what the file says is read and written by one at a time.
        if locked(&lock, FlockOperation::NonBlockingLockExclusive)? {
            let there = read(root)?;
            if let Some(other) = there.filter(|there| !there.is_free_for(&claim.holder) && is_alive(there)) {
                return Ok(Err(other.holder));
            }
            write(root, claim)?;
            if claim.holder.kind == Kind::Shared && !locked(&lock, FlockOperation::NonBlockingLockShared)? {
                return Err(io::Error::other("the lock could not be shared"));
            }
            return Ok(Ok(lock));
        }
        if claim.holder.kind == Kind::Shared && locked(&lock, FlockOperation::NonBlockingLockShared)? {
            return Ok(match read(root)? {
                Some(there) if !there.is_free_for(&claim.holder) => Err(there.holder),
                _ => Ok(lock),
            });
        }
        tries += 1;
        if tries == TRIES {
            let unknown = Holder { kind: Kind::Embedded, id: "unknown".into(), place: "this folder".into() };
            return Ok(Err(read(root)?.map_or(unknown, |there| there.holder)));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Whether a claim holds though nobody has its lock: a database that many share lives elsewhere.
fn is_alive(there: &Written) -> bool {
    there.holder.kind == Kind::Shared
}

fn locked(lock: &OwnedFd, how: FlockOperation) -> io::Result<bool> {
    match flock(lock, how) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn read(root: &Root) -> io::Result<Option<Written>> {
    let file = match files::open(root.folder(), layout::CLAIM, OFlags::RDONLY) {
        Ok(file) => file,
        Err(error) if files::is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let (size, _) = files::size_and_time(&file)?;
    let mut text = vec![0; size.min(CLAIM_BYTES_MAX) as usize];
    let read = files::read_at(&file, &mut text, 0)?;
    Written::read(text.get(..read).unwrap_or_default()).map(Some)
}

/// Writes the claim beside and renames it: it is never torn.
fn write(root: &Root, claim: &Written) -> io::Result<()> {
    let aside = layout::temporary();
    let file = files::create(root.folder(), &aside)?;
    files::write_all_at(&file, &claim.text()?, 0)?;
    rustix::fs::fsync(&file)?;
    rustix::fs::renameat(root.folder(), aside.as_str(), root.folder(), layout::CLAIM)?;
    files::sync_folder(root.folder(), "holdfast")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::FixedClock;
    use std::path::Path;

    fn claim(folder: &Path) -> FolderClaim {
        FolderClaim::new(Arc::new(Root::open(folder, 0).unwrap()), Arc::new(FixedClock::at(1_700_000_000)))
    }

    fn holder(kind: Kind, id: &str) -> Holder {
        Holder { kind, id: id.into(), place: "here".into() }
    }

    #[tokio::test]
    async fn one_database_of_its_own_has_a_folder_for_as_long_as_it_lives() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (holder(Kind::Embedded, "one"), holder(Kind::Embedded, "two"));
        let (first, second) = (claim(folder.path()), claim(folder.path()));
        assert!(first.renew().await.is_err() && !first.stands());
        assert_eq!(first.take(&one).await.unwrap(), Claimed::Ours);
        assert_eq!(second.take(&two).await.unwrap(), Claimed::Theirs(one.clone()));
        let shared = holder(Kind::Shared, "three");
        assert_eq!(second.take(&shared).await.unwrap(), Claimed::Theirs(one));
        assert!(first.stands() && !second.stands());
        drop(first); // as when its process dies
        assert_eq!(second.take(&two).await.unwrap(), Claimed::Ours);
        assert_eq!(second.renew().await.unwrap(), Claimed::Ours);
    }

    #[tokio::test]
    async fn a_shared_database_has_it_with_all_its_processes_until_it_gives_it_up() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (holder(Kind::Shared, "one"), holder(Kind::Shared, "two"));
        let (first, replica, other) = (claim(folder.path()), claim(folder.path()), claim(folder.path()));
        assert_eq!(first.take(&one).await.unwrap(), Claimed::Ours);
        assert_eq!(replica.take(&one).await.unwrap(), Claimed::Ours);
        assert_eq!(other.take(&two).await.unwrap(), Claimed::Theirs(one.clone()));
        drop((first, replica));
        assert_eq!(other.take(&two).await.unwrap(), Claimed::Theirs(one.clone()), "it lives elsewhere");
        assert_eq!(other.take(&holder(Kind::Embedded, "one")).await.unwrap(), Claimed::Theirs(one.clone()));
        let last = claim(folder.path());
        assert_eq!(last.take(&one).await.unwrap(), Claimed::Ours);
        last.release().await.unwrap();
        assert_eq!(other.take(&two).await.unwrap(), Claimed::Ours);
    }
}
