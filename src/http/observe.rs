//! One line in the log for each request, with an id that is also in the response.
//!
//! The line is written when the last byte of the answer has left, or when the client has gone away.

use crate::auth::session::Session;
use crate::http::body::{Incoming, Outgoing};
use crate::http::error::Problem;
use crate::http::headers::{REQUEST_ID, value};
use crate::http::peer::Peer;
use crate::stream::ByteStream;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::header::{CONTENT_LENGTH, USER_AGENT};
use http::{HeaderValue, Method, Request, Response, Uri};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, OnceLock};
use std::task::{Context, Poll};
use std::time::Instant;

/// A request that is being answered.
pub struct Observed {
    id: String,
    method: Method,
    uri: Uri,
    agent: Option<HeaderValue>,
    peer: Peer,
    who: OnceLock<String>,
    began: Instant,
    told: bool,
}

/// Ids of this process: a random beginning, so that those of two runs differ, and a count.
fn next_id() -> String {
    static RUN: LazyLock<u32> = LazyLock::new(|| uuid::Uuid::new_v4().as_fields().0);
    static COUNT: AtomicU64 = AtomicU64::new(1);
    format!("{:08x}-{:08x}", *RUN, COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Observed {
    /// A request has come.
    pub fn begin(request: &Request<Incoming>, peer: Peer) -> Self {
        Self {
            id: next_id(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            agent: request.headers().get(USER_AGENT).cloned(),
            peer,
            who: OnceLock::new(),
            began: Instant::now(),
            told: false,
        }
    }

    /// Somebody was let in.
    pub fn came(&self, session: &Session) {
        if !session.identity.is_anonymous() {
            let _ = self.who.set(session.identity.name.clone());
        }
    }

    /// Something failed on our side: the whole chain of causes, for the log alone.
    pub fn fault(&self, problem: &Problem) {
        tracing::error!(request_id = self.id, path = self.uri.path(), ?problem, "fault");
    }

    /// The answer is ready; the line follows when it has left.
    pub fn end(mut self, mut response: Response<Outgoing>) -> Response<Outgoing> {
        response.headers_mut().insert(REQUEST_ID, value(&self.id));
        let status = response.status().as_u16();
        if !matches!(response.body(), Outgoing::Stream(..)) {
            let bytes = match self.method {
                Method::HEAD => 0,
                _ => response
                    .headers()
                    .get(CONTENT_LENGTH)
                    .and_then(|length| length.to_str().ok()?.parse().ok())
                    .unwrap_or_else(|| http_body::Body::size_hint(response.body()).lower()),
            };
            self.log(status, bytes);
            return response;
        }
        response.map(|body| match body {
            Outgoing::Stream(stream, size) => {
                Outgoing::Stream(Told { stream, observed: self, status, sent: 0 }.boxed(), size)
            }
            whole @ Outgoing::Whole(_) => whole,
        })
    }

    fn log(&mut self, status: u16, bytes: u64) {
        self.told = true;
        tracing::info!(
            target: "request",
            request_id = self.id,
            method = self.method.as_str(),
            path = self.uri.path(),
            status,
            bytes,
            micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX),
            peer = %self.peer,
            who = self.who.get(),
            agent = self.agent.as_ref().and_then(|agent| agent.to_str().ok()),
        );
    }
}

impl Drop for Observed {
    /// The client went away before there was an answer. 499 is what nginx calls that.
    fn drop(&mut self) {
        if !self.told {
            self.log(499, 0);
        }
    }
}

struct Told {
    stream: ByteStream,
    observed: Observed,
    status: u16,
    sent: u64,
}

impl Stream for Told {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.stream.as_mut().poll_next(context);
        match &next {
            Poll::Ready(Some(Ok(bytes))) => self.sent += bytes.len() as u64,
            Poll::Ready(Some(Err(error))) => {
                tracing::error!(request_id = self.observed.id, %error, "a download broke off");
            }
            _ => {}
        }
        next
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let (status, sent) = (self.status, self.sent);
        self.observed.log(status, sent);
    }
}
