//! The one table from refusals and failures to the wire: status, the specification's code, a sentence that
//! helps. Never a path, a library's text or anything else that is only for the log.

use crate::auth::error::Error as AuthError;
use crate::http::body::{Outgoing, Refused};
use crate::http::challenge::Challenge;
use crate::http::v2::route::Unroutable;
use crate::oci::error::Invalid;
use crate::read_only::Refused as Refusal;
use crate::registry::error::Error as RuleError;
use crate::{metadata, storage};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

/// Everything that a request can come to grief on.
#[derive(Debug)]
pub enum Problem {
    /// The URL or the method.
    Route(Unroutable),
    /// A rule refused or failed.
    Rule(RuleError),
    /// A body was not taken.
    Body(Refused),
    /// Accounts refused or failed.
    Auth(AuthError),
    /// The client has to log in, or to come with another token.
    Unauthorized(Box<Challenge>),
    /// The rules do not allow it, whoever asks again.
    Denied,
    /// Too many wrong passwords; to be tried again after so many seconds.
    Throttled(u64),
    /// A request to the admin API does not read: a sentence.
    Api(String),
    /// The registry has no accounts: it is open.
    NoAccounts,
    /// A header of a chunk does not read.
    ChunkRange,
    /// The metadata is not whole yet.
    NotReady,
    /// A task of ours broke.
    Broken,
}

impl From<RuleError> for Problem {
    fn from(error: RuleError) -> Self {
        Self::Rule(error)
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        Self::Auth(error)
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::Body(refused)
    }
}

/// One error of a body (distribution-spec, "Error Codes").
#[derive(Debug, Serialize)]
struct Told {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<serde_json::Value>,
}

impl Problem {
    /// Whether it is our fault, so that it belongs into the log.
    pub fn is_fault(&self) -> bool {
        let waits = matches!(
            self,
            Self::NotReady | Self::Rule(RuleError::ReadOnly(_)) | Self::Auth(AuthError::ReadOnly(_))
        );
        self.row().0.is_server_error() && !waits
    }

    /// Status and code.
    fn row(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Route(Unroutable::NotFound) => (StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
            Self::Route(Unroutable::Method(_)) => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
            Self::Route(Unroutable::Query(_)) => (StatusCode::BAD_REQUEST, "UNSUPPORTED"),
            Self::Route(Unroutable::TagsTooMany) => (StatusCode::URI_TOO_LONG, "UNSUPPORTED"),
            Self::Route(Unroutable::Invalid(invalid)) => invalid_row(invalid),
            Self::Rule(error) => rule_row(error),
            Self::Body(Refused::TooLarge) => (StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID"),
            Self::Body(Refused::Cut(_)) => (StatusCode::BAD_REQUEST, "SIZE_INVALID"),
            Self::Auth(error) => auth_row(error),
            Self::Unauthorized(_) => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            Self::Denied => (StatusCode::FORBIDDEN, "DENIED"),
            Self::Throttled(_) => (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
            Self::Api(_) => (StatusCode::BAD_REQUEST, "INVALID"),
            Self::NoAccounts => (StatusCode::NOT_FOUND, "UNSUPPORTED"),
            Self::ChunkRange => (StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID"),
            Self::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
            Self::Broken => (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN"),
        }
    }

    /// Whether it may be over in a moment, without anybody doing anything about it.
    fn may_pass(&self) -> bool {
        use metadata::error::Error::{Overtaken, Unreachable};
        matches!(
            self,
            Self::Rule(
                RuleError::InTheWay
                    | RuleError::Unclaimed
                    | RuleError::Storage(storage::error::Error::Unreachable { .. })
                    | RuleError::Metadata(Unreachable(_) | Overtaken)
            ) | Self::Auth(
                AuthError::Unclaimed
                    | AuthError::Storage(storage::error::Error::Unreachable { .. })
                    | AuthError::Metadata(Unreachable(_) | Overtaken)
            )
        )
    }

    fn message(&self) -> String {
        match self {
            Self::Route(unroutable) => unroutable.to_string(),
            Self::Rule(
                RuleError::Storage(storage::error::Error::Full)
                | RuleError::Metadata(metadata::error::Error::Full),
            ) => "the registry's disk is full; nothing was stored, and its operator must make room".into(),
            Self::Rule(
                RuleError::Storage(storage::error::Error::Unreachable { .. })
                | RuleError::Metadata(metadata::error::Error::Unreachable(_)),
            )
            | Self::Auth(
                AuthError::Storage(storage::error::Error::Unreachable { .. })
                | AuthError::Metadata(metadata::error::Error::Unreachable(_)),
            ) => "the registry's storage or database does not answer at the moment; try again".into(),
            Self::Rule(RuleError::Metadata(metadata::error::Error::Overtaken))
            | Self::Auth(AuthError::Metadata(metadata::error::Error::Overtaken)) => {
                "this replica of the registry stood still, and others went on without it; nothing was changed, try again"
                    .into()
            }
            Self::Rule(RuleError::Storage(_) | RuleError::Metadata(_) | RuleError::Lost(_))
            | Self::Auth(AuthError::Storage(_) | AuthError::Metadata(_) | AuthError::Key(_))
            | Self::Broken => {
                "the registry could not answer; its log says why under this request's X-Request-Id".into()
            }
            Self::Rule(RuleError::Cut(_)) | Self::Body(Refused::Cut(_)) => {
                "the body ended before its end, or stood still for too long".into()
            }
            Self::Rule(error) => error.to_string(),
            Self::Auth(AuthError::Source { .. }) => {
                "the source of users could not be reached; try again, or tell the registry's operator".into()
            }
            Self::Auth(error) => error.to_string(),
            Self::Unauthorized(challenge) => challenge.message().into(),
            // Not the sentence that distribution has for the code: docker takes an error without words of its own for one
            // that may pass, and tries to push again for most of a minute.
            Self::Denied => "the rules do not give this access to the account".into(),
            Self::Throttled(secs) => format!("too many failed logins; try again in {secs} seconds"),
            Self::Api(why) => why.clone(),
            Self::NoAccounts => "this registry was started with --open: it has no accounts".into(),
            Self::Body(Refused::TooLarge) => "the body is larger than this registry takes".into(),
            Self::ChunkRange => "Content-Range has the form <first>-<last>, both inclusive".into(),
            Self::NotReady => {
                "the registry is reading its storage and answers when it has; /readyz tells how far it is"
                    .into()
            }
        }
    }

    fn told(&self) -> Vec<Told> {
        let (_, code) = self.row();
        if let Self::Rule(RuleError::ContentAbsent(absent)) = self {
            const TOLD_MAX: usize = 100;
            let tell = |digest| Told {
                code,
                message: format!("the repository does not hold {digest}, which the manifest names"),
                detail: Some(serde_json::json!({ "digest": digest })),
            };
            return absent.iter().take(TOLD_MAX).map(tell).collect();
        }
        vec![Told { code, message: self.message(), detail: self.detail() }]
    }

    fn detail(&self) -> Option<serde_json::Value> {
        match self {
            Self::Rule(RuleError::BlobUnknown(_, digest)) => Some(serde_json::json!({ "digest": digest })),
            Self::Rule(RuleError::RepositoryUnknown(name)) => Some(serde_json::json!({ "name": name })),
            Self::Rule(RuleError::ManifestUnknown(name, reference)) => {
                Some(serde_json::json!({ "name": name, "reference": reference.to_string() }))
            }
            Self::Rule(RuleError::DigestMismatch { said, actual }) => {
                Some(serde_json::json!({ "digest": said, "actual": actual }))
            }
            _ => None,
        }
    }

    /// The response.
    pub fn respond(&self) -> Response<Outgoing> {
        #[derive(Serialize)]
        struct Errors {
            errors: Vec<Told>,
        }
        let body = serde_json::to_vec(&Errors { errors: self.told() }).unwrap_or_default();
        let mut response = Response::new(Outgoing::whole(body));
        *response.status_mut() = self.row().0;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self {
            Self::Route(Unroutable::Method(allow)) => {
                headers.insert(ALLOW, HeaderValue::from_static(allow));
            }
            Self::Rule(RuleError::ReadOnly(Refusal::Always)) => {
                headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            Self::NotReady
            | Self::Rule(RuleError::UploadsTooMany | RuleError::ReadOnly(Refusal::ForNow))
            | Self::Auth(AuthError::ReadOnly(_)) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
            }
            Self::Throttled(secs) | Self::Auth(AuthError::Busy(secs)) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(*secs));
            }
            _ if self.may_pass() => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("2"));
            }
            Self::Unauthorized(challenge) => {
                headers.insert(WWW_AUTHENTICATE, challenge.header());
            }
            _ => {}
        }
        response
    }
}

fn invalid_row(invalid: &Invalid) -> (StatusCode, &'static str) {
    match invalid {
        Invalid::Name(..) => (StatusCode::BAD_REQUEST, "NAME_INVALID"),
        Invalid::Tag(_) | Invalid::Manifest(_) => (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"),
        Invalid::Digest(..) => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
        Invalid::Upload(_) => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
    }
}

fn auth_row(error: &AuthError) -> (StatusCode, &'static str) {
    match error {
        AuthError::Invalid(_) => (StatusCode::BAD_REQUEST, "INVALID"),
        AuthError::Absent(_) => (StatusCode::NOT_FOUND, "NOT_FOUND"),
        AuthError::Exists(_) | AuthError::Elsewhere(_) | AuthError::Stale => {
            (StatusCode::CONFLICT, "CONFLICT")
        }
        AuthError::Refused(_) => (StatusCode::FORBIDDEN, "DENIED"),
        AuthError::Busy(_) => (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
        AuthError::ReadOnly(refused) => read_only_row(*refused),
        AuthError::Storage(storage::error::Error::Full)
        | AuthError::Metadata(metadata::error::Error::Full) => {
            (StatusCode::INSUFFICIENT_STORAGE, "UNAVAILABLE")
        }
        AuthError::Source { .. }
        | AuthError::Key(_)
        | AuthError::Storage(_)
        | AuthError::Metadata(_)
        | AuthError::Unclaimed => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
    }
}

/// registry:2 answers 405 where it is for reading alone, and no client tries that again; what passes is worth another try.
fn read_only_row(refused: Refusal) -> (StatusCode, &'static str) {
    match refused {
        Refusal::Always => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
        Refusal::ForNow => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
    }
}

fn rule_row(error: &RuleError) -> (StatusCode, &'static str) {
    match error {
        RuleError::Invalid(invalid) => invalid_row(invalid),
        RuleError::RepositoryUnknown(_) => (StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
        RuleError::BlobUnknown(..) => (StatusCode::NOT_FOUND, "BLOB_UNKNOWN"),
        RuleError::ManifestUnknown(..) => (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
        RuleError::UploadUnknown => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
        RuleError::ContentAbsent(_) => (StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN"),
        RuleError::DigestMismatch { .. } => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
        RuleError::OutOfOrder { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID"),
        RuleError::UploadBusy => (StatusCode::CONFLICT, "BLOB_UPLOAD_INVALID"),
        RuleError::ReadOnly(refused) => read_only_row(*refused),
        RuleError::UploadsTooMany => (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
        RuleError::Cut(_) => (StatusCode::BAD_REQUEST, "SIZE_INVALID"),
        RuleError::Storage(storage::error::Error::Full)
        | RuleError::Metadata(metadata::error::Error::Full) => {
            (StatusCode::INSUFFICIENT_STORAGE, "UNAVAILABLE")
        }
        RuleError::Storage(_)
        | RuleError::Metadata(_)
        | RuleError::Lost(_)
        | RuleError::InTheWay
        | RuleError::Unclaimed => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
    }
}
