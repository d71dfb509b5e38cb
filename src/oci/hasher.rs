//! Hashing as bytes flow by.

use crate::oci::digest::{Algorithm, Digest};
use sha2::{Digest as _, Sha256, Sha512};

/// A hash in the making. Cloning it keeps the state, so that a digest can be had in the middle.
#[derive(Clone)]
pub enum Hasher {
    /// SHA-256.
    Sha256(Sha256),
    /// SHA-512.
    Sha512(Sha512),
}

impl Hasher {
    /// A hasher that has seen nothing.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    /// What it hashes with.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(h) => h.update(bytes),
            Self::Sha512(h) => h.update(bytes),
        }
    }

    /// The digest of all bytes seen.
    pub fn finish(self) -> Digest {
        let digest = match self {
            Self::Sha256(h) => Digest::new(Algorithm::Sha256, &h.finalize()),
            Self::Sha512(h) => Digest::new(Algorithm::Sha512, &h.finalize()),
        };
        // The lengths agree by the types above; there is no other digest to give.
        digest.unwrap_or_else(|| unreachable!("a hash has the length of its algorithm"))
    }
}

/// The digest of bytes in memory.
pub fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_empty_digests() {
        assert_eq!(
            digest(Algorithm::Sha256, b"").to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert!(digest(Algorithm::Sha512, b"").to_string().starts_with("sha512:cf83e1357eefb8bd"));
    }

    #[test]
    fn pieces_hash_like_the_whole() {
        let mut hasher = Hasher::new(Algorithm::Sha512);
        hasher.update(b"ab");
        let middle = hasher.clone().finish();
        hasher.update(b"c");
        assert_eq!(middle, digest(Algorithm::Sha512, b"ab"));
        assert_eq!(hasher.finish(), digest(Algorithm::Sha512, b"abc"));
    }
}
