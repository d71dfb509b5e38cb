//! Puts a move together: opens both ends, sees to it that they are two, and goes through the steps.

use crate::app::claim;
use crate::app::config::settings::Settings;
use crate::app::hold::{Server, Unheld};
use crate::app::lock::{self, DataLock};
use crate::app::move_claims::{Claims, Unclaimed};
use crate::clock::{Clock, SystemClock};
use crate::metadata::open::Metadata;
use crate::oci::page::Page;
use crate::record::Shelf;
use crate::registry::parts::Registry;
use crate::registry::transfer::parts::Transfer;
use crate::registry::transfer::{self, facts, marks, round, survey};
use crate::storage::claim::Holder;
use crate::storage::open::Storage;
use crate::{metadata, storage};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rounds are done until one is as short as this: then the rest is left to the last ones.
const SHORT: Duration = Duration::from_secs(5);
const ROUNDS_MAX: usize = 8;
/// Rounds while the source stands still. The second should find nothing.
const LAST_ROUNDS_MAX: usize = 5;

/// Why a move could not be begun, or not be ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The two ends are not two, or one is not there: a sentence.
    #[error("{0}")]
    Ends(String),
    /// A data folder cannot be used.
    #[error("the data folder {0} cannot be used: {1}")]
    Data(PathBuf, std::io::Error),
    /// The metadata of one end cannot be opened.
    #[error("the metadata of the {0} cannot be used: {1}")]
    Metadata(&'static str, metadata::error::Error),
    /// What tells metadata from other metadata cannot be read or written.
    #[error(transparent)]
    Id(#[from] claim::Error),
    /// A storage is not ours to read or write.
    #[error(transparent)]
    Unclaimed(#[from] Unclaimed),
    /// The source could not be kept still.
    #[error(transparent)]
    Unheld(#[from] Unheld),
    /// A step failed.
    #[error(transparent)]
    Transfer(#[from] transfer::error::Error),
}

/// Where a move is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It counts what there is.
    Survey,
    /// It carries, and the source takes changes.
    Copy,
    /// It makes the target's metadata.
    Facts,
    /// The source stands still, and the last difference is carried.
    Last,
    /// All is there.
    Done,
}

/// A move, open at both ends.
pub struct Move {
    /// What is carried.
    pub transfer: Transfer,
    /// Whoever serves the source.
    pub server: Server,
    source: String,
    storage_stays: bool,
    /// As whom the target's storage is held.
    holder: Holder,
    /// What people call it.
    target_named: String,
    claims: Claims,
    /// The metadata of the source, where no server holds it.
    source_metadata: Option<Metadata>,
    _locks: Vec<DataLock>,
}

/// Opens both ends.
pub async fn open(from: &Settings, to: &Settings, at_once: usize) -> Result<Move, Error> {
    let mut locks = Vec::new();
    let (server, source_metadata) = source_of(from, &mut locks).await?;
    let to_data = Path::new(&to.data);
    std::fs::create_dir_all(to_data).map_err(|error| Error::Data(to_data.into(), error))?;
    if !same_folder(Path::new(&from.data), to_data) {
        let busy = || Error::Ends(format!("a holdfast is running on the target's data folder {}", to.data));
        locks.push(locked(to_data)?.ok_or_else(busy)?);
    }
    let source = open_storage(from, transfer::error::Error::Source).await?;
    let target = open_storage(to, transfer::error::Error::Target).await?;
    let id = marks::identity(&source).await.map_err(transfer::error::Error::Source)?;
    let target_id = marks::identity(&target).await.map_err(transfer::error::Error::Target)?;
    let storage_stays = id == target_id;
    let target_metadata = target_of(from, to, source_metadata.as_ref()).await?;
    let holder = holder_of(to, target_metadata.as_ref().or(source_metadata.as_ref()))?;
    fits(&target, target_metadata.as_ref(), &holder, storage_stays).await?;
    let mut claims = Claims::default();
    if let Some(metadata) = &source_metadata {
        claims.take_source(&source, holder_of(from, Some(metadata))?, metadata).await?;
    }
    let facts = target_metadata.map(|metadata| {
        Arc::new(Registry::new(target.clone(), metadata, Arc::new(SystemClock), to.registry.clone()))
    });
    if !storage_stays {
        marks::claim(&target, &id).await?;
        claims.take("target", &target, holder.clone(), false).await?;
    }
    let transfer = Transfer::new(source, target, facts, at_once);
    let target_named = storage::open::named(&to.storage, to_data);
    Ok(Move {
        transfer,
        server,
        source: id,
        storage_stays,
        holder,
        target_named,
        claims,
        source_metadata,
        _locks: locks,
    })
}

/// Lets the servers of a registry take changes again, whoever holds them. True: the server has lost its storage to the
/// metadata that was moved to, or its metadata to the storage, and begins again when it is started anew.
pub async fn abort(from: &Settings) -> Result<bool, Error> {
    if from.metadata.postgres.is_on() {
        let (server, _metadata) = source_of(from, &mut Vec::new()).await?;
        server.release().await?;
        return Ok(false);
    }
    Server::running(Path::new(&from.data)).await?.release().await?;
    let source = open_storage(from, transfer::error::Error::Source).await?;
    let last = source.claim.last().await.map_err(transfer::error::Error::Source)?;
    let own = holder_of(from, None)?;
    Ok(last.is_some_and(|last| last.id != own.id))
}

/// Demands that the target's metadata is empty, or of this move.
async fn fits(
    target: &Storage,
    metadata: Option<&Metadata>,
    holder: &Holder,
    storage_stays: bool,
) -> Result<(), Error> {
    let ends = |why: &str| Err(Error::Ends(why.into()));
    let Some(metadata) = metadata else {
        if storage_stays {
            return ends("both configurations mean the same storage and the same metadata");
        }
        return Ok(());
    };
    let known = if storage_stays {
        let last = target.claim.last().await.map_err(transfer::error::Error::Target)?;
        if last.is_some_and(|last| last.id == holder.id) {
            return ends("the storage goes with the target's metadata already; there is nothing to move");
        }
        marks::heir(target).await.map_err(transfer::error::Error::Target)? == Some(holder.id.clone())
    } else {
        marks::target(target).await.map_err(transfer::error::Error::Target)?.is_some()
    };
    let blank = is_blank(metadata).await.map_err(|error| Error::Metadata("target", error))?;
    if !blank && !known {
        return ends(
            "the target's metadata holds facts already, and none of this move's; give it an empty place",
        );
    }
    Ok(())
}

/// As whom the metadata of a configuration claims its storage.
fn holder_of(settings: &Settings, metadata: Option<&Metadata>) -> Result<Holder, Error> {
    let folder = metadata::open::folder(&settings.metadata, Path::new(&settings.data));
    Ok(match metadata {
        Some(metadata) => claim::holder(metadata, &folder)?,
        None => claim::embedded(&folder)?,
    })
}

impl Move {
    /// Carries nearly all, while the source takes changes. `step` is told where it is.
    pub async fn copy(&self, step: &(dyn Fn(Step) + Sync)) -> Result<(), Error> {
        if self.storage_stays {
            return Ok(());
        }
        step(Step::Survey);
        survey::survey(&self.transfer).await?;
        for number in 0..ROUNDS_MAX {
            step(Step::Copy);
            let begun = Instant::now();
            let changed = round::round(&self.transfer).await?;
            if number == 0 {
                step(Step::Facts);
                round::facts(&self.transfer).await?;
            }
            if !changed || begun.elapsed() < SHORT {
                break;
            }
        }
        Ok(())
    }

    /// Carries the rest while the source stands still, and ends the move. The source takes changes again if
    /// `keep_writing`; else none until its server is started anew.
    pub async fn finish(&self, keep_writing: bool, step: &(dyn Fn(Step) + Sync)) -> Result<(), Error> {
        step(Step::Last);
        let finished = match self.server.still(self.last()).await {
            // What the source holds now is what stands in the target: nothing was changed until here, nor is it yet.
            Ok(()) => self.seal(keep_writing).await,
            failed => failed,
        };
        // What was not finished leaves the source as it was; the term ends by itself where this fails.
        let left = if finished.is_err() || keep_writing {
            self.server.let_go().await
        } else {
            self.server.keep().await
        };
        finished?;
        left?;
        step(Step::Done);
        Ok(())
    }

    /// The last difference.
    async fn last(&self) -> Result<(), Error> {
        if self.storage_stays {
            marks::name_heir(&self.transfer.to, &self.holder.id)
                .await
                .map_err(transfer::error::Error::Target)?;
            round::facts(&self.transfer).await?;
        } else {
            self.agree().await?;
        }
        if let (Some(from), Some(to)) = (&self.source_metadata, &self.transfer.facts) {
            facts::carry(from, &to.metadata).await.map_err(transfer::error::Error::Metadata)?;
        }
        Ok(())
    }

    /// Says that the target is whole, now that it is certain that the source has stood still for it, and where one storage or
    /// one metadata is of both ends, that the source has it no more.
    async fn seal(&self, keep_writing: bool) -> Result<(), Error> {
        self.claims.stand()?;
        if !self.storage_stays {
            marks::complete(&self.transfer.to, &self.source).await?;
        }
        if keep_writing || (!self.storage_stays && self.transfer.facts.is_some()) {
            return Ok(());
        }
        let to = if self.storage_stays {
            self.holder.clone()
        } else {
            Holder { place: self.target_named.clone(), id: self.source.clone(), ..self.holder.clone() }
        };
        Ok(self.transfer.from.claim.hand_over(&to).await.map_err(transfer::error::Error::Source)?)
    }

    /// Keeps the claims for as long as it is polled; answers when one is lost.
    pub async fn keep_claims(&self) -> Error {
        self.claims.keep().await.into()
    }

    /// Gives up what it holds.
    pub async fn close(&self) {
        self.claims.release().await;
    }

    /// Until a round finds nothing to do.
    async fn agree(&self) -> Result<(), Error> {
        for _ in 0..LAST_ROUNDS_MAX {
            if !round::round(&self.transfer).await? {
                return Ok(());
            }
        }
        Err(Error::Ends("the source goes on changing, though it was asked to stand still".into()))
    }
}

/// Who serves the source, and its metadata if that can be read beside them.
async fn source_of(from: &Settings, locks: &mut Vec<DataLock>) -> Result<(Server, Option<Metadata>), Error> {
    if from.metadata.postgres.is_on() {
        let metadata = open_metadata(from, "source").await?;
        if let Some(shared) = &metadata.shared {
            return Ok((Server::Sharing(Arc::clone(&shared.holds)), Some(metadata)));
        }
    }
    let data = Path::new(&from.data);
    if !data.is_dir() {
        return Err(Error::Ends(format!("there is no registry in {}", data.display())));
    }
    match locked(data)? {
        Some(lock) => {
            locks.push(lock);
            Ok((Server::Stopped, Some(open_metadata(from, "source").await?)))
        }
        None => Ok((Server::running(data).await?, None)),
    }
}

/// The metadata to move to; `None`: it is that of the source.
async fn target_of(
    from: &Settings,
    to: &Settings,
    source: Option<&Metadata>,
) -> Result<Option<Metadata>, Error> {
    let postgres = [from, to].map(|settings| settings.metadata.postgres.is_on());
    if postgres == [false, false] && same_metadata(from, to)? {
        return Ok(None);
    }
    let metadata = open_metadata(to, "target").await?;
    let id = |metadata: &Metadata| metadata.shared.as_ref().map(|shared| shared.id);
    let same = id(&metadata).is_some() && source.and_then(id) == id(&metadata);
    Ok((!same).then_some(metadata))
}

fn locked(data: &Path) -> Result<Option<DataLock>, Error> {
    match lock::lock(data) {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(Error::Data(data.into(), error)),
    }
}

async fn open_storage(
    settings: &Settings,
    end: fn(storage::error::Error) -> transfer::error::Error,
) -> Result<Storage, Error> {
    Ok(storage::open::open(&settings.storage, Path::new(&settings.data)).await.map_err(end)?)
}

async fn open_metadata(settings: &Settings, end: &'static str) -> Result<Metadata, Error> {
    let folder = metadata::open::folder(&settings.metadata, Path::new(&settings.data));
    let opened = metadata::open::open(&settings.metadata, &folder, SystemClock.unix_secs()).await;
    Ok(opened.map_err(|error| Error::Metadata(end, error))?.metadata)
}

/// Whether both configurations mean the same metadata of an embedded engine.
fn same_metadata(from: &Settings, to: &Settings) -> Result<bool, Error> {
    let folder = |settings: &Settings| metadata::open::folder(&settings.metadata, Path::new(&settings.data));
    if !same_folder(&folder(from), &folder(to)) {
        return Ok(false);
    }
    if from.metadata.engine == to.metadata.engine {
        return Ok(true);
    }
    Err(Error::Ends(
        "both configurations keep their metadata in one folder, with two engines; give the target another \
         `metadata.path`"
            .into(),
    ))
}

async fn is_blank(metadata: &Metadata) -> metadata::error::Result<bool> {
    let one = Page::first(1);
    if !metadata.manifests.repositories(&one).await?.entries.is_empty() {
        return Ok(false);
    }
    for shelf in Shelf::ALL {
        if !metadata.accounts.list(shelf, &Page::first(1)).await?.entries.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn same_folder(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    matches!((whole(one), whole(other)), (Ok(one), Ok(other)) if one == other)
}
