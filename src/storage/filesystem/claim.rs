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
    async fn take(&self, holder: &Holder, whole: bool) -> Result<Claimed> {
        let (root, claim) = (Arc::clone(&self.root), Written::by(holder, self.clock.unix_secs()));
        match at_claim(move || take(&root, &claim, whole)).await? {
            Ok(lock) => {
                *self.held() = Some((holder.clone(), Arc::new(lock)));
                Ok(Claimed::Ours)
            }
            Err(refused) => Ok(refused),
        }
    }

    async fn last(&self) -> Result<Option<Holder>> {
        let root = Arc::clone(&self.root);
        at_claim(move || Ok(read(&root)?.map(|there| there.holder))).await
    }

    async fn hand_over(&self, to: &Holder) -> Result<()> {
        let (root, claim) = (Arc::clone(&self.root), Written::free_after(to));
        *self.held() = None;
        at_claim(move || write(&root, &claim)).await
    }

    /// The lock holds for as long as the process does; only what the file says may have become another's.
    async fn renew(&self) -> Result<Claimed> {
        let Some((holder, _)) = self.held().clone() else {
            return Err(Error::at(layout::CLAIM, io::Error::other("it is not ours")));
        };
        match self.last().await? {
            Some(last) if last.id != holder.id => {
                *self.held() = None;
                Ok(Claimed::Theirs(last))
            }
            _ => Ok(Claimed::Ours),
        }
    }

    fn stands(&self) -> bool {
        self.held().is_some()
    }

    async fn release(&self) -> Result<()> {
        let Some((holder, lock)) = self.held().take() else { return Ok(()) };
        let root = Arc::clone(&self.root);
        at_claim(move || {
            let is_ours = read(&root)?.is_none_or(|there| there.is_of(&holder));
            let released = if is_ours { write(&root, &Written::free_after(&holder)) } else { Ok(()) };
            drop(lock);
            released
        })
        .await
    }
}

async fn at_claim<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    aside(move || work().map_err(|error| Error::at(layout::CLAIM, error))).await
}

/// Takes the lock and writes the claim, or tells why not.
fn take(root: &Root, claim: &Written, whole: bool) -> io::Result<std::result::Result<OwnedFd, Claimed>> {
    let lock = files::open(root.folder(), layout::CLAIM_LOCK, OFlags::CREATE | OFlags::RDWR)?;
    let mut tries = 0;
    loop {
        // Alone first, whatever the kind: what the file says is read and written by one at a time.
        if locked(&lock, FlockOperation::NonBlockingLockExclusive)? {
            match read(root)? {
                Some(last) if whole && !last.is_of(&claim.holder) => {
                    return Ok(Err(Claimed::Outdated(last.holder)));
                }
                _ => write(root, claim)?,
            }
            if claim.holder.kind == Kind::Shared && !locked(&lock, FlockOperation::NonBlockingLockShared)? {
                return Err(io::Error::other("the lock could not be shared"));
            }
            return Ok(Ok(lock));
        }
        if claim.holder.kind == Kind::Shared && locked(&lock, FlockOperation::NonBlockingLockShared)? {
            return Ok(match read(root)? {
                Some(there) if !there.is_of(&claim.holder) => Err(Claimed::Theirs(there.holder)),
                _ => Ok(lock),
            });
        }
        tries += 1;
        if tries == TRIES {
            let unknown = Holder { kind: Kind::Embedded, id: "unknown".into(), place: "this folder".into() };
            return Ok(Err(Claimed::Theirs(read(root)?.map_or(unknown, |there| there.holder))));
        }
        std::thread::sleep(PAUSE);
    }
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
        assert_eq!(first.take(&one, false).await.unwrap(), Claimed::Ours);
        assert_eq!(second.take(&two, false).await.unwrap(), Claimed::Theirs(one.clone()));
        let shared = holder(Kind::Shared, "three");
        assert_eq!(second.take(&shared, false).await.unwrap(), Claimed::Theirs(one));
        assert!(first.stands() && !second.stands());
        drop(first); // as when its process dies
        assert_eq!(second.take(&two, false).await.unwrap(), Claimed::Ours);
        assert_eq!(second.renew().await.unwrap(), Claimed::Ours);
    }

    #[tokio::test]
    async fn a_shared_database_has_it_with_all_its_processes_while_one_lives() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (holder(Kind::Shared, "one"), holder(Kind::Shared, "two"));
        let (first, replica, other) = (claim(folder.path()), claim(folder.path()), claim(folder.path()));
        assert_eq!(first.take(&one, false).await.unwrap(), Claimed::Ours);
        assert_eq!(replica.take(&one, false).await.unwrap(), Claimed::Ours);
        assert_eq!(other.take(&two, false).await.unwrap(), Claimed::Theirs(one.clone()));
        drop(first);
        assert_eq!(
            other.take(&holder(Kind::Embedded, "one"), false).await.unwrap(),
            Claimed::Theirs(one.clone())
        );
        assert_eq!(other.take(&two, false).await.unwrap(), Claimed::Theirs(one.clone()));
        drop(replica);
        assert_eq!(other.take(&two, false).await.unwrap(), Claimed::Ours);
    }

    #[tokio::test]
    async fn whoever_knows_it_all_comes_back_only_if_nobody_else_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (holder(Kind::Embedded, "one"), holder(Kind::Shared, "two"));
        let (first, second) = (claim(folder.path()), claim(folder.path()));
        assert_eq!(first.last().await.unwrap(), None);
        for _ in 0..2 {
            assert_eq!(first.take(&one, true).await.unwrap(), Claimed::Ours);
            first.release().await.unwrap();
        }
        assert_eq!(second.take(&two, true).await.unwrap(), Claimed::Outdated(one.clone()));
        assert_eq!(second.last().await.unwrap(), Some(one.clone()), "nothing was changed");
        assert_eq!(second.take(&two, false).await.unwrap(), Claimed::Ours);
        second.release().await.unwrap();
        assert_eq!(first.take(&one, true).await.unwrap(), Claimed::Outdated(two));
    }

    #[tokio::test]
    async fn what_is_handed_over_is_lost_at_the_next_renewal_and_not_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (holder(Kind::Embedded, "one"), holder(Kind::Shared, "two"));
        let (first, mover) = (claim(folder.path()), claim(folder.path()));
        assert_eq!(first.take(&one, true).await.unwrap(), Claimed::Ours);
        mover.hand_over(&two).await.unwrap();
        assert_eq!(first.renew().await.unwrap(), Claimed::Theirs(two.clone()));
        assert!(!first.stands());
        assert_eq!(first.take(&one, true).await.unwrap(), Claimed::Outdated(two.clone()));
        mover.hand_over(&one).await.unwrap();
        assert_eq!(first.take(&one, true).await.unwrap(), Claimed::Ours);
        mover.hand_over(&two).await.unwrap();
        first.release().await.unwrap();
        assert_eq!(mover.take(&two, true).await.unwrap(), Claimed::Ours);
    }
}
