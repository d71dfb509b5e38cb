//! How long a server of objects may keep us waiting, and how often it is asked again: for the head of an answer by what
//! was asked, for a body by how long it stands still. There is no limit on how long a body may take.

use http_body::{Body, Frame};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// How long the head of an answer may take, and how long a body may stand still.
const ANSWER: Duration = Duration::from_secs(10);
/// Both where the server moves bytes before it answers: copies, and objects that are put together of parts. It may begin
/// its answer at once, and send a blank now and then until it knows the end of it.
const WORK: Duration = Duration::from_mins(5);
/// Slower than that, in bytes a second, a body that we send stands still.
const SLOWEST: u64 = 256 << 10;

/// How often, and how long, the library tries again: with growing pauses of random length, and not for so long that a
/// client would rather be told to come back.
pub fn retries() -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(3),
        base: 2.0,
    };
    RetryConfig { backoff, max_retries: 8, retry_timeout: Duration::from_secs(15) }
}

/// How requests go out.
pub type Http = Arc<dyn HttpConnector>;

/// Connects with our patience instead of the library's.
#[derive(Debug)]
pub struct Patient(pub Http);

impl HttpConnector for Patient {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        // The library's own limit is on the whole of a transfer, or does not know what was asked.
        let options = options.clone().with_timeout_disabled().with_connect_timeout(Duration::from_secs(5));
        Ok(HttpClient::new(Waiting(self.0.connect(&options)?)))
    }
}

#[derive(Debug)]
struct Waiting(HttpClient);

#[async_trait::async_trait]
impl HttpService for Waiting {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let patience = patience(&request);
        let answer = tokio::time::timeout(patience, self.0.execute(request)).await;
        let (head, body) = answer.map_err(|_| late("the server did not answer in time"))??.into_parts();
        let still = if patience == WORK { WORK } else { ANSWER };
        Ok(HttpResponse::from_parts(head, HttpResponseBody::new(Flowing { body, still, timer: None })))
    }
}

/// How long the head of the answer to a request may take.
fn patience(request: &HttpRequest) -> Duration {
    let copies = ["x-amz-copy-source", "x-goog-copy-source", "x-ms-copy-source"];
    let completes = request.uri().query().is_some_and(|query| {
        query.split('&').any(|pair| pair.starts_with("uploadId=") || pair == "comp=blocklist")
    });
    let puts_together =
        completes && !request.uri().query().is_some_and(|query| query.contains("partNumber="));
    if copies.iter().any(|copy| request.headers().contains_key(*copy)) || puts_together {
        return WORK;
    }
    ANSWER + Duration::from_secs(request.body().content_length() as u64 / SLOWEST)
}

fn late(what: &str) -> HttpError {
    HttpError::new(HttpErrorKind::Timeout, io::Error::new(io::ErrorKind::TimedOut, what.to_owned()))
}

/// A body that may not stand still. Time in which nobody asks for more does not count.
struct Flowing {
    body: HttpResponseBody,
    /// How long it may.
    still: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Body for Flowing {
    type Data = bytes::Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.timer = None;
            return Poll::Ready(frame);
        }
        let still = self.still;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(still)));
        match timer.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(Err(late("the server stopped in the middle of an answer")))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;
    use object_store::client::HttpRequestBody;

    fn waits(method: &str, url: &str, copies: bool, bytes: usize) -> u64 {
        let mut request = http::Request::builder().method(method).uri(url);
        if copies {
            request = request.header("x-amz-copy-source", "bucket/key");
        }
        let body = if bytes == 0 { HttpRequestBody::empty() } else { vec![0_u8; bytes].into() };
        patience(&request.body(body).unwrap()).as_secs()
    }

    /// A server that answers at once, and pauses in the middle of each body.
    #[derive(Debug)]
    struct Pausing(Duration);

    #[async_trait::async_trait]
    impl HttpService for Pausing {
        async fn call(&self, _: HttpRequest) -> Result<HttpResponse, HttpError> {
            let pause = self.0;
            let pieces = futures_util::stream::iter(["<a>", " ", "</a>"]).then(move |piece| async move {
                tokio::time::sleep(pause).await;
                Ok::<_, HttpError>(Frame::data(bytes::Bytes::from_static(piece.as_bytes())))
            });
            Ok(http::Response::new(HttpResponseBody::new(http_body_util::StreamBody::new(Box::pin(pieces)))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_body_of_an_answer_may_stand_still_for_as_long_as_its_head() {
        for (method, url, pause, read) in [
            ("POST", "http://a/b/key?uploadId=x", 11, true),
            ("POST", "http://a/b/key?uploadId=x", 299, true),
            ("POST", "http://a/b/key?uploadId=x", 301, false),
            ("GET", "http://a/b/key", 9, true),
            ("GET", "http://a/b/key", 11, false),
        ] {
            let waiting = Waiting(HttpClient::new(Pausing(Duration::from_secs(pause))));
            let request = http::Request::builder().method(method).uri(url);
            let answer = waiting.call(request.body(HttpRequestBody::empty()).unwrap()).await.unwrap();
            let body = http_body_util::BodyExt::collect(answer.into_body()).await;
            assert_eq!(body.is_ok(), read, "{method} {pause}");
        }
    }

    #[test]
    fn what_takes_long_is_waited_for() {
        assert_eq!(waits("GET", "http://a/b/key", false, 0), 10);
        assert_eq!(waits("PUT", "http://a/b/key", false, 71), 10);
        assert_eq!(waits("PUT", "http://a/b/key?partNumber=1&uploadId=x", false, 12 << 20), 58);
        assert_eq!(waits("PUT", "http://a/b/key", true, 0), 300);
        assert_eq!(waits("PUT", "http://a/b/key?partNumber=1&uploadId=x", true, 0), 300);
        assert_eq!(waits("POST", "http://a/b/key?uploadId=x", false, 900), 300);
        assert_eq!(waits("POST", "http://a/b/key?uploads", false, 0), 10);
    }
}
