//! Headers of the distribution API, and the parts of RFC 9110 that it uses: ranges and entity tags.

use crate::oci::digest::Digest;
use http::header::{HeaderName, IF_NONE_MATCH, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue};

/// The digest of what the response carries or names.
pub const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// Told to old docker clients on every answer.
pub const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
/// The id of an upload session, as registry:2 names it.
pub const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
/// The subject of a manifest that was taken (distribution-spec, "Pushing Manifests with Subject").
pub const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
/// The tags that a push by digest has set (distribution-spec, end-7b).
pub const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");
/// Which filters a referrers list went through (distribution-spec, "Listing Referrers").
pub const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
/// The id by which a request is found in the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A header value of text that has been checked already. Text that HTTP cannot carry becomes empty.
pub fn value(text: impl AsRef<str>) -> HeaderValue {
    HeaderValue::from_str(text.as_ref()).unwrap_or(HeaderValue::from_static(""))
}

/// The entity tag of content: its digest.
pub fn entity_tag(digest: &Digest) -> HeaderValue {
    value(format!("\"{digest}\""))
}

/// Whether the client has this content already (RFC 9110, section 13.1.2).
pub fn is_known(headers: &HeaderMap, digest: &Digest) -> bool {
    let Some(known) = headers.get(IF_NONE_MATCH).and_then(|v| v.to_str().ok()) else { return false };
    let digest = digest.to_string();
    known.split(',').any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.trim_start_matches("W/").trim_matches('"') == digest
    })
}

/// Which bytes of content of `size` bytes a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All.
    All,
    /// From the first to the last position, both inclusive.
    Part(u64, u64),
    /// None that there are.
    Unsatisfiable,
}

/// Reads `Range` (RFC 9110, section 14.2). One that does not read, or names several parts, counts as absent,
/// and so does one for other content (`If-Range`, section 13.1.5). One that runs backwards is refused rather
/// than ignored, as the conformance program asks.
pub fn wanted(headers: &HeaderMap, digest: &Digest, size: u64) -> Wanted {
    let Some(range) = headers.get(RANGE) else { return Wanted::All };
    if headers.get(IF_RANGE).is_some_and(|only| only != entity_tag(digest)) {
        return Wanted::All;
    }
    range.to_str().ok().and_then(|range| parse_range(range, size)).unwrap_or(Wanted::All)
}

fn parse_range(range: &str, size: u64) -> Option<Wanted> {
    let (unit, set) = range.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = set.trim().split_once('-')?;
    Some(match (first.trim(), last.trim()) {
        ("", suffix) => match position(suffix)? {
            0 => Wanted::Unsatisfiable,
            _ if size == 0 => Wanted::Unsatisfiable,
            suffix => Wanted::Part(size.saturating_sub(suffix), size - 1),
        },
        (first, last) => {
            let first = position(first)?;
            let last = if last.is_empty() { u64::MAX } else { position(last)? };
            if first >= size || last < first {
                Wanted::Unsatisfiable
            } else {
                Wanted::Part(first, last.min(size - 1))
            }
        }
    })
}

/// A position of a range, if it is a number. One beyond what 64 bits hold is beyond every size.
fn position(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Reads `Content-Range` of a chunk: `<first>-<last>` (distribution-spec, "Pushing a blob in chunks"). The
/// form of RFC 9110, `bytes <first>-<last>/<size>`, is understood too.
pub fn chunk_range(text: &str) -> Option<(u64, u64)> {
    let text = text.trim();
    let text = text.strip_prefix("bytes").map_or(text, |rest| rest.trim_start_matches([' ', '=']));
    let text = text.split('/').next()?;
    let (first, last) = text.split_once('-')?;
    let number = |text: &str| {
        let text = text.trim();
        (!text.is_empty() && text.bytes().all(|c| c.is_ascii_digit())).then(|| text.parse().ok()).flatten()
    };
    Some((number(first)?, number(last)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_read_as_rfc_9110_says() {
        let cases = [
            ("bytes=0-0", Some(Wanted::Part(0, 0))),
            ("bytes=0-", Some(Wanted::Part(0, 9))),
            ("bytes=3-5", Some(Wanted::Part(3, 5))),
            ("bytes=3-500", Some(Wanted::Part(3, 9))),
            ("bytes=-3", Some(Wanted::Part(7, 9))),
            ("bytes=-30", Some(Wanted::Part(0, 9))),
            ("Bytes = 1-2", Some(Wanted::Part(1, 2))),
            ("bytes=-0", Some(Wanted::Unsatisfiable)),
            ("bytes=10-", Some(Wanted::Unsatisfiable)),
            ("bytes=5-2", Some(Wanted::Unsatisfiable)),
            ("bytes=99999999999999999999-", Some(Wanted::Unsatisfiable)),
            ("bytes=-", None),
            ("bytes=a-b", None),
            ("bytes=1-2,4-5", None),
            ("items=1-2", None),
            ("bytes", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_range(text, 10), expected, "{text}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Some(Wanted::Unsatisfiable));
        assert_eq!(parse_range("bytes=-1", 0), Some(Wanted::Unsatisfiable));
    }

    #[test]
    fn chunk_ranges_read_in_both_forms() {
        assert_eq!(chunk_range("0-9"), Some((0, 9)));
        assert_eq!(chunk_range("bytes 10-19/*"), Some((10, 19)));
        assert_eq!(chunk_range("bytes=10-19"), Some((10, 19)));
        for bad in ["", "-", "5", "a-b", "0-", "-9", "+1-2", "0-99999999999999999999"] {
            assert_eq!(chunk_range(bad), None, "{bad}");
        }
    }
}
