//! The keys that stand at one moment: which of them signs, which verify, when another is due and when one ends. Pure;
//! where keys are kept and how they are loaded is in `ring.rs`.

use crate::auth::algorithm::Algorithm;
use crate::auth::config::{LEEWAY_SECS, TOKEN_LIFETIME_SECS};
use crate::auth::key::Key;
use crate::metadata::signing_keys::SigningKey;
use std::sync::Arc;

/// A new key does not sign before this age, so that other replicas can have it by then.
pub const SETTLE_SECS: u64 = 60;
/// A replica that looks for keys no more often than `KeyRing::tend` is to be called signs with the old one for so long.
const UNAWARE_SECS: u64 = 3600;
/// How long a key stands after the next one was made: the last token that anybody signed with it has ended by then.
pub const OVERLAP_SECS: u64 = SETTLE_SECS + UNAWARE_SECS + *TOKEN_LIFETIME_SECS.end() + LEEWAY_SECS;
/// A key that is younger than this by so much was made by a clock that was wrong, and tells nothing of age.
const SKEW_SECS: u64 = 300;

/// Keys, the oldest first.
#[derive(Debug)]
pub struct KeySet {
    /// Those of the algorithm that signs, `first` included.
    signing: Vec<Arc<Key>>,
    first: Arc<Key>,
    /// Those of other algorithms, which were configured before.
    others: Vec<Arc<Key>>,
    generation: u64,
}

impl KeySet {
    /// The set that follows `before`. `None` if none of the keys has the algorithm that signs.
    pub fn following(before: Option<&Self>, keys: Vec<Arc<Key>>, algorithm: Algorithm) -> Option<Self> {
        let (mut signing, others): (Vec<_>, _) =
            keys.into_iter().partition(|key| key.algorithm() == algorithm);
        signing.sort_by_key(|key| key.created());
        let first = signing.first()?.clone();
        let mut set = Self { signing, first, others, generation: 0 };
        if let Some(before) = before {
            let ended = before.all().any(|key| set.known(key.thumbprint()).is_none());
            set.generation = before.generation + u64::from(ended);
        }
        Some(set)
    }

    /// Changes whenever a key has ended: what it had verified is to be verified again.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The key that signs now: the newest that has settled, or else the oldest, which most replicas have.
    pub fn signer(&self, now: u64) -> &Arc<Key> {
        let settled = |key: &&Arc<Key>| key.created().saturating_add(SETTLE_SECS) <= now;
        self.signing.iter().rev().find(settled).unwrap_or(&self.first)
    }

    /// Every key that verifies.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.others.iter().chain(&self.signing)
    }

    /// The key that a `kid` means.
    pub fn called(&self, kid: &str) -> Option<&Arc<Key>> {
        self.all().find(|key| key.is_called(kid))
    }

    /// The key whose tokens carry exactly these certificates.
    pub fn with_chain(&self, chain: &[String]) -> Option<&Arc<Key>> {
        self.all().find(|key| key.has_chain(chain))
    }

    /// The key of this thumbprint.
    pub fn known(&self, thumbprint: &str) -> Option<&Arc<Key>> {
        self.all().find(|key| key.thumbprint() == thumbprint)
    }

    /// Whether it is time for another key.
    pub fn is_due(&self, now: u64, rotation_secs: u64) -> bool {
        let sane = |key: &&Arc<Key>| key.created() <= now.saturating_add(SKEW_SECS);
        let newest = self.signing.iter().rev().find(sane);
        newest.is_some_and(|key| key.created().saturating_add(rotation_secs) <= now)
    }

    /// Whether nothing needs a stored key any more. One of another algorithm, or that does not read, may be in use by
    /// a replica of another configuration or version: it stands until such a replica would have changed it itself.
    pub fn has_ended(&self, stored: &SigningKey, now: u64, rotation_secs: u64) -> bool {
        let ends = match self.signing.iter().position(|key| key.thumbprint() == stored.id) {
            Some(at) => match self.signing.get(at + 1) {
                Some(next) => next.created(),
                None => return false,
            },
            None => stored.created.saturating_add(rotation_secs),
        };
        ends.saturating_add(OVERLAP_SECS) <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::config::KeyId;
    use crate::auth::key_pair::KeyPair;
    use crate::secret::Secret;

    const DAYS: u64 = 24 * 3600;
    const NOW: u64 = 1000 * DAYS;

    fn key(algorithm: Algorithm, created: u64) -> Arc<Key> {
        let pair = KeyPair::generate(algorithm).unwrap();
        Arc::new(Key::new(pair, created, KeyId::Thumbprint, "").unwrap())
    }

    fn ed(created: u64) -> Arc<Key> {
        key(Algorithm::EdDsa, created)
    }

    fn set(keys: &[&Arc<Key>]) -> KeySet {
        let keys = keys.iter().map(|key| Arc::clone(key)).collect();
        KeySet::following(None, keys, Algorithm::EdDsa).unwrap()
    }

    fn row(key: &Key) -> SigningKey {
        SigningKey {
            id: key.thumbprint().into(),
            algorithm: key.algorithm().as_str().into(),
            pem: Secret::default(),
            created: key.created(),
        }
    }

    #[test]
    fn a_new_key_signs_when_it_has_settled_or_is_alone() {
        let (old, new) = (ed(NOW - DAYS), ed(NOW));
        let signer = |set: &KeySet, now| set.signer(now).thumbprint().to_owned();
        assert_eq!(signer(&set(&[&new]), NOW), new.thumbprint());
        let both = set(&[&new, &old]);
        assert_eq!(signer(&both, NOW), old.thumbprint());
        assert_eq!(signer(&both, NOW + SETTLE_SECS - 1), old.thumbprint());
        assert_eq!(signer(&both, NOW + SETTLE_SECS), new.thumbprint());
        // none has settled: the one that was there first
        assert_eq!(signer(&both, NOW - 2 * DAYS), old.thumbprint());
    }

    #[test]
    fn a_key_of_another_algorithm_verifies_and_does_not_sign() {
        let (other, own) = (key(Algorithm::Es256, NOW - DAYS), ed(NOW));
        let both = set(&[&other, &own]);
        assert_eq!(both.signer(NOW).thumbprint(), own.thumbprint());
        assert!(both.called(other.thumbprint()).is_some());
        assert_eq!(both.all().count(), 2);
        assert!(KeySet::following(None, vec![other], Algorithm::EdDsa).is_none());
        assert!(KeySet::following(None, vec![], Algorithm::EdDsa).is_none());
    }

    #[test]
    fn another_key_is_due_when_the_newest_is_old() {
        let (old, new) = (ed(NOW - 200 * DAYS), ed(NOW - 89 * DAYS));
        assert!(set(&[&old]).is_due(NOW, 90 * DAYS));
        assert!(!set(&[&old, &new]).is_due(NOW, 90 * DAYS));
        assert!(set(&[&old, &new]).is_due(NOW + DAYS, 90 * DAYS));
        // a key from the future tells nothing: else there would be no other for years
        let future = ed(NOW + 5000 * DAYS);
        assert!(set(&[&old, &future]).is_due(NOW, 90 * DAYS));
        assert!(!set(&[&new, &future]).is_due(NOW, 90 * DAYS));
        assert!(!set(&[&future]).is_due(NOW, 90 * DAYS));
        assert_eq!(set(&[&old, &future]).signer(NOW).thumbprint(), old.thumbprint());
    }

    #[test]
    fn a_key_ends_when_the_last_token_that_it_signed_has_ended() {
        let (old, new) = (ed(NOW - 90 * DAYS), ed(NOW));
        let both = set(&[&old, &new]);
        let ended = |set: &KeySet, key: &Key, now| set.has_ended(&row(key), now, 90 * DAYS);
        // an hour unaware of the new one, an hour for the longest token, a minute each for settling and for clocks
        assert!(!ended(&both, &old, NOW + 60 + 3600 + 3600 + 60 - 1));
        assert!(ended(&both, &old, NOW + 60 + 3600 + 3600 + 60));
        // the newest never ends, however old
        assert!(!ended(&both, &new, NOW + 5000 * DAYS));
        assert!(!ended(&set(&[&old]), &old, NOW + 5000 * DAYS));
        // a key from the future takes over in the future
        assert!(!ended(&set(&[&new, &ed(NOW + 5000 * DAYS)]), &new, NOW + 1000 * DAYS));
    }

    #[test]
    fn a_stored_key_that_we_cannot_use_stands_until_its_users_would_have_changed_it() {
        let (other, own) = (key(Algorithm::Es256, NOW - 90 * DAYS), ed(NOW - DAYS));
        let both = set(&[&other, &own]);
        assert!(!both.has_ended(&row(&other), NOW + OVERLAP_SECS - 1, 90 * DAYS));
        assert!(both.has_ended(&row(&other), NOW + OVERLAP_SECS, 90 * DAYS));
        assert!(!both.has_ended(&row(&ed(u64::MAX)), NOW, 90 * DAYS));
    }

    #[test]
    fn the_generation_changes_when_a_key_ends_and_not_when_one_comes() {
        let (old, new) = (ed(NOW - DAYS), ed(NOW));
        let next = |before: &KeySet, keys: &[&Arc<Key>]| {
            let keys = keys.iter().map(|key| Arc::clone(key)).collect();
            KeySet::following(Some(before), keys, Algorithm::EdDsa).unwrap()
        };
        let first = set(&[&old]);
        let both = next(&first, &[&old, &new]);
        assert_eq!(both.generation(), first.generation());
        let last = next(&both, &[&new]);
        assert_ne!(last.generation(), both.generation());
        assert_eq!(next(&last, &[&new]).generation(), last.generation());
    }
}
