//! What a server of objects said when it did not do as it was told, and what that means to us. The library keeps the
//! status and the code of an answer to itself, but for the text of its errors: that is read here and nowhere else. What we ask
//! without it is told in the same way.

use crate::storage::error::Error;
use object_store::Error as Failure;
use std::io;

/// Longest part of a text that is told when it has no code: a page of a proxy, perhaps.
const TOLD_BYTES_MAX: usize = 300;
/// Codes that say that an object is not there, in a bucket that is.
const ABSENT: [&str; 3] = ["NoSuchKey", "BlobNotFound", "NoSuchUpload"];
/// Codes that say that no more fits in.
const FULL: [&str; 5] = [
    "QuotaExceeded",
    "XMinioAdminBucketQuotaExceeded",
    "XMinioStorageFull",
    "InsufficientStorage",
    "AccountQuotaExceeded",
];
/// Codes that say that another try may go well, whatever their status.
const PASSING: [&str; 8] = [
    "SlowDown",
    "SlowDownRead",
    "SlowDownWrite",
    "InternalError",
    "RequestTimeout",
    "ServiceUnavailable",
    "ServerBusy",
    "OperationAborted",
];

/// What was said.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status. `None`: there was no answer, or the library did not get as far as to ask.
    pub status: Option<u16>,
    /// The code, as `NoSuchKey`, if there is one.
    pub code: String,
    /// All of it, as short as it can be told.
    pub told: String,
}

impl Answer {
    /// Reads an error of the library.
    pub fn of(failure: &Failure) -> Self {
        let text = failure.to_string();
        let status = text
            .split_once("status code: ")
            .and_then(|(_, rest)| rest.get(..3))
            .and_then(|digits| digits.parse().ok());
        let code = between(&text, "<Code>", "</Code>")
            .or_else(|| between(&text, "(code: ", ")"))
            .unwrap_or_default();
        let message = between(&text, "<Message>", "</Message>").unwrap_or_default();
        let told = match status {
            _ if code.is_empty() => shortened(&text).to_owned(),
            Some(status) => format!("{status} {code}: {}", shortened(message)),
            None => format!("{code}: {}", shortened(message)),
        };
        Self { status, code: code.to_owned(), told }
    }

    fn is(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code.as_str())
    }
}

/// What stands between two texts.
pub fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0)
}

fn shortened(text: &str) -> &str {
    let end = (0..=TOLD_BYTES_MAX.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or_default()).unwrap_or_default().trim_end_matches([' ', ':', '\n'])
}

/// What a failure means; `None`: the object is not there, in a bucket that is. An answer to HEAD has no body, so a lost
/// bucket looks the same there: whoever asks with HEAD asks again with GET.
pub fn meaning(what: &str, failure: &Failure) -> Option<Error> {
    let answer = Answer::of(failure);
    let fault = |kind: io::ErrorKind, why: String| {
        Some(Error::Fault { what: what.to_owned(), source: io::Error::new(kind, why) })
    };
    match failure {
        Failure::NotFound { .. } if answer.code.is_empty() && is_bodiless(failure) => None,
        Failure::NotFound { .. } if answer.is(&ABSENT) => None,
        _ if answer.is(&FULL) || answer.status == Some(507) => Some(Error::Full),
        _ if answer.is(&PASSING) => unreachable(what, answer),
        Failure::PermissionDenied { .. } | Failure::Unauthenticated { .. } => {
            fault(io::ErrorKind::PermissionDenied, format!("the bucket refuses us: {}", answer.told))
        }
        Failure::Generic { .. } => match answer.status {
            // It will not know how to do that next time either.
            Some(501) => fault(io::ErrorKind::Unsupported, answer.told),
            None | Some(408 | 429 | 500..) => unreachable(what, answer),
            Some(_) => fault(io::ErrorKind::Other, answer.told),
        },
        _ => fault(io::ErrorKind::Other, answer.told),
    }
}

/// The refusal of a request that the library has not sent, as it would tell it.
pub fn refusal(status: http::StatusCode, body: &str) -> Failure {
    Failure::Generic { store: "S3", source: format!("Server returned status code: {status}: {body}").into() }
}

#[allow(clippy::unnecessary_wraps)] // one arm of a table
fn unreachable(what: &str, answer: Answer) -> Option<Error> {
    Some(Error::Unreachable { what: what.to_owned(), why: answer.told })
}

/// Whether "not found" came without a word, as an answer to HEAD does, or not from a server at all.
fn is_bodiless(failure: &Failure) -> bool {
    let text = failure.to_string();
    match text.split_once("status code: ") {
        Some((_, rest)) => rest.split_once(": ").is_none_or(|(_, body)| body.trim().is_empty()),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Error performing GET http://127.0.0.1:9/b/k in 2.1ms, after 3 retries, max_retries: 8, \
                        retry_timeout: 15s  - Server returned non-2xx status code: ";

    fn body(code: &str) -> String {
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>It says so.</Message></Error>")
    }

    fn source(text: String) -> Box<dyn std::error::Error + Send + Sync> {
        io::Error::other(text).into()
    }

    fn generic(status: &str, body: &str) -> Failure {
        Failure::Generic { store: "S3", source: source(format!("{TEXT}{status}: {body}")) }
    }

    fn not_found(body: &str) -> Failure {
        Failure::NotFound { path: "k".into(), source: source(format!("{TEXT}404 Not Found: {body}")) }
    }

    fn denied(code: &str) -> Failure {
        let source = source(format!("{TEXT}403 Forbidden: {}", body(code)));
        Failure::PermissionDenied { path: "k".into(), source }
    }

    #[test]
    fn only_an_absent_object_is_absent() {
        assert!(meaning("k", &not_found(&body("NoSuchKey"))).is_none());
        assert!(meaning("k", &not_found(&body("BlobNotFound"))).is_none());
        assert!(meaning("k", &not_found("")).is_none(), "an answer to HEAD");
        for lost in [body("NoSuchBucket"), body("ContainerNotFound"), "<html>nginx</html>".into()] {
            let meant = meaning("k", &not_found(&lost));
            assert!(matches!(meant, Some(Error::Fault { .. })), "{lost}: {meant:?}");
        }
        // A tag may be called like a code.
        let source = source(format!("{TEXT}404 Not Found: {}", body("NoSuchBucket")));
        let named = Failure::NotFound { path: "tags/NoSuchKey/current/link".into(), source };
        assert!(meaning("k", &named).is_some());
    }

    #[test]
    fn what_may_pass_is_worth_another_try() {
        let passing = [
            generic("503 Service Unavailable", &body("SlowDown")),
            generic("500 Internal Server Error", ""),
            generic("502 Bad Gateway", "<html></html>"),
            generic("429 Too Many Requests", ""),
            generic("400 Bad Request", &body("RequestTimeout")),
            Failure::Generic { store: "S3", source: source("HTTP error: error sending request".into()) },
            Failure::Generic {
                store: "S3",
                source: source("DeleteObjects request failed for key k: wait (code: SlowDown)".into()),
            },
        ];
        for failure in passing {
            assert!(matches!(meaning("k", &failure), Some(Error::Unreachable { .. })), "{failure}");
        }
    }

    #[test]
    fn a_refusal_is_a_fault_that_says_which() {
        for code in ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed"] {
            let Some(Error::Fault { source, .. }) = meaning("k", &denied(code)) else { panic!("{code}") };
            assert_eq!(source.kind(), io::ErrorKind::PermissionDenied);
            assert_eq!(source.to_string(), format!("the bucket refuses us: 403 {code}: It says so."));
        }
        let ours = |status, code| refusal(http::StatusCode::from_u16(status).unwrap(), &body(code));
        for other in [
            generic("400 Bad Request", &body("AuthorizationHeaderMalformed")),
            generic("501 Not Implemented", &body("NotImplemented")),
            ours(403, "AccessDenied"),
            ours(200, "NoSuchKey"),
        ] {
            assert!(matches!(meaning("k", &other), Some(Error::Fault { .. })), "{other}");
        }
        for passing in [ours(200, "SlowDown"), ours(503, "")] {
            assert!(matches!(meaning("k", &passing), Some(Error::Unreachable { .. })), "{passing}");
        }
    }

    #[test]
    fn no_room_is_no_room() {
        let minio = generic("400 Bad Request", &body("XMinioAdminBucketQuotaExceeded"));
        for full in [denied("QuotaExceeded"), minio, generic("507 Insufficient Storage", "")] {
            assert!(matches!(meaning("k", &full), Some(Error::Full)), "{full}");
        }
    }

    #[test]
    fn what_is_told_is_short() {
        let page = generic("502 Bad Gateway", &"\u{fc}".repeat(5_000));
        assert!(Answer::of(&page).told.len() <= TOLD_BYTES_MAX);
    }
}
