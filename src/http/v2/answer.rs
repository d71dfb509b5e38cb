//! What handlers of the distribution API answer, and how they let a change run to its end.

use crate::http::body::{Incoming, Outgoing};
use crate::http::error::Problem;
use http::request::Parts;
use http::{Response, StatusCode};
use std::future::Future;

/// A request whose body is still to come.
pub struct Asked {
    /// Method, headers and the rest of the head.
    pub head: Parts,
    /// The body.
    pub body: Incoming,
}

/// What a handler answers.
pub type Answer = Result<Response<Outgoing>, Problem>;

/// A response without a body.
pub fn empty(status: StatusCode) -> Response<Outgoing> {
    let mut response = Response::new(Outgoing::whole(""));
    *response.status_mut() = status;
    response
}

/// Runs a change to its end, also when the client goes away in the middle: names and facts must not be left
/// half done because somebody closed a connection.
#[allow(clippy::disallowed_methods)] // one of the few homes of tasks
pub async fn to_the_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::spawn(change).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::error!(%error, "a change broke");
            Err(Problem::Broken)
        }
    }
}
