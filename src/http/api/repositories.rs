//! Repositories, tags and manifests, for people who look and tidy up. The rules are those of the distribution API.

use crate::events::event::{Event, What};
use crate::http::api::call::{Call, Listing, Reply, done, invalid, json};
use crate::http::error::Problem;
use crate::http::guard;
use crate::http::v2::listing::SCANNED_MAX;
use crate::oci::digest::Digest;
use crate::oci::reference::Reference;
use crate::oci::repository::Repository;
use crate::oci::tag::Tag;
use crate::registry::{delete, listing, pull, summary};
use http::StatusCode;
use serde::Serialize;

/// The repositories that the caller may pull.
pub async fn list(call: &Call<'_>) -> Reply {
    #[derive(Serialize)]
    struct Entry {
        name: Repository,
    }
    let mut page = call.page()?;
    page.last = call.door.cursors.open(page.last);
    let search = call.query.first("search").unwrap_or_default().to_lowercase();
    let keep =
        |name: &Repository| name.as_str().contains(&search) && guard::may_see(call.door, call.guest, name);
    let found = listing::repositories_where(&call.door.registry, &page, &keep, SCANNED_MAX).await?;
    let next = call.door.cursors.seal(found.next, found.entries.last());
    let entries = found.entries.into_iter().map(|name| Entry { name }).collect();
    json(StatusCode::OK, &Listing { entries, next })
}

/// What a repository holds, in numbers.
pub async fn show(call: &Call<'_>) -> Reply {
    #[derive(Serialize)]
    struct Shown<'a> {
        name: &'a Repository,
        #[serde(flatten)]
        holds: summary::Summary,
    }
    let name = call.repository()?;
    let _turn = call.door.walks.acquire().await.map_err(|_| Problem::Broken)?;
    let holds = summary::repository(&call.door.registry, &name).await?;
    json(StatusCode::OK, &Shown { name: &name, holds })
}

/// Removes all that a repository holds.
pub async fn remove(call: &Call<'_>) -> Reply {
    let name = call.repository()?;
    let registry = &call.door.registry;
    let _turn = call.door.walks.acquire().await.map_err(|_| Problem::Broken)?;
    delete::repository(registry, &name).await?;
    deleted(call, format!("{name} (all of it)"));
    done()
}

/// Tags, with what each means.
pub async fn tags(call: &Call<'_>) -> Reply {
    #[derive(Serialize)]
    struct Entry {
        name: Tag,
        digest: Digest,
        media_type: &'static str,
    }
    let (registry, name, page) = (&call.door.registry, call.repository()?, call.page()?);
    let found = listing::tags(registry, &name, &page).await?;
    let next = found.entries.last().filter(|_| found.more).map(ToString::to_string);
    let mut entries = Vec::with_capacity(found.entries.len());
    for tag in found.entries {
        let reference = Reference::Tag(tag.clone());
        match pull::resolve(registry, &name, &reference).await {
            Ok(resolved) => {
                let media_type = resolved.kind.media_type();
                entries.push(Entry { name: tag, digest: resolved.digest, media_type });
            }
            // Removed since it was listed.
            Err(crate::registry::error::Error::ManifestUnknown(..)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    json(StatusCode::OK, &Listing { entries, next })
}

/// What a tag means.
pub async fn tag(call: &Call<'_>) -> Reply {
    let tag: Tag = call.captured.text("tag").parse().map_err(invalid)?;
    contents(call, Reference::Tag(tag)).await
}

/// What a manifest is made of.
pub async fn manifest(call: &Call<'_>) -> Reply {
    contents(call, Reference::Digest(digest(call)?)).await
}

async fn contents(call: &Call<'_>, reference: Reference) -> Reply {
    let (registry, name) = (&call.door.registry, call.repository()?);
    let resolved = pull::resolve(registry, &name, &reference).await?;
    json(StatusCode::OK, &summary::contents(registry, &name, &resolved).await?)
}

/// Removes a tag alone.
pub async fn remove_tag(call: &Call<'_>) -> Reply {
    let (registry, name) = (&call.door.registry, call.repository()?);
    let tag: Tag = call.captured.text("tag").parse().map_err(invalid)?;
    let object = format!("{name}:{tag}");
    delete::tag(registry, &name, &tag).await?;
    deleted(call, object);
    done()
}

/// Removes a manifest with its tags.
pub async fn remove_manifest(call: &Call<'_>) -> Reply {
    let (registry, name, digest) = (&call.door.registry, call.repository()?, digest(call)?);
    let object = format!("{name}@{digest}");
    delete::manifest(registry, &name, &digest).await?;
    deleted(call, object);
    done()
}

fn digest(call: &Call<'_>) -> Result<Digest, Problem> {
    call.captured.text("digest").parse().map_err(invalid)
}

fn deleted(call: &Call<'_>, object: String) {
    call.door.events.emit(Event {
        what: What::Delete,
        who: call.guest.session.identity.name.clone(),
        object,
        detail: String::new(),
        address: call.guest.address,
    });
}
