//! Every answer of a server about a set of names, so that two servers can be compared: the one whose metadata
//! survived, and one whose metadata was made again from a copy of the storage alone.

use crate::book::Name;
use crate::testkit::answer::Answer;
use crate::testkit::client::{Client, Connection, Request, get, head};
use crate::testkit::image::{Manifest, sha256_of};
use crate::testkit::push::get_manifest;
use std::collections::{BTreeMap, BTreeSet};

/// Asks over one kept connection.
pub struct Asker(Connection);

impl Asker {
    pub fn new(client: Client) -> Self {
        Self(client.connect())
    }

    #[track_caller]
    fn ask(&mut self, request: &Request) -> Option<Answer> {
        let answer = self.0.exchange(request).unwrap_or_else(|e| panic!("{request:?}: {e}"));
        match answer.status {
            200 => Some(answer),
            404 => None,
            _ => panic!("{request:?}: {answer}"),
        }
    }

    /// The bytes of a blob.
    #[track_caller]
    pub fn blob(&mut self, repo: &str, digest: &str) -> Option<Vec<u8>> {
        self.ask(&get(format!("/v2/{repo}/blobs/{digest}"))).map(|answer| answer.body)
    }

    /// The size of a blob, as HEAD tells it.
    #[track_caller]
    pub fn blob_size(&mut self, repo: &str, digest: &str) -> Option<String> {
        self.ask(&head(format!("/v2/{repo}/blobs/{digest}")))
            .map(|answer| answer.need("content-length").to_owned())
    }

    /// A manifest by its digest; its bytes must be its digest's.
    #[track_caller]
    pub fn manifest(&mut self, repo: &str, digest: &str) -> Option<Manifest> {
        let found = self.tag(repo, digest)?;
        assert_eq!(found.digest, digest);
        Some(found)
    }

    /// A manifest by a tag; the digest that is told must be that of its bytes.
    #[track_caller]
    pub fn tag(&mut self, repo: &str, tag: &str) -> Option<Manifest> {
        let answer = self.ask(&get_manifest(repo, tag))?;
        assert_eq!(answer.need("docker-content-digest"), sha256_of(&answer.body), "{repo}:{tag}");
        Some(Manifest::raw(answer.need("content-type"), answer.body.clone()))
    }
}

/// The names to ask for: of blobs and of manifests, acknowledged or only tried.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub blobs: BTreeSet<Name>,
    pub manifests: BTreeSet<Name>,
}

/// Every answer about those names, and every listing.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshot {
    catalog: Vec<String>,
    tags: BTreeMap<String, Vec<String>>,
    tag_targets: BTreeMap<Name, Option<(String, String)>>,
    manifests: BTreeMap<Name, Option<(String, String)>>,
    blob_sizes: BTreeMap<Name, Option<String>>,
    referrers: BTreeMap<Name, BTreeSet<String>>,
}

/// Asks a server for everything.
pub fn take(client: &Client, names: &Names) -> Snapshot {
    let mut asker = Asker::new(*client);
    let catalog = client.catalog();
    let tags: BTreeMap<String, Vec<String>> =
        catalog.iter().map(|repo| (repo.clone(), client.tags(repo))).collect();
    let of = |found: Option<Manifest>| found.map(|m| (m.media_type, m.digest));
    let mut tag_targets = BTreeMap::new();
    for (repo, tags) in &tags {
        for tag in tags {
            tag_targets.insert((repo.clone(), tag.clone()), of(asker.tag(repo, tag)));
        }
    }
    let manifests =
        names.manifests.iter().map(|name| (name.clone(), of(asker.manifest(&name.0, &name.1)))).collect();
    let blob_sizes =
        names.blobs.iter().map(|name| (name.clone(), asker.blob_size(&name.0, &name.1))).collect();
    let listed =
        |(repo, digest): &Name| client.referrers(repo, digest).iter().map(ToString::to_string).collect();
    let referrers = names.manifests.iter().map(|name| (name.clone(), listed(name))).collect();
    Snapshot { catalog, tags, tag_targets, manifests, blob_sizes, referrers }
}

fn differing<K: Ord + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
    what: &str,
    ours: &BTreeMap<K, V>,
    theirs: &BTreeMap<K, V>,
) -> Vec<String> {
    let keys: BTreeSet<&K> = ours.keys().chain(theirs.keys()).collect();
    let differ = keys.into_iter().filter(|key| ours.get(key) != theirs.get(key));
    differ
        .map(|key| format!("{what} {key:?}: survived {:?}, rebuilt {:?}", ours.get(key), theirs.get(key)))
        .collect()
}

impl Snapshot {
    /// What differs from a rebuilt server, one line each.
    pub fn differences(&self, rebuilt: &Snapshot) -> Vec<String> {
        let mut lines = Vec::new();
        if self.catalog != rebuilt.catalog {
            lines.push(format!("catalog: survived {:?}, rebuilt {:?}", self.catalog, rebuilt.catalog));
        }
        lines.extend(differing("tags of", &self.tags, &rebuilt.tags));
        lines.extend(differing("tag", &self.tag_targets, &rebuilt.tag_targets));
        lines.extend(differing("manifest", &self.manifests, &rebuilt.manifests));
        lines.extend(differing("blob", &self.blob_sizes, &rebuilt.blob_sizes));
        lines.extend(differing("referrers of", &self.referrers, &rebuilt.referrers));
        lines
    }

    /// How many answers were compared.
    pub fn answers(&self) -> usize {
        1 + self.tags.len()
            + self.tag_targets.len()
            + self.manifests.len()
            + self.blob_sizes.len()
            + self.referrers.len()
    }
}
