//! Hashing as bytes flow by.

use crate::oci::digest::{Algorithm, Digest};
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest as _, Sha256, Sha512};

/// The form of a saved state. It is another one as soon as sha2 saves its states in another way, which it may do with
/// its next minor version.
const SAVED: u8 = 1;

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

    /// The state in bytes, from which `restore` goes on in another process. It tells of the last bytes seen.
    pub fn save(&self) -> Vec<u8> {
        let mut saved = vec![SAVED, self.algorithm().size() as u8];
        match self {
            Self::Sha256(h) => saved.extend_from_slice(&h.serialize()),
            Self::Sha512(h) => saved.extend_from_slice(&h.serialize()),
        }
        saved
    }

    /// A saved state; `None` if it was saved in another form.
    pub fn restore(saved: &[u8]) -> Option<Self> {
        let (&[form, size], state) = saved.split_first_chunk()?;
        let algorithm = Algorithm::ALL.into_iter().find(|a| a.size() == usize::from(size))?;
        if form != SAVED {
            return None;
        }
        Some(match algorithm {
            Algorithm::Sha256 => Self::Sha256(restored(state)?),
            Algorithm::Sha512 => Self::Sha512(restored(state)?),
        })
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

fn restored<H: SerializableState>(state: &[u8]) -> Option<H> {
    H::deserialize(<&SerializedState<H>>::try_from(state).ok()?).ok()
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
    fn saved_states_go_on() {
        for algorithm in Algorithm::ALL {
            for length in [0_usize, 1, 55, 64, 127, 128, 1000] {
                let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
                let mut hasher = Hasher::new(algorithm);
                hasher.update(&bytes);
                let saved = hasher.save();
                let mut restored = Hasher::restore(&saved).unwrap();
                restored.update(b"and more");
                assert_eq!(restored.finish(), digest(algorithm, &[&bytes, &b"and more"[..]].concat()));
                let other_form = [&[SAVED + 1], &saved[1..]].concat();
                for bad in [&saved[1..], &saved[..saved.len() - 1], &other_form, &[], &[SAVED]] {
                    assert!(Hasher::restore(bad).is_none());
                }
            }
        }
    }

    #[test]
    fn the_form_of_a_saved_state_is_the_one_that_is_named() {
        // FIPS 180-4, 5.3.3: what SHA-256 begins with, then a counter and an empty block.
        let begin: [u32; 8] = [
            0x6a09_e667,
            0xbb67_ae85,
            0x3c6e_f372,
            0xa54f_f53a,
            0x510e_527f,
            0x9b05_688c,
            0x1f83_d9ab,
            0x5be0_cd19,
        ];
        let state: Vec<u8> = begin.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(Hasher::new(Algorithm::Sha256).save()[..34], [&[SAVED, 32], &state[..]].concat());
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
