//! The admin socket, `<data>/admin.sock`: who may open it is the owner of the data folder (or root), and needs no
//! password, so that `docker exec` works at once. It must not know what is asked on it.

use crate::app::listener::BACKLOG;
use rustix::fs::{Mode, fchmod};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixSocket, UnixStream};

const NAME: &str = "admin.sock";
/// What a socket's address holds (unix(7)), without the byte at its end.
const ADDRESS_BYTES_MAX: usize = 107;

/// Where the socket of a data folder is.
pub fn path(data: &Path) -> PathBuf {
    data.join(NAME)
}

/// Makes the socket of a data folder, in place of one that a dead process left: the lock on the folder says that no
/// living one has it. From its first moment it is its owner's alone, and it has its name only once it listens.
pub fn bind(data: &Path) -> io::Result<UnixListener> {
    let fresh = data.join("admin.sock.new");
    remove(&fresh)?;
    let socket = UnixSocket::new_stream()?;
    // The file of a socket takes its mode from the socket, less the umask, so that nobody gets between.
    let owner = Mode::RUSR | Mode::WUSR;
    fchmod(&socket, owner)?;
    let (_folder, address) = address(&fresh)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    // Other systems do not do so; there it was too wide until here, and nobody knew its name.
    rustix::fs::chmod(&fresh, owner)?;
    fs::rename(&fresh, path(data))?;
    Ok(listener)
}

/// Takes the socket away.
pub fn unbind(data: &Path) {
    let _ = remove(&path(data));
}

/// Opens a connection to the server on a data folder.
pub async fn connect(data: &Path) -> io::Result<UnixStream> {
    let (_folder, address) = address(&path(data))?;
    UnixStream::connect(address).await
}

/// The address of a socket, short enough for the system. A path that is too long is named by way of its folder,
/// which then must stay open until the address was used.
fn address(path: &Path) -> io::Result<(Option<File>, PathBuf)> {
    if path.as_os_str().as_bytes().len() <= ADDRESS_BYTES_MAX {
        return Ok((None, path.into()));
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidFilename.into());
    };
    let folder = File::open(folder)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
    Ok((Some(folder), short))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn the_socket_is_its_owners_and_replaces_a_dead_one() {
        let folder = tempfile::tempdir().unwrap();
        drop(std::os::unix::net::UnixListener::bind(path(folder.path())).unwrap());
        fs::write(folder.path().join("admin.sock.new"), "of a crash").unwrap();
        assert!(connect(folder.path()).await.is_err());
        let listener = bind(folder.path()).unwrap();
        assert_eq!(mode(&path(folder.path())), 0o600);
        let (client, server) = tokio::join!(connect(folder.path()), listener.accept());
        assert!(client.is_ok() && server.is_ok());
        unbind(folder.path());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_long_path_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("d".repeat(100)).join("e".repeat(100));
        fs::create_dir_all(&deep).unwrap();
        let listener = bind(&deep).unwrap();
        assert_eq!(mode(&path(&deep)), 0o600);
        let (client, server) = tokio::join!(connect(&deep), listener.accept());
        assert!(client.is_ok() && server.is_ok());
    }
}
