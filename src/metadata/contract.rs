//! What every backend of metadata must do, as plain functions over the traits; each backend's tests run them all.
//!
//! Each function is given new, empty metadata. Knows no backend.

use crate::metadata::intents::{Begun, Intent, IntentId};
use crate::metadata::manifests::{BODY_BYTES_MAX, NewManifest, Put, Referrer, Resolved};
use crate::metadata::open::Metadata;
use crate::oci::digest::{Algorithm, Digest};
use crate::oci::hasher::Hasher;
use crate::oci::media_type::Kind;
use crate::oci::page::Page;
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use bytes::Bytes;

/// Runs `$run!(name)` for every function below; the one list of them.
macro_rules! every_rule {
    ($run:ident) => {
        $run! {
            contract;
            an_empty_one_knows_nothing, a_manifest_is_found_by_tag_and_digest, bodies_come_back_whole,
            a_manifest_may_be_put_again, a_demand_names_all_that_is_absent, a_tag_moves, untag_leaves_the_manifest,
            forget_takes_tags_body_and_edge, a_repository_is_known_while_it_holds_something,
            another_kind_is_told_by_tags_too, links_are_held_once, names_do_not_mix, intents_stand_until_they_end,
            many_at_once_all_succeed,
        }
    };
}
pub(crate) use every_rule;

pub fn repo(name: &str) -> Repository {
    name.parse().unwrap()
}

pub fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

/// The digest of a symbolic name.
pub fn digest_of(name: &str) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(name.as_bytes());
    hasher.finish()
}

fn digest_512(name: &str) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(name.as_bytes());
    hasher.finish()
}

/// A manifest of this name that names nothing.
pub fn manifest(name: &str, tags: &[&str]) -> NewManifest {
    let body = Bytes::from(format!("the manifest {name}"));
    NewManifest {
        resolved: Resolved { digest: digest_of(name), kind: Kind::OciImage, size: body.len() as u64 },
        body: Some(body),
        blobs: Vec::new(),
        children: Vec::new(),
        subject: None,
        tags: tags.iter().map(|name| tag(name)).collect(),
        pushed: 100,
    }
}

/// One that refers to another.
pub fn referring(name: &str, subject: &str, artifact_type: Option<&str>, descriptor: &str) -> NewManifest {
    let referrer = Referrer {
        digest: digest_of(name),
        artifact_type: artifact_type.map(Into::into),
        descriptor: Some(descriptor.into()),
    };
    NewManifest { subject: Some((digest_of(subject), referrer)), ..manifest(name, &[]) }
}

/// Puts manifests that demand nothing.
pub async fn put(metadata: &Metadata, repository: &str, manifests: impl IntoIterator<Item = NewManifest>) {
    for manifest in manifests {
        assert_eq!(
            metadata.manifests.put(&repo(repository), manifest, true, None).await.unwrap(),
            Put::Recorded
        );
    }
}

/// The digest that a tag means.
pub async fn meant(metadata: &Metadata, repository: &str, name: &str) -> Option<Digest> {
    let resolved = metadata.manifests.resolve(&repo(repository), &Reference::Tag(tag(name))).await.unwrap();
    resolved.map(|resolved| resolved.digest)
}

async fn is_held(metadata: &Metadata, repository: &str, name: &str) -> bool {
    let reference = Reference::Digest(digest_of(name));
    metadata.manifests.resolve(&repo(repository), &reference).await.unwrap().is_some()
}

/// A page: its entries as text, and whether more follow.
pub async fn tags(metadata: &Metadata, repository: &str, page: &Page) -> Option<(Vec<String>, bool)> {
    let listed = metadata.manifests.tags(&repo(repository), page).await.unwrap()?;
    Some((listed.entries.iter().map(ToString::to_string).collect(), listed.more))
}

pub async fn repositories(metadata: &Metadata, page: &Page) -> (Vec<String>, bool) {
    let listed = metadata.manifests.repositories(page).await.unwrap();
    (listed.entries.iter().map(ToString::to_string).collect(), listed.more)
}

pub async fn referrers(
    metadata: &Metadata,
    subject: &str,
    kind: Option<&str>,
    page: &Page,
) -> (Vec<Referrer>, bool) {
    let listed = metadata.manifests.referrers(&repo("app"), &digest_of(subject), kind, page).await.unwrap();
    (listed.entries, listed.more)
}

pub const ALL: usize = 1000;

pub async fn an_empty_one_knows_nothing(metadata: &Metadata) {
    assert_eq!(meant(metadata, "app", "1").await, None);
    assert!(!is_held(metadata, "app", "m").await);
    assert_eq!(metadata.manifests.body(&repo("app"), &digest_of("m")).await.unwrap(), None);
    assert_eq!(tags(metadata, "app", &Page::first(ALL)).await, None);
    assert_eq!(repositories(metadata, &Page::first(ALL)).await, (vec![], false));
    assert_eq!(referrers(metadata, "m", None, &Page::first(ALL)).await, (vec![], false));
    assert!(!metadata.manifests.untag(&repo("app"), &tag("1"), None).await.unwrap());
    assert_eq!(metadata.manifests.forget(&repo("app"), &digest_of("m"), None).await.unwrap(), None);
    assert_eq!(metadata.blobs.size(&repo("app"), &digest_of("b")).await.unwrap(), None);
    assert!(!metadata.blobs.unlink(&repo("app"), &digest_of("b"), None).await.unwrap());
    assert_eq!(metadata.blobs.holders(&digest_of("b"), None, ALL).await.unwrap(), vec![]);
    assert_eq!(metadata.intents.pending(ALL).await.unwrap(), vec![]);
    assert!(!metadata.completeness.is_complete().await.unwrap());
}

pub async fn a_manifest_is_found_by_tag_and_digest(metadata: &Metadata) {
    for (number, kind) in Kind::ALL.into_iter().enumerate() {
        for digest in [digest_of(&number.to_string()), digest_512(&number.to_string())] {
            let resolved = Resolved { digest, kind, size: u64::MAX - number as u64 };
            let new = NewManifest { resolved: resolved.clone(), ..manifest("x", &["a", "b"]) };
            put(metadata, "team/app", [new]).await;
            let references = [Reference::Digest(digest), Reference::Tag(tag("a")), Reference::Tag(tag("b"))];
            for reference in references {
                let found = metadata.manifests.resolve(&repo("team/app"), &reference).await.unwrap();
                assert_eq!(found, Some(resolved.clone()), "{reference}");
            }
        }
    }
    assert_eq!(meant(metadata, "team", "a").await, None);
}

pub async fn bodies_come_back_whole(metadata: &Metadata) {
    let repository = repo("app");
    for length in [0, 1, 6139, 6140, 6141, 6144, 12283, 12284, 12285, 30_000, BODY_BYTES_MAX] {
        let name = length.to_string();
        let digest = digest_of(&name);
        let body: Bytes = (0..length).map(|at| (at % 251) as u8).collect();
        put(metadata, "app", [NewManifest { body: Some(body.clone()), ..manifest(&name, &[]) }]).await;
        let read = || metadata.manifests.body(&repository, &digest);
        assert!(read().await.unwrap() == Some(Some(body.clone())), "{length} bytes");
        metadata.manifests.forget(&repository, &digest, None).await.unwrap();
        assert_eq!(read().await.unwrap(), None);
    }
    put(metadata, "app", [NewManifest { body: None, ..manifest("large", &[]) }]).await;
    assert_eq!(metadata.manifests.body(&repository, &digest_of("large")).await.unwrap(), Some(None));
}

pub async fn a_manifest_may_be_put_again(metadata: &Metadata) {
    put(metadata, "app", [manifest("m", &["1"]), manifest("m", &["1", "2"]), manifest("m", &[])]).await;
    assert_eq!(meant(metadata, "app", "1").await, Some(digest_of("m")));
    let forgotten = metadata.manifests.forget(&repo("app"), &digest_of("m"), None).await.unwrap();
    assert_eq!(forgotten, Some(vec![tag("1"), tag("2")]));
    // Counted once, so nothing is left.
    assert_eq!(tags(metadata, "app", &Page::first(ALL)).await, None);
}

pub async fn a_demand_names_all_that_is_absent(metadata: &Metadata) {
    let (repository, id) = (repo("app"), IntentId::random());
    metadata.blobs.link(&repository, &digest_of("held"), 1, None).await.unwrap();
    metadata.blobs.link(&repo("other"), &digest_of("elsewhere"), 1, None).await.unwrap();
    put(metadata, "app", [manifest("child", &[])]).await;
    let names = Intent {
        repository: repository.clone(),
        blobs: vec![],
        manifests: vec![],
        tags: vec![tag("1")],
        removing: false,
    };
    assert_eq!(metadata.intents.begin(id, &names).await.unwrap(), Begun::Stands);
    let index = || NewManifest {
        blobs: ["held", "elsewhere", "gone", "gone"].map(digest_of).to_vec(),
        children: ["child", "lost"].map(digest_of).to_vec(),
        ..manifest("index", &["1"])
    };
    let absent = ["elsewhere", "gone", "lost"].map(digest_of).to_vec();
    let named = index();
    let asked = metadata.blobs.absent(&repository, &named.blobs, &named.children).await.unwrap();
    assert_eq!(asked, absent);
    let nowhere = metadata.blobs.absent(&repo("nowhere"), &absent, &[]).await.unwrap();
    assert_eq!(nowhere, absent, "of a repository that is not there");
    let refused = metadata.manifests.put(&repository, index(), true, Some(id)).await.unwrap();
    assert_eq!(refused, Put::Absent(absent));
    assert!(!is_held(metadata, "app", "index").await);
    assert_eq!(meant(metadata, "app", "1").await, None);
    assert!(metadata.intents.holds(id), "what was refused has not fulfilled it");

    let taken = metadata.manifests.put(&repository, index(), false, Some(id)).await.unwrap();
    assert_eq!(taken, Put::Recorded);
    assert_eq!(meant(metadata, "app", "1").await, Some(digest_of("index")));
    assert!(!metadata.intents.holds(id));
}

pub async fn a_tag_moves(metadata: &Metadata) {
    put(metadata, "app", [manifest("old", &["1", "keep"]), manifest("new", &["1"])]).await;
    assert_eq!(meant(metadata, "app", "1").await, Some(digest_of("new")));
    // The tag is no longer among those of the old manifest.
    let forgotten = metadata.manifests.forget(&repo("app"), &digest_of("old"), None).await.unwrap();
    assert_eq!(forgotten, Some(vec![tag("keep")]));
    assert_eq!(meant(metadata, "app", "1").await, Some(digest_of("new")));
    assert_eq!(meant(metadata, "app", "keep").await, None);
}

pub async fn untag_leaves_the_manifest(metadata: &Metadata) {
    put(metadata, "app", [manifest("m", &["1", "2"])]).await;
    assert!(metadata.manifests.untag(&repo("app"), &tag("1"), None).await.unwrap());
    assert!(!metadata.manifests.untag(&repo("app"), &tag("1"), None).await.unwrap());
    assert!(metadata.manifests.untag(&repo("app"), &tag("2"), None).await.unwrap());
    assert_eq!(tags(metadata, "app", &Page::first(ALL)).await, Some((vec![], false)));
    assert!(is_held(metadata, "app", "m").await);
    assert_eq!(metadata.manifests.forget(&repo("app"), &digest_of("m"), None).await.unwrap(), Some(vec![]));
}

pub async fn forget_takes_tags_body_and_edge(metadata: &Metadata) {
    let edge = NewManifest { tags: vec![tag("sig")], ..referring("sig", "m", None, "{}") };
    put(metadata, "app", [manifest("m", &["1"]), edge]).await;
    let forgotten = metadata.manifests.forget(&repo("app"), &digest_of("sig"), None).await.unwrap();
    assert_eq!(forgotten, Some(vec![tag("sig")]));
    assert_eq!(referrers(metadata, "m", None, &Page::first(ALL)).await.0, vec![]);
    assert_eq!(metadata.manifests.body(&repo("app"), &digest_of("sig")).await.unwrap(), None);
    assert_eq!(tags(metadata, "app", &Page::first(ALL)).await, Some((vec!["1".into()], false)));
    // The edges of what refers to a forgotten manifest stay.
    put(metadata, "app", [referring("sig", "m", None, "{}")]).await;
    metadata.manifests.forget(&repo("app"), &digest_of("m"), None).await.unwrap();
    assert_eq!(referrers(metadata, "m", None, &Page::first(ALL)).await.0.len(), 1);
}

pub async fn a_repository_is_known_while_it_holds_something(metadata: &Metadata) {
    let repository = repo("app");
    let known = || tags(metadata, "app", &Page { entries_max: 0, last: None });
    metadata.blobs.link(&repository, &digest_of("b"), 7, None).await.unwrap();
    assert_eq!(known().await, Some((vec![], false)));
    assert_eq!(repositories(metadata, &Page::first(ALL)).await.0, Vec::<String>::new());
    put(metadata, "app", [manifest("m", &["1"])]).await;
    assert_eq!(repositories(metadata, &Page::first(ALL)).await.0, vec!["app"]);
    metadata.blobs.unlink(&repository, &digest_of("b"), None).await.unwrap();
    assert!(known().await.is_some());
    metadata.manifests.forget(&repository, &digest_of("m"), None).await.unwrap();
    assert_eq!(known().await, None);
    assert_eq!(repositories(metadata, &Page::first(ALL)).await.0, Vec::<String>::new());
}

pub async fn another_kind_is_told_by_tags_too(metadata: &Metadata) {
    put(metadata, "app", [manifest("m", &["1"])]).await;
    let mut again = manifest("m", &["2"]);
    again.resolved.kind = Kind::DockerImage;
    put(metadata, "app", [again.clone()]).await;
    for reference in [Reference::Tag(tag("1")), Reference::Tag(tag("2")), Reference::Digest(digest_of("m"))] {
        let found = metadata.manifests.resolve(&repo("app"), &reference).await.unwrap();
        assert_eq!(found, Some(again.resolved.clone()), "{reference}");
    }
}

pub async fn links_are_held_once(metadata: &Metadata) {
    let (a, b, blob) = (repo("a"), repo("b"), digest_512("blob"));
    let holders =
        async |after: Option<&Repository>, count| metadata.blobs.holders(&blob, after, count).await.unwrap();
    for _ in 0..2 {
        metadata.blobs.link(&a, &blob, 5, None).await.unwrap();
    }
    assert_eq!(metadata.blobs.size(&a, &blob).await.unwrap(), Some(5));
    assert_eq!(metadata.blobs.size(&b, &blob).await.unwrap(), None);
    assert_eq!(holders(None, ALL).await, [(a.clone(), 5)]);
    metadata.blobs.link(&b, &blob, 5, None).await.unwrap();
    metadata.blobs.link(&b, &digest_512("another"), 5, None).await.unwrap();
    assert_eq!(holders(None, ALL).await, [(a.clone(), 5), (b.clone(), 5)]);
    assert_eq!(holders(None, 1).await, [(a.clone(), 5)]);
    assert_eq!(holders(None, 0).await, []);
    assert_eq!(holders(Some(&a), ALL).await, [(b.clone(), 5)]);
    assert_eq!(holders(Some(&repo("a0")), ALL).await, [(b.clone(), 5)], "which holds nothing itself");
    assert_eq!(holders(Some(&b), ALL).await, []);
    assert!(metadata.blobs.unlink(&b, &digest_512("another"), None).await.unwrap());
    assert!(metadata.blobs.unlink(&a, &blob, None).await.unwrap());
    assert!(!metadata.blobs.unlink(&a, &blob, None).await.unwrap());
    assert_eq!(holders(None, ALL).await, [(b.clone(), 5)]);
    assert_eq!(tags(metadata, "a", &Page::first(ALL)).await, None);
    assert!(metadata.blobs.unlink(&b, &blob, None).await.unwrap());
    assert_eq!(holders(None, ALL).await, []);
}

pub async fn names_do_not_mix(metadata: &Metadata) {
    for name in ["a", "a-b", "a/b", "a0"] {
        put(metadata, name, [manifest(name, &["1", name.split('/').next().unwrap()])]).await;
    }
    assert_eq!(tags(metadata, "a", &Page::first(ALL)).await, Some((vec!["1".into(), "a".into()], false)));
    metadata.manifests.forget(&repo("a"), &digest_of("a"), None).await.unwrap();
    for name in ["a-b", "a/b", "a0"] {
        assert_eq!(meant(metadata, name, "1").await, Some(digest_of(name)));
    }
}

pub async fn intents_stand_until_they_end(metadata: &Metadata) {
    let ids: Vec<IntentId> = (0..4).map(|_| IntentId::random()).collect();
    let many: Vec<Digest> = (0..900).map(|number| digest_of(&number.to_string())).collect();
    let intent = Intent {
        repository: repo("app"),
        blobs: many,
        manifests: vec![digest_512("m")],
        tags: vec![tag("1")],
        removing: false,
    };
    for &id in &ids {
        assert_eq!(metadata.intents.begin(id, &intent).await.unwrap(), Begun::Stands);
    }
    let held = || ids.iter().map(|&id| metadata.intents.holds(id)).collect::<Vec<_>>();
    assert_eq!(held(), [true; 4]);
    assert_eq!(metadata.intents.pending(ALL).await.unwrap(), vec![], "whoever has begun them is still here");
    metadata.intents.end(ids[0]).await.unwrap();
    metadata.intents.end(ids[0]).await.unwrap();
    metadata.blobs.link(&repo("app"), &digest_of("b"), 1, Some(ids[1])).await.unwrap();
    metadata.manifests.put(&repo("app"), manifest("m", &["1"]), true, Some(ids[2])).await.unwrap();
    assert_eq!(held(), [false, false, false, true]);
    // What is removed under an intent does not end it.
    assert!(metadata.blobs.unlink(&repo("app"), &digest_of("b"), Some(ids[3])).await.unwrap());
    assert!(metadata.manifests.untag(&repo("app"), &tag("1"), Some(ids[3])).await.unwrap());
    let forgotten = metadata.manifests.forget(&repo("app"), &digest_of("m"), Some(ids[3])).await.unwrap();
    assert_eq!((forgotten, held()), (Some(vec![]), vec![false, false, false, true]));
    assert!(!metadata.intents.holds(IntentId::random()));
}

pub async fn many_at_once_all_succeed(metadata: &Metadata) {
    let tasks = (0..8).map(|task| async move {
        for number in 0..20 {
            let name = format!("{task}-{number}");
            metadata.blobs.link(&repo("app"), &digest_of(&name), 1, None).await.unwrap();
            let new = NewManifest { blobs: vec![digest_of(&name)], ..manifest(&name, &[&name, "latest"]) };
            put(metadata, "app", [new]).await;
            // What was answered is seen at once.
            assert_eq!(meant(metadata, "app", &name).await, Some(digest_of(&name)));
        }
    });
    futures_util::future::join_all(tasks).await;
    assert_eq!(tags(metadata, "app", &Page::first(ALL)).await.unwrap().0.len(), 161);
    for (task, number) in (0..8).flat_map(|task| (0..20).map(move |number| (task, number))) {
        let name = format!("{task}-{number}");
        let forgotten =
            metadata.manifests.forget(&repo("app"), &digest_of(&name), None).await.unwrap().unwrap();
        assert!(forgotten.contains(&tag(&name)));
        assert!(metadata.blobs.unlink(&repo("app"), &digest_of(&name), None).await.unwrap());
    }
    assert_eq!(tags(metadata, "app", &Page::first(ALL)).await, None, "everything was counted once");
}
