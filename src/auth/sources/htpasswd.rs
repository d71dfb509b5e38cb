//! An htpasswd file as a source of users, read again when it changes: `htpasswd -B`, or a Kubernetes secret.
//!
//! Whatever happens to the file, the last content that could be read stays in force, and the log says so.

use crate::auth::authenticator::{Authenticator, Credentials, Login, Verdict};
use crate::auth::error::{Error, Result};
use crate::auth::passwords::hash::StoredHash;
use crate::auth::passwords::verifier::Passwords;
use crate::auth::sources::listed::{Listed, User};
use crate::auth::sources::name;
use crate::clock::Clock;
use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Mutex;

/// What this source is called.
pub const NAME: &str = "htpasswd";
/// Largest file: some 200,000 users.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Most bad lines that are told one by one.
const FAULTS_TOLD: usize = 20;
/// A file that is younger than this may change once more without looking changed.
const UNSETTLED_SECS: i64 = 2;

/// `[auth.htpasswd]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The file. Empty: there is none.
    pub path: String,
}

/// The users of an htpasswd file.
pub struct Htpasswd {
    path: PathBuf,
    passwords: Arc<Passwords>,
    clock: Arc<dyn Clock>,
    users: ArcSwap<Listed>,
    looked: AtomicU64,
    seen: Mutex<Seen>,
}

/// What the file looked like when it was last read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

/// What is known of the file.
#[derive(Debug, Default)]
struct Seen {
    /// `None`: it has to be read whatever it looks like.
    stamp: Option<Stamp>,
    /// Whether the log has been told that it cannot be read.
    lost: bool,
}

impl Htpasswd {
    /// Reads the file, which must be there.
    pub async fn open(config: &Config, passwords: Arc<Passwords>, clock: Arc<dyn Clock>) -> Result<Self> {
        let opened = Self {
            path: PathBuf::from(&config.path),
            passwords,
            clock,
            users: ArcSwap::from_pointee(Listed::new(NAME, HashMap::new())?),
            looked: AtomicU64::new(0),
            seen: Mutex::default(),
        };
        match opened.reload().await {
            Ok(_) => Ok(opened),
            Err(error) => {
                Err(Error::Invalid(format!("`auth.htpasswd.path`: {} cannot be read: {error}", config.path)))
            }
        }
    }

    /// Reads the file if it has changed; whether it had. An error leaves everything as it was.
    pub async fn reload(&self) -> io::Result<bool> {
        self.look(&mut *self.seen.lock().await).await
    }

    async fn look(&self, seen: &mut Seen) -> io::Result<bool> {
        let (path, known) = (self.path.clone(), seen.stamp);
        // A slow disk must not hold up the threads that serve.
        let read = tokio::task::spawn_blocking(move || read(&path, known)).await.map_err(io::Error::other)?;
        seen.lost = read.is_err();
        let Some((stamp, bytes)) = read? else { return Ok(false) };
        let (users, faults) = parse(&bytes);
        self.tell(users.len(), &faults);
        let users = Listed::new(NAME, users).map_err(io::Error::other)?;
        self.users.store(Arc::new(users));
        let now = i64::try_from(self.clock.unix_secs()).unwrap_or(i64::MAX);
        let settled = now.saturating_sub(stamp.modified.0) >= UNSETTLED_SECS;
        seen.stamp = settled.then_some(stamp);
        Ok(true)
    }

    /// Looks at the file, at most once a second. Who comes while another looks goes on with what there is.
    async fn refresh(&self) {
        let now = self.clock.unix_secs();
        if self.looked.swap(now, Ordering::Relaxed) == now {
            return;
        }
        let Ok(mut seen) = self.seen.try_lock() else { return };
        let told = seen.lost;
        match self.look(&mut seen).await {
            Ok(_) if told => tracing::info!(path = ?self.path, "the htpasswd file can be read again"),
            Ok(_) => {}
            Err(_) if told => {}
            Err(error) => tracing::error!(
                path = ?self.path, %error,
                "the htpasswd file cannot be read: its users stay as they were"
            ),
        }
    }

    fn tell(&self, users: usize, faults: &[Fault]) {
        tracing::info!(path = ?self.path, users, bad_lines = faults.len(), "the htpasswd file was read");
        for Fault { line, why } in faults.iter().take(FAULTS_TOLD) {
            tracing::warn!(path = ?self.path, line, why, "a line of the htpasswd file was skipped");
        }
        if let Some(more) = faults.len().checked_sub(FAULTS_TOLD).filter(|more| *more > 0) {
            tracing::warn!(path = ?self.path, more, "further lines of the htpasswd file were skipped");
        }
    }
}

#[async_trait::async_trait]
impl Authenticator for Htpasswd {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn authenticate(&self, credentials: &Credentials) -> Result<Verdict> {
        self.refresh().await;
        self.users.load_full().authenticate(&self.passwords, credentials).await
    }

    async fn lookup(&self, name: &str) -> Result<Option<Login>> {
        self.refresh().await;
        Ok(self.users.load().lookup(name))
    }

    async fn burn(&self, credentials: &Credentials) -> Result<()> {
        self.users.load_full().burn(&self.passwords, credentials).await
    }
}

/// The content, unless the file looks as it is known.
fn read(path: &PathBuf, known: Option<Stamp>) -> io::Result<Option<(Stamp, Vec<u8>)>> {
    // Looked at before it is opened: opening a pipe would wait for its other end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    let file = std::fs::File::open(path)?;
    let metadata = file.metadata()?;
    let stamp = Stamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        bytes: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
    };
    if known == Some(stamp) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than 16 MiB"));
    }
    Ok(Some((stamp, bytes)))
}

/// A line that was skipped.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    line: usize,
    why: String,
}

/// The users of a file, and its bad lines.
fn parse(bytes: &[u8]) -> (HashMap<String, User>, Vec<Fault>) {
    let (mut users, mut faults) = (HashMap::new(), Vec::new());
    for (n, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        match one(line) {
            Ok(None) => {}
            // As in Apache, the first counts.
            Ok(Some((name, _))) if users.contains_key(&name) => {
                faults.push(Fault { line: n + 1, why: "there is a line of this name already".into() });
            }
            Ok(Some((name, user))) => {
                users.insert(name, user);
            }
            Err(why) => faults.push(Fault { line: n + 1, why }),
        }
    }
    (users, faults)
}

fn one(line: &[u8]) -> std::result::Result<Option<(String, User)>, String> {
    let line = std::str::from_utf8(line).map_err(|_| "it is not UTF-8")?.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (name, hash) = line.split_once(':').ok_or("it has not the form NAME:HASH")?;
    if let Some(fault) = name::fault(name) {
        return Err(format!("the name {fault}"));
    }
    if hash.starts_with("$argon2") {
        return Err(
            "it is an argon2 hash, which no htpasswd file has: make a bcrypt one, with `htpasswd -B`".into(),
        );
    }
    let hash = StoredHash::parse(hash)?;
    let user = User { hash, groups: Vec::new(), labels: BTreeMap::new(), admin: false };
    Ok(Some((name.to_owned(), user)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::passwords::config;
    use crate::clock::FixedClock;
    use crate::secret::Secret;
    use proptest::prelude::*;
    use std::fs;
    use std::path::Path;

    /// Of "U*U".
    const HASH: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

    struct Watched {
        source: Htpasswd,
        clock: Arc<FixedClock>,
    }

    /// The clock stands in the far future, so that files are settled, unless `young`.
    async fn open(path: &Path, young: bool) -> Watched {
        let modified = fs::metadata(path).unwrap().mtime().unsigned_abs();
        let clock = Arc::new(FixedClock::at(if young { modified } else { modified + 1_000_000 }));
        let dynamic = || Arc::clone(&clock) as Arc<dyn Clock>;
        let passwords = Arc::new(Passwords::new(&config::Config::default(), dynamic()).unwrap());
        let config = Config { path: path.to_str().unwrap().into() };
        let source = Htpasswd::open(&config, passwords, dynamic()).await.unwrap();
        Watched { source, clock }
    }

    impl Watched {
        /// Looks a second later.
        async fn knows(&self, name: &str) -> bool {
            self.clock.advance(1);
            self.knows_now(name).await
        }

        async fn knows_now(&self, name: &str) -> bool {
            self.source.lookup(name).await.unwrap().is_some()
        }
    }

    #[tokio::test]
    async fn users_of_the_file_log_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("htpasswd");
        fs::write(&path, format!("amy:{HASH}\n")).unwrap();
        let watched = open(&path, false).await;
        for (name, password, expected) in [
            ("amy", "U*U", "Known"),
            ("amy", "U*V", "Wrong"),
            ("amy", "", "Wrong"),
            ("bob", "U*U", "Unknown"),
        ] {
            let credentials =
                Credentials { name: name.into(), password: Secret::new(password), address: None };
            let verdict = watched.source.authenticate(&credentials).await.unwrap();
            assert!(format!("{verdict:?}").starts_with(expected), "{name} {password}: {verdict:?}");
            if let Verdict::Known(login) = verdict {
                assert_eq!((login.source, login.identity.admin), ("htpasswd", false));
            }
        }
    }

    #[tokio::test]
    async fn a_changed_file_is_read_again_after_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("htpasswd");
        fs::write(&path, format!("amy:{HASH}\n")).unwrap();
        let watched = open(&path, false).await;
        assert!(watched.knows("amy").await);
        fs::write(&path, format!("bob:{HASH}\ncid:{HASH}\n")).unwrap();
        assert!(!watched.knows_now("bob").await, "within the second nobody looks");
        assert!(watched.knows("bob").await);
        assert!(!watched.knows_now("amy").await);
    }

    #[tokio::test]
    async fn a_reload_on_demand_does_not_wait() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("htpasswd");
        fs::write(&path, format!("amy:{HASH}\n")).unwrap();
        let watched = open(&path, false).await;
        assert!(!watched.source.reload().await.unwrap(), "nothing has changed");
        fs::write(&path, format!("bobby:{HASH}\n")).unwrap();
        assert!(watched.source.reload().await.unwrap());
        assert!(watched.knows_now("bobby").await);
    }

    #[tokio::test]
    async fn a_young_file_that_changes_once_more_unseen_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("htpasswd");
        fs::write(&path, format!("amy:{HASH}\n")).unwrap();
        let watched = open(&path, true).await;
        let before = fs::metadata(&path).unwrap();
        fs::write(&path, format!("bob:{HASH}\n")).unwrap();
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(before.modified().unwrap())
            .unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!(
            (before.mtime_nsec(), before.ino(), before.len()),
            (after.mtime_nsec(), after.ino(), after.len())
        );
        assert!(watched.knows("bob").await);
        watched.clock.advance(5);
        watched.source.reload().await.unwrap();
        assert!(!watched.source.reload().await.unwrap(), "settled in the end");
    }

    #[tokio::test]
    async fn a_folder_swapped_by_its_link_as_kubernetes_does_it_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let within = |name: &str| folder.path().join(name);
        for (version, user) in [("..1", "amy"), ("..2", "bob")] {
            fs::create_dir(within(version)).unwrap();
            fs::write(within(version).join("htpasswd"), format!("{user}:{HASH}\n")).unwrap();
        }
        std::os::unix::fs::symlink("..1", within("..data")).unwrap();
        std::os::unix::fs::symlink("..data/htpasswd", within("htpasswd")).unwrap();
        let watched = open(&within("htpasswd"), false).await;
        assert!(watched.knows("amy").await);
        std::os::unix::fs::symlink("..2", within("..data_tmp")).unwrap();
        fs::rename(within("..data_tmp"), within("..data")).unwrap();
        assert!(watched.knows("bob").await);
        assert!(!watched.knows_now("amy").await);
    }

    #[tokio::test]
    async fn a_file_that_vanishes_leaves_its_users_and_may_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("htpasswd");
        fs::write(&path, format!("amy:{HASH}\n")).unwrap();
        let watched = open(&path, false).await;
        fs::remove_file(&path).unwrap();
        assert!(watched.source.reload().await.is_err());
        assert!(watched.knows("amy").await);
        fs::create_dir(&path).unwrap();
        assert!(watched.knows("amy").await, "a folder is no file");
        fs::remove_dir(&path).unwrap();
        fs::write(&path, vec![b'x'; FILE_BYTES_MAX as usize + 1]).unwrap();
        assert!(watched.knows("amy").await, "too large");
        fs::write(&path, format!("bob:{HASH}\n")).unwrap();
        assert!(watched.knows("bob").await);
        assert!(!watched.knows("amy").await);
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_at_the_start_is_a_mistake() {
        let clock = || Arc::new(FixedClock::at(0)) as Arc<dyn Clock>;
        let passwords = Arc::new(Passwords::new(&config::Config::default(), clock()).unwrap());
        let config = Config { path: "/nowhere/htpasswd".into() };
        let refusal = Htpasswd::open(&config, passwords, clock()).await.err().unwrap().to_string();
        assert!(refusal.contains("`auth.htpasswd.path`: /nowhere/htpasswd cannot be read"), "{refusal}");
    }

    #[test]
    fn bad_lines_are_told_by_number_and_skipped() {
        let text = format!(
            "# users\n\namy:{HASH}\r\n  bob:{HASH}  \nplain:secret\nmd5:$apr1$abc$def\nsha:{{SHA}}W6ph5Mm5Pz8=\n\
             nothing\n:{HASH}\namy:{HASH}\nargon:$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$x\nlast:{HASH}"
        );
        let (users, faults) = parse(text.as_bytes());
        let mut names: Vec<_> = users.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["amy", "bob", "last"]);
        let expected = [
            (5, "neither a bcrypt"),
            (6, "htpasswd -B"),
            (7, "htpasswd -B"),
            (8, "NAME:HASH"),
            (9, "is empty"),
            (10, "already"),
            (11, "htpasswd -B"),
        ];
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for (fault, (line, part)) in faults.iter().zip(expected) {
            assert!(
                fault.line == line && fault.why.contains(part) && !fault.why.contains("secret"),
                "{fault:?}"
            );
        }
    }

    #[test]
    fn a_line_that_is_not_utf_8_spoils_no_other() {
        let mut bytes = b"\xff\xfe:x\n".to_vec();
        bytes.extend(format!("amy:{HASH}").bytes());
        let (users, faults) = parse(&bytes);
        assert_eq!((users.len(), faults.len(), faults[0].line), (1, 1, 1));
    }

    proptest! {
        #[test]
        fn no_file_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let (users, faults) = parse(&bytes);
            prop_assert!(users.len() + faults.len() <= bytes.len() + 1);
        }
    }
}
