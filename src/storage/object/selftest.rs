//! Tries a bucket before anything depends on it: what is refused, is refused at the start and in a sentence that says
//! what to do. Leaves nothing behind; what a crash leaves is swept with what uploads have left.

use crate::storage::error::{Error, Result};
use crate::storage::layout;
use crate::storage::object::bucket::{Bucket, PutIf};
use bytes::Bytes;
use futures_util::TryStreamExt;
use http_body_util::BodyExt;
use object_store::UpdateVersion;
use object_store::client::{HttpClient, HttpRequestBody};
use std::io;
use std::time::Duration;

/// How long the URL holds that is tried.
const SIGNED: Duration = Duration::from_mins(1);

/// What is written to try.
const TRIAL: &[u8] = b"holdfast tries whether this bucket can be written; it may be removed";

/// Tries whether a bucket can be listed, written, compared and set, read and removed. `named` is how people call it.
pub async fn run(bucket: &Bucket, named: &str) -> Result<()> {
    let told = |what: &str| {
        let (named, what) = (named.to_owned(), what.to_owned());
        move |error: Error| refused(&named, &what, error)
    };
    bucket.below("holdfast", None).try_next().await.map_err(told("it cannot be listed"))?;
    let path = layout::temporary();
    let trial = Bytes::from_static(TRIAL);
    bucket.put(&path, trial.clone()).await.map_err(told("nothing can be written in it"))?;
    let tried = conditions(bucket, named, &path, &trial).await;
    let removed = bucket.remove(&path).await.map_err(told("nothing can be removed in it"));
    tried.and(removed)
}

/// Whether a write depends on what stands there, and reads back.
async fn conditions(bucket: &Bucket, named: &str, path: &str, trial: &Bytes) -> Result<()> {
    let read = |error| refused(named, "what was written cannot be read", error);
    let there = bucket.small(path, 4096).await.map_err(read)?;
    let Some(there) = there.filter(|there| there.bytes == *trial) else {
        return Err(lacks(named, "what was written does not read back at once"));
    };
    let refuse = |error| refused(named, "writes that depend on what stands there fail", error);
    let other = UpdateVersion {
        e_tag: Some("\"00000000000000000000000000000000\"".into()),
        version: there.version.version.as_ref().map(|_| "1".into()),
    };
    for seen in [None, Some(&other)] {
        if let PutIf::Done(_) = bucket.put_if(path, trial, seen).await.map_err(refuse)? {
            return Err(lacks(
                named,
                "the server ignores If-None-Match and If-Match of a PUT, without which two processes would overwrite \
                 each other's accounts; it needs a newer version, or is none that can be used",
            ));
        }
    }
    match bucket.put_if(path, trial, Some(&there.version)).await.map_err(refuse)? {
        PutIf::Done(_) => Ok(()),
        PutIf::Lost => {
            Err(lacks(named, "a write over what was just read is refused as if another one had come between"))
        }
    }
}

fn lacks(named: &str, why: &str) -> Error {
    Error::at(named, io::Error::other(why.to_owned()))
}

/// What a refusal at the start means, in a sentence that says what to do.
fn refused(named: &str, what: &str, error: Error) -> Error {
    match error {
        Error::Unreachable { why, .. } => {
            Error::Unreachable { what: named.to_owned(), why: format!("{what}: {}", hint(&why)) }
        }
        Error::Fault { source, .. } => Error::Fault {
            what: named.to_owned(),
            source: io::Error::new(source.kind(), format!("{what}: {}", hint(&source.to_string()))),
        },
        error => error,
    }
}

/// What to do about an answer, behind the answer.
fn hint(told: &str) -> String {
    let hints = [
        ("NoSuchBucket", "there is no such bucket; make it, or look at its name and its endpoint"),
        ("ContainerNotFound", "there is no such container; make it, or look at its name and its account"),
        ("InvalidAccessKeyId", "the access key is not known there"),
        ("NotSignedUp", "the access key is not known there"),
        ("SignatureDoesNotMatch", "the secret is not the one of the access key"),
        ("RequestTimeTooSkewed", "the clock of this machine is wrong, or the server's is"),
        ("AuthorizationHeaderMalformed", "the region is wrong"),
        ("PermanentRedirect", "the region, or the endpoint, is wrong"),
        ("incorrectly configured region", "the region, or the endpoint, is wrong"),
        ("ExpiredToken", "the session token has ended"),
        ("InvalidToken", "the session token is none"),
        (
            "AccessDenied",
            "the key needs the rights to list the bucket, and to get, put and delete its objects",
        ),
        ("NotImplemented", "the server does not know how to do that"),
        ("169.254.169.254", "no access key is set, and this machine gives none either"),
        ("dns error", "the name of the endpoint is not known"),
        ("Connection refused", "nothing listens at the endpoint"),
        ("did not answer in time", "the endpoint does not answer"),
        ("certificate", "the server's certificate is not trusted; see ca_certificate"),
    ];
    match hints.iter().find(|(sign, _)| told.contains(sign)) {
        Some((_, hint)) => format!("{hint} ({told})"),
        None => told.to_owned(),
    }
}

/// Tries whether what a client is sent to is there: an object that was just written, at its signed URL, asked for as a
/// client would.
pub async fn redirects(bucket: &Bucket, named: &str, client: &HttpClient) -> Result<()> {
    let Some(signer) = &bucket.signer else { return Ok(()) };
    let path = layout::temporary();
    bucket.put(&path, Bytes::from_static(TRIAL)).await?;
    let fetched = match signer.signed_url(http::Method::GET, &bucket.at(&path)?, SIGNED).await {
        Ok(url) => fetch(client, url.as_str()).await,
        Err(error) => Err(error.to_string()),
    };
    bucket.remove(&path).await?;
    match fetched {
        Ok(()) => Ok(()),
        Err(why) => {
            let why = hint(&why);
            Err(lacks(
                named,
                &format!("redirect is on, and its signed URLs do not work; see public_endpoint: {why}"),
            ))
        }
    }
}

/// Asks for the object that was written to try. Why not: without the URL, which is a key to it.
async fn fetch(client: &HttpClient, url: &str) -> std::result::Result<(), String> {
    let request =
        http::Request::get(url).body(HttpRequestBody::empty()).map_err(|error| error.to_string())?;
    let answer = client.execute(request).await.map_err(|error| chain(&error))?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(|error| chain(&error))?.to_bytes();
    match &body[..] {
        TRIAL if status.is_success() => Ok(()),
        _ => {
            let text = String::from_utf8_lossy(body.get(..500).unwrap_or(&body)).into_owned();
            let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
            Err(format!("{status} {}", code.map_or("and something else than was written", |(code, _)| code)))
        }
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
