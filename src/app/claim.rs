//! The claim on the storage, taken before anything is served: whoever has other metadata of it, and is running, keeps us
//! out, and is named.

use crate::registry::parts::Registry;
use crate::storage;
use crate::storage::claim::{Claimed, Holder, Kind};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// What tells the metadata of this data folder from those of others.
const ID: &str = "metadata-id";

/// Why the storage is not ours to use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What tells our metadata from others' cannot be read or written.
    #[error("{0} cannot be used: {1}")]
    Id(PathBuf, io::Error),
    /// The storage could not be asked.
    #[error("the storage cannot be claimed: {0}")]
    Storage(#[from] storage::error::Error),
    /// Another registry has it.
    #[error(
        "the storage belongs to {0}; two registries that do not know of each other would lose what the other stores. Stop \
         that one, or give both the same [metadata.postgres]"
    )]
    Theirs(Holder),
}

/// Claims the storage for the metadata of this process. May wait until the claim of a process that is gone ends.
pub async fn take(registry: &Registry, data: &Path) -> Result<(), Error> {
    let holder = match &registry.metadata.shared {
        Some(shared) => {
            Holder { kind: Kind::Shared, id: shared.id.to_string(), place: "its PostgreSQL server".into() }
        }
        None => Holder {
            kind: Kind::Embedded,
            id: id(data).map_err(|error| Error::Id(data.join(ID), error))?,
            place: here(),
        },
    };
    match registry.storage.claim.take(&holder).await? {
        Claimed::Ours => {
            registry.claimed();
            Ok(())
        }
        Claimed::Theirs(other) => Err(Error::Theirs(other)),
    }
}

/// The id of this folder's metadata: made once, and kept beside it, since metadata that is made again is of the same
/// storage.
fn id(data: &Path) -> io::Result<String> {
    let path = data.join(ID);
    match fs::read_to_string(&path) {
        Ok(text) if Uuid::try_parse(text.trim()).is_ok() => return Ok(text.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let id = Uuid::new_v4().to_string();
    fs::write(&path, format!("{id}\n"))?;
    Ok(id)
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
    fn a_folder_keeps_its_id() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = id(one.path()).unwrap();
        assert_eq!(id(one.path()).unwrap(), first);
        assert_ne!(id(other.path()).unwrap(), first);
        fs::write(one.path().join(ID), "torn").unwrap();
        assert_ne!(id(one.path()).unwrap(), "torn");
    }
}
