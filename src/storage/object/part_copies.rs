//! Copies of parts: the server itself copies a range of one object into a part of another, many at once. That is faster
//! than one copy of all, and has no limit of 5 GiB. The library does not ask for it (S3: UploadPartCopy); its signer signs
//! requests of ours, and its client sends them.

use crate::storage::object::answer;
use async_trait::async_trait;
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt, Limited};
use object_store::client::{HttpClient, HttpRequest, HttpRequestBody};
use object_store::path::Path;
use object_store::signer::{HeaderName, HeaderValue, Method, SignedUrlOptions, Signer};
use object_store::{Error, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

const SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
const RANGE: HeaderName = HeaderName::from_static("x-amz-copy-source-range");
/// How long a signed request holds: as far as clocks may differ, as it is sent at once.
const SIGNED: Duration = Duration::from_mins(15);
/// An answer is no longer than that.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// What a path is spelled with in a header, beside letters and digits.
const SPELLED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// A part of an object in the making that is copied from another object.
#[derive(Debug)]
pub struct Part<'a> {
    /// The object in the making.
    pub target: &'a Path,
    /// Its multipart upload.
    pub id: &'a str,
    /// Which part of it, from 0 on.
    pub nth: usize,
    /// Where the bytes come from.
    pub source: &'a Path,
    /// Which bytes of it.
    pub range: Range<u64>,
}

/// Who copies parts.
#[async_trait]
pub trait PartCopies: Send + Sync {
    /// Copies a part; what the server calls it.
    async fn copy(&self, part: &Part<'_>) -> Result<String>;
}

/// A server that speaks S3.
pub struct S3 {
    /// Who signs requests to it.
    pub signer: Arc<dyn Signer>,
    /// The way to it.
    pub client: HttpClient,
    /// The name of its bucket.
    pub bucket: String,
}

#[async_trait]
impl PartCopies for S3 {
    async fn copy(&self, part: &Part<'_>) -> Result<String> {
        let answer = self.client.execute(self.request(part).await?).await.map_err(broken)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|source| Error::Generic { store: "S3", source })?.to_bytes();
        let body = String::from_utf8_lossy(&body);
        // It may begin its answer with 200 before it has copied, and say behind that that it has failed.
        match answer::between(&body, "<ETag>", "</ETag>").map(tag) {
            Some(tag) if status.is_success() && tag.len() > 2 => Ok(tag),
            _ => Err(answer::refusal(status, &body)),
        }
    }
}

/// An ETag between quotes, however they are spelled in XML.
fn tag(text: &str) -> String {
    let bare = text.replace("&quot;", "").replace("&#34;", "").replace("&#x22;", "");
    format!("\"{}\"", bare.trim().trim_matches('"'))
}

impl S3 {
    async fn request(&self, part: &Part<'_>) -> Result<HttpRequest> {
        let source = utf8_percent_encode(part.source.as_ref(), SPELLED);
        let range = format!("bytes={}-{}", part.range.start, part.range.end.saturating_sub(1));
        let options = SignedUrlOptions::new()
            .with_query([("partNumber", (part.nth + 1).to_string()), ("uploadId", part.id.to_owned())])
            .with_signed_header(SOURCE, header(format!("{}/{source}", self.bucket))?)
            .with_signed_header(RANGE, header(range)?);
        let url = self.signer.signed_url_opts(Method::PUT, part.target, SIGNED, &options).await?;
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = Method::PUT;
        *request.uri_mut() = url.as_str().parse().map_err(broken)?;
        *request.headers_mut() = options.signed_headers;
        request.headers_mut().insert(CONTENT_LENGTH, 0.into());
        Ok(request)
    }
}

fn header(text: String) -> Result<HeaderValue> {
    HeaderValue::try_from(text).map_err(broken)
}

/// What went wrong before there was an answer. Says no URL: it is signed.
fn broken(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Generic { store: "S3", source: Box::new(error) }
}
