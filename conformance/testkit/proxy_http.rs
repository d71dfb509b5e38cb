//! HTTP/1.1 as the proxy for S3 passes it: heads are read to name a request and to find the end of its body, and go on as
//! they came. It must not know what a request means.

use super::proxy_rule::{Fate, Shared};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;

/// Longest head that is read.
const HEAD_BYTES_MAX: u64 = 256 << 10;

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    UntilClosed,
}

/// A head, byte for byte, and what it says of the body.
struct Head {
    bytes: Vec<u8>,
    first: String,
    length: Option<u64>,
    chunked: bool,
    closes: bool,
}

/// Passes one request after the other until one side closes.
pub fn serve(client: TcpStream, server: SocketAddr, shared: &Arc<Shared>) -> io::Result<()> {
    let mut client = BufReader::new(client);
    let mut upstream: Option<BufReader<TcpStream>> = None;
    while let Some(head) = Head::read(&mut client)? {
        let (method, what) = head.named()?;
        let body = head.request_framing();
        let fate = shared.fate(what, 1);
        match fate {
            Fate::CutBefore => return cut(&client),
            Fate::CutWithin if body == Framing::Length(0) => return cut(&client),
            Fate::Answer(status) => {
                copy(&mut client, &mut io::sink(), body)?;
                client.get_mut().write_all(&error(status, method == "HEAD"))?;
                continue;
            }
            _ => {}
        }
        let server = match upstream.take().filter(is_open) {
            Some(kept) => kept,
            None => connect(server)?,
        };
        let kept = pass(&mut client, server, &head, body, fate)?;
        match kept {
            Some(kept) => upstream = Some(kept),
            None => return cut(&client),
        }
    }
    Ok(())
}

/// Passes a request and its answer. `None`: the connection of the client is to be closed.
fn pass(
    client: &mut BufReader<TcpStream>,
    mut server: BufReader<TcpStream>,
    head: &Head,
    body: Framing,
    fate: Fate,
) -> io::Result<Option<BufReader<TcpStream>>> {
    let sent = send(client, &mut server, head, body, fate);
    if fate == Fate::CutWithin {
        let _ = server.get_ref().shutdown(Shutdown::Both);
        return Ok(None);
    }
    // A server that has refused a request may stop to read it; its answer counts all the same.
    let (answer, framing) = loop {
        let answer = Head::read(&mut server)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = answer.status()?;
        let bodiless = head.first.starts_with("HEAD ") || matches!(status, 100..200 | 204 | 304);
        let framing = if bodiless { Framing::Length(0) } else { answer.answer_framing() };
        if status >= 200 {
            break (answer, framing);
        }
        client.get_mut().write_all(&answer.bytes)?;
    };
    if fate == Fate::CutAfter {
        copy(&mut server, &mut io::sink(), framing)?;
        return Ok(None);
    }
    client.get_mut().write_all(&answer.bytes)?;
    copy(&mut server, client.get_mut(), framing)?;
    let closes = answer.closes || head.closes || framing == Framing::UntilClosed || sent.is_err();
    Ok((!closes).then_some(server))
}

fn send(
    client: &mut BufReader<TcpStream>,
    server: &mut BufReader<TcpStream>,
    head: &Head,
    body: Framing,
    fate: Fate,
) -> io::Result<()> {
    server.get_mut().write_all(&head.bytes)?;
    match (fate, body) {
        (Fate::CutWithin, Framing::Length(length)) => {
            copy(client, server.get_mut(), Framing::Length(length / 2))
        }
        (Fate::CutWithin, _) => Ok(()),
        _ => copy(client, server.get_mut(), body),
    }
}

fn cut(client: &BufReader<TcpStream>) -> io::Result<()> {
    client.get_ref().shutdown(Shutdown::Both)
}

fn connect(server: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// Whether a connection that was kept can take one more request: the server has not closed it meanwhile.
fn is_open(server: &BufReader<TcpStream>) -> bool {
    let stream = server.get_ref();
    let waits = stream.set_nonblocking(true).is_ok()
        && stream.peek(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
    stream.set_nonblocking(false).is_ok() && waits
}

/// An error as S3 words it.
fn error(status: u16, is_head: bool) -> Vec<u8> {
    let (reason, code) = match status {
        503 => ("Service Unavailable", "SlowDown"),
        500 => ("Internal Server Error", "InternalError"),
        _ => ("Error", "InternalError"),
    };
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>Made up.</Message></Error>"
    );
    let shown = if is_head { "" } else { body.as_str() };
    let length = body.len();
    format!("HTTP/1.1 {status} {reason}\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\n\r\n{shown}")
        .into_bytes()
}

impl Head {
    /// The next head; `None` at the end of the connection.
    fn read(from: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let mut head =
            Self { bytes: Vec::new(), first: String::new(), length: None, chunked: false, closes: false };
        let mut from = from.take(HEAD_BYTES_MAX);
        loop {
            let start = head.bytes.len();
            if from.read_until(b'\n', &mut head.bytes)? == 0 {
                return if start == 0 { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            let line = String::from_utf8_lossy(&head.bytes[start..]).trim_end().to_owned();
            if start == 0 {
                head.first = line;
            } else if line.is_empty() {
                return Ok(Some(head));
            } else if let Some((name, value)) = line.split_once(':') {
                head.line(&name.to_ascii_lowercase(), &value.trim().to_ascii_lowercase());
            }
        }
    }

    fn line(&mut self, name: &str, value: &str) {
        match name {
            "content-length" => self.length = value.parse().ok(),
            "transfer-encoding" => self.chunked = value == "chunked",
            "connection" => self.closes = value == "close",
            _ => {}
        }
    }

    /// The method, and it with the path.
    fn named(&self) -> io::Result<(&str, String)> {
        let what = self.first.strip_suffix(" HTTP/1.1").ok_or(io::ErrorKind::InvalidData)?;
        let (method, _) = what.split_once(' ').ok_or(io::ErrorKind::InvalidData)?;
        Ok((method, what.to_owned()))
    }

    fn status(&self) -> io::Result<u16> {
        let digits = self.first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn request_framing(&self) -> Framing {
        if self.chunked { Framing::Chunked } else { Framing::Length(self.length.unwrap_or(0)) }
    }

    fn answer_framing(&self) -> Framing {
        match (self.chunked, self.length) {
            (true, _) => Framing::Chunked,
            (false, Some(length)) => Framing::Length(length),
            (false, None) => Framing::UntilClosed,
        }
    }
}

/// Copies a body as it is framed.
fn copy(from: &mut impl BufRead, to: &mut impl Write, framing: Framing) -> io::Result<()> {
    match framing {
        Framing::Length(length) => exactly(from, to, length),
        Framing::UntilClosed => io::copy(from, to).map(drop),
        Framing::Chunked => loop {
            let mut line = Vec::new();
            from.read_until(b'\n', &mut line)?;
            to.write_all(&line)?;
            let text = String::from_utf8_lossy(&line);
            let size = text.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
            if size > 0 {
                exactly(from, to, size + 2)?;
                continue;
            }
            // What follows the last chunk, up to and with the empty line.
            loop {
                let mut line = Vec::new();
                from.read_until(b'\n', &mut line)?;
                to.write_all(&line)?;
                if line.len() <= 2 {
                    return Ok(());
                }
            }
        },
    }
}

fn exactly(from: &mut impl BufRead, to: &mut impl Write, length: u64) -> io::Result<()> {
    match io::copy(&mut from.take(length), to)? {
        copied if copied == length => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
