//! What one client knows: for every blob, manifest and tag of its own, the states that are allowed now. Before a
//! request the new state is allowed beside the old one; its acknowledgement leaves only the new one.
//! It must not know requests or servers.

use crate::testkit::image::{Manifest, sha256_of};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A name inside a repository: (repository, digest or tag).
pub type Name = (String, String);

/// A blob that was pushed or tried.
#[derive(Clone, Debug)]
pub struct Blob {
    pub bytes: Arc<Vec<u8>>,
    pub acknowledged: bool,
}

/// A manifest that was pushed or tried, and whether it may be there and may be absent.
#[derive(Clone, Debug)]
pub struct Held {
    pub manifest: Manifest,
    pub may_be_there: bool,
    pub may_be_absent: bool,
    /// Never deleted: a tag of several writers may point at it.
    pub pinned: bool,
}

/// The knowledge of one client. Nobody else touches its manifests and tags.
#[derive(Clone, Debug, Default)]
pub struct Book {
    pub blobs: BTreeMap<Name, Blob>,
    pub manifests: BTreeMap<Name, Held>,
    /// What each tag may mean; `None` is absent.
    pub tags: BTreeMap<Name, BTreeSet<Option<String>>>,
    /// Requests that were acknowledged.
    pub acknowledged: usize,
}

impl Book {
    /// A blob is about to be pushed.
    pub fn blob_tried(&mut self, repo: &str, bytes: &Arc<Vec<u8>>) {
        let name = (repo.to_owned(), sha256_of(bytes));
        self.blobs.entry(name).or_insert_with(|| Blob { bytes: Arc::clone(bytes), acknowledged: false });
    }

    /// The push of a blob was acknowledged.
    pub fn blob_acknowledged(&mut self, repo: &str, digest: &str) {
        self.blobs.get_mut(&(repo.to_owned(), digest.to_owned())).expect("it was tried").acknowledged = true;
        self.acknowledged += 1;
    }

    /// Whether this client knows that the repository holds the blob.
    pub fn knows_blob(&self, repo: &str, digest: &str) -> bool {
        self.blobs.get(&(repo.to_owned(), digest.to_owned())).is_some_and(|blob| blob.acknowledged)
    }

    /// A manifest is about to be pushed under these tags.
    pub fn push_tried(&mut self, repo: &str, manifest: &Manifest, tags: &[String]) {
        let name = (repo.to_owned(), manifest.digest.clone());
        let held = self.manifests.entry(name).or_insert_with(|| Held {
            manifest: manifest.clone(),
            may_be_there: false,
            may_be_absent: true,
            pinned: false,
        });
        held.may_be_there = true;
        for tag in tags {
            let allowed = self.tags.entry((repo.to_owned(), tag.clone())).or_insert_with(|| [None].into());
            allowed.insert(Some(manifest.digest.clone()));
        }
    }

    /// The push of a manifest was acknowledged.
    pub fn push_acknowledged(&mut self, repo: &str, digest: &str, tags: &[String]) {
        let held = self.manifests.get_mut(&(repo.to_owned(), digest.to_owned())).expect("it was tried");
        held.may_be_absent = false;
        for tag in tags {
            self.tags.insert((repo.to_owned(), tag.clone()), [Some(digest.to_owned())].into());
        }
        self.acknowledged += 1;
    }

    /// A tag is about to be deleted.
    pub fn untag_tried(&mut self, name: &Name) {
        self.tags.get_mut(name).expect("a known tag").insert(None);
    }

    /// The delete of a tag was acknowledged.
    pub fn untag_acknowledged(&mut self, name: &Name) {
        self.tags.insert(name.clone(), [None].into());
        self.acknowledged += 1;
    }

    /// A manifest is about to be deleted, and its tags with it.
    pub fn delete_tried(&mut self, name: &Name) {
        self.manifests.get_mut(name).expect("a known manifest").may_be_absent = true;
        for (tag, allowed) in &mut self.tags {
            if tag.0 == name.0 && allowed.contains(&Some(name.1.clone())) {
                allowed.insert(None);
            }
        }
    }

    /// The delete of a manifest was acknowledged.
    pub fn delete_acknowledged(&mut self, name: &Name) {
        self.manifests.get_mut(name).expect("a known manifest").may_be_there = false;
        for (tag, allowed) in &mut self.tags {
            if tag.0 == name.0 {
                allowed.remove(&Some(name.1.clone()));
            }
        }
        self.acknowledged += 1;
    }

    /// The own tags that are known to be there.
    pub fn live_tags(&self) -> Vec<Name> {
        let there = self.tags.iter().filter(|(_, allowed)| !allowed.contains(&None));
        there.map(|(name, _)| name.clone()).collect()
    }

    /// The own manifests that are known to be there.
    pub fn live_manifests(&self, repo: &str) -> Vec<&Held> {
        let there = self.manifests.iter().filter(|((r, _), held)| r == repo && !held.may_be_absent);
        there.map(|(_, held)| held).collect()
    }
}
