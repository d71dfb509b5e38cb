//! One connection as the server sees it: bytes that must keep moving. It lies directly on the socket, beneath TLS,
//! and must not know what is spoken.
//!
//! - A client that takes nothing for a while is cut off, so that it cannot hold a download open for ever.
//! - A connection that we close while the client still sends (a refused upload) is drained for a moment
//!   first; else the reset that follows could overtake our answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How long the next bytes may take while we drain, and how long we drain at most.
const LINGER_STALL: Duration = Duration::from_secs(2);
const LINGER: Duration = Duration::from_secs(30);

/// A socket's stream.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Socket for S {}

/// A stream that must keep moving.
pub struct Connection<S: Socket> {
    stream: Option<S>,
    stall: Duration,
    writing: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

impl<S: Socket> Connection<S> {
    /// Watches a stream: no write may hang for `stall`.
    pub fn new(stream: S, stall: Duration) -> Self {
        Self { stream: Some(stream), stall, writing: None, ended: false }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut S>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn moved<T>(&mut self, context: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.writing = None;
            return poll;
        }
        let stall = self.stall;
        let timer =
            self.writing.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + stall)));
        match timer.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: Socket> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = self.stream()?.poll_read(context, buffer);
        match &poll {
            Poll::Ready(Ok(())) => self.ended |= buffer.filled().len() == before,
            Poll::Ready(Err(_)) => self.ended = true,
            Poll::Pending => {}
        }
        poll
    }
}

impl<S: Socket> AsyncWrite for Connection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = self.stream()?.poll_write(context, bytes);
        self.moved(context, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = self.stream()?.poll_write_vectored(context, slices);
        self.moved(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(context)
    }
}

impl<S: Socket> Drop for Connection<S> {
    #[allow(clippy::disallowed_methods)] // one of the few homes of tasks
    fn drop(&mut self) {
        let Some(mut stream) = self.stream.take().filter(|_| !self.ended) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(tokio::time::timeout(LINGER, async move {
            let mut scrap = vec![0; 64 << 10];
            while let Ok(Ok(1..)) = tokio::time::timeout(LINGER_STALL, stream.read(&mut scrap)).await {}
        }));
    }
}
