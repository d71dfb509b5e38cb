//! Which repository holds which blob, in PostgreSQL.

use crate::metadata::blobs::Blobs;
use crate::metadata::error::{Error, Result};
use crate::metadata::intents::IntentId;
use crate::metadata::postgres::columns::{answer, column, count, digest, hashes, parsed};
use crate::metadata::postgres::database::Database;
use crate::metadata::postgres::statement::Statement;
use crate::oci::digest::Digest;
use crate::oci::repository::Repository;

/// The size of a blob that a repository holds.
pub const SIZE: &str = "SELECT holds.size FROM holdfast.repositories \
    JOIN holdfast.holds ON holds.repository_id = repositories.id AND holds.digest = $2 \
    WHERE repositories.name = $1";

/// What a repository does not hold of some blobs and manifests, each once, in their order: one look for each, however many
/// the repository holds.
pub const ABSENT: &str = "SELECT digest FROM (\
        SELECT digest, place FROM unnest($2::bytea[]) WITH ORDINALITY AS named (digest, place) \
        WHERE (SELECT true FROM holdfast.holds WHERE holds.digest = named.digest \
            AND repository_id = (SELECT id FROM holdfast.repositories WHERE name = $1)) IS NULL \
        UNION ALL \
        SELECT digest, place + cardinality($2) FROM unnest($3::bytea[]) WITH ORDINALITY AS named (digest, place) \
        WHERE (SELECT true FROM holdfast.manifests WHERE manifests.digest = named.digest \
            AND repository_id = (SELECT id FROM holdfast.repositories WHERE name = $1)) IS NULL\
    ) AS absent GROUP BY digest ORDER BY min(place)";

/// Who holds a blob.
pub const HOLDERS: &str = "SELECT repositories.name, holds.size FROM holdfast.holds \
    JOIN holdfast.repositories ON repositories.id = holds.repository_id \
    WHERE holds.digest = $1 AND repositories.name > $2 ORDER BY repositories.name LIMIT $3";

#[async_trait::async_trait]
impl Blobs for Database {
    async fn size(&self, repository: &Repository, digest: &Digest) -> Result<Option<u64>> {
        let asked = Statement::new(SIZE).bind(repository.as_str()).bind(digest.hash());
        let rows = self.read(asked).await?;
        rows.first().map(|row| column::<i64>(row, "size").map(i64::cast_unsigned)).transpose()
    }

    async fn absent(
        &self,
        repository: &Repository,
        blobs: &[Digest],
        manifests: &[Digest],
    ) -> Result<Vec<Digest>> {
        let asked =
            Statement::new(ABSENT).bind(repository.as_str()).bind(hashes(blobs)).bind(hashes(manifests));
        let rows = self.read(asked).await?;
        rows.iter().map(|row| digest("digest", column(row, "digest")?)).collect()
    }

    async fn link(
        &self,
        repository: &Repository,
        digest: &Digest,
        size: u64,
        fulfilled: Option<IntentId>,
    ) -> Result<()> {
        let link = Statement::new("SELECT holdfast.link_blob($1, $2, $3, $4, $5)")
            .bind(repository.as_str())
            .bind(digest.hash())
            .bind(size.cast_signed())
            .bind(fulfilled.map(|id| id.0))
            .bind(self.replica.id());
        let linked = answer(&self.write(link).await?)?;
        self.release(fulfilled);
        if linked { Ok(()) } else { Err(Error::Overtaken) }
    }

    async fn unlink(
        &self,
        repository: &Repository,
        digest: &Digest,
        under: Option<IntentId>,
    ) -> Result<bool> {
        let unlink = Statement::new("SELECT holdfast.unlink_blob($1, $2, $3, $4)")
            .bind(repository.as_str())
            .bind(digest.hash())
            .bind(under.map(|id| id.0))
            .bind(self.replica.id());
        answer(&self.write(unlink).await?)
    }

    async fn holders(
        &self,
        digest: &Digest,
        after: Option<&Repository>,
        count_max: usize,
    ) -> Result<Vec<(Repository, u64)>> {
        let after = after.map_or("", Repository::as_str);
        let asked = Statement::new(HOLDERS).bind(digest.hash()).bind(after).bind(count(count_max));
        let read = |row| {
            let size: i64 = column(row, "size")?;
            Ok((parsed("name", column(row, "name")?)?, size.cast_unsigned()))
        };
        self.read(asked).await?.iter().map(read).collect()
    }
}
