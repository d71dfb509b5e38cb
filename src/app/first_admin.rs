//! The first start: one administrator, with a password that nobody but the owner of the data folder can read, or with
//! the one that the configuration gives.

use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::users;
use crate::auth::error::{Error, Result};
use crate::auth::passwords::rules;
use crate::auth::passwords::verifier::Passwords;
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The file of the password that was made up.
const FILE: &str = "initial-admin-password";

/// `[admin]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The administrator's password at the first start. Empty: one is made up. Without effect later.
    pub password: Secret,
}

/// Where the password that was made up stands.
pub fn path(data: &Path) -> PathBuf {
    data.join(FILE)
}

/// Makes the administrator if there is no user at all.
pub async fn make(directory: &Directory, passwords: &Passwords, config: &Config, data: &Path) -> Result<()> {
    if !users::is_first_start(directory).await? {
        return Ok(());
    }
    if config.password.is_empty() {
        let password = rules::initial()?;
        // Before the account: a password that is not written down would be lost with this line.
        write(data, &password).map_err(|e| Error::Refused(format!("{}: {e}", path(data).display())))?;
        let hash = passwords.hash(&password).await?;
        if !create(directory, Secret::new(hash.text()), true).await? {
            forget(data); // it is nobody's
            return Ok(());
        }
        tracing::warn!(
            file = %path(data).display(),
            "first start: the administrator is `admin`, and the password stands in this file until it is changed; \
             `holdfast initial-password` prints it"
        );
    } else {
        rules::check_new(&config.password)
            .map_err(|why| Error::Invalid(format!("`admin.password`, for the first start: {why}")))?;
        let hash = passwords.hash(&config.password).await?;
        if create(directory, Secret::new(hash.text()), false).await? {
            tracing::info!(
                "first start: the administrator is `admin`, with the password of the configuration"
            );
        }
    }
    Ok(())
}

/// False: another replica that starts at the same time has just made one.
async fn create(directory: &Directory, hash: Secret, initial: bool) -> Result<bool> {
    match users::create_initial_admin(directory, hash, initial).await {
        Ok(_) => Ok(true),
        Err(Error::Exists(_) | Error::Refused(_)) if !users::is_first_start(directory).await? => Ok(false),
        Err(error) => Err(error),
    }
}

/// The password has been changed: the file is of no more use.
pub fn forget(data: &Path) {
    match fs::remove_file(path(data)) {
        Ok(()) => tracing::info!("the file of the initial password is removed"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::error!(%error, "the file of the initial password could not be removed"),
    }
}

/// Written whole under another name, and readable by its owner alone from its first byte on.
fn write(data: &Path, password: &Secret) -> io::Result<()> {
    let aside = data.join(format!("{FILE}.new"));
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    writeln!(file, "{}", password.expose())?;
    file.sync_all()?;
    fs::rename(&aside, path(data))?;
    File::open(data)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn only_its_owner_reads_the_file_and_it_goes_away() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &Secret::new("first")).unwrap();
        write(folder.path(), &Secret::new("second")).unwrap();
        let file = path(folder.path());
        assert_eq!(fs::read_to_string(&file).unwrap(), "second\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        forget(folder.path());
        forget(folder.path());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
