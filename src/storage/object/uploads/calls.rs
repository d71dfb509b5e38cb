//! What uploads into a bucket can do: the upload half of the trait of blobs, with its words and promises
//! (`storage/blobs.rs`). Beyond them: bytes that went to the bucket in parts cannot be cut off any more, so an offset
//! among them is `Error::StagedLost`.

use crate::oci::digest::Digest;
use crate::oci::upload::UploadId;
use crate::storage::blobs::{Sealed, Staged, Staging};
use crate::storage::error::Result;
use crate::storage::object::uploads::store::Uploads;
use crate::storage::object::uploads::writer::Writer;
use crate::storage::object::uploads::{alive, seal, sweep};
use crate::stream::ByteStream;

impl Uploads {
    /// Takes bytes of an upload. What is answered stands in the bucket.
    pub async fn stage(&self, staging: Staging, body: ByteStream) -> Result<Staged> {
        let staged = async {
            let mut writer = Writer::open(self, staging).await?;
            let cut = writer.take_all(body).await?;
            let (size, checkpoint) = writer.close().await?;
            Ok(Staged { size, cut, checkpoint })
        };
        alive::shown(self, staging, staged).await
    }

    /// Puts what was staged under `digest`, if it is that. It shows there whole or not at all.
    pub async fn seal(&self, staging: Staging, digest: &Digest) -> Result<Sealed> {
        alive::shown(self, staging, seal::seal(self, staging, digest)).await
    }

    /// Drops what was staged of an upload, by any process.
    pub async fn discard(&self, upload: UploadId) -> Result<()> {
        sweep::discard(self, upload).await
    }

    /// Uploads of which anything stands in the bucket, nothing of it written since `unix_secs`.
    pub async fn staged_before(&self, unix_secs: u64) -> Result<Vec<UploadId>> {
        sweep::before(self, unix_secs).await
    }
}
