//! Hashes bytes as they come, beside whatever else is done with them, and not on the async threads.

use crate::oci::hasher::Hasher;
use crate::storage::error::{Error, Result};
use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

/// Fewer bytes than this are hashed where they are: to hand them on costs as much.
const INLINE_BYTES: usize = 64 << 10;

/// A hash on its way.
pub struct Hashing {
    hasher: Option<Hasher>,
    running: Option<JoinHandle<Hasher>>,
}

impl Hashing {
    /// Goes on from a state.
    pub fn new(hasher: Hasher) -> Self {
        Self { hasher: Some(hasher), running: None }
    }

    /// Takes in bytes, as soon as those before are hashed. Called again only when it has returned.
    pub async fn take(&mut self, pieces: Vec<Bytes>) -> Result<()> {
        let mut hasher = self.settle().await?;
        if pieces.iter().map(Bytes::len).sum::<usize>() < INLINE_BYTES {
            update(&mut hasher, &pieces);
            self.hasher = Some(hasher);
        } else {
            self.hasher = None;
            self.running = Some(spawn_blocking(move || {
                update(&mut hasher, &pieces);
                hasher
            }));
        }
        Ok(())
    }

    /// The state after all that was taken in.
    pub async fn settle(&mut self) -> Result<Hasher> {
        let lost = |e| Error::at("the hash of an upload", std::io::Error::other(e));
        if let Some(running) = self.running.take() {
            self.hasher = Some(running.await.map_err(lost)?);
        }
        self.hasher
            .clone()
            .ok_or_else(|| Error::at("the hash of an upload", std::io::Error::other("it is lost")))
    }
}

fn update(hasher: &mut Hasher, pieces: &[Bytes]) {
    for piece in pieces {
        hasher.update(piece);
    }
}

/// The hash after these bytes, too.
pub async fn hashed(hasher: Hasher, pieces: Vec<Bytes>) -> Result<Hasher> {
    let mut hashing = Hashing::new(hasher);
    hashing.take(pieces).await?;
    hashing.settle().await
}
