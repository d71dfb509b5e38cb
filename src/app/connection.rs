//! One connection as the server sees it: bytes that must keep moving.
//!
//! - A client that takes nothing for a while is cut off, so that it cannot hold a download open for ever.
//! - A client that says nothing at the beginning is cut off; hyper's own timer starts only once it knows
//!   which HTTP is spoken.
//! - A connection that we close while the client still sends (a refused upload) is drained for a moment
//!   first; else the reset that follows could overtake our answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// Enough to tell HTTP/1 from HTTP/2.
const PREFACE_BYTES: usize = 24;
/// How long the next bytes may take while we drain, and how long we drain at most.
const LINGER_STALL: Duration = Duration::from_secs(2);
const LINGER: Duration = Duration::from_secs(30);

/// A TCP stream that must keep moving.
pub struct Connection {
    stream: Option<TcpStream>,
    stall: Duration,
    writing: Option<Pin<Box<Sleep>>>,
    opening: Option<Pin<Box<Sleep>>>,
    read: usize,
    ended: bool,
}

impl Connection {
    /// Watches a stream: its first bytes must come within `opening`, and no write may hang for `stall`.
    pub fn new(stream: TcpStream, opening: Duration, stall: Duration) -> Self {
        let opening = Some(Box::pin(tokio::time::sleep(opening)));
        Self { stream: Some(stream), stall, writing: None, opening, read: 0, ended: false }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
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

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = self.stream()?.poll_read(context, buffer);
        match &poll {
            Poll::Ready(Ok(())) => {
                let count = buffer.filled().len() - before;
                self.ended |= count == 0;
                self.read = self.read.saturating_add(count);
                if self.read >= PREFACE_BYTES {
                    self.opening = None;
                }
            }
            Poll::Ready(Err(_)) => self.ended = true,
            Poll::Pending => {
                if let Some(opening) = &mut self.opening
                    && opening.as_mut().poll(context).is_ready()
                {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        poll
    }
}

impl AsyncWrite for Connection {
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

impl Drop for Connection {
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
