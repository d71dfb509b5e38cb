//! A stream of bytes as it passes between the floors: neither an HTTP body nor a file.

use bytes::Bytes;
use futures_util::stream::BoxStream;
use std::io;

/// Chunks in order. An error ends the stream: what came before it is valid, nothing follows.
pub type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// A stream of one chunk that is already in memory.
pub fn once(bytes: Bytes) -> ByteStream {
    use futures_util::StreamExt;
    futures_util::stream::once(async move { Ok(bytes) }).boxed()
}

/// A stream without bytes.
pub fn empty() -> ByteStream {
    use futures_util::StreamExt;
    futures_util::stream::empty().boxed()
}
