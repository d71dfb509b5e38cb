//! Manifests, tags and referrers in PostgreSQL.

use crate::metadata::error::{Error, Result};
use crate::metadata::intents::IntentId;
use crate::metadata::manifests::{Manifests, NewManifest, Put, Referrer, Resolved};
use crate::metadata::postgres::columns::{
    answer, before_nul, column, count, damaged, digest, hashes, kind, kind_text, last, number, parsed,
};
use crate::metadata::postgres::database::Database;
use crate::metadata::postgres::statement::Statement;
use crate::oci::digest::Digest;
use crate::oci::page::{Listed, Page};
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use bytes::Bytes;
use sqlx::postgres::PgRow;

/// Longest descriptor that is kept.
const DESCRIPTOR_BYTES_MAX: usize = 48 << 10;

/// What a tag means.
pub const BY_TAG: &str = "SELECT manifests.digest, manifests.kind, manifests.size FROM holdfast.repositories \
    JOIN holdfast.tags ON tags.repository_id = repositories.id AND tags.name = $2 \
    JOIN holdfast.manifests ON manifests.repository_id = tags.repository_id AND manifests.digest = tags.digest \
    WHERE repositories.name = $1";

/// What a digest means.
pub const BY_DIGEST: &str = "SELECT manifests.digest, manifests.kind, manifests.size FROM holdfast.repositories \
    JOIN holdfast.manifests ON manifests.repository_id = repositories.id AND manifests.digest = $2 \
    WHERE repositories.name = $1";

/// The bytes of a manifest.
pub const BODY: &str = "SELECT manifests.body FROM holdfast.repositories \
    JOIN holdfast.manifests ON manifests.repository_id = repositories.id AND manifests.digest = $2 \
    WHERE repositories.name = $1";

/// A page of tags, and whether the repository holds anything.
pub const TAGS: &str = "SELECT ARRAY(SELECT tags.name FROM holdfast.tags \
        WHERE tags.repository_id = repositories.id AND tags.name > $2 ORDER BY tags.name LIMIT $3) AS tags \
    FROM holdfast.repositories WHERE repositories.name = $1 \
    AND ((SELECT true FROM holdfast.manifests WHERE repository_id = repositories.id LIMIT 1) \
        OR (SELECT true FROM holdfast.holds WHERE repository_id = repositories.id LIMIT 1))";

/// A page of referrers: those after a digest, and, where that is none, after a text.
pub const REFERRERS: &str = "SELECT manifests.digest, artifact_type, descriptor FROM holdfast.manifests \
    WHERE repository_id = (SELECT id FROM holdfast.repositories WHERE name = $1) AND subject = $2 \
    AND (octet_length(digest), digest) > (octet_length($3::bytea), $3::bytea) \
    AND ($4 = '' OR (CASE octet_length(digest) WHEN 32 THEN 'sha256:' ELSE 'sha512:' END \
        || encode(digest, 'hex')) COLLATE \"C\" > $4) \
    AND ($5::text IS NULL OR artifact_type = $5) \
    ORDER BY octet_length(digest), digest LIMIT $6";

/// A page of repositories that hold a manifest. The inner limit keeps it to one look for each name.
pub const REPOSITORIES: &str = "SELECT repositories.name FROM holdfast.repositories \
    CROSS JOIN LATERAL (SELECT FROM holdfast.manifests WHERE repository_id = repositories.id LIMIT 1) AS held \
    WHERE repositories.name > $1 ORDER BY repositories.name LIMIT $2";

#[async_trait::async_trait]
impl Manifests for Database {
    async fn resolve(&self, repository: &Repository, reference: &Reference) -> Result<Option<Resolved>> {
        let asked = match reference {
            Reference::Tag(tag) => Statement::new(BY_TAG).bind(repository.as_str()).bind(tag.as_str()),
            Reference::Digest(digest) => {
                Statement::new(BY_DIGEST).bind(repository.as_str()).bind(digest.hash())
            }
        };
        self.read(asked).await?.first().map(resolved).transpose()
    }

    async fn body(&self, repository: &Repository, digest: &Digest) -> Result<Option<Option<Bytes>>> {
        let asked = Statement::new(BODY).bind(repository.as_str()).bind(digest.hash());
        let rows = self.read(asked).await?;
        let body = rows.first().map(|row| column::<Option<Vec<u8>>>(row, "body")).transpose()?;
        Ok(body.map(|body| body.map(Bytes::from)))
    }

    async fn put(
        &self,
        repository: &Repository,
        manifest: NewManifest,
        demand: bool,
        fulfilled: Option<IntentId>,
    ) -> Result<Put> {
        let Resolved { digest, kind, size } = manifest.resolved;
        let (subject, referrer) = manifest.subject.as_ref().map_or((None, None), |(s, r)| (Some(s), Some(r)));
        let descriptor = referrer.and_then(|referrer| referrer.descriptor.as_deref());
        let tags: Vec<&str> = manifest.tags.iter().map(Tag::as_str).collect();
        let put = "SELECT overtaken, absent FROM holdfast.put_manifest(\
            $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
        let put = Statement::new(put)
            .bind(repository.as_str())
            .bind(digest.hash())
            .bind(kind_text(kind))
            .bind(size.cast_signed())
            .bind(number(manifest.pushed))
            .bind(subject.map(Digest::hash))
            .bind(referrer.and_then(|referrer| referrer.artifact_type.as_deref()).map(before_nul))
            .bind(descriptor.filter(|descriptor| descriptor.len() <= DESCRIPTOR_BYTES_MAX))
            .bind(manifest.body.as_deref())
            .bind(tags)
            .bind(demand)
            .bind(hashes(&manifest.blobs))
            .bind(hashes(&manifest.children))
            .bind(fulfilled.map(|id| id.0))
            .bind(self.replica.id());
        let rows = self.write(put).await?;
        let row = rows.first().ok_or_else(|| damaged("overtaken"))?;
        if column(row, "overtaken")? {
            self.release(fulfilled);
            return Err(Error::Overtaken);
        }
        if let Some(absent) = column::<Option<Vec<Vec<u8>>>>(row, "absent")? {
            return Ok(Put::Absent(absent.iter().map(|hash| read_digest(hash)).collect::<Result<_>>()?));
        }
        self.release(fulfilled);
        Ok(Put::Recorded)
    }

    async fn untag(&self, repository: &Repository, tag: &Tag, under: Option<IntentId>) -> Result<bool> {
        let untag = Statement::new("SELECT holdfast.untag($1, $2, $3, $4)")
            .bind(repository.as_str())
            .bind(tag.as_str())
            .bind(under.map(|id| id.0))
            .bind(self.replica.id());
        answer(&self.write(untag).await?)
    }

    async fn forget(
        &self,
        repository: &Repository,
        digest: &Digest,
        under: Option<IntentId>,
    ) -> Result<Option<Vec<Tag>>> {
        let forget = Statement::new("SELECT holdfast.forget_manifest($1, $2, $3, $4)")
            .bind(repository.as_str())
            .bind(digest.hash())
            .bind(under.map(|id| id.0))
            .bind(self.replica.id());
        let tags: Option<Vec<String>> = answer(&self.write(forget).await?)?;
        tags.map(|tags| tags.iter().map(|tag| parsed("name", tag)).collect()).transpose()
    }

    async fn tags(&self, repository: &Repository, page: &Page) -> Result<Option<Listed<Tag>>> {
        let asked = Statement::new(TAGS)
            .bind(repository.as_str())
            .bind(last(page.last.as_deref()))
            .bind(one_more(page));
        let rows = self.read(asked).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let names: Vec<String> = column(row, "tags")?;
        let tags = names.iter().map(|name| parsed("name", name)).collect::<Result<_>>()?;
        Ok(Some(listed(tags, page)))
    }

    async fn referrers(
        &self,
        repository: &Repository,
        subject: &Digest,
        artifact_type: Option<&str>,
        page: &Page,
    ) -> Result<Listed<Referrer>> {
        let place = last(page.last.as_deref());
        let after: Option<Digest> = place.parse().ok();
        let asked = Statement::new(REFERRERS)
            .bind(repository.as_str())
            .bind(subject.hash())
            .bind(after.as_ref().map_or(&[][..], Digest::hash))
            .bind(if after.is_some() { "" } else { place })
            .bind(artifact_type.map(before_nul))
            .bind(one_more(page));
        let referrers = self.read(asked).await?.iter().map(referrer).collect::<Result<_>>()?;
        Ok(listed(referrers, page))
    }

    async fn repositories(&self, page: &Page) -> Result<Listed<Repository>> {
        let asked = Statement::new(REPOSITORIES).bind(last(page.last.as_deref())).bind(one_more(page));
        let read = |row| parsed("name", column(row, "name")?);
        Ok(listed(self.read(asked).await?.iter().map(read).collect::<Result<_>>()?, page))
    }
}

/// One more than a page has tells whether others follow; an empty page has none after it.
fn one_more(page: &Page) -> i64 {
    if page.entries_max == 0 { 0 } else { count(page.entries_max.saturating_add(1)) }
}

fn listed<T>(mut entries: Vec<T>, page: &Page) -> Listed<T> {
    let more = entries.len() > page.entries_max;
    entries.truncate(page.entries_max);
    Listed { entries, more }
}

fn read_digest(hash: &[u8]) -> Result<Digest> {
    digest("digest", hash)
}

fn resolved(row: &PgRow) -> Result<Resolved> {
    Ok(Resolved {
        digest: read_digest(column(row, "digest")?)?,
        kind: kind(column(row, "kind")?)?,
        size: column::<i64>(row, "size")?.cast_unsigned(),
    })
}

fn referrer(row: &PgRow) -> Result<Referrer> {
    Ok(Referrer {
        digest: read_digest(column(row, "digest")?)?,
        artifact_type: column(row, "artifact_type")?,
        descriptor: column(row, "descriptor")?,
    })
}
