//! The first start: one administrator, with a password that nobody but the owner of the data folder can read, or with
//! the one that the configuration gives.

use crate::auth::accounts::directory::Directory;
use crate::auth::accounts::users::{self, INITIAL_ADMIN};
use crate::auth::error::{Error, Result};
use crate::auth::gate::Gate;
use crate::auth::owners::Owners;
use crate::auth::passwords::rules;
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The file of the password that was made up.
const FILE: &str = "initial-admin-password";
/// The file of the name that it belongs to.
const NAME_FILE: &str = "initial-admin-name";
/// What the administrator is called where another source of users knows an `admin`.
const OTHER_NAME: &str = "holdfast-admin";

/// `[admin]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The administrator's name at the first start. Empty: `admin`, or `holdfast-admin` if another source of users
    /// knows an `admin`. Without effect later.
    pub name: String,
    /// The administrator's password at the first start. Empty: one is made up. Without effect later.
    pub password: Secret,
}

/// Where the password that was made up stands.
pub fn path(data: &Path) -> PathBuf {
    data.join(FILE)
}

/// Whose password it is.
pub fn name(data: &Path) -> String {
    let told = fs::read_to_string(data.join(NAME_FILE));
    told.map_or_else(|_| INITIAL_ADMIN.to_owned(), |name| name.trim_end().to_owned())
}

/// Makes the administrator if there is no user at all. Otherwise the file of the password goes if it opens nothing any
/// more: whoever changed the password may have been cut short before that.
pub async fn make(gate: &Gate, config: &Config, data: &Path) -> Result<()> {
    let Gate { directory, passwords, .. } = gate;
    if !users::is_first_start(directory).await? {
        let stands = users::find(directory, &name(data)).await?.is_some_and(|user| user.initial);
        if !stands {
            forget(data);
        }
        return Ok(());
    }
    let name = choose(config, &gate.owners).await?;
    if config.password.is_empty() {
        let password = rules::initial()?;
        // Before the account: a password that is not written down would be lost with this line.
        let written = write(data, NAME_FILE, &name).and_then(|()| write(data, FILE, password.expose()));
        written.map_err(|e| Error::Refused(format!("{}: {e}", path(data).display())))?;
        let hash = passwords.hash(&password).await?;
        if !create(directory, &name, Secret::new(hash.text()), true).await? {
            forget(data); // it is nobody's
            return Ok(());
        }
        tracing::warn!(
            file = %path(data).display(),
            name,
            "first start: the administrator is `{name}`, and the password stands in this file until it is changed; \
             `holdfast initial-password` prints it"
        );
    } else {
        rules::check_new(&config.password)
            .map_err(|why| Error::Invalid(format!("`admin.password`, for the first start: {why}")))?;
        let hash = passwords.hash(&config.password).await?;
        if create(directory, &name, Secret::new(hash.text()), false).await? {
            tracing::info!(
                name,
                "first start: the administrator is `{name}`, with the password of the configuration"
            );
        }
    }
    Ok(())
}

/// False: another replica that starts at the same time has just made one.
async fn create(directory: &Directory, name: &str, hash: Secret, initial: bool) -> Result<bool> {
    match users::create_initial_admin(directory, name, hash, initial).await {
        Ok(_) => Ok(true),
        Err(Error::Exists(_) | Error::Refused(_)) if !users::is_first_start(directory).await? => Ok(false),
        Err(error) => Err(error),
    }
}

/// A name that no other source of users knows: ours are asked first, so whoever has it there would be shut out, and
/// what the rules give to them would be the administrator's. A source that is down is not waited for.
async fn choose(config: &Config, owners: &Owners) -> Result<String> {
    let wanted = match config.name.as_str() {
        "" => &[INITIAL_ADMIN, OTHER_NAME][..],
        name => &[name],
    };
    for name in wanted {
        match owners.elsewhere(name).await {
            Ok(None) => return Ok((*name).to_owned()),
            Ok(Some(login)) => tracing::warn!(
                source = login.source,
                "another source of users knows a `{name}`: the first administrator is not called so"
            ),
            Err(error) => {
                tracing::warn!(
                    %error,
                    "not every source of users could be asked whether it knows a `{name}`; if one does, that user is \
                     shut out by the first administrator: rename one of the two"
                );
                return Ok((*name).to_owned());
            }
        }
    }
    Err(Error::Invalid(format!(
        "`admin.name`, for the first start: another source of users knows {}; choose another name",
        wanted.join(" and ")
    )))
}

/// The password has been changed: the file is of no more use.
pub fn forget(data: &Path) {
    let _ = fs::remove_file(data.join(NAME_FILE)); // says nothing without the other
    match fs::remove_file(path(data)) {
        Ok(()) => tracing::info!("the file of the initial password is removed"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::error!(%error, "the file of the initial password could not be removed"),
    }
}

/// Written whole under another name, and readable by its owner alone from its first byte on.
fn write(data: &Path, file_name: &str, line: &str) -> io::Result<()> {
    let aside = data.join(format!("{file_name}.new"));
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    writeln!(file, "{line}")?;
    file.sync_all()?;
    fs::rename(&aside, data.join(file_name))?;
    File::open(data)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn only_its_owner_reads_the_file_and_it_goes_away() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), FILE, "first").unwrap();
        write(folder.path(), FILE, "second").unwrap();
        assert_eq!(name(folder.path()), "admin");
        write(folder.path(), NAME_FILE, "root").unwrap();
        assert_eq!(name(folder.path()), "root");
        let file = path(folder.path());
        assert_eq!(fs::read_to_string(&file).unwrap(), "second\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        forget(folder.path());
        forget(folder.path());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
