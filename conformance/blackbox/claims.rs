//! One storage, and metadata that knows it or does not: two registries on one folder are refused, metadata that others have
//! left behind is not believed, and neither is one that is of another storage.

use crate::testkit::accounts::{ADMIN_PASSWORD, guarded_with, user};
use crate::testkit::client::{delete, get};
use crate::testkit::image::{digest_of, image};
use crate::testkit::postgres::{Postgres, psql};
use crate::testkit::server::{Home, Running, eventually, running};
use crate::testkit::skip::skipped;
use serde_json::json;
use std::path::Path;

/// A registry of its own on a folder of images.
fn on(root: &Path) -> Home {
    Home::new().env("HOLDFAST_STORAGE_FILESYSTEM_ROOT", root.display().to_string())
}

#[test]
fn of_two_registries_on_one_folder_the_second_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let first = running(on(root.path()));
    let second = on(root.path());
    let (status, log) = second.start_refused();
    assert!(!status.success() && log.contains("belongs to"), "{log}");
    first.push("app", "1", &image(["base"]));
    let Running { server, home: _home, .. } = first;
    server.stop();
    assert!(second.start().client().has_manifest("app", "1"), "it reads what the first one has left");
}

#[test]
fn metadata_that_others_have_left_behind_is_made_again() {
    let root = tempfile::tempdir().unwrap();
    let (first, second) = (on(root.path()), on(root.path()));
    let (old, new) = (image(["base", "old"]), image(["base", "new"]));
    let server = first.start();
    server.client().push("app", "moved", &old);
    server.client().push("app", "gone", &old);
    server.stop();
    let server = second.start();
    server.client().push("app", "moved", &new);
    server.client().push("app", "late", &new);
    server.client().send(&delete("/v2/app/manifests/gone")).expect(202);
    server.client().push("other", "1", &new);
    server.stop();
    for home in [&first, &second] {
        let server = home.start();
        assert!(server.log().contains("is older, and is made again"), "{}", server.log());
        assert_eq!(server.client().manifest("app", "moved").body, new.bytes);
        assert_eq!(server.client().tags("app"), ["late", "moved"]);
        assert_eq!(server.client().catalog(), ["app", "other"]);
        server.stop();
        // Its own from now on.
        let server = home.start();
        assert!(!server.log().contains("is made again"), "{}", server.log());
        server.stop();
    }
}

#[test]
fn metadata_of_another_storage_is_refused() {
    let (root, empty) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let home = guarded_with(on(root.path()));
    home.admin().push("app", "1", &image(["base"]));
    let Running { server, home, .. } = home;
    server.stop();
    let data = home.data().to_owned();
    let elsewhere = on(empty.path()).with_accounts().data_at(&data);
    for _ in 0..2 {
        let (status, log) = elsewhere.start_refused();
        assert!(!status.success() && log.contains("is it mounted?"), "{log}");
    }
    let server = home.start();
    assert!(!server.log().contains("is made again"), "{}", server.log());
    assert!(server.client().admin().has_manifest("app", "1"));
    server.stop();
    std::fs::remove_dir_all(data.join("metadata")).unwrap();
    assert_eq!(elsewhere.start().client().admin().catalog(), Vec::<String>::new(), "as it was told to");
}

#[test]
fn what_one_process_does_others_that_share_the_metadata_see() {
    let postgres = match Postgres::found() {
        Ok(postgres) => postgres,
        Err(why) => return skipped("metadata in PostgreSQL", why),
    };
    let database = postgres.new_url();
    let root = tempfile::tempdir().unwrap();
    let shared = || on(root.path()).env("HOLDFAST_METADATA_POSTGRES_URL", &database);
    let a = guarded_with(shared());
    let b = guarded_with(shared());
    let (on_a, on_b) = (a.admin(), b.admin());
    let app = image(["base", "top"]);
    on_a.push("app", "1", &app);
    assert_eq!(on_b.manifest("app", "1").body, app.bytes);
    on_a.send(&delete("/v2/app/manifests/1")).expect(202);
    on_b.send(&get("/v2/app/manifests/1")).expect(404);
    let layer = format!("/v2/app/blobs/{}", digest_of("base"));
    on_b.send(&get(&layer)).expect(200);
    on_a.send(&delete(&layer)).expect(202);
    on_b.send(&get(&layer)).expect(404);
    on_a.new_user("ann");
    let ann = b.login("ann", "password of ann");
    eventually("the other one knows her", || ann.send(&get("/v2/")).status == 200);
    on_a.grant(&user("ann"), "app", &["pull"]);
    let token = ann.token(&["repository:app:pull"]);
    assert_eq!(b.bearer(&token).send(&get("/v2/")).status, 200);
    on_a.api("PATCH", "/users/ann", Some(&json!({ "disabled": true }))).expect(200);
    eventually("her password is refused there", || ann.send(&get("/v2/")).status == 401);
    eventually("and her token", || b.bearer(&token).send(&get("/v2/")).status == 401);
    // Both know one storage; another database does not, and one of a process neither.
    let (status, log) = on(root.path()).start_refused();
    assert!(!status.success() && log.contains("belongs to a shared database"), "{log}");
    assert_eq!(a.login("admin", ADMIN_PASSWORD).send(&get("/v2/")).status, 200);
}

#[test]
fn a_shared_database_that_others_have_left_behind_is_refused_and_so_is_one_of_another_storage() {
    let postgres = match Postgres::found() {
        Ok(postgres) => postgres,
        Err(why) => return skipped("metadata in PostgreSQL", why),
    };
    let database = postgres.new_url();
    let (root, empty) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let of = |root: &Path| on(root).env("HOLDFAST_METADATA_POSTGRES_URL", &database);
    let shared = of(root.path());
    let server = shared.start();
    server.client().push("app", "1", &image(["base"]));
    server.stop();
    let (status, log) = of(empty.path()).start_refused();
    assert!(!status.success() && log.contains("holds nothing of what the metadata knows"), "{log}");
    shared.start().stop();
    let embedded = on(root.path());
    let server = embedded.start();
    server.client().push("app", "2", &image(["base"]));
    server.stop();
    for _ in 0..2 {
        let (status, log) = shared.start_refused();
        assert!(!status.success() && log.contains("drop the schema `holdfast`"), "{log}");
    }
    assert_eq!(embedded.start().client().tags("app"), ["1", "2"], "who was refused has changed nothing");
    assert!(psql(&database, "DROP SCHEMA holdfast CASCADE").status.success());
    assert_eq!(shared.start().client().tags("app"), ["1", "2"]);
}
