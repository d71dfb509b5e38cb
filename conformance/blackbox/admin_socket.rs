//! Who may come in without TLS: only this machine unless somebody says otherwise, and the owner of the data folder by
//! the admin socket. It must not know what may be asked on that socket.

use crate::testkit::client::{Connection, get, head};
use crate::testkit::image::image;
use crate::testkit::server::{Home, Running, eventually, fresh};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

#[test]
fn others_are_not_listened_to_in_the_clear_unless_somebody_says_so() {
    let home = Home::new();
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let output =
            home.command("serve").args(["--listen", listen, "--data"]).arg(home.data()).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        for way in ["[server.tls]", "[server.acme]", "--behind-proxy", "server.behind_proxy", "--open"] {
            assert!(told.contains(way), "{way} is not in {told}");
        }
        assert!(!home.data().exists(), "nothing was made");
    }
    // The word is known to `serve`, and to the configuration.
    let server = Home::new().flag("--behind-proxy").start();
    server.client().send(&get("/v2/")).expect(200);
    let wide = Home::new().config("[server]\nlisten = \"0.0.0.0:5000\"\n").command("check").output().unwrap();
    assert!(String::from_utf8_lossy(&wide.stdout).contains("REFUSED"));
    let meant = "[server]\nlisten = \"0.0.0.0:5000\"\nbehind_proxy = true\n";
    let meant = Home::new().config(meant).command("check").output().unwrap();
    assert!(!String::from_utf8_lossy(&meant.stdout).contains("REFUSED"));
}

fn socket_of(running: &Running) -> std::path::PathBuf {
    running.home.data().join("admin.sock")
}

#[test]
fn the_admin_socket_is_its_owners_alone_and_answers() {
    let running = fresh();
    let socket = socket_of(&running);
    assert_eq!(fs::symlink_metadata(&socket).unwrap().permissions().mode() & 0o7777, 0o600);
    let mut connection = Connection::open_local(&socket).unwrap();
    connection.exchange(&get("/healthz")).unwrap().expect(200);
    connection.exchange(&head("/v2/")).unwrap().expect(200);
    let id = connection.exchange(&get("/v2/")).unwrap().need("x-request-id").to_owned();
    eventually("the log names the peer", || {
        running.server.log().lines().any(|line| line.contains(&id) && line.contains("\"local\""))
    });
}

#[test]
fn the_admin_socket_of_a_killed_server_is_replaced_and_a_stopped_one_takes_its_own_away() {
    let home = Home::new();
    let socket = home.data().join("admin.sock");
    home.start().kill();
    assert!(Connection::open_local(&socket).is_err(), "nobody is there");
    assert!(socket.exists());
    let server = home.start();
    Connection::open_local(&socket).unwrap().exchange(&get("/healthz")).unwrap().expect(200);
    server.stop();
    assert!(!socket.exists());
}

#[test]
fn a_second_server_does_not_take_the_admin_socket_from_the_first() {
    let running = fresh();
    let (status, _) = running.home.start_refused();
    assert!(!status.success());
    let mut connection = Connection::open_local(&socket_of(&running)).unwrap();
    connection.exchange(&get("/healthz")).unwrap().expect(200);
}

#[test]
fn the_admin_socket_works_in_a_folder_with_a_long_name_and_under_a_flood() {
    let home = Home::new();
    let deep = home.folder().join("d".repeat(120));
    fs::create_dir_all(&deep).unwrap();
    let home = home.data_at(&deep).env("HOLDFAST_SERVER_CONNECTIONS_MAX", "1");
    let server = home.start();
    let client = server.client();
    client.push("app", "1", &image(["base"]));
    // The one place of the port is taken; the socket has places of its own.
    let mut taken = client.connect();
    taken.exchange(&get("/v2/")).unwrap().expect(200);
    let short = home.folder().join("short");
    symlink(&deep, &short).unwrap();
    let mut connection = Connection::open_local(&short.join("admin.sock")).unwrap();
    connection.exchange(&get("/v2/app/tags/list")).unwrap().expect(200);
}
