//! Bodies of requests, as streams of the house with a limit on how long they may stand still, and bodies of
//! responses.

use crate::stream::ByteStream;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// A body of a request, whoever it comes from: hyper, a test, a benchmark.
pub type Incoming = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// A body of a request.
pub fn incoming<B>(body: B) -> Incoming
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    body.map_err(Into::into).boxed_unsync()
}

/// A body of a response.
pub enum Outgoing {
    /// In memory.
    Whole(Full<Bytes>),
    /// Streamed; of so many bytes.
    Stream(ByteStream, u64),
}

impl Outgoing {
    /// A body in memory.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Full::new(bytes.into()))
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Whole(whole) => Pin::new(whole).poll_frame(context).map_err(|never| match never {}),
            Self::Stream(stream, left) => {
                let next = ready!(stream.as_mut().poll_next(context));
                Poll::Ready(next.map(|chunk| {
                    chunk.map(|bytes| {
                        *left = left.saturating_sub(bytes.len() as u64);
                        Frame::data(bytes)
                    })
                }))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Stream(_, left) => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Stream(_, left) => SizeHint::with_exact(*left),
        }
    }
}

/// A body that was not taken.
#[derive(Debug)]
pub enum Refused {
    /// It is larger than the limit.
    TooLarge,
    /// It broke off, or stood still for too long.
    Cut(io::Error),
}

struct Watched {
    body: Incoming,
    stall: Duration,
    /// Armed only while nothing comes: a body that flows pays nothing for it.
    timer: Pin<Box<Sleep>>,
    waiting: bool,
}

/// The chunks of a body. Ends with an error when nothing comes for `stall`.
pub fn stream(body: Incoming, stall: Duration) -> ByteStream {
    Watched { body, stall, timer: Box::pin(tokio::time::sleep(stall)), waiting: false }.boxed()
}

impl Stream for Watched {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                if !self.waiting {
                    self.waiting = true;
                    let deadline = Instant::now() + self.stall;
                    self.timer.as_mut().reset(deadline);
                }
                ready!(self.timer.as_mut().poll(context));
                return Poll::Ready(Some(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "nothing came for too long",
                ))));
            };
            self.waiting = false;
            return Poll::Ready(match frame {
                None => None,
                Some(Err(error)) => Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) if bytes.is_empty() => continue,
                    Ok(bytes) => Some(Ok(bytes)),
                    Err(_trailers) => continue,
                },
            });
        }
    }
}

/// A whole body of at most `bytes_max` bytes. A larger one is refused as soon as that shows.
pub async fn whole(body: Incoming, bytes_max: u64, stall: Duration) -> Result<Bytes, Refused> {
    if body.size_hint().lower() > bytes_max {
        return Err(Refused::TooLarge);
    }
    let mut chunks = stream(body, stall);
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(Refused::Cut)?;
        if (first.len() + all.len() + chunk.len()) as u64 > bytes_max {
            return Err(Refused::TooLarge);
        }
        if first.is_empty() && all.is_empty() {
            first = chunk; // nearly always the only one
            continue;
        }
        all.extend_from_slice(&std::mem::take(&mut first));
        all.extend_from_slice(&chunk);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}
