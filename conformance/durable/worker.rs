//! One client: random pushes, moves and deletes on a kept connection, each written into its book before it is
//! sent and again when it is acknowledged, until the server dies. It must not know when that will be.

use crate::book::{Book, Name};
use crate::shared_tag::{SHARED, SharedTags};
use crate::testkit::answer::Answer;
use crate::testkit::chance::Chance;
use crate::testkit::client::{Client, Connection, Request, delete, patch, post, put};
use crate::testkit::image::{
    Manifest, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, blob, descriptor, sha256_of,
};
use crate::testkit::push::{closing, put_manifest};
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// The repositories that all clients share.
pub const REPOSITORIES: [&str; 3] = ["team/app", "team/tool", "base"];

/// How many tags of its own a client moves about in each repository.
const OWN_TAGS: usize = 5;

/// A client at work.
pub struct Worker<'a> {
    pub number: usize,
    pub book: Book,
    pub chance: Chance,
    pub shared: &'a SharedTags,
    pub acknowledged: Sender<()>,
    connection: Connection,
    pushed: u64,
}

impl<'a> Worker<'a> {
    /// Connects a client that goes on with its book.
    pub fn new(
        number: usize,
        client: Client,
        book: Book,
        chance: Chance,
        shared: &'a SharedTags,
        acknowledged: Sender<()>,
    ) -> Self {
        Self { number, book, chance, shared, acknowledged, connection: client.connect(), pushed: 0 }
    }

    /// Works until the server dies, and gives the book back.
    pub fn work(mut self) -> Book {
        while self.step().is_ok() {}
        self.book
    }

    fn step(&mut self) -> io::Result<()> {
        let repo = REPOSITORIES[self.chance.below(REPOSITORIES.len())];
        match self.chance.below(12) {
            0..=4 => self.push_image(repo),
            5 => self.push_index(repo),
            6 => self.push_artifact(repo),
            7 => self.move_tag(repo),
            8 => self.move_shared(repo),
            9 => self.delete_tag(),
            10 => self.delete_manifest(repo),
            _ => self.mount(repo),
        }
    }

    /// Sends and demands one of these statuses; a dead server is an error, a wrong answer a failed test.
    fn send(&mut self, request: &Request, statuses: &[u16]) -> io::Result<Answer> {
        let answer = self.connection.exchange(request)?;
        assert!(statuses.contains(&answer.status), "client {}: {request:?}: {answer}", self.number);
        Ok(answer)
    }

    fn told(&self) {
        let _ = self.acknowledged.send(());
    }

    fn push_blob(&mut self, repo: &str, bytes: &Arc<Vec<u8>>) -> io::Result<()> {
        let digest = sha256_of(bytes);
        if self.book.knows_blob(repo, &digest) {
            return Ok(());
        }
        self.book.blob_tried(repo, bytes);
        let uploads = format!("/v2/{repo}/blobs/uploads/");
        match self.chance.below(3) {
            0 => {
                self.send(&post(format!("{uploads}?digest={digest}")).body(bytes.as_slice()), &[201])?;
            }
            1 => {
                let location = self.send(&post(&uploads), &[202])?.need("location").to_owned();
                self.send(&put(closing(&location, &digest)).body(bytes.as_slice()), &[201])?;
            }
            _ => {
                let location = self.send(&post(&uploads), &[202])?.need("location").to_owned();
                let (first, last) = bytes.split_at(bytes.len() / 2);
                let answer = self.send(&patch(&location).chunked(first, 5000), &[202])?;
                self.send(&put(closing(answer.need("location"), &digest)).body(last), &[201])?;
            }
        }
        self.book.blob_acknowledged(repo, &digest);
        self.told();
        Ok(())
    }

    /// Pushes a manifest by its first tag, or by digest with any number of tags.
    fn push_manifest(&mut self, repo: &str, manifest: &Manifest, tags: &[String]) -> io::Result<()> {
        self.book.push_tried(repo, manifest, tags);
        let reference = if let [tag] = tags {
            tag.clone()
        } else {
            let query: Vec<String> = tags.iter().map(|tag| format!("tag={tag}")).collect();
            format!("{}?{}", manifest.digest, query.join("&"))
        };
        self.send(&put_manifest(repo, reference.trim_end_matches('?'), manifest), &[201])?;
        self.book.push_acknowledged(repo, &manifest.digest, tags);
        self.told();
        Ok(())
    }

    fn own_tags(&mut self) -> Vec<String> {
        let first = self.chance.below(OWN_TAGS);
        let count = [1, 1, 1, 0, 3][self.chance.below(5)];
        (0..count).map(|n| format!("own-{}-{}", self.number, (first + n) % OWN_TAGS)).collect()
    }

    fn unique(&mut self) -> String {
        self.pushed += 1;
        format!("{}-{}-{:x}", self.number, self.pushed, self.chance.next())
    }

    fn push_image(&mut self, repo: &str) -> io::Result<()> {
        let own_size = if self.chance.below(20) == 0 { 900_000 } else { 20 + self.chance.below(40_000) };
        let own = Arc::new(self.chance.bytes(own_size));
        // One layer of a few that everybody pushes: the same bytes arrive from several clients at once.
        let common = Arc::new(blob(&format!("common {}", self.chance.below(6))));
        let config = Arc::new(serde_json::to_vec(&json!({"made_by": self.unique()})).unwrap());
        for bytes in [&common, &own, &config] {
            self.push_blob(repo, bytes)?;
        }
        let json = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(OCI_CONFIG, &config),
            "layers": [descriptor(OCI_LAYER, &common), descriptor(OCI_LAYER, &own)]});
        let tags = self.own_tags();
        self.push_manifest(repo, &Manifest::of(&json), &tags)
    }

    /// A manifest of this client that can be pushed again: an index only while its children are there.
    fn any_own(&mut self, repo: &str) -> Option<Manifest> {
        let live = self.book.live_manifests(repo);
        let is_live =
            |child: &Value| live.iter().any(|held| child["digest"] == held.manifest.digest.as_str());
        let whole = |manifest: &Manifest| {
            manifest.json()["manifests"].as_array().is_none_or(|children| children.iter().all(is_live))
        };
        let all: Vec<Manifest> = live.iter().map(|held| held.manifest.clone()).filter(whole).collect();
        if all.is_empty() { None } else { Some(all[self.chance.below(all.len())].clone()) }
    }

    fn push_index(&mut self, repo: &str) -> io::Result<()> {
        let (Some(one), Some(two)) = (self.any_own(repo), self.any_own(repo)) else { return Ok(()) };
        let json = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "annotations": {"made": self.unique()},
            "manifests": [one.descriptor(), two.descriptor()]});
        let tags = self.own_tags();
        self.push_manifest(repo, &Manifest::of(&json), &tags)
    }

    fn push_artifact(&mut self, repo: &str) -> io::Result<()> {
        let Some(subject) = self.any_own(repo) else { return Ok(()) };
        let empty = Arc::new(b"{}".to_vec());
        self.push_blob(repo, &empty)?;
        let described: Value = descriptor("application/vnd.oci.empty.v1+json", &empty);
        let json = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/vnd.example.note",
            "config": described, "layers": [described], "subject": subject.descriptor(),
            "annotations": {"made": self.unique()}});
        self.push_manifest(repo, &Manifest::of(&json), &[])
    }

    fn move_tag(&mut self, repo: &str) -> io::Result<()> {
        let Some(manifest) = self.any_own(repo) else { return Ok(()) };
        let tag = format!("own-{}-{}", self.number, self.chance.below(OWN_TAGS));
        self.push_manifest(repo, &manifest, &[tag])
    }

    fn move_shared(&mut self, repo: &str) -> io::Result<()> {
        let Some(manifest) = self.any_own(repo) else { return Ok(()) };
        let name = (repo.to_owned(), manifest.digest.clone());
        self.book.manifests.get_mut(&name).expect("an own manifest").pinned = true;
        let number = self.shared.begin(repo, &manifest.digest);
        self.send(&put_manifest(repo, SHARED, &manifest), &[201])?;
        self.shared.end(repo, number);
        self.book.acknowledged += 1;
        self.told();
        Ok(())
    }

    fn delete_tag(&mut self) -> io::Result<()> {
        let live = self.book.live_tags();
        if live.is_empty() {
            return Ok(());
        }
        let name: Name = live[self.chance.below(live.len())].clone();
        self.book.untag_tried(&name);
        self.send(&delete(format!("/v2/{}/manifests/{}", name.0, name.1)), &[202])?;
        self.book.untag_acknowledged(&name);
        self.told();
        Ok(())
    }

    fn delete_manifest(&mut self, repo: &str) -> io::Result<()> {
        let live: Vec<String> = self
            .book
            .live_manifests(repo)
            .iter()
            .filter(|h| !h.pinned)
            .map(|h| h.manifest.digest.clone())
            .collect();
        // Most of what was pushed should stay, so that there is something to lose.
        if live.len() < 4 {
            return Ok(());
        }
        let name = (repo.to_owned(), live[self.chance.below(live.len())].clone());
        self.book.delete_tried(&name);
        self.send(&delete(format!("/v2/{}/manifests/{}", name.0, name.1)), &[202])?;
        self.book.delete_acknowledged(&name);
        self.told();
        Ok(())
    }

    fn mount(&mut self, repo: &str) -> io::Result<()> {
        let elsewhere = |(name, blob): (&Name, &crate::book::Blob)| {
            (name.0 != repo && blob.acknowledged).then(|| (name.0.clone(), Arc::clone(&blob.bytes)))
        };
        let sources: Vec<(String, Arc<Vec<u8>>)> = self.book.blobs.iter().filter_map(elsewhere).collect();
        if sources.is_empty() {
            return Ok(());
        }
        let (from, bytes) = sources[self.chance.below(sources.len())].clone();
        let digest = sha256_of(&bytes);
        self.book.blob_tried(repo, &bytes);
        self.send(&post(format!("/v2/{repo}/blobs/uploads/?mount={digest}&from={from}")), &[201])?;
        self.book.blob_acknowledged(repo, &digest);
        self.told();
        Ok(())
    }
}
