//! Bytes that no server can have seen before, with their digests, made before any clock runs. It must not know
//! how they are sent.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// The media type of the manifests here.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Bytes and their digest.
pub struct Blob {
    /// `sha256:...`
    pub digest: String,
    /// The content.
    pub bytes: Vec<u8>,
}

/// A small image.
pub struct Image {
    /// Random bytes, unlike those of any other image.
    pub layers: Vec<Blob>,
    /// A JSON of a few hundred bytes.
    pub config: Blob,
    /// The manifest's JSON and digest.
    pub manifest: Blob,
}

/// A large blob as a block that repeats and a tail of its own: no memory or hashing for each one.
pub struct Large {
    block: Arc<[u8]>,
    tail: [u8; 16],
    /// Bytes.
    pub length: u64,
    /// `sha256:...`
    pub digest: String,
}

/// Many blobs of one length.
pub struct LargeMaker {
    block: Arc<[u8]>,
    hashed: Sha256,
    length: u64,
    next: u64,
}

/// `sha256:` and the hex digits.
pub fn digest(bytes: &[u8]) -> String {
    named(&Sha256::digest(bytes))
}

fn named(hash: &[u8]) -> String {
    use std::fmt::Write as _;
    hash.iter().fold(String::from("sha256:"), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Fills with bytes that do not compress (splitmix64).
pub fn fill(seed: u64, bytes: &mut [u8]) {
    let mut state = seed;
    for chunk in bytes.chunks_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes()[..chunk.len()]);
    }
}

fn blob(bytes: Vec<u8>) -> Blob {
    Blob { digest: digest(&bytes), bytes }
}

/// An image of three layers of 64 KiB.
pub fn image(seed: u64) -> Image {
    let layers: Vec<Blob> = (0..3)
        .map(|layer| {
            let mut bytes = vec![0; 64 << 10];
            fill(seed.wrapping_mul(3).wrapping_add(layer) << 20, &mut bytes);
            blob(bytes)
        })
        .collect();
    let diffs: Vec<String> = layers.iter().map(|layer| format!("{:?}", layer.digest)).collect();
    let config = blob(
        format!(
            r#"{{"architecture":"amd64","os":"linux","author":"{seed}","rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
            diffs.join(",")
        )
        .into_bytes(),
    );
    let manifest = blob(manifest(&config, &layers).into_bytes());
    Image { layers, config, manifest }
}

/// The manifest of a config and layers.
pub fn manifest(config: &Blob, layers: &[Blob]) -> String {
    let descriptor = |kind: &str, blob: &Blob| {
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.{kind}","digest":"{}","size":{}}}"#,
            blob.digest,
            blob.bytes.len()
        )
    };
    let layers: Vec<String> = layers.iter().map(|layer| descriptor("layer.v1.tar", layer)).collect();
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{},"layers":[{}]}}"#,
        descriptor("config.v1+json", config),
        layers.join(",")
    )
}

impl LargeMaker {
    /// Prepares blobs of `length` bytes; hashes all but their tails, once.
    pub fn new(seed: u64, length: u64) -> LargeMaker {
        let mut block = vec![0; 64 << 20];
        fill(seed << 32, &mut block);
        let mut maker = LargeMaker { block: block.into(), hashed: Sha256::new(), length, next: seed << 32 };
        let mut hashed = Sha256::new();
        pieces(&maker.block, length - 16).for_each(|piece| hashed.update(piece));
        maker.hashed = hashed;
        maker
    }

    /// Another blob, unlike all before.
    pub fn another(&mut self) -> Large {
        self.next += 1;
        let mut tail = [0; 16];
        fill(self.next << 8, &mut tail);
        let digest = named(&self.hashed.clone().chain_update(tail).finalize());
        Large { block: Arc::clone(&self.block), tail, length: self.length, digest }
    }
}

impl Large {
    /// The bytes in pieces of at most 1 MiB.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        pieces(&self.block, self.length - self.tail.len() as u64).chain(std::iter::once(&self.tail[..]))
    }

    /// The block that repeats; all bytes but the last 16.
    pub fn block(&self) -> Arc<[u8]> {
        Arc::clone(&self.block)
    }

    /// The last bytes.
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }
}

fn pieces(block: &[u8], length: u64) -> impl Iterator<Item = &[u8]> {
    let mut left = usize::try_from(length).unwrap_or(usize::MAX);
    block.chunks(1 << 20).cycle().map_while(move |piece| {
        let count = piece.len().min(left);
        left -= count;
        (count > 0).then(|| &piece[..count])
    })
}
