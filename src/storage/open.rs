//! Opens the storage that the configuration names. The only file that knows all backends.

use crate::storage::blobs::Blobs;
use crate::storage::config::Config;
use crate::storage::error::Result;
use crate::storage::filesystem::root::Root;
use crate::storage::filesystem::store::Filesystem;
use crate::storage::links::Links;
use crate::storage::records::Records;
use std::path::Path;
use std::sync::Arc;

/// The parts of an open storage.
#[derive(Clone)]
pub struct Storage {
    /// Bytes by digest.
    pub blobs: Arc<dyn Blobs>,
    /// Names.
    pub links: Arc<dyn Links>,
    /// Records.
    pub records: Arc<dyn Records>,
}

/// Opens storage; `data` is where it stands if the configuration names no place. Refuses a folder that cannot
/// be written.
#[allow(clippy::unused_async)] // a bucket is asked whether it is there
pub async fn open(config: &Config, data: &Path) -> Result<Storage> {
    let root = match config.filesystem.root.as_str() {
        "" => data.join("registry"),
        root => root.into(),
    };
    let filesystem = Arc::new(Filesystem::new(Root::open(&root, config.filesystem.free_bytes_min)?)?);
    Ok(Storage {
        blobs: Arc::clone(&filesystem) as Arc<dyn Blobs>,
        links: Arc::clone(&filesystem) as Arc<dyn Links>,
        records: filesystem,
    })
}
