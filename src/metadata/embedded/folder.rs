//! The folder of a database: claimed by one process, opened, moved aside if it does not open, opened again after a
//! fault. A database is never deleted here: what does not open goes to `<folder>.corrupt-<seconds>`.

use crate::metadata::config;
use crate::metadata::embedded::engine::{Batch, Engine, Unopened, fault, guarded};
use crate::metadata::embedded::{keys, redb, sled};
use crate::metadata::error::{Error, Result};
use bytes::Bytes;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// The form of all rows. To be raised with every change that an older or newer program would misread.
const FORMAT: u64 = 1;
/// The note that the disk has failed under the database.
const SUSPECT: &str = "suspect";
const LOCK: &str = "lock";
// A server that is going down, and sled's own threads, let go of their locks a moment after the last answer.
const LOCK_TRIES: u32 = 40;
const LOCK_WAIT: Duration = Duration::from_millis(25);

/// Opens the engine of a folder, at first and after a fault.
pub type Opener = Box<dyn Fn() -> std::result::Result<Box<dyn Engine>, Unopened> + Send + Sync>;

/// An open database that can be opened again.
pub struct Folder {
    path: PathBuf,
    opener: Opener,
    // Or why it did not open again.
    engine: RwLock<Result<Box<dyn Engine>>>,
    // Held as long as the database is open. Last, so that it is let go last.
    _claim: File,
}

impl Folder {
    /// Claims the folder and opens its database, or makes a new one. Answers also where a database went that did
    /// not open.
    pub fn open(kind: config::Engine, path: &Path, unix_secs: u64) -> Result<(Self, Option<PathBuf>)> {
        let claim = claim(path)?;
        let place = path.to_owned();
        let opener: Opener = Box::new(move || checked(kind, &place));
        let (engine, claim, aside) = match opener() {
            Ok(engine) => (engine, claim, None),
            Err(Unopened::Broken(why)) => {
                tracing::error!(%why, folder = %path.display(), "the metadata does not open; it is moved aside");
                let aside = move_aside(path, unix_secs)?;
                drop(claim);
                let claim = self::claim(path)?;
                (opener().map_err(|error| told(error, path))?, claim, Some(aside))
            }
            Err(error) => return Err(told(error, path)),
        };
        Ok((Self::of(path, opener, engine, claim), aside))
    }

    /// A folder whose engine is open; `claim` is held as long as it.
    pub fn of(path: &Path, opener: Opener, engine: Box<dyn Engine>, claim: File) -> Self {
        Self { path: path.to_owned(), opener, engine: RwLock::new(Ok(engine)), _claim: claim }
    }

    /// Notes that the disk has failed under the database, so that it is not opened again. On that disk the note
    /// may fail too; then the database is no worse than without.
    pub fn suspect(&self) {
        let noted = File::create(self.path.join(SUSPECT)).and_then(|note| note.sync_all());
        if let Err(error) = noted.map_err(|error| fault(&error)).and_then(|()| sync_folder(&self.path)) {
            tracing::error!(%error, "that the metadata is suspect could not be noted");
        }
    }

    /// Does something with the engine.
    pub fn with<T>(&self, work: impl FnOnce(&dyn Engine) -> Result<T>) -> Result<T> {
        let engine = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        match engine.as_deref() {
            Ok(engine) => work(engine),
            Err(error) => Err(error.clone()),
        }
    }

    /// Closes the engine and opens it again: after an I/O error an engine answers nothing else. Nobody reads
    /// from it before `restore` has put back what the closed one had not made durable.
    pub fn reopen(&self, restore: impl FnOnce(&dyn Engine) -> Result<()>) -> Result<()> {
        let mut engine = self.engine.write().unwrap_or_else(PoisonError::into_inner);
        close(&mut engine);
        let opened = (self.opener)().map_err(|error| told(error, Path::new("its folder")));
        *engine = opened.and_then(|opened| restore(opened.as_ref()).map(|()| opened));
        engine.as_ref().map(|_| ()).map_err(Clone::clone)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        close(self.engine.get_mut().unwrap_or_else(PoisonError::into_inner));
    }
}

fn close(engine: &mut Result<Box<dyn Engine>>) {
    let engine = std::mem::replace(engine, Err(Error::Fault("the engine is closed".into())));
    // Engines write when they close, and panic if they cannot.
    if let Err(panic) = guarded(|| drop(engine)) {
        tracing::warn!(%panic, "the engine did not close well");
    }
}

/// Takes the folder for this process alone; makes it if it is not there.
fn claim(path: &Path) -> Result<File> {
    let made = !path.exists();
    make_private(path)?;
    if made {
        sync_folder(path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    }
    let lock =
        File::options().create(true).append(true).open(path.join(LOCK)).map_err(|error| fault(&error))?;
    for _ in 0..LOCK_TRIES {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(fs::TryLockError::WouldBlock) => std::thread::sleep(LOCK_WAIT),
            Err(fs::TryLockError::Error(error)) => return Err(fault(&error)),
        }
    }
    Err(told(Unopened::InUse, path))
}

/// Makes the folder, if it is not there, for the owner alone: it holds the keys that sign access tokens. What others
/// could look into before is closed to them.
fn make_private(path: &Path) -> Result<()> {
    const OWNER_ALONE: u32 = 0o700;
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| fault(&error))?;
    }
    match fs::DirBuilder::new().mode(OWNER_ALONE).create(path) {
        Err(error) if !path.is_dir() => return Err(fault(&error)),
        _ => {}
    }
    let mode = fs::metadata(path).map_err(|error| fault(&error))?.permissions().mode();
    if mode & 0o777 & !OWNER_ALONE == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(OWNER_ALONE)).map_err(|error| {
        Error::Fault(format!(
            "others may look into {}, which holds keys that sign tokens, and that cannot be changed ({error}): give \
             the folder to this user with mode 0700, or name another one as metadata.path",
            path.display()
        ))
    })
}

/// Opens the engine, and sees to it that the database is one that this program can read, or new.
fn checked(kind: config::Engine, path: &Path) -> std::result::Result<Box<dyn Engine>, Unopened> {
    let (file, other) = match kind {
        config::Engine::Sled => (sled::FILE, redb::FILE),
        config::Engine::Redb => (redb::FILE, sled::FILE),
    };
    if path.join(SUSPECT).exists() {
        return Err(Unopened::Broken("the disk failed while it was written".into()));
    }
    if path.join(other).exists() {
        // What it tells would be stale as soon as this engine is written to, and nothing would show that later.
        return Err(Unopened::Broken("it was made by another engine".into()));
    }
    let fresh = fs::metadata(path.join(file)).map_or(true, |metadata| metadata.len() == 0);
    let mut engine = open_engine(kind, path);
    for _ in 0..LOCK_TRIES {
        if !matches!(engine, Err(Unopened::InUse)) {
            break;
        }
        std::thread::sleep(LOCK_WAIT);
        engine = open_engine(kind, path);
    }
    let engine = engine?;
    // Opening makes and renames files.
    sync_folder(path).map_err(Unopened::Fault)?;
    let found = engine.get(keys::FORMAT).map_err(unread)?;
    let format = FORMAT.to_le_bytes();
    match found {
        Some(found) if found == format.as_slice() => Ok(engine),
        None if fresh => {
            let row = Batch::from([(keys::FORMAT.to_vec(), Some(Bytes::copy_from_slice(&format)))]);
            engine.reserve(&row).and_then(|()| engine.commit(&row, true)).map_err(unread)?;
            Ok(engine)
        }
        // An engine may take a file of garbage for an empty database, and a damaged one for a smaller one.
        None => Err(Unopened::Broken("its format is not told".into())),
        Some(found) => Err(Unopened::Broken(format!("its format is {found:?}, not {FORMAT}"))),
    }
}

fn open_engine(kind: config::Engine, path: &Path) -> std::result::Result<Box<dyn Engine>, Unopened> {
    match kind {
        config::Engine::Sled => sled::open(path),
        config::Engine::Redb => redb::open(path),
    }
}

fn unread(error: Error) -> Unopened {
    match error {
        Error::Full => Unopened::Fault(error),
        error => Unopened::Broken(error.to_string()),
    }
}

fn told(error: Unopened, path: &Path) -> Error {
    match error {
        Unopened::InUse => Error::InUse(path.display().to_string()),
        Unopened::Fault(error) => error,
        Unopened::Broken(why) => Error::Fault(format!("the database does not open: {why}")),
    }
}

fn move_aside(path: &Path, unix_secs: u64) -> Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut to = path.with_file_name(format!("{name}.corrupt-{unix_secs}"));
    let mut number = 1;
    while to.exists() {
        number += 1;
        to = path.with_file_name(format!("{name}.corrupt-{unix_secs}-{number}"));
    }
    let moved = fs::rename(path, &to);
    moved.map_err(|error: io::Error| match fault(&error) {
        Error::Fault(why) => {
            Error::Fault(format!("the database does not open and cannot be moved aside: {why}"))
        }
        error => error,
    })?;
    sync_folder(to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    Ok(to)
}

/// Makes the names in a folder survive a power cut.
fn sync_folder(path: &Path) -> Result<()> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| fault(&error))
}
