//! Tokens that were verified, so that a client which sends one a hundred times costs one signature. Only what was
//! verified gets in: forgeries cannot push anything out. Knows no account; whether that still stands is asked each time.

use crate::auth::claims::Claims;
use crate::auth::verifier::{Rejected, TOKEN_BYTES_MAX, Verifier};
use crate::clock::Clock;
use moka::Expiry;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What an entry takes beside the claims themselves.
const ENTRY_BYTES: usize = 512;

/// Verifies tokens, and remembers them until they end.
pub struct VerifiedTokens {
    verifier: Verifier,
    clock: Arc<dyn Clock>,
    cache: Cache<[u8; 32], Entry>,
}

#[derive(Clone)]
struct Entry {
    claims: Arc<Claims>,
    /// `KeySet::generation` when it was verified: when a key ends, so does what it verified.
    generation: u64,
    holds_secs: u64,
    bytes: u32,
}

/// Entries leave the memory when their tokens end.
struct WithTheToken;

impl Expiry<[u8; 32], Entry> for WithTheToken {
    fn expire_after_create(&self, _: &[u8; 32], entry: &Entry, _: Instant) -> Option<Duration> {
        Some(Duration::from_secs(entry.holds_secs))
    }
}

impl VerifiedTokens {
    /// Remembers tokens in so many bytes of memory.
    pub fn new(verifier: Verifier, clock: Arc<dyn Clock>, cache_bytes: u64) -> Self {
        let cache = Cache::builder()
            .max_capacity(cache_bytes)
            .weigher(|_, entry: &Entry| entry.bytes)
            // what is new is what will be used: each client has its own token, for minutes
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(WithTheToken)
            .build();
        Self { verifier, clock, cache }
    }

    /// What a token says, if it is ours and holds now. A token whose key is not known makes the keys be looked for, as
    /// `KeyRing::look` does; nothing else here waits.
    pub async fn verify(&self, token: &str) -> Result<Arc<Claims>, Rejected> {
        // before it is hashed: a hash of a megabyte is not free either
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Rejected::Malformed);
        }
        let name: [u8; 32] = Sha256::digest(token).into();
        let ring = self.verifier.ring();
        let mut keys = ring.keys();
        let now = self.clock.unix_secs();
        if let Some(entry) = self.cache.get(&name)
            && entry.generation == keys.generation()
            && now < entry.claims.exp
        {
            return Ok(entry.claims);
        }
        let mut verified = self.verifier.verify_with(&keys, token);
        if verified == Err(Rejected::UnknownKey) && ring.look(&keys).await {
            keys = ring.keys();
            verified = self.verifier.verify_with(&keys, token);
        }
        let claims = Arc::new(verified?);
        // beyond `exp` it holds by the leeway alone: not worth remembering
        let holds_secs = claims.exp.saturating_sub(now);
        if holds_secs > 0 {
            let bytes = u32::try_from(token.len() + ENTRY_BYTES).unwrap_or(u32::MAX);
            let entry = Entry { claims: claims.clone(), generation: keys.generation(), holds_secs, bytes };
            self.cache.insert(name, entry);
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::algorithm::Algorithm;
    use crate::auth::issuer::Issuer;
    use crate::auth::key_set::{OVERLAP_SECS, SETTLE_SECS};
    use crate::auth::signing_fakes::{House, subject};
    use std::sync::atomic::Ordering;

    async fn parts(house: &House, cache_bytes: u64) -> (Issuer, VerifiedTokens) {
        let (issuer, verifier) = house.issuer_and_verifier().await;
        (issuer, VerifiedTokens::new(verifier, house.clock(), cache_bytes))
    }

    fn token(issuer: &Issuer, name: &str) -> String {
        issuer.issue(subject(name), "holdfast", Vec::new(), 300).unwrap().0.expose().to_owned()
    }

    fn remembered(tokens: &VerifiedTokens) -> u64 {
        tokens.cache.run_pending_tasks();
        tokens.cache.entry_count()
    }

    #[tokio::test]
    async fn a_token_is_verified_once() {
        let house = House::new(Algorithm::Es256);
        let (issuer, tokens) = parts(&house, 1 << 20).await;
        let (ann, bob) = (token(&issuer, "ann"), token(&issuer, "bob"));
        let claims = tokens.verify(&ann).await.unwrap();
        assert_eq!(claims.sub, "ann");
        assert!(Arc::ptr_eq(&claims, &tokens.verify(&ann).await.unwrap()), "verified again");
        assert_eq!(tokens.verify(&bob).await.unwrap().sub, "bob");
        assert_eq!(remembered(&tokens), 2);
    }

    #[tokio::test]
    async fn a_remembered_token_ends_when_it_ends() {
        let house = House::new(Algorithm::Es256);
        let (issuer, tokens) = parts(&house, 1 << 20).await;
        let ann = token(&issuer, "ann");
        let first = tokens.verify(&ann).await.unwrap();
        house.clock.advance(299);
        assert!(Arc::ptr_eq(&first, &tokens.verify(&ann).await.unwrap()));
        // by the leeway alone, and each time anew
        house.clock.advance(1);
        assert!(!Arc::ptr_eq(&first, &tokens.verify(&ann).await.unwrap()));
        house.clock.advance(60);
        assert!(matches!(tokens.verify(&ann).await, Err(Rejected::Expired(_))));
    }

    #[tokio::test]
    async fn forgeries_do_not_get_in() {
        let house = House::new(Algorithm::Es256);
        let (issuer, tokens) = parts(&house, 1 << 20).await;
        let ann = token(&issuer, "ann");
        tokens.verify(&ann).await.unwrap();
        let (message, _) = ann.rsplit_once('.').unwrap();
        for n in 0..100 {
            let forged = format!("{message}.{}{n:02}", "A".repeat(84));
            assert_eq!(tokens.verify(&forged).await, Err(Rejected::Signature));
        }
        assert_eq!(tokens.verify(&"a".repeat(1 << 20)).await, Err(Rejected::Malformed));
        assert_eq!(remembered(&tokens), 1);
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let house = House::new(Algorithm::Es256);
        let (issuer, tokens) = parts(&house, 10_000).await;
        for n in 0..100 {
            tokens.verify(&token(&issuer, &n.to_string())).await.unwrap();
        }
        assert!((1..=10).contains(&remembered(&tokens)), "{}", remembered(&tokens));
        assert!(tokens.cache.weighted_size() <= 10_000);
    }

    #[tokio::test]
    async fn what_a_key_verified_ends_with_the_key() {
        let house = House::new(Algorithm::Es256);
        let (issuer, tokens) = parts(&house, 1 << 20).await;
        let ann = token(&issuer, "ann");
        tokens.verify(&ann).await.unwrap();
        let ring = tokens.verifier.ring().clone();
        // somebody took it away in a hurry
        crate::metadata::signing_keys::SigningKeys::remove(&*house.store, &house.store.rows()[0].id)
            .await
            .unwrap();
        ring.refresh().await.unwrap();
        assert_eq!(tokens.verify(&ann).await, Err(Rejected::UnknownKey));
    }

    #[tokio::test]
    async fn a_token_of_another_replicas_new_key_is_taken() {
        let house = House::new(Algorithm::Es256);
        let (_, tokens) = parts(&house, 1 << 20).await;
        let (issuer, other) = parts(&house, 1 << 20).await;
        house.clock.advance(90 * 24 * 3600);
        other.verifier.ring().tend().await.unwrap();
        house.clock.advance(SETTLE_SECS);
        let ann = token(&issuer, "ann");
        let reads = house.store.reads.load(Ordering::Relaxed);
        let (one, two) = tokio::join!(tokens.verify(&ann), tokens.verify(&ann));
        assert!(one.is_ok() && two.is_ok());
        assert_eq!(house.store.reads.load(Ordering::Relaxed), reads + 1);

        // strangers' keys make nobody look more than once a minute
        let stranger = House::new(Algorithm::Es256);
        stranger.clock.advance(90 * 24 * 3600);
        let (strange, _) = parts(&stranger, 0).await;
        house.clock.advance(OVERLAP_SECS);
        for _ in 0..50 {
            assert_eq!(tokens.verify(&token(&strange, "eve")).await, Err(Rejected::UnknownKey));
        }
        assert_eq!(house.store.reads.load(Ordering::Relaxed), reads + 2);
    }
}
