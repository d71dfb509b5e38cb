//! Content digests (image-spec, descriptor.md, "Digests"): `sha256:<64 hex>` and `sha512:<128 hex>`.

use crate::oci::error::{Invalid, shortened};
use crate::oci::text::written_as_text;
use std::fmt;
use std::str::FromStr;

/// A registered digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256, what nearly everything uses.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// Every algorithm that is known here.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// The name as it stands before the colon.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of the hash in bytes.
    pub fn size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl FromStr for Algorithm {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|a| a.as_str() == text)
            .ok_or_else(|| Invalid::Digest(shortened(text), "the algorithm is not sha256 or sha512"))
    }
}

/// A digest: an algorithm and the hash in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    hash: [u8; 64],
}

impl Digest {
    /// A digest from the bytes of a hash; `None` if there are not as many as the algorithm makes.
    pub fn new(algorithm: Algorithm, hash: &[u8]) -> Option<Self> {
        let mut padded = [0; 64];
        padded.get_mut(..hash.len())?.copy_from_slice(hash);
        (hash.len() == algorithm.size()).then_some(Self { algorithm, hash: padded })
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash in bytes: 32 or 64 of them.
    pub fn hash(&self) -> &[u8] {
        self.hash.get(..self.algorithm.size()).unwrap_or(&self.hash)
    }

    /// The hash in lower-case hexadecimal.
    pub fn hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(self.algorithm.size() * 2);
        for byte in self.hash() {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        text
    }

    /// The tag under which clients without the referrers API keep the referrers of this digest
    /// (distribution-spec, "Referrers Tag Schema").
    pub fn referrers_tag(&self) -> String {
        let mut hex = self.hex();
        hex.truncate(64);
        format!("{}-{hex}", self.algorithm.as_str())
    }
}

impl FromStr for Digest {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = |why| Invalid::Digest(shortened(text), why);
        let (algorithm, hex) =
            text.split_once(':').ok_or_else(|| invalid("it has the form <algorithm>:<hex>"))?;
        let algorithm: Algorithm =
            algorithm.parse().map_err(|_| invalid("the algorithm is not sha256 or sha512"))?;
        if hex.len() != algorithm.size() * 2 {
            return Err(invalid("the hash has not the length of its algorithm"));
        }
        let mut hash = [0; 64];
        for (byte, pair) in hash.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let value = |c: u8| match c {
                b'0'..=b'9' => Some(c - b'0'),
                b'a'..=b'f' => Some(c - b'a' + 10),
                _ => None,
            };
            match (value(pair[0]), value(pair[1])) {
                (Some(high), Some(low)) => *byte = high << 4 | low,
                _ => return Err(invalid("the hash is written in lower-case hexadecimal")),
            }
        }
        Ok(Self { algorithm, hash })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.as_str(), self.hex())
    }
}

written_as_text!(Digest);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_is_no_digest() {
        let hex = "a".repeat(64);
        for text in [
            "",
            "sha256",
            "sha256:",
            "sha256:abc",
            &format!("sha256:{}", hex.to_uppercase()),
            &format!("sha256:{hex}0"),
            &format!("sha512:{hex}"),
            &format!("md5:{hex}"),
            &format!("sha256:{}g", "a".repeat(63)),
            &format!(" sha256:{hex}"),
            &format!("sha256:{}é", "a".repeat(62)),
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn the_fallback_tag_is_cut_to_64_hex() {
        let digest: Digest = format!("sha512:{}", "b".repeat(128)).parse().unwrap();
        assert_eq!(digest.referrers_tag(), format!("sha512-{}", "b".repeat(64)));
    }

    proptest! {
        #[test]
        fn parses_what_it_prints(hash in proptest::array::uniform32(any::<u8>())) {
            let digest = Digest::new(Algorithm::Sha256, &hash).unwrap();
            prop_assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        }

        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = text.parse::<Digest>();
        }
    }
}
