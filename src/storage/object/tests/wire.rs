//! The way to a server, which counts what passes and fails as it is told.

use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService, ReqwestConnector,
};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

/// What goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The server is not asked; this is its answer.
    Answer(u16, &'static str),
    /// The server does as it is told, and its answer is lost.
    Lost,
    /// The answer ends after so many bytes of its body.
    Cut(usize),
    /// Whoever asks waits for ever, and the server is asked later, by `Wire::deliver`: as when a process or a gateway has
    /// stood still with the request in its hands.
    Stalled,
    /// Nothing: the fault of the next one.
    None,
}

/// A wire. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Wire(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    calls: Vec<String>,
    unsigned: Vec<String>,
    faults: VecDeque<(&'static str, Fault)>,
    stalled: Vec<(HttpClient, HttpRequest)>,
}

impl Wire {
    /// The next request of this method meets a fault; faults of one method come in the order in which they were told.
    pub fn fail(&self, method: &'static str, fault: Fault) {
        self.0.lock().unwrap().faults.push_back((method, fault));
    }

    /// How many requests there were since it was asked last, of each kind in the order of its first.
    pub fn counted(&self) -> Vec<(String, usize)> {
        let mut counted: Vec<(String, usize)> = Vec::new();
        for call in std::mem::take(&mut self.0.lock().unwrap().calls) {
            match counted.iter_mut().find(|(kind, _)| *kind == call) {
                Some((_, count)) => *count += 1,
                None => counted.push((call, 1)),
            }
        }
        counted
    }

    /// Returns when a request has stalled.
    pub async fn stalled(&self) {
        while self.0.lock().unwrap().stalled.is_empty() {
            tokio::task::yield_now().await;
        }
    }

    /// Lets all through that has stalled; how many that were.
    pub async fn deliver(&self) -> usize {
        let stalled = std::mem::take(&mut self.0.lock().unwrap().stalled);
        let count = stalled.len();
        for (to, request) in stalled {
            to.execute(request).await.unwrap();
        }
        count
    }

    /// The requests whose bodies are not covered by their signatures, in order.
    pub fn unsigned(&self) -> Vec<String> {
        self.0.lock().unwrap().unsigned.clone()
    }

    fn passes(&self, request: &HttpRequest) -> Option<Fault> {
        let mut state = self.0.lock().unwrap();
        let listed = request.uri().query().is_some_and(|query| query.contains("list-type="));
        let kind = if listed { "LIST" } else { request.method().as_str() };
        state.calls.push(kind.to_owned());
        if request.headers().get("x-amz-content-sha256").is_some_and(|said| said == "UNSIGNED-PAYLOAD") {
            state.unsigned.push(kind.to_owned());
        }
        let at = state.faults.iter().position(|(method, _)| *method == kind)?;
        state.faults.remove(at).map(|(_, fault)| fault)
    }
}

impl HttpConnector for Wire {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Meddling { inner, wire: self.clone() }))
    }
}

#[derive(Debug)]
struct Meddling {
    inner: HttpClient,
    wire: Wire,
}

#[async_trait::async_trait]
impl HttpService for Meddling {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        match self.wire.passes(&request) {
            None | Some(Fault::None) => self.inner.execute(request).await,
            Some(Fault::Answer(status, body)) => {
                let body = HttpResponseBody::from(body.to_owned());
                Ok(http::Response::builder().status(status).body(body).unwrap())
            }
            Some(Fault::Stalled) => {
                self.wire.0.lock().unwrap().stalled.push((self.inner.clone(), request));
                std::future::pending().await
            }
            Some(Fault::Lost) => {
                self.inner.execute(request).await?;
                Err(cut(HttpErrorKind::Request))
            }
            Some(Fault::Cut(bytes)) => {
                let (head, body) = self.inner.execute(request).await?.into_parts();
                let whole = body.collect().await?.to_bytes();
                assert!(bytes < whole.len(), "there is nothing to cut");
                let pieces = [Ok(Frame::data(whole.slice(..bytes))), Err(cut(HttpErrorKind::Interrupted))];
                let body = HttpResponseBody::new(StreamBody::new(futures_util::stream::iter(pieces)));
                Ok(HttpResponse::from_parts(head, body))
            }
        }
    }
}

fn cut(kind: HttpErrorKind) -> HttpError {
    HttpError::new(kind, io::Error::from(io::ErrorKind::ConnectionReset))
}
