//! What clients do that changes something, one request after the other, and what must hold of it afterwards, however it
//! ended. It must not know what went wrong.

use crate::testkit::answer::Answer;
use crate::testkit::chance::Chance;
use crate::testkit::client::{Client, Request, delete, get, patch, post, put};
use crate::testkit::image::{Manifest, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, descriptor, sha256_of};
use crate::testkit::push::{closing, get_manifest, put_manifest};
use serde_json::json;
use std::time::{Duration, Instant};

/// The tag that is pushed, moved and deleted.
pub const TAG: &str = "latest";
/// How long a client tries again: longer than it takes until others settle what a dead replica has left.
const PATIENCE: Duration = Duration::from_secs(40);

/// One kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A small blob by POST, PATCH and PUT.
    Blob,
    /// One in parts: POST, PATCH, PATCH, PUT with the rest.
    LargeBlob,
    /// One in parts whose digest is known from the start: PUT after POST.
    KnownBlob,
    /// A manifest by a new tag.
    Manifest,
    /// A tag that has meant something else.
    MovedTag,
    /// A tag is deleted.
    DeletedTag,
    /// A manifest is deleted, and with it its tag.
    DeletedManifest,
    /// A blob is deleted.
    DeletedBlob,
}

/// All of them.
pub const STEPS: [Step; 8] = [
    Step::Blob,
    Step::LargeBlob,
    Step::KnownBlob,
    Step::Manifest,
    Step::MovedTag,
    Step::DeletedTag,
    Step::DeletedManifest,
    Step::DeletedBlob,
];

/// How a change ended for its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It was told that it is done.
    Acknowledged,
    /// It was told to try again: the request, and the status.
    Refused(String, u16),
    /// It was told nothing.
    Lost,
}

/// One change in a repository of its own.
pub struct Case {
    /// What is done.
    pub step: Step,
    /// Where.
    pub repo: String,
    blob: Vec<u8>,
    old: Manifest,
    new: Manifest,
}

fn image(label: &str) -> Manifest {
    let layer = format!("the layer of {label}\n").repeat(100).into_bytes();
    let config = serde_json::to_vec(&json!({"made_for": label})).expect("JSON prints");
    let json = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(OCI_CONFIG, &config),
        "layers": [descriptor(OCI_LAYER, &layer)]});
    Manifest { blobs: vec![config, layer], ..Manifest::of(&json) }
}

impl Case {
    /// A change that nothing else shares a name or a byte with.
    pub fn new(step: Step, label: &str) -> Self {
        let repo = format!("{}/{label}", format!("{step:?}").to_lowercase());
        let length = match step {
            Step::LargeBlob => 12 << 20,
            Step::KnownBlob => 11 << 20,
            _ => 30_000,
        };
        let seed = repo.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        let (old, new) = (image(&format!("{repo} old")), image(&format!("{repo} new")));
        Self { step, blob: Chance::seeded(seed).bytes(length), repo, old, new }
    }

    /// What must be there before, pushed where nothing happens.
    #[track_caller]
    pub fn prepare(&self, client: &Client) {
        let push = |image: &Manifest, tagged: bool| {
            client.push_parts(&self.repo, image);
            if tagged {
                client.send(&put_manifest(&self.repo, TAG, image)).expect(201);
            }
        };
        match self.step {
            Step::Blob | Step::LargeBlob | Step::KnownBlob => {}
            Step::Manifest => push(&self.new, false),
            Step::MovedTag => {
                push(&self.old, true);
                push(&self.new, false);
            }
            Step::DeletedTag | Step::DeletedManifest => push(&self.old, true),
            Step::DeletedBlob => drop(client.push_blob(&self.repo, &self.blob)),
        }
    }

    /// Does it, up to the first request that fails.
    pub fn act(&self, client: &Client) -> End {
        match self.requests(client) {
            Ok(()) => End::Acknowledged,
            Err(end) => end,
        }
    }

    fn requests(&self, client: &Client) -> Result<(), End> {
        let repo = &self.repo;
        match self.step {
            Step::Blob => self.upload(client, &[20_000]),
            Step::LargeBlob => self.upload(client, &[6 << 20, 5 << 20]),
            Step::KnownBlob => self.upload(client, &[]),
            Step::Manifest | Step::MovedTag => send(client, &put_manifest(repo, TAG, &self.new)).map(drop),
            Step::DeletedTag => send(client, &delete(format!("/v2/{repo}/manifests/{TAG}"))).map(drop),
            Step::DeletedManifest => {
                send(client, &delete(format!("/v2/{repo}/manifests/{}", self.old.digest))).map(drop)
            }
            Step::DeletedBlob => {
                send(client, &delete(format!("/v2/{repo}/blobs/{}", sha256_of(&self.blob)))).map(drop)
            }
        }
    }

    /// POST, a PATCH for each of these lengths, and PUT with the rest.
    fn upload(&self, client: &Client, pieces: &[usize]) -> Result<(), End> {
        let opened = send(client, &post(format!("/v2/{}/blobs/uploads/", self.repo)))?;
        let mut location = opened.need("location").to_owned();
        let mut rest = self.blob.as_slice();
        for length in pieces {
            let (piece, after) = rest.split_at(*length);
            location = send(client, &patch(&location).body(piece))?.need("location").to_owned();
            rest = after;
        }
        send(client, &put(closing(&location, &sha256_of(&self.blob))).body(rest)).map(drop)
    }

    /// Whatever happened: what is served is whole, and either as before or as after; if it was acknowledged, as after.
    #[track_caller]
    pub fn inspect(&self, client: &Client, end: &End) {
        let done = *end == End::Acknowledged;
        let about = || format!("{:?} {}, which ended with {end:?}", self.step, self.repo);
        match self.step {
            Step::Blob | Step::LargeBlob | Step::KnownBlob => {
                let found = self.blob_of(client, &sha256_of(&self.blob));
                assert!(found.is_some() || !done, "lost: {}", about());
                assert!(found.is_none_or(|bytes| bytes == self.blob), "wrong bytes: {}", about());
            }
            Step::Manifest => assert!(self.means(client) == Some(&self.new) || !done, "lost: {}", about()),
            Step::MovedTag => {
                let meant = self.means(client);
                assert!(meant.is_some(), "the tag is gone: {}", about());
                assert!(meant == Some(&self.new) || !done, "lost: {}", about());
            }
            Step::DeletedTag | Step::DeletedManifest => {
                assert!(self.means(client).is_none() || !done, "it is back: {}", about());
            }
            Step::DeletedBlob => {
                let found = self.blob_of(client, &sha256_of(&self.blob));
                assert!(found.is_none() || !done, "it is back: {}", about());
                assert!(found.is_none_or(|bytes| bytes == self.blob), "wrong bytes: {}", about());
            }
        }
    }

    /// The image that the tag means, which is whole; one of the two that there are.
    #[track_caller]
    fn means(&self, client: &Client) -> Option<&Manifest> {
        let told = patiently(client, &get_manifest(&self.repo, TAG));
        if told.status == 404 {
            return None;
        }
        let told = told.expect(200);
        let known = [&self.old, &self.new].into_iter().find(|image| image.bytes == told.body);
        let image = known.unwrap_or_else(|| panic!("{}: a manifest that nobody pushed: {told}", self.repo));
        for blob in &image.blobs {
            let found = self.blob_of(client, &sha256_of(blob));
            assert_eq!(found.as_ref(), Some(blob), "{}: a manifest without its blob", self.repo);
        }
        assert!(client.has_manifest(&self.repo, &image.digest), "{}: not by its digest", self.repo);
        Some(image)
    }

    #[track_caller]
    fn blob_of(&self, client: &Client, digest: &str) -> Option<Vec<u8>> {
        let told = patiently(client, &get(format!("/v2/{}/blobs/{digest}", self.repo)));
        (told.status != 404).then(|| told.expect(200).body)
    }

    /// Does it again until it is done, as a client that was refused or told nothing does.
    #[track_caller]
    pub fn again(&self, client: &Client) {
        let began = Instant::now();
        loop {
            let end = self.act(client);
            let gone = matches!(self.step, Step::DeletedTag | Step::DeletedManifest | Step::DeletedBlob)
                && matches!(end, End::Refused(_, 404));
            if end == End::Acknowledged || gone {
                break;
            }
            if let End::Refused(request, status) = &end {
                assert!(may_pass(*status), "{}: again: {request}: {status}", self.repo);
            }
            assert!(began.elapsed() < PATIENCE, "{:?} {}: again: {end:?}", self.step, self.repo);
            std::thread::sleep(Duration::from_millis(100));
        }
        self.inspect(client, &End::Acknowledged);
    }

    /// Moves the tag to the old image, or takes the blob away again: what somebody else wants meanwhile.
    #[track_caller]
    pub fn otherwise(&self, client: &Client) {
        let put_old = put_manifest(&self.repo, TAG, &self.old);
        let began = Instant::now();
        while send(client, &put_old).is_err() {
            assert!(began.elapsed() < PATIENCE, "{}: nobody else may change it", self.repo);
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What the tag means after `otherwise`.
    pub fn old(&self) -> &str {
        &self.old.digest
    }
}

/// Whether a client tries again.
pub fn may_pass(status: u16) -> bool {
    status >= 500 || status == 429
}

/// Sends a request that is to succeed.
fn send(client: &Client, request: &Request) -> Result<Answer, End> {
    match client.try_send(request) {
        Ok(answer) if (200..300).contains(&answer.status) => Ok(answer),
        Ok(answer) => Err(End::Refused(format!("{request:?}: {answer}"), answer.status)),
        Err(_) => Err(End::Lost),
    }
}

/// What a client is told that tries again for as long as it is asked to.
#[track_caller]
fn patiently(client: &Client, request: &Request) -> Answer {
    let began = Instant::now();
    loop {
        let answer = client.send(request);
        if !may_pass(answer.status) {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "{request:?}: {answer}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
