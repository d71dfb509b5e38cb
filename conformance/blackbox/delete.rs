//! Deletes: a tag alone, a manifest with its tags, a blob; and that everything can be pushed again.
//! It must not know the garbage collector: bytes may stay on disk.

use crate::testkit::client::{delete, get};
use crate::testkit::disk::Layout;
use crate::testkit::image::{blob, digest_of, image, index};
use crate::testkit::server::fresh;

#[test]
fn deleting_a_tag_leaves_its_manifest_and_other_tags() {
    let client = fresh();
    let app = image(["base"]);
    client.push("app", "1", &app);
    client.push("app", "2", &app);
    client.send(&delete("/v2/app/manifests/1")).expect(202);
    client.send(&get("/v2/app/manifests/1")).refused(404, "MANIFEST_UNKNOWN");
    assert_eq!(client.tags("app"), ["2"]);
    assert!(client.has_manifest("app", "2") && client.has_manifest("app", &app.digest));
    let layout = Layout(client.home.registry());
    assert_eq!(layout.tag_target("app", "1"), None);
    assert_eq!(layout.tag_target("app", "2"), Some(app.digest.clone()));
    client.send(&delete("/v2/app/manifests/1")).refused(404, "MANIFEST_UNKNOWN");
}

#[test]
fn deleting_a_manifest_takes_its_tags_and_no_others() {
    let client = fresh();
    let (old, new) = (image(["old"]), image(["new"]));
    client.push("app", "1", &old);
    client.push("app", "stable", &old);
    client.push("app", "2", &new);
    client.push("app", "moved", &old);
    client.push("app", "moved", &new);
    client.send(&delete(format!("/v2/app/manifests/{}", old.digest))).expect(202);
    assert_eq!(client.tags("app"), ["2", "moved"]);
    for reference in ["1", "stable", old.digest.as_str()] {
        client.send(&get(format!("/v2/app/manifests/{reference}"))).refused(404, "MANIFEST_UNKNOWN");
    }
    assert_eq!(client.manifest("app", "moved").body, new.bytes);
    client.send(&delete(format!("/v2/app/manifests/{}", old.digest))).refused(404, "MANIFEST_UNKNOWN");
}

#[test]
fn a_deleted_manifest_can_be_pushed_again() {
    let client = fresh();
    let app = image(["base"]);
    for _ in 0..3 {
        client.push("app", "1", &app);
        assert_eq!(client.manifest("app", "1").body, app.bytes);
        client.send(&delete(format!("/v2/app/manifests/{}", app.digest))).expect(202);
        assert!(!client.has_manifest("app", "1"));
    }
}

#[test]
fn a_deleted_blob_can_be_pushed_again() {
    let client = fresh();
    let path = format!("/v2/app/blobs/{}", digest_of("base"));
    for _ in 0..3 {
        client.push_blob("app", &blob("base"));
        assert!(client.has_blob("app", &digest_of("base")));
        client.send(&delete(&path)).expect(202);
        client.send(&get(&path)).refused(404, "BLOB_UNKNOWN");
        client.send(&delete(&path)).refused(404, "BLOB_UNKNOWN");
    }
}

#[test]
fn deleting_a_blob_here_leaves_it_there() {
    let client = fresh();
    client.push("here", "1", &image(["base"]));
    client.push("there", "1", &image(["base"]));
    client.send(&delete(format!("/v2/here/blobs/{}", digest_of("base")))).expect(202);
    assert!(!client.has_blob("here", &digest_of("base")));
    assert!(client.has_blob("there", &digest_of("base")));
}

#[test]
fn deleting_a_manifest_here_leaves_it_there() {
    let client = fresh();
    let app = image(["base"]);
    client.push("here", "1", &app);
    client.push("there", "1", &app);
    client.send(&delete(format!("/v2/here/manifests/{}", app.digest))).expect(202);
    assert_eq!(client.catalog(), ["there"]);
    assert_eq!(client.manifest("there", "1").body, app.bytes);
    client.send(&get(format!("/v2/here/manifests/{}", app.digest))).refused(404, "MANIFEST_UNKNOWN");
}

#[test]
fn deleting_an_index_leaves_its_children() {
    let client = fresh();
    let list = index([image(["a"]), image(["b"])]);
    client.push("app", "1", &list);
    client.send(&delete(format!("/v2/app/manifests/{}", list.digest))).expect(202);
    for child in &list.children {
        assert_eq!(client.manifest("app", &child.digest).body, child.bytes);
    }
}

#[test]
fn what_was_never_there_cannot_be_deleted() {
    let client = fresh();
    client.push("app", "1", &image(["base"]));
    let absent = digest_of("absent");
    client.send(&delete(format!("/v2/app/blobs/{absent}"))).refused(404, "BLOB_UNKNOWN");
    client.send(&delete(format!("/v2/app/manifests/{absent}"))).refused(404, "MANIFEST_UNKNOWN");
    for path in [format!("/v2/nobody/manifests/{absent}"), "/v2/nobody/manifests/1".to_owned()] {
        let answer = client.send(&delete(path)).expect(404);
        assert!(["NAME_UNKNOWN", "MANIFEST_UNKNOWN"].contains(&answer.codes()[0].as_str()), "{answer}");
    }
}

#[test]
fn deletes_outlive_a_restart() {
    let running = fresh();
    let (one, two) = (image(["one"]), image(["two"]));
    running.push("app", "1", &one);
    running.push("app", "2", &two);
    running.push("app", "two", &two);
    running.send(&delete(format!("/v2/app/manifests/{}", one.digest))).expect(202);
    running.send(&delete("/v2/app/manifests/two")).expect(202);
    let (home, server) = (running.home, running.server);
    server.stop();
    let server = home.start();
    let client = server.client();
    assert_eq!(client.tags("app"), ["2"]);
    assert!(!client.has_manifest("app", &one.digest));
}
