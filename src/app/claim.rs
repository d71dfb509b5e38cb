//! The claim on the storage, taken before anything is served: whoever has other metadata of it, and is running, keeps us
//! out, and is named. Metadata that cannot tell what the storage holds now is not believed: that of one process is made
//! again, that of many is refused.

use crate::metadata::open::Metadata;
use crate::oci::page::Page;
use crate::record::Shelf;
use crate::registry::parts::Registry;
use crate::storage::claim::{Claimed, Holder, Kind};
use crate::storage::links::Found;
use crate::storage::open::Storage;
use crate::{metadata, storage};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The file that tells a database of one process from all others. It stands in the database's folder, and goes with it.
const ID: &str = "id";

/// Why the storage is not ours to use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What tells our metadata from others' cannot be read or written.
    #[error("{0} cannot be used: {1}")]
    Id(PathBuf, io::Error),
    /// The storage could not be asked.
    #[error("the storage cannot be claimed: {0}")]
    Storage(#[from] storage::error::Error),
    /// The metadata could not be asked.
    #[error("the metadata cannot be used: {0}")]
    Metadata(#[from] metadata::error::Error),
    /// Another registry has it.
    #[error(
        "the storage belongs to {0}; two registries that do not know of each other would lose what the other stores. Stop \
         that one, or give both the same [metadata.postgres]"
    )]
    Theirs(Holder),
    /// Another one had it.
    #[error(
        "the metadata in PostgreSQL is older than the storage, which was served since by {0}. Go on with that one; or, if \
         this is the one to go on with, drop the schema `holdfast` in this database: it is made again from the storage"
    )]
    Outdated(Holder),
    /// The metadata is of another storage.
    #[error(
        "the storage holds nothing of what the metadata knows: it is not the one that this metadata is of, or was \
         emptied. Is it the right folder, or bucket and prefix, and is it mounted? To begin anew with this storage, {0}"
    )]
    Elsewhere(String),
}

/// Claims the storage for the metadata of this process, which is embedded in `folder` if it is not shared. May wait until
/// the claim of a process that is gone ends.
pub async fn take(registry: &Registry, folder: &Path) -> Result<(), Error> {
    let (metadata, claim) = (&registry.metadata, &registry.storage.claim);
    let mut whole = metadata.completeness.is_complete().await?;
    if whole && claim.last().await?.is_none() && !knows_of(registry).await? {
        return Err(Error::Elsewhere(match &metadata.shared {
            Some(_) => "drop the schema `holdfast` in its database".into(),
            None => format!("remove the folder {}", folder.display()),
        }));
    }
    loop {
        match claim.take(&holder(metadata, folder)?, whole).await? {
            Claimed::Ours => {
                registry.claimed();
                return Ok(());
            }
            Claimed::Theirs(other) => return Err(Error::Theirs(other)),
            Claimed::Outdated(other) if metadata.shared.is_some() => return Err(Error::Outdated(other)),
            Claimed::Outdated(other) => {
                tracing::warn!(
                    by = %other,
                    "the storage was served by other metadata since; what this process has is older, and is made again"
                );
                metadata.completeness.doubt().await?;
                // Another one from now on: whichever storage the old one was of, it knows that no longer.
                renew_id(folder).map_err(|error| Error::Id(folder.join(ID), error))?;
                whole = false;
            }
        }
    }
}

/// As whom metadata claims a storage.
pub fn holder(metadata: &Metadata, folder: &Path) -> Result<Holder, Error> {
    match &metadata.shared {
        Some(shared) => Ok(Holder {
            kind: Kind::Shared,
            id: shared.id.to_string(),
            place: "its PostgreSQL server".into(),
        }),
        None => embedded(folder),
    }
}

/// As whom the embedded metadata of a folder claims a storage; it may be open in another process.
pub fn embedded(folder: &Path) -> Result<Holder, Error> {
    let id = id(folder).map_err(|error| Error::Id(folder.join(ID), error))?;
    Ok(Holder { kind: Kind::Embedded, id, place: here() })
}

/// Metadata that is made to take the place of another folder's has the same id, if that one knows the storage: should the
/// new one not come to its end, the old one is no worse than it was.
pub async fn inherit(storage: &Storage, of: &Path, to: &Path) -> Result<(), Error> {
    let old = embedded(of)?;
    if storage.claim.last().await?.is_some_and(|last| last.id == old.id) {
        write_id(to, &old.id).map_err(|error| Error::Id(to.join(ID), error))?;
    }
    Ok(())
}

/// Whether the storage holds something of what the metadata knows, if that is anything. One name will do: it is for
/// metadata and storage that have nothing to do with each other.
async fn knows_of(registry: &Registry) -> Result<bool, Error> {
    let (metadata, storage) = (&registry.metadata, &registry.storage);
    let one = Page::first(1);
    let mut is_blank = true;
    for repository in metadata.manifests.repositories(&one).await?.entries {
        let mut held = false;
        let mut visit = |found| held |= matches!(found, Found::Link { .. });
        storage.links.walk(&repository, &mut visit).await?;
        if held {
            return Ok(true);
        }
        is_blank = false;
    }
    for shelf in Shelf::ALL {
        for (name, _) in metadata.accounts.list(shelf, &one).await?.entries {
            if storage.records.get(shelf, &name).await?.is_some() {
                return Ok(true);
            }
            is_blank = false;
        }
    }
    Ok(is_blank)
}

/// The id of a folder's database, made when it is first asked for.
fn id(folder: &Path) -> io::Result<String> {
    match fs::read_to_string(folder.join(ID)) {
        Ok(text) if Uuid::try_parse(text.trim()).is_ok() => Ok(text.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => renew_id(folder),
    }
}

fn renew_id(folder: &Path) -> io::Result<String> {
    let id = Uuid::new_v4().to_string();
    write_id(folder, &id)?;
    Ok(id)
}

/// Durably: a storage may say for long who had it.
fn write_id(folder: &Path, id: &str) -> io::Result<()> {
    let mut file = File::create(folder.join(ID))?;
    writeln!(file, "{id}")?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}

/// This machine and this process, for people.
fn here() -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "an unnamed host" } else { host.trim() };
    format!("{host}, process {}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_keeps_its_id() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = id(one.path()).unwrap();
        assert_eq!(id(one.path()).unwrap(), first);
        assert_ne!(id(other.path()).unwrap(), first);
        write_id(other.path(), &first).unwrap();
        assert_eq!(id(other.path()).unwrap(), first);
        assert_ne!(renew_id(one.path()).unwrap(), first);
        fs::write(one.path().join(ID), "torn").unwrap();
        assert_ne!(id(one.path()).unwrap(), "torn");
    }
}
