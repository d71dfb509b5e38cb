//! Uploads on the wire, in all their forms (distribution-spec, "Pushing blobs").

use crate::http::body::{self, Outgoing};
use crate::http::error::Problem;
use crate::http::guard::{self, Guest, Visit};
use crate::http::headers::{CONTENT_DIGEST, UPLOAD_UUID, chunk_range, value};
use crate::http::state::Door;
use crate::http::v2::answer::{Answer, Asked, empty, to_the_end};
use crate::http::v2::manifests::content_length;
use crate::metadata::uploads::Upload;
use crate::oci::digest::{Algorithm, Digest};
use crate::oci::repository::Repository;
use crate::oci::upload::UploadId;
use crate::registry::error::Error;
use crate::registry::mount as mounting;
use crate::registry::uploads::{self, Chunk, Session};
use http::header::{CONTENT_RANGE, LOCATION, RANGE};
use http::request::Parts;
use http::{Response, StatusCode};
use http_body::Body as _;

/// POST: a session (end-4a, end-4c).
pub async fn begin(door: &Door, guest: &Guest, repository: Repository, algorithm: Algorithm) -> Answer {
    let owner = guest.session.owner_key();
    let upload = uploads::begin(&door.registry, &repository, algorithm, &owner).await?;
    Ok(standing(StatusCode::ACCEPTED, &repository, upload.id, upload.offset))
}

/// POST with the whole blob (end-4b). Without a body it is a plain session: that is how the specification
/// tells clients to go on when a registry does not take blobs in one request, and how old ones ask.
pub async fn whole(
    door: &Door,
    guest: &Guest,
    asked: Asked,
    repository: Repository,
    digest: Digest,
) -> Answer {
    let chunk = chunk(door, asked)?;
    let empty_blob = crate::oci::hasher::digest(digest.algorithm(), b"") == digest;
    if chunk.bytes.is_none() && !empty_blob {
        return begin(door, guest, repository, digest.algorithm()).await;
    }
    let (registry, name) = (door.registry.clone(), repository.clone());
    to_the_end(async move { Ok(uploads::whole(&registry, &name, chunk, &digest).await?) }).await?;
    Ok(created(&repository, &digest))
}

/// POST to mount (end-11). What cannot be mounted becomes a session, and so does what the caller may not pull: nobody
/// learns by mounting what others hold.
pub async fn mount(
    visit: Visit<'_>,
    guest: &Guest,
    repository: Repository,
    digest: Digest,
    from: Option<Repository>,
) -> Answer {
    let door = visit.door;
    let source = if let Some(from) = from {
        guard::may_mount(visit, guest, &repository, &from)?.then_some(from)
    } else {
        let holders = mounting::holders(&door.registry, &digest, mounting::HOLDERS_MAX).await?;
        pick(holders, &repository, |holder| guard::may_pull(door, guest, holder))
    };
    let mounted = match source {
        Some(source) => {
            let (registry, name) = (door.registry.clone(), repository.clone());
            to_the_end(async move { Ok(mounting::mount(&registry, &name, &digest, &source).await?) }).await?
        }
        None => false,
    };
    if mounted {
        Ok(created(&repository, &digest))
    } else {
        begin(door, guest, repository, digest.algorithm()).await
    }
}

/// The first of the holders that may be pulled from. Asks the same number of times whoever holds the blob, the target in
/// place of those that are missing: nobody learns from time how many hold it, and whether one of them is theirs.
fn pick(
    holders: Vec<Repository>,
    target: &Repository,
    mut may_pull: impl FnMut(&Repository) -> bool,
) -> Option<Repository> {
    let asked = (0..mounting::HOLDERS_MAX).map(|at| may_pull(holders.get(at).unwrap_or(target)));
    let answers: Vec<bool> = asked.collect();
    holders.into_iter().zip(answers).find_map(|(holder, may)| may.then_some(holder))
}

/// GET: how far it is (end-13).
pub async fn status(door: &Door, guest: &Guest, repository: Repository, id: UploadId) -> Answer {
    let owner = guest.session.owner_key();
    let upload = uploads::status(&door.registry, session(&repository, id, &owner)).await?;
    Ok(standing(StatusCode::NO_CONTENT, &repository, id, upload.offset))
}

/// PATCH: a chunk, or the whole streamed (end-5).
pub async fn append(
    door: &Door,
    guest: &Guest,
    asked: Asked,
    repository: Repository,
    id: UploadId,
) -> Answer {
    let owner = guest.session.owner_key();
    let chunk = chunk(door, asked)?;
    let (registry, name) = (door.registry.clone(), repository.clone());
    let appended: Result<Upload, Problem> =
        to_the_end(async move { Ok(uploads::append(&registry, session(&name, id, &owner), chunk).await?) })
            .await;
    match appended {
        Ok(upload) => Ok(standing(StatusCode::ACCEPTED, &repository, id, upload.offset)),
        Err(problem) => told_where(problem, &repository, id),
    }
}

/// PUT: the end, with the last chunk or without (end-6).
pub async fn finish(
    door: &Door,
    guest: &Guest,
    asked: Asked,
    (repository, id): (Repository, UploadId),
    digest: Digest,
) -> Answer {
    let owner = guest.session.owner_key();
    let chunk = chunk(door, asked)?;
    let (registry, name) = (door.registry.clone(), repository.clone());
    let finished: Result<(), Problem> = to_the_end(async move {
        Ok(uploads::finish(&registry, session(&name, id, &owner), chunk, &digest).await?)
    })
    .await;
    match finished {
        Ok(()) => Ok(created(&repository, &digest)),
        Err(problem) => told_where(problem, &repository, id),
    }
}

/// DELETE: the session ends (end-14).
pub async fn cancel(door: &Door, guest: &Guest, repository: Repository, id: UploadId) -> Answer {
    let owner = guest.session.owner_key();
    let registry = door.registry.clone();
    to_the_end(async move { Ok(uploads::cancel(&registry, session(&repository, id, &owner)).await?) })
        .await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn session<'a>(repository: &'a Repository, id: UploadId, owner: &'a str) -> Session<'a> {
    Session { repository, id, owner }
}

fn chunk(door: &Door, asked: Asked) -> Result<Chunk, Problem> {
    let Asked { head: Parts { headers, .. }, body: incoming } = asked;
    let range = match headers.get(CONTENT_RANGE) {
        None => None,
        Some(range) => Some(range.to_str().ok().and_then(chunk_range).ok_or(Problem::ChunkRange)?),
    };
    let length = content_length(&headers);
    let bytes = (!incoming.is_end_stream()).then(|| body::stream(incoming, door.stall));
    Ok(Chunk { bytes, length, range })
}

/// An upload as it stands. `Range` counts inclusively, so that no bytes and one byte look the same in it;
/// every registry has it so.
fn standing(status: StatusCode, repository: &Repository, id: UploadId, offset: u64) -> Response<Outgoing> {
    let mut response = empty(status);
    tell_where(&mut response, repository, id, offset);
    response
}

fn tell_where(response: &mut Response<Outgoing>, repository: &Repository, id: UploadId, offset: u64) {
    let headers = response.headers_mut();
    headers.insert(LOCATION, value(format!("/v2/{repository}/blobs/uploads/{id}")));
    headers.insert(RANGE, value(format!("0-{}", offset.saturating_sub(1))));
    headers.insert(UPLOAD_UUID, value(id.to_string()));
}

/// A refusal, with where the upload stands if that is what the client got wrong.
fn told_where(problem: Problem, repository: &Repository, id: UploadId) -> Answer {
    let Problem::Rule(Error::OutOfOrder { offset }) = problem else { return Err(problem) };
    let mut response = problem.respond();
    tell_where(&mut response, repository, id, offset);
    Ok(response)
}

fn created(repository: &Repository, digest: &Digest) -> Response<Outgoing> {
    let mut response = empty(StatusCode::CREATED);
    let headers = response.headers_mut();
    headers.insert(LOCATION, value(format!("/v2/{repository}/blobs/{digest}")));
    headers.insert(CONTENT_DIGEST, value(digest.to_string()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_holds_a_blob_the_rules_are_asked_equally_often() {
        let name = |at: usize| -> Repository { format!("team/{at}").parse().unwrap() };
        for count in [0, 1, 5, mounting::HOLDERS_MAX] {
            for first in [0, 3, 99] {
                let mut asked = 0;
                let picked = pick((0..count).map(name).collect(), &"to".parse().unwrap(), |holder| {
                    asked += 1;
                    holder.as_str() == "to" || (first..count).any(|at| name(at) == *holder)
                });
                assert_eq!(asked, mounting::HOLDERS_MAX);
                assert_eq!(picked, (first < count).then(|| name(first)));
            }
        }
    }
}
