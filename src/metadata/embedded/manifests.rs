//! Manifests, tags and referrers on an ordered key engine.

use crate::metadata::embedded::database::Database;
use crate::metadata::embedded::rows::{self, Manifest, Tagged};
use crate::metadata::embedded::transaction::Transaction;
use crate::metadata::embedded::{blobs, counts, keys, long};
use crate::metadata::error::Result;
use crate::metadata::intents::IntentId;
use crate::metadata::manifests::{Manifests, NewManifest, Put, Referrer, Resolved};
use crate::oci::digest::Digest;
use crate::oci::page::{Listed, Page};
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use bytes::Bytes;
use std::ops::ControlFlow;
use std::str::FromStr;

/// Longest row of a referrer that carries its descriptor.
const REFERRER_BYTES_MAX: usize = 48 << 10;

#[async_trait::async_trait]
impl Manifests for Database {
    async fn resolve(&self, repository: &Repository, reference: &Reference) -> Result<Option<Resolved>> {
        match reference {
            Reference::Tag(tag) => {
                let key = keys::tag(repository, tag);
                let Some(row) = self.get(&key)? else { return Ok(None) };
                Ok(Some(rows::read(&key, &row, Tagged::read)?.resolved))
            }
            Reference::Digest(digest) => {
                let key = keys::manifest(repository, digest);
                let Some(row) = self.get(&key)? else { return Ok(None) };
                let Manifest { kind, size, .. } = rows::read(&key, &row, Manifest::read)?;
                Ok(Some(Resolved { digest: *digest, kind, size }))
            }
        }
    }

    async fn body(&self, repository: &Repository, digest: &Digest) -> Result<Option<Option<Bytes>>> {
        // A body stands only beside its manifest's row, so it answers alone.
        match long::get(|key| self.get(key), &keys::body(repository, digest))? {
            Some(body) => Ok(Some(Some(body))),
            None => Ok(self.get(&keys::manifest(repository, digest))?.map(|_| None)),
        }
    }

    async fn put(
        &self,
        repository: &Repository,
        manifest: NewManifest,
        demand: bool,
        fulfilled: Option<IntentId>,
    ) -> Result<Put> {
        let repository = repository.clone();
        let bytes = manifest.body.as_ref().map_or(0, Bytes::len);
        self.seen_of(bytes, move |transaction| {
            if demand {
                let names = (manifest.blobs.as_slice(), manifest.children.as_slice());
                let absent = blobs::absent(|key| transaction.get(key), &repository, names)?;
                if !absent.is_empty() {
                    return Ok(Put::Absent(absent));
                }
            }
            record(transaction, &repository, &manifest)?;
            if let Some(id) = fulfilled {
                long::remove(transaction, keys::intent(id))?;
            }
            Ok(Put::Recorded)
        })
        .await
    }

    async fn untag(&self, repository: &Repository, tag: &Tag, _under: Option<IntentId>) -> Result<bool> {
        let (repository, tag) = (repository.clone(), tag.clone());
        self.seen(move |transaction| {
            let Some(tagged) = tagged(transaction, &repository, &tag)? else { return Ok(false) };
            transaction.remove(keys::tag(&repository, &tag));
            transaction.remove(keys::tag_of(&repository, &tagged.resolved.digest, &tag));
            Ok(true)
        })
        .await
    }

    async fn forget(
        &self,
        repository: &Repository,
        digest: &Digest,
        _under: Option<IntentId>,
    ) -> Result<Option<Vec<Tag>>> {
        let (repository, digest) = (repository.clone(), *digest);
        self.seen(move |transaction| forget(transaction, &repository, &digest)).await
    }

    async fn tags(&self, repository: &Repository, page: &Page) -> Result<Option<Listed<Tag>>> {
        if self.get(&keys::counts(repository))?.is_none() {
            return Ok(None);
        }
        self.names(&keys::tags(repository), page).await.map(Some)
    }

    async fn referrers(
        &self,
        repository: &Repository,
        subject: &Digest,
        artifact_type: Option<&str>,
        page: &Page,
    ) -> Result<Listed<Referrer>> {
        let prefix = keys::referrers(repository, subject);
        let mut listed = Listed::empty();
        if page.entries_max == 0 {
            return Ok(listed);
        }
        let last: Option<Digest> = page.last.as_deref().and_then(|last| last.parse().ok());
        let from = match &last {
            Some(last) => keys::next(keys::referrer(repository, subject, last)),
            None => prefix.clone(),
        };
        self.each(&prefix, from, page.entries_max.saturating_add(1), |(rest, _)| {
            let key = [prefix.as_slice(), &rest].concat();
            let digest = keys::digest(&rest).ok_or_else(|| rows::damaged(&key, "it names no digest"))?;
            if page.last.as_deref().is_some_and(|last| digest.to_string().as_str() <= last) {
                return Ok(ControlFlow::Continue(())); // only where `last` is no digest
            }
            let Some(row) = long::get(|key| self.get(key), &key)? else {
                return Ok(ControlFlow::Continue(()));
            };
            let referrer = rows::read(&key, &row, |row| rows::read_referrer(digest, row))?;
            if artifact_type.is_some() && artifact_type != referrer.artifact_type.as_deref() {
                return Ok(ControlFlow::Continue(()));
            }
            Ok(add(&mut listed, referrer, page))
        })
        .await?;
        Ok(listed)
    }

    async fn repositories(&self, page: &Page) -> Result<Listed<Repository>> {
        self.names(keys::CATALOG, page).await
    }
}

impl Database {
    /// A page of the names that follow a prefix.
    async fn names<T: FromStr + Send>(&self, prefix: &[u8], page: &Page) -> Result<Listed<T>> {
        let mut listed = Listed::empty();
        if page.entries_max == 0 {
            return Ok(listed);
        }
        let from = match &page.last {
            Some(last) => keys::next([prefix, last.as_bytes()].concat()),
            None => prefix.to_vec(),
        };
        self.each(prefix, from, page.entries_max.saturating_add(1), |(rest, _)| {
            let name = keys::parsed(&rest)
                .ok_or_else(|| rows::damaged(&[prefix, &rest].concat(), "it names nothing"))?;
            Ok(add(&mut listed, name, page))
        })
        .await?;
        Ok(listed)
    }
}

/// Adds an entry to a page, or notes that there is one too many.
fn add<T>(listed: &mut Listed<T>, entry: T, page: &Page) -> ControlFlow<()> {
    if listed.entries.len() == page.entries_max {
        listed.more = true;
        return ControlFlow::Break(());
    }
    listed.entries.push(entry);
    ControlFlow::Continue(())
}

fn tagged(transaction: &Transaction<'_>, repository: &Repository, tag: &Tag) -> Result<Option<Tagged>> {
    let key = keys::tag(repository, tag);
    transaction.get(&key)?.map(|row| rows::read(&key, &row, Tagged::read)).transpose()
}

fn held(transaction: &Transaction<'_>, repository: &Repository, digest: &Digest) -> Result<Option<Manifest>> {
    let key = keys::manifest(repository, digest);
    transaction.get(&key)?.map(|row| rows::read(&key, &row, Manifest::read)).transpose()
}

/// What the manifest names and the repository does not hold, each once.
fn record(transaction: &mut Transaction<'_>, repository: &Repository, manifest: &NewManifest) -> Result<()> {
    let Resolved { digest, kind, size } = manifest.resolved;
    let subject = manifest.subject.as_ref().map(|(subject, _)| *subject);
    let before = held(transaction, repository, &digest)?;
    match &before {
        None => counts::change(transaction, repository, |mut counts| {
            counts.manifests += 1;
            counts
        })?,
        Some(before) => {
            if before.kind != kind {
                retell(transaction, repository, &manifest.resolved)?;
            }
            if let Some(old) = before.subject.filter(|_| before.subject != subject) {
                long::remove(transaction, keys::referrer(repository, &old, &digest))?;
            }
        }
    }
    let row = Manifest { kind, size, pushed: manifest.pushed, subject };
    transaction.put(keys::manifest(repository, &digest), row.write());
    if let Some(body) = &manifest.body {
        let key = keys::body(repository, &digest);
        // The same digest has the same bytes.
        if before.is_none() || transaction.get(&key)?.is_none() {
            long::put(transaction, key, body)?;
        }
    }
    if let Some((subject, referrer)) = &manifest.subject {
        refer(transaction, keys::referrer(repository, subject, &digest), referrer)?;
    }
    for tag in &manifest.tags {
        move_tag(transaction, repository, tag, manifest)?;
    }
    Ok(())
}

/// Writes how a manifest is listed among the referrers of its subject.
fn refer(transaction: &mut Transaction<'_>, key: Vec<u8>, referrer: &Referrer) -> Result<()> {
    let mut row = rows::write_referrer(referrer);
    if row.len() > REFERRER_BYTES_MAX {
        row = rows::write_referrer(&Referrer { descriptor: None, ..referrer.clone() });
    }
    long::remove(transaction, key.clone())?;
    long::put(transaction, key, &row.into())
}

fn move_tag(
    transaction: &mut Transaction<'_>,
    repository: &Repository,
    tag: &Tag,
    manifest: &NewManifest,
) -> Result<()> {
    let resolved = manifest.resolved.clone();
    match tagged(transaction, repository, tag)? {
        Some(old) if old.resolved.digest == resolved.digest => (),
        old => {
            if let Some(old) = old {
                transaction.remove(keys::tag_of(repository, &old.resolved.digest, tag));
            }
            transaction.put(keys::tag_of(repository, &resolved.digest, tag), Vec::new());
        }
    }
    transaction.put(keys::tag(repository, tag), Tagged { resolved, pushed: manifest.pushed }.write());
    Ok(())
}

/// The tags that mean a manifest.
fn tags_of(transaction: &Transaction<'_>, repository: &Repository, digest: &Digest) -> Result<Vec<Tag>> {
    let prefix = keys::tags_of(repository, digest);
    let tag = |(key, _): (Vec<u8>, Bytes)| {
        keys::parsed(&key[prefix.len()..]).ok_or_else(|| rows::damaged(&key, "it names no tag"))
    };
    transaction.rows(&prefix)?.into_iter().map(tag).collect()
}

/// The same bytes were pushed as another kind: the rows of the tags that mean them tell the kind too.
fn retell(transaction: &mut Transaction<'_>, repository: &Repository, resolved: &Resolved) -> Result<()> {
    for tag in tags_of(transaction, repository, &resolved.digest)? {
        if let Some(Tagged { pushed, .. }) = tagged(transaction, repository, &tag)? {
            let row = Tagged { resolved: resolved.clone(), pushed };
            transaction.put(keys::tag(repository, &tag), row.write());
        }
    }
    Ok(())
}

fn forget(
    transaction: &mut Transaction<'_>,
    repository: &Repository,
    digest: &Digest,
) -> Result<Option<Vec<Tag>>> {
    let Some(manifest) = held(transaction, repository, digest)? else { return Ok(None) };
    let mut tags = Vec::new();
    for tag in tags_of(transaction, repository, digest)? {
        transaction.remove(keys::tag_of(repository, digest, &tag));
        // The rows by digest are an index, and the tag is the fact: only if it means this manifest it goes away.
        if tagged(transaction, repository, &tag)?.is_some_and(|tagged| tagged.resolved.digest == *digest) {
            transaction.remove(keys::tag(repository, &tag));
            tags.push(tag);
        }
    }
    if let Some(subject) = &manifest.subject {
        long::remove(transaction, keys::referrer(repository, subject, digest))?;
    }
    long::remove(transaction, keys::body(repository, digest))?;
    transaction.remove(keys::manifest(repository, digest));
    counts::change(transaction, repository, |mut counts| {
        counts.manifests = counts.manifests.saturating_sub(1);
        counts
    })?;
    Ok(Some(tags))
}
