//! Pushes as clients make them: a small image, and a large blob in one of two ways. It must not know what is measured.

use std::io::IoSlice;

use crate::client::{Conn, Res, with_digest};
use crate::payload::{Image, Large, MANIFEST};

/// Docker copies through a buffer of 32 KiB, each of which becomes a chunk.
const CHUNK: usize = 32 << 10;

/// How a blob is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// POST, one PATCH without a length, PUT.
    Streamed,
    /// POST, PUT with the body.
    Whole,
}

/// Pushes a large blob.
pub fn large(conn: &mut Conn, name: &str, large: &Large, how: How) -> Res<()> {
    let mut location = conn.upload(name)?;
    let kind = "Content-Type: application/octet-stream\r\n";
    match how {
        How::Whole => {
            let headers = format!("{kind}Content-Length: {}\r\n", large.length);
            conn.send_head("PUT", &with_digest(&location, &large.digest), &headers)?;
            for piece in large.pieces() {
                conn.body(&mut [IoSlice::new(piece)])?;
            }
        }
        How::Streamed => {
            conn.send_head("PATCH", &location, &format!("{kind}Transfer-Encoding: chunked\r\n"))?;
            for piece in large.pieces() {
                send_chunks(conn, piece)?;
            }
            conn.body(&mut [IoSlice::new(b"0\r\n\r\n")])?;
            let answer = conn.answer()?.expect(202, "PATCH of a large blob")?;
            location = answer.location.unwrap_or(location);
            conn.send("PUT", &with_digest(&location, &large.digest), "", b"")?;
        }
    }
    conn.answer()?.expect(201, "PUT of a large blob")?;
    Ok(())
}

fn send_chunks(conn: &mut Conn, piece: &[u8]) -> Res<()> {
    let (full, last) = (format!("{CHUNK:x}\r\n"), format!("{:x}\r\n", piece.len() % CHUNK));
    let mut slices = Vec::with_capacity(3 * piece.len().div_ceil(CHUNK));
    for chunk in piece.chunks(CHUNK) {
        let size = if chunk.len() == CHUNK { &full } else { &last };
        slices.extend([size.as_bytes(), chunk, b"\r\n"].map(IoSlice::new));
    }
    conn.body(&mut slices)
}

/// Pushes an image; the layers go side by side over the three connections.
pub fn image(conns: &mut [Conn; 3], name: &str, tag: &str, image: &Image) -> Res<()> {
    for conn in conns.iter_mut() {
        conn.send_upload(name)?;
    }
    for (conn, layer) in conns.iter_mut().zip(&image.layers) {
        let location = conn.answer_upload()?;
        conn.send_blob(&location, &layer.digest, &layer.bytes)?;
    }
    for conn in conns.iter_mut() {
        conn.answer()?.expect(201, "PUT of a layer")?;
    }
    let conn = &mut conns[0];
    let location = conn.upload(name)?;
    conn.send_blob(&location, &image.config.digest, &image.config.bytes)?;
    conn.answer()?.expect(201, "PUT of a config")?;
    let kind = format!("Content-Type: {MANIFEST}\r\n");
    conn.send("PUT", &format!("/v2/{name}/manifests/{tag}"), &kind, &image.manifest.bytes)?;
    conn.answer()?.expect(201, "PUT of a manifest")?;
    Ok(())
}
