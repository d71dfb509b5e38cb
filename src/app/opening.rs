//! The beginning of a conversation: a client that says nothing is cut off. hyper's own timer starts only once it
//! knows which HTTP is spoken. It lies on whatever carries the bytes, TLS included, and does not know which.

use crate::app::connection::Socket;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Enough to tell HTTP/1 from HTTP/2.
const PREFACE_BYTES: usize = 24;

/// A stream whose first bytes must come in time.
pub struct Opening {
    stream: Box<dyn Socket>,
    timer: Option<Pin<Box<Sleep>>>,
    read: usize,
}

impl Opening {
    /// A stream whose first bytes must come within `opening`.
    pub fn new(stream: impl Socket, opening: Duration) -> Self {
        Self { stream: Box::new(stream), timer: Some(Box::pin(tokio::time::sleep(opening))), read: 0 }
    }

    fn stream(&mut self) -> Pin<&mut dyn Socket> {
        Pin::new(&mut *self.stream)
    }
}

impl AsyncRead for Opening {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = self.stream().poll_read(context, buffer);
        if self.timer.is_none() {
            return poll;
        }
        if poll.is_ready() {
            self.read += buffer.filled().len() - before;
            if self.read >= PREFACE_BYTES {
                self.timer = None;
            }
        } else if let Some(timer) = &mut self.timer
            && timer.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        poll
    }
}

impl AsyncWrite for Opening {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }
}
