//! Clients with docker's patience behind a plain load balancer: each request is tried five times, with growing pauses, by a
//! replica that is picked at random; where no connection comes about, the balancer goes on to the next. What a retry covers
//! they do not notice; anything else is an error that is told. It must not know what happens to the replicas.

use crate::testkit::answer::Answer;
use crate::testkit::chance::Chance;
use crate::testkit::client::{Client, Request, get, patch, post, put};
use crate::testkit::image::{Manifest, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, descriptor, sha256_of};
use crate::testkit::push::{closing, get_manifest, put_manifest};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often a request is tried.
const TRIES: u32 = 5;
/// The first pause; each next one is twice as long.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a push begins again from its first request, as whoever types the command does.
const PUSHES: usize = 3;

/// Where the replicas are now, and what came of asking them.
pub struct Replicas {
    addresses: Mutex<Vec<SocketAddr>>,
    retries: AtomicUsize,
}

impl Replicas {
    /// These.
    pub fn at(addresses: Vec<SocketAddr>) -> Self {
        Self { addresses: Mutex::new(addresses), retries: AtomicUsize::new(0) }
    }

    /// One has come back at another address.
    pub fn moved(&self, nth: usize, to: SocketAddr) {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)[nth] = to;
    }

    /// How many requests were tried again.
    pub fn retries(&self) -> usize {
        self.retries.load(Ordering::Relaxed)
    }

    fn any(&self, chance: &mut Chance) -> Client {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let picked = chance.below(addresses.len());
        addresses.rotate_left(picked);
        let reached = addresses.iter().find(|address| TcpStream::connect(address).is_ok());
        Client::at(*reached.unwrap_or(&addresses[0]))
    }
}

/// A client, and what it knows to be there.
pub struct Patient<'a> {
    replicas: &'a Replicas,
    chance: Chance,
    number: usize,
    rounds: usize,
    /// Tags of `repo`, and the images that they must mean.
    pub tags: BTreeMap<String, Manifest>,
}

impl<'a> Patient<'a> {
    /// A client with a repository of its own.
    pub fn new(replicas: &'a Replicas, number: usize, seed: u64) -> Self {
        let chance = Chance::seeded(seed ^ (number as u64) << 32);
        Self { replicas, chance, number, rounds: 0, tags: BTreeMap::new() }
    }

    /// Its repository.
    pub fn repo(&self) -> String {
        format!("busy/client-{}", self.number)
    }

    /// Tries until there is an answer that no retry is for. The error says what came last.
    fn ask(&mut self, request: &dyn Fn() -> Request) -> Result<Answer, String> {
        let mut last = String::new();
        for tried in 0..TRIES {
            if tried > 0 {
                self.replicas.retries.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(PAUSE * 2_u32.pow(tried - 1) / 2 + self.some(PAUSE));
            }
            last = match self.replicas.any(&mut self.chance).try_send(&request()) {
                Ok(answer) if answer.status < 500 && answer.status != 429 => return Ok(answer),
                Ok(answer) => format!("{:?}: {answer}", request()),
                Err(error) => format!("{:?}: {error}", request()),
            };
        }
        Err(last)
    }

    fn some(&mut self, of: Duration) -> Duration {
        of * self.chance.below(100) as u32 / 100
    }

    /// Asks for what must succeed.
    fn need(&mut self, request: &dyn Fn() -> Request) -> Result<Answer, String> {
        let answer = self.ask(request)?;
        if (200..300).contains(&answer.status) {
            Ok(answer)
        } else {
            Err(format!("{:?}: {answer}", request()))
        }
    }

    /// Pushes an image, moving one of a few tags, and pulls one that it knows.
    pub fn step(&mut self) -> Result<(), String> {
        self.rounds += 1;
        let (tag, image) = (format!("t{}", self.chance.below(4)), self.image());
        let mut pushed = self.push(&tag, &image);
        // An upload whose answer got lost is not where the client thinks: it begins the blob again.
        for _ in 1..PUSHES {
            if pushed.is_ok() {
                break;
            }
            pushed = self.push(&tag, &image);
        }
        pushed?;
        self.tags.insert(tag, image);
        let known: Vec<String> = self.tags.keys().cloned().collect();
        let tag = known[self.chance.below(known.len())].clone();
        self.pull(&tag)
    }

    fn image(&mut self) -> Manifest {
        let length = if self.chance.below(50) == 0 { 12 << 20 } else { 200 + self.chance.below(60_000) };
        let layer = self.chance.bytes(length);
        let config =
            serde_json::to_vec(&json!({"client": self.number, "round": self.rounds})).expect("JSON prints");
        let json = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(OCI_CONFIG, &config),
            "layers": [descriptor(OCI_LAYER, &layer)]});
        Manifest { blobs: vec![config, layer], ..Manifest::of(&json) }
    }

    fn push(&mut self, tag: &str, image: &Manifest) -> Result<(), String> {
        for blob in &image.blobs {
            self.push_blob(blob)?;
        }
        let repo = self.repo();
        self.need(&|| put_manifest(&repo, tag, image)).map(drop)
    }

    fn push_blob(&mut self, bytes: &[u8]) -> Result<(), String> {
        let (repo, digest) = (self.repo(), sha256_of(bytes));
        let there = self.ask(&|| get(format!("/v2/{repo}/blobs/{digest}")).with_method("HEAD"))?;
        if there.status == 200 {
            return Ok(());
        }
        let opened = self.need(&|| post(format!("/v2/{repo}/blobs/uploads/")))?;
        let location = opened.need("location").to_owned();
        let (first, last) = bytes.split_at(bytes.len() / 2);
        let taken = self.need(&|| patch(&location).body(first))?;
        let location = taken.need("location").to_owned();
        self.need(&|| put(closing(&location, &digest)).body(last)).map(drop)
    }

    /// Pulls a tag of its own: the very bytes that it has pushed.
    pub fn pull(&mut self, tag: &str) -> Result<(), String> {
        let (repo, image) = (self.repo(), self.tags[tag].clone());
        let told = self.need(&|| get_manifest(&repo, tag))?;
        if told.body != image.bytes {
            return Err(format!("{repo}:{tag} is not {} any more: {told}", image.digest));
        }
        for blob in &image.blobs {
            let digest = sha256_of(blob);
            let told = self.need(&|| get(format!("/v2/{repo}/blobs/{digest}")))?;
            if told.body != *blob {
                return Err(format!("{repo}: {digest} has other bytes"));
            }
        }
        Ok(())
    }
}
