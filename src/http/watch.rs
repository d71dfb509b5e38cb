//! Downloads over HTTP/2 that nobody takes. There the client opens the window, and while it does not, nothing
//! hangs in the socket that a timer there could see: so the file behind the download is watched instead.

use crate::stream::ByteStream;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::task::JoinHandle;

struct Source {
    /// `None` once it was taken away.
    stream: Mutex<Option<ByteStream>>,
    polls: AtomicU64,
}

struct Watched {
    source: Arc<Source>,
    watchdog: JoinHandle<()>,
}

/// The same stream; it ends with an error, and lets its source go, when nobody has asked for more for `stall`.
#[allow(clippy::disallowed_methods)] // one of the few homes of tasks
pub fn watched(stream: ByteStream, stall: Duration) -> ByteStream {
    let source = Arc::new(Source { stream: Mutex::new(Some(stream)), polls: AtomicU64::new(0) });
    let seen = Arc::clone(&source);
    let watchdog = tokio::spawn(async move {
        let mut before = None;
        loop {
            let polls = seen.polls.load(Ordering::Relaxed);
            if before == Some(polls) {
                *seen.stream.lock().unwrap_or_else(PoisonError::into_inner) = None;
                return;
            }
            before = Some(polls);
            tokio::time::sleep(stall).await;
        }
    });
    Watched { source, watchdog }.boxed()
}

impl Stream for Watched {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.source.polls.fetch_add(1, Ordering::Relaxed);
        match self.source.stream.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(stream) => stream.as_mut().poll_next(context),
            None => Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, "nobody took the bytes")))),
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watchdog.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream;

    #[tokio::test(start_paused = true)]
    async fn a_source_that_nobody_asks_is_let_go() {
        let chunks =
            || stream::once(Bytes::from_static(b"a")).chain(stream::once(Bytes::from_static(b"b"))).boxed();
        let stall = Duration::from_secs(5);
        let mut taken = watched(chunks(), stall);
        assert_eq!(taken.next().await.unwrap().unwrap(), "a");
        tokio::time::sleep(stall / 2).await;
        assert_eq!(taken.next().await.unwrap().unwrap(), "b");
        assert!(taken.next().await.is_none());
        let mut left = watched(chunks(), stall);
        assert_eq!(left.next().await.unwrap().unwrap(), "a");
        tokio::time::sleep(stall * 3).await;
        assert_eq!(left.next().await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
