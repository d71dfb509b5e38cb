//! The ACME account and the certificate on disk, so that a restart asks for neither again. Both hold private keys:
//! the files are their owner's alone. They are named for what they belong to, so that another server or other
//! domains never get what was meant for the old ones.

use crate::app::acme::config::Config;
use crate::oci::digest::Algorithm;
use crate::oci::hasher::digest;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where account and certificate are.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
    account: PathBuf,
    certificate: PathBuf,
}

impl Cache {
    /// The cache in a folder, which is made if it is not there.
    pub fn open(folder: &Path, config: &Config) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut domains: Vec<String> = config.domains.iter().map(|name| name.to_ascii_lowercase()).collect();
        domains.sort_unstable();
        let certificate = format!("{}\n{}", config.directory, domains.join("\n"));
        Ok(Self {
            folder: folder.into(),
            account: folder.join(format!("account-{}.json", short(&config.directory))),
            certificate: folder.join(format!("certificate-{}.pem", short(&certificate))),
        })
    }

    /// The account, if there is one.
    pub fn account(&self) -> io::Result<Option<Vec<u8>>> {
        read(&self.account)
    }

    /// Keeps the account.
    pub fn put_account(&self, bytes: &[u8]) -> io::Result<()> {
        self.put(&self.account, bytes)
    }

    /// Forgets an account that its server does not know any more.
    pub fn forget_account(&self) -> io::Result<()> {
        fs::remove_file(&self.account)
    }

    /// Key and certificate, in one file so that they change together.
    pub fn certificate(&self) -> io::Result<Option<Vec<u8>>> {
        read(&self.certificate)
    }

    /// Keeps key and certificate.
    pub fn put_certificate(&self, bytes: &[u8]) -> io::Result<()> {
        self.put(&self.certificate, bytes)
    }

    /// Whole or not at all, also after a power cut.
    fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let fresh = path.with_extension("new");
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::options().create_new(true).write(true).mode(0o600).open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        File::open(&self.folder)?.sync_all()
    }
}

fn short(of: &str) -> String {
    let digest = digest(Algorithm::Sha256, of.as_bytes()).to_string();
    digest.trim_start_matches("sha256:").chars().take(16).collect()
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map(|_| Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn config(directory: &str, domains: &[&str]) -> Config {
        let domains = domains.iter().map(|name| (*name).to_owned()).collect();
        Config { directory: directory.into(), domains, ..Config::default() }
    }

    #[test]
    fn what_was_kept_is_there_and_is_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("data/acme");
        let cache = Cache::open(&folder, &config("https://a/dir", &["r.example"])).unwrap();
        assert_eq!((cache.account().unwrap(), cache.certificate().unwrap()), (None, None));
        for text in [b"first", b"other"] {
            cache.put_account(text).unwrap();
            cache.put_certificate(text).unwrap();
            assert_eq!(cache.account().unwrap().unwrap(), text);
            assert_eq!(cache.certificate().unwrap().unwrap(), text);
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        let files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 2);
        assert!(files.iter().all(|file| mode(file) == 0o600));
        cache.forget_account().unwrap();
        assert_eq!(cache.account().unwrap(), None);
    }

    #[test]
    fn nothing_is_taken_for_what_it_was_not_made_for() {
        let folder = tempfile::tempdir().unwrap();
        let open =
            |directory, domains: &[&str]| Cache::open(folder.path(), &config(directory, domains)).unwrap();
        open("https://a/dir", &["a", "b"]).put_certificate(b"x").unwrap();
        assert!(open("https://a/dir", &["B", "a"]).certificate().unwrap().is_some());
        assert!(open("https://a/dir", &["a"]).certificate().unwrap().is_none());
        assert!(open("https://b/dir", &["a", "b"]).certificate().unwrap().is_none());
    }
}
