//! The keys that sign and verify access tokens: one from a file, or keys that are made, shared with all replicas
//! through the metadata, and changed from time to time. Reading takes no lock. Knows no tokens.
//!
//! What must stay true: nobody signs with a key that another replica may not know yet while there is an older one,
//! and no key ends before the last token that it signed.

use crate::auth::config::Signing;
use crate::auth::error::{Error, Result};
use crate::auth::key::Key;
use crate::auth::key_pair::KeyPair;
use crate::auth::key_set::KeySet;
use crate::clock::Clock;
use crate::metadata::signing_keys::{SigningKey, SigningKeys};
use crate::secret::Secret;
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Mutex;

/// A token with an unknown key makes us look for new ones, no more often than this.
const LOOK_SECS: u64 = 60;
/// How often a key is made before we give up: more than once only if other replicas add and remove at the same time.
const TRIES: usize = 3;
const FILE_BYTES_MAX: u64 = 64 << 10;

/// The keys.
pub struct KeyRing {
    source: Source,
    clock: Arc<dyn Clock>,
    keys: ArcSwap<KeySet>,
    /// When keys were last looked for. Whoever loads keys holds it, so that an older set never replaces a newer one.
    looked: Mutex<u64>,
}

enum Source {
    /// A file: one key for as long as we run.
    File,
    /// The metadata.
    Shared(Shared),
}

struct Shared {
    store: Arc<dyn SigningKeys>,
    signing: Signing,
}

impl KeyRing {
    /// The keys that the configuration asks for. Without any in the metadata, one is made.
    pub async fn open(signing: Signing, store: Arc<dyn SigningKeys>, clock: Arc<dyn Clock>) -> Result<Self> {
        let now = clock.unix_secs();
        let (source, keys) = if signing.key.is_empty() {
            let shared = Shared { store, signing };
            let keys = shared.load(None, now).await?;
            (Source::Shared(shared), keys)
        } else {
            (Source::File, from_files(&signing).await?)
        };
        Ok(Self { source, clock, keys: ArcSwap::from_pointee(keys), looked: Mutex::new(now) })
    }

    /// The keys as they stand.
    pub fn keys(&self) -> Arc<KeySet> {
        self.keys.load_full()
    }

    /// The key that signs now.
    pub fn signer(&self) -> Arc<Key> {
        self.keys.load().signer(self.clock.unix_secs()).clone()
    }

    /// The public halves of all keys that verify, as a JWK set (RFC 7517, section 5).
    pub fn jwks(&self) -> String {
        let keys = self.keys.load();
        let keys: Vec<_> = keys.all().map(|key| key.jwk()).collect();
        serde_json::json!({ "keys": keys }).to_string()
    }

    /// A certificate of our own for each of these keys, PEM: the `rootcertbundle` of another registry that is to trust
    /// us. It has to be given a new one whenever keys change: whoever serves others is better off with a key of a file.
    pub fn certificates(&self, name: &str) -> Result<String> {
        self.keys.load().all().map(|key| key.certificate_pem(name)).collect()
    }

    /// Loads the keys again.
    pub async fn refresh(&self) -> Result<()> {
        let mut looked = self.looked.lock().await;
        self.load(&mut looked).await
    }

    /// Looks for new keys because one is not in `seen`, at most once a minute; whether there may be others now.
    /// Callers that come while somebody looks wait for that look. When the keys cannot be loaded the log tells it, and
    /// the token that made us look stays unknown.
    pub async fn look(&self, seen: &Arc<KeySet>) -> bool {
        let mut looked = self.looked.lock().await;
        if !Arc::ptr_eq(seen, &self.keys.load()) {
            return true;
        }
        if matches!(self.source, Source::File) || self.clock.unix_secs().abs_diff(*looked) < LOOK_SECS {
            return false;
        }
        match self.load(&mut looked).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "signing keys could not be looked for");
                false
            }
        }
    }

    /// Makes another key when it is time, and removes those that nothing needs any more. For a worker, once an hour.
    pub async fn tend(&self) -> Result<()> {
        let Source::Shared(shared) = &self.source else { return Ok(()) };
        let mut looked = self.looked.lock().await;
        let (now, rotation_secs) = (self.clock.unix_secs(), shared.rotation_secs());
        self.load(&mut looked).await?;
        let rows = shared.store.all().await?;
        let keys = self.keys.load_full();
        if keys.is_due(now, rotation_secs) && shared.make(&rows, now).await? {
            tracing::info!("a new signing key was made");
        }
        for row in rows.iter().filter(|row| keys.has_ended(row, now, rotation_secs)) {
            shared.store.remove(&row.id).await?;
            tracing::info!(key = row.id, "a signing key has ended");
        }
        self.load(&mut looked).await
    }

    /// A look that is broken off, as its request may be, does not count; one that fails does.
    async fn load(&self, looked: &mut u64) -> Result<()> {
        let Source::Shared(shared) = &self.source else { return Ok(()) };
        let now = self.clock.unix_secs();
        let loaded = shared.load(Some(&self.keys.load_full()), now).await;
        *looked = now;
        self.keys.store(Arc::new(loaded?));
        Ok(())
    }
}

impl Shared {
    /// The keys of the metadata, and one that is made if there is none that could sign.
    async fn load(&self, before: Option<&KeySet>, now: u64) -> Result<KeySet> {
        for _ in 0..TRIES {
            let rows = self.store.all().await?;
            let keys = rows.iter().filter_map(|row| self.read(before, row)).collect();
            if let Some(keys) = KeySet::following(before, keys, self.signing.algorithm) {
                return Ok(keys);
            }
            self.make(&rows, now).await?;
        }
        Err(Error::Key("there is no signing key, and none could be made".into()))
    }

    fn read(&self, before: Option<&KeySet>, row: &SigningKey) -> Option<Arc<Key>> {
        if let Some(known) = before.and_then(|keys| keys.known(&row.id)) {
            return Some(known.clone());
        }
        let key = KeyPair::from_pem(&row.pem)
            .and_then(|pair| Key::new(pair, row.created, self.signing.key_id, ""))
            .map_err(|error| error.to_string())
            .and_then(|key| {
                let right = key.thumbprint() == row.id && key.algorithm().as_str() == row.algorithm;
                if right { Ok(key) } else { Err("it is another key than its row says".to_owned()) }
            });
        key.map_err(|why| tracing::error!(key = row.id, why, "a signing key does not read; it is left out"))
            .map(Arc::new)
            .ok()
    }

    /// Makes a key, unless another replica has just done so; whether it was ours.
    async fn make(&self, rows: &[SigningKey], now: u64) -> Result<bool> {
        let algorithm = self.signing.algorithm;
        // RSA takes its time
        let pair = tokio::task::spawn_blocking(move || KeyPair::generate(algorithm))
            .await
            .map_err(|error| Error::Key(format!("a key could not be made: {error}")))??;
        let row = SigningKey {
            id: pair.public().thumbprint(),
            algorithm: algorithm.as_str().into(),
            pem: pair.to_pem()?,
            created: now,
        };
        // those that do not read count too: they are why we are here
        let same = rows.iter().filter(|row| row.algorithm == algorithm.as_str());
        let since = same.map(|row| row.created).max().unwrap_or(0);
        Ok(self.store.add(&row, since).await?)
    }

    fn rotation_secs(&self) -> u64 {
        self.signing.rotation_days.max(1).saturating_mul(24 * 3600)
    }
}

/// The one key of a configuration that names files.
async fn from_files(signing: &Signing) -> Result<KeySet> {
    let key = Secret::new(read(&signing.key).await?);
    let pair = KeyPair::from_pem(&key).map_err(|error| of_file(&signing.key, error))?;
    let certificate = match signing.certificate.as_str() {
        "" => String::new(),
        path => read(path).await?,
    };
    let (path, algorithm) =
        (if certificate.is_empty() { &signing.key } else { &signing.certificate }, pair.algorithm());
    let key = Key::new(pair, 0, signing.key_id, &certificate).map_err(|error| of_file(path, error))?;
    KeySet::following(None, vec![Arc::new(key)], algorithm).ok_or_else(|| Error::Key("no key".into()))
}

async fn read(path: &str) -> Result<String> {
    let mut text = String::new();
    let file = tokio::fs::File::open(path).await;
    let read = match file {
        Ok(file) => file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).await.map(|_| ()),
        Err(error) => Err(error),
    };
    read.map_err(|error| Error::Key(format!("{path} does not read: {error}")))?;
    Ok(text)
}

fn of_file(path: &str, error: Error) -> Error {
    match error {
        Error::Key(why) => Error::Key(format!("{path}: {why}")),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::algorithm::Algorithm;
    use crate::auth::certificate::certificate_pem;
    use crate::auth::config::KeyId;
    use crate::auth::key_set::{OVERLAP_SECS, SETTLE_SECS};
    use crate::auth::signing_fakes::{House, START};
    use std::sync::atomic::Ordering;

    const DAY: u64 = 24 * 3600;

    fn signer(ring: &KeyRing) -> String {
        ring.signer().thumbprint().to_owned()
    }

    #[tokio::test]
    async fn a_key_is_made_once_and_found_again() {
        for algorithm in Algorithm::ALL {
            let house = House::new(algorithm);
            let first = house.ring().await;
            let rows = house.store.rows();
            assert_eq!((rows.len(), &rows[0].id), (1, &signer(&first)));
            assert_eq!((rows[0].algorithm.as_str(), rows[0].created), (algorithm.as_str(), START));
            house.clock.advance(DAY);
            assert_eq!(signer(&*house.ring().await), signer(&first));
            assert_eq!(house.store.rows().len(), 1);
        }
    }

    #[tokio::test]
    async fn replicas_that_start_at_once_agree() {
        let house = House::new(Algorithm::Es256);
        let (a, b, c) = tokio::join!(house.ring(), house.ring(), house.ring());
        assert_eq!(house.store.rows().len(), 1);
        assert!(signer(&a) == signer(&b) && signer(&b) == signer(&c));
    }

    #[tokio::test]
    async fn keys_are_changed_with_an_overlap() {
        let house = House::new(Algorithm::Es256);
        let (a, b) = (house.ring().await, house.ring().await);
        let old = signer(&a);
        house.clock.advance(90 * DAY - 1);
        a.tend().await.unwrap();
        assert_eq!(house.store.rows().len(), 1);
        house.clock.advance(1);
        let (one, other) = tokio::join!(a.tend(), b.tend());
        one.and(other).unwrap();
        assert_eq!(house.store.rows().len(), 2, "both made one");
        let new = house.store.rows()[1].id.clone();

        assert_eq!(a.certificates("us").unwrap().matches("BEGIN CERTIFICATE").count(), 2);
        // it is published at once, and signs when it has settled
        for ring in [&a, &b] {
            assert!(ring.jwks().contains(&new) && ring.jwks().contains(&old));
            assert_eq!(signer(ring), old);
        }
        house.clock.advance(SETTLE_SECS);
        assert!(signer(&a) == new && signer(&b) == new);

        // the old one verifies until its last token has ended
        let before = a.keys().generation();
        house.clock.advance(OVERLAP_SECS - SETTLE_SECS - 1);
        a.tend().await.unwrap();
        assert!(a.keys().called(&old).is_some());
        assert_eq!(a.keys().generation(), before);
        house.clock.advance(1);
        a.tend().await.unwrap();
        assert!(a.keys().called(&old).is_none());
        assert_ne!(a.keys().generation(), before);
        assert_eq!(house.store.rows().len(), 1);
        b.refresh().await.unwrap();
        assert!(b.keys().called(&old).is_none() && signer(&b) == new);
    }

    #[tokio::test]
    async fn years_of_tending_leave_few_keys() {
        let house = House::new(Algorithm::EdDsa);
        let ring = house.ring().await;
        let first = signer(&ring);
        for _ in 0..400 {
            house.clock.advance(DAY);
            ring.tend().await.unwrap();
            assert!((1..=2).contains(&house.store.rows().len()));
        }
        assert_ne!(signer(&ring), first);
        assert_eq!(ring.keys().generation(), 4);
    }

    #[tokio::test]
    async fn new_keys_are_looked_for_once_a_minute() {
        let house = House::new(Algorithm::Es256);
        let (a, b) = (house.ring().await, house.ring().await);
        let look = async || b.look(&b.keys()).await;
        house.clock.advance(90 * DAY);
        let reads = || house.store.reads.load(Ordering::Relaxed);
        assert!(look().await, "it is long ago");
        a.tend().await.unwrap();
        let new = house.store.rows()[1].id.clone();
        let before = reads();
        for _ in 0..100 {
            assert!(!look().await);
        }
        assert_eq!(reads(), before);
        house.clock.advance(60);
        let seen = b.keys();
        let (one, other) = tokio::join!(b.look(&seen), b.look(&seen));
        assert!(one && other, "who waits for a look has the good of it");
        assert_eq!(reads(), before + 1);
        assert!(b.keys().called(&new).is_some());
    }

    #[tokio::test]
    async fn a_look_that_fails_counts_and_one_that_is_broken_off_does_not() {
        let house = House::new(Algorithm::Es256);
        let ring = house.ring().await;
        let look = async || ring.look(&ring.keys()).await;
        house.clock.advance(60);
        // at its first wait, as when a client hangs up
        tokio::select! {
            biased;
            _ = look() => panic!("it did not wait"),
            () = std::future::ready(()) => {}
        }
        assert!(look().await, "a stranger who hangs up keeps everybody from looking");
        house.clock.advance(60);
        house.store.broken.store(true, Ordering::Relaxed);
        assert!(!look().await);
        house.store.broken.store(false, Ordering::Relaxed);
        assert!(!look().await, "looked twice in a minute");
        house.clock.advance(60);
        assert!(look().await);
    }

    #[tokio::test]
    async fn without_metadata_the_keys_stay_as_they_are() {
        let house = House::new(Algorithm::Es256);
        let ring = house.ring().await;
        let old = signer(&ring);
        house.store.broken.store(true, Ordering::Relaxed);
        assert!(ring.refresh().await.is_err() && ring.tend().await.is_err());
        assert_eq!(signer(&ring), old);
        assert!(house.try_ring().await.is_err());
    }

    #[tokio::test]
    async fn a_key_that_was_taken_away_is_replaced() {
        let house = House::new(Algorithm::Es256);
        let ring = house.ring().await;
        let old = signer(&ring);
        house.store.remove(&old).await.unwrap();
        ring.refresh().await.unwrap();
        assert!(ring.keys().called(&old).is_none());
        assert_eq!(house.store.rows()[0].id, signer(&ring));
    }

    #[tokio::test]
    async fn what_does_not_read_is_left_out_and_replaced() {
        let house = House::new(Algorithm::Es256);
        let good = KeyPair::generate(Algorithm::Es256).unwrap();
        let row = |id: &str, algorithm: &str, pem: Secret| SigningKey {
            id: id.into(),
            algorithm: algorithm.into(),
            pem,
            created: START - 5,
        };
        house.store.put(row("damaged", "ES256", Secret::new("damaged")));
        house.store.put(row("another", "ES256", good.to_pem().unwrap()));
        house.store.put(row(&good.public().thumbprint(), "RS256", good.to_pem().unwrap()));
        let ring = house.ring().await;
        assert_eq!(ring.keys().all().count(), 1);
        assert_ne!(signer(&ring), good.public().thumbprint());
        house.clock.advance(91 * DAY);
        ring.tend().await.unwrap();
        assert_eq!(house.store.rows().len(), 2, "{:?}", house.store.rows());
    }

    #[tokio::test]
    async fn a_change_of_algorithm_keeps_the_old_key_for_its_tokens() {
        let mut house = House::new(Algorithm::Es256);
        let old = signer(&*house.ring().await);
        house.clock.advance(10);
        house.config.signing.algorithm = Algorithm::EdDsa;
        let ring = house.ring().await;
        assert_eq!(ring.signer().algorithm(), Algorithm::EdDsa);
        assert!(ring.keys().called(&old).is_some());
        house.clock.advance(89 * DAY);
        ring.tend().await.unwrap();
        assert!(ring.keys().called(&old).is_some());
        house.clock.advance(2 * DAY);
        ring.tend().await.unwrap();
        assert!(ring.keys().called(&old).is_none());
    }

    #[tokio::test]
    async fn a_key_from_a_file_tells_its_algorithm_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let pair = KeyPair::generate(Algorithm::Rs256).unwrap();
        std::fs::write(path("key"), pair.to_pem().unwrap().expose()).unwrap();
        std::fs::write(path("certificate"), certificate_pem(&pair, "us").unwrap()).unwrap();
        let mut house = House::new(Algorithm::Es256);
        house.config.signing.key = path("key");
        let ring = house.ring().await;
        assert_eq!(ring.signer().algorithm(), Algorithm::Rs256);
        assert_eq!(signer(&ring), pair.public().thumbprint());
        house.clock.advance(1000 * DAY);
        ring.tend().await.unwrap();
        ring.refresh().await.unwrap();
        assert!(!ring.look(&ring.keys()).await);
        assert_eq!(signer(&ring), pair.public().thumbprint());
        assert_eq!((house.store.rows().len(), house.store.reads.load(Ordering::Relaxed)), (0, 0));

        house.config.signing.certificate = path("certificate");
        house.config.signing.key_id = KeyId::X5c;
        house.ring().await;
        for (key, certificate, part) in [
            (path("absent"), String::new(), "absent does not read"),
            (path("certificate"), String::new(), "no private key"),
            (path("key"), path("key"), "no certificate"),
            (path("key"), String::new(), "x5c needs"),
        ] {
            house.config.signing.key = key;
            house.config.signing.certificate = certificate;
            let error = house.try_ring().await.err().unwrap().to_string();
            assert!(error.contains(part) && error.contains(&path("")[..5]), "{error}");
        }
    }

    #[tokio::test]
    async fn the_jwk_set_holds_public_parts_only() {
        for algorithm in Algorithm::ALL {
            let house = House::new(algorithm);
            let jwks: serde_json::Value = serde_json::from_str(&house.ring().await.jwks()).unwrap();
            let key = jwks["keys"][0].as_object().unwrap();
            let names: Vec<_> = key.keys().map(String::as_str).collect();
            let expected: &[_] = match algorithm {
                Algorithm::Es256 => &["alg", "crv", "kid", "kty", "use", "x", "y"],
                Algorithm::EdDsa => &["alg", "crv", "kid", "kty", "use", "x"],
                Algorithm::Rs256 => &["alg", "e", "kid", "kty", "n", "use"],
            };
            assert_eq!(names, expected);
        }
    }
}
