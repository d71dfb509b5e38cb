//! The keys that sign access tokens. Shared by all replicas; if they are lost, tokens of a few minutes are.

use crate::metadata::error::Result;
use crate::secret::Secret;

/// A key that signs, or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Its name in the header of a token.
    pub id: String,
    /// Its algorithm, as JWS names it (RFC 7518, section 3.1).
    pub algorithm: String,
    /// PKCS #8, PEM.
    pub pem: Secret,
    /// When it was made, in seconds since the Unix epoch.
    pub created: u64,
}

/// The facts about signing keys.
#[async_trait::async_trait]
pub trait SigningKeys: Send + Sync {
    /// All of them, the newest last.
    async fn all(&self) -> Result<Vec<SigningKey>>;

    /// Adds a key, durably, unless one of the same algorithm was made after `since`, or one has its id: then that one
    /// stands, and false is answered. So replicas that start at once agree on one.
    async fn add(&self, key: &SigningKey, since: u64) -> Result<bool>;

    /// Removes a key that nothing needs to verify any more, durably.
    async fn remove(&self, id: &str) -> Result<()>;
}
