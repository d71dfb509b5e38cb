//! A plain HTTP/1.1 client over one blocking socket: raw paths, raw headers, bodies in one piece or in
//! chunks, and connections that can be cut in the middle of anything. It must not be clever: no redirects, no
//! retries, no normalising of what a test wrote. TLS is laid under it in tls.rs.

use super::answer::{Answer, parse_head};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long a test waits for a byte before it calls the server hung. Only a guard, never a measure.
pub const GUARD: Duration = Duration::from_mins(1);

/// The body of a request.
#[derive(Clone, Debug)]
pub enum Body {
    /// No body and no Content-Length.
    None,
    /// Bytes with a Content-Length.
    Whole(Vec<u8>),
    /// `Transfer-Encoding: chunked`, one chunk for each entry.
    Chunked(Vec<Vec<u8>>),
}

/// A request as it will be written, byte for byte.
#[derive(Clone)]
pub struct Request {
    method: String,
    path: Vec<u8>,
    headers: Vec<(String, String)>,
    body: Body,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = match &self.body {
            Body::None => "no body".to_owned(),
            Body::Whole(bytes) => format!("a body of {}", bytes.len()),
            Body::Chunked(pieces) => format!("a body in {} chunks", pieces.len()),
        };
        write!(f, "{} {} {:?} {body}", self.method, String::from_utf8_lossy(&self.path), self.headers)
    }
}

/// A request without a body.
pub fn request(method: &str, path: impl AsRef<[u8]>) -> Request {
    Request { method: method.to_owned(), path: path.as_ref().to_vec(), headers: Vec::new(), body: Body::None }
}

/// `GET path`
pub fn get(path: impl AsRef<[u8]>) -> Request {
    request("GET", path)
}

/// `HEAD path`
pub fn head(path: impl AsRef<[u8]>) -> Request {
    request("HEAD", path)
}

/// `DELETE path`
pub fn delete(path: impl AsRef<[u8]>) -> Request {
    request("DELETE", path)
}

/// `POST path` with an empty body.
pub fn post(path: impl AsRef<[u8]>) -> Request {
    request("POST", path).body(b"")
}

/// `PUT path` with an empty body.
pub fn put(path: impl AsRef<[u8]>) -> Request {
    request("PUT", path).body(b"")
}

/// `PATCH path` with an empty body.
pub fn patch(path: impl AsRef<[u8]>) -> Request {
    request("PATCH", path).body(b"")
}

impl Request {
    /// Adds a header line as it stands.
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The same request with another method.
    pub fn with_method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// The same request for another path.
    pub fn at(mut self, path: impl AsRef<[u8]>) -> Self {
        self.path = path.as_ref().to_vec();
        self
    }

    /// Gives it a body with a Content-Length (unless the test writes its own length).
    pub fn body(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.body = Body::Whole(bytes.as_ref().to_vec());
        self
    }

    /// Gives it a chunked body: pieces of at most `piece` bytes.
    pub fn chunked(mut self, bytes: impl AsRef<[u8]>, piece: usize) -> Self {
        self.body = Body::Chunked(bytes.as_ref().chunks(piece).map(<[u8]>::to_vec).collect());
        self
    }

    /// Whether it has a header of that name.
    pub fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// The request line and the header lines, up to and with the empty line.
    fn head_bytes(&self) -> Vec<u8> {
        let mut out = format!("{} ", self.method).into_bytes();
        out.extend_from_slice(&self.path);
        out.extend_from_slice(b" HTTP/1.1\r\nHost: registry.test\r\n");
        for (name, value) in &self.headers {
            out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        let own_length = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        match &self.body {
            Body::Whole(bytes) if !own_length => {
                out.extend_from_slice(format!("Content-Length: {}\r\n", bytes.len()).as_bytes());
            }
            Body::Chunked(_) => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            Body::Whole(_) | Body::None => {}
        }
        out.extend_from_slice(b"\r\n");
        out
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.head_bytes();
        match &self.body {
            Body::None => {}
            Body::Whole(bytes) => out.extend_from_slice(bytes),
            Body::Chunked(pieces) => {
                for piece in pieces {
                    out.extend_from_slice(&chunk(piece));
                }
                out.extend_from_slice(b"0\r\n\r\n");
            }
        }
        out
    }
}

/// One chunk of a chunked body, framed.
pub fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut out = format!("{:x}\r\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
    out
}

/// What carries the bytes of a connection.
pub trait Wire: Read + Write + Send {
    /// Ends it, in one direction or both.
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
}

impl Wire for TcpStream {
    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        TcpStream::shutdown(self, how)
    }
}

impl Wire for UnixStream {
    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        UnixStream::shutdown(self, how)
    }
}

/// A socket that does not let a test hang.
pub fn dial(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&addr, GUARD)?;
    stream.set_read_timeout(Some(GUARD))?;
    stream.set_write_timeout(Some(GUARD))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// One kept connection.
pub struct Connection {
    stream: Box<dyn Wire>,
    unread: Vec<u8>,
}

impl Connection {
    /// Opens a connection.
    pub fn open(addr: SocketAddr) -> io::Result<Self> {
        Ok(Self::over(dial(addr)?))
    }

    /// Opens a connection to a Unix socket.
    pub fn open_local(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(GUARD))?;
        stream.set_write_timeout(Some(GUARD))?;
        Ok(Self::over(stream))
    }

    /// A connection over whatever carries bytes.
    pub fn over(wire: impl Wire + 'static) -> Self {
        Self { stream: Box::new(wire), unread: Vec::new() }
    }

    /// Sends a request and reads its answer. A server that answers early and stops reading is no fault.
    pub fn exchange(&mut self, request: &Request) -> io::Result<Answer> {
        let sent = self.write(&request.to_bytes());
        self.answer(request.is_head()).map_err(|e| sent.err().unwrap_or(e))
    }

    /// Sends only the request line and headers.
    pub fn send_head(&mut self, request: &Request) -> io::Result<()> {
        self.write(&request.head_bytes())
    }

    /// Writes bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads whatever comes next, as it is; 0 is the end.
    pub fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.unread.is_empty() {
            return self.stream.read(into);
        }
        let n = into.len().min(self.unread.len());
        into[..n].copy_from_slice(&self.unread[..n]);
        self.unread.drain(..n);
        Ok(n)
    }

    /// Cuts the connection at once, in both directions.
    pub fn cut(self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Says that nothing more will be written; the answer can still be read.
    pub fn cut_writing(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Reads one final answer, passing over `100 Continue` and its like.
    pub fn answer(&mut self, to_head: bool) -> io::Result<Answer> {
        loop {
            let answer = self.answer_head()?;
            if answer.status >= 200 {
                return self.answer_body(answer, to_head);
            }
        }
    }

    /// Reads the status line and headers of the next answer, interim ones too; the body is left unread.
    pub fn answer_head(&mut self) -> io::Result<Answer> {
        let head = loop {
            if let Some(end) = find(&self.unread, b"\r\n\r\n") {
                break self.unread.drain(..end + 4).collect::<Vec<u8>>();
            }
            self.fill()?;
        };
        parse_head(&head)
            .ok_or_else(|| io::Error::other(format!("not HTTP: {}", String::from_utf8_lossy(&head))))
    }

    fn answer_body(&mut self, mut answer: Answer, to_head: bool) -> io::Result<Answer> {
        if to_head || answer.status == 204 || answer.status == 304 {
            return Ok(answer);
        }
        let chunked = answer.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"));
        let length = answer.header("content-length").and_then(|v| v.parse::<usize>().ok());
        answer.body = match (chunked, length) {
            (true, _) => self.chunked_body()?,
            (false, Some(length)) => self.exactly(length)?,
            (false, None) => self.read_to_end()?,
        };
        Ok(answer)
    }

    fn chunked_body(&mut self) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim().to_owned();
            let size = usize::from_str_radix(&size, 16)
                .map_err(|e| io::Error::other(format!("chunk {size:?}: {e}")))?;
            if size == 0 {
                while !self.line()?.is_empty() {}
                return Ok(out);
            }
            out.extend(self.exactly(size)?);
            self.exactly(2)?;
        }
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = find(&self.unread, b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.fill()?;
        }
    }

    /// Reads exactly that many bytes of the body.
    pub fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut out: Vec<u8> = self.unread.drain(..length.min(self.unread.len())).collect();
        let have = out.len();
        out.resize(length, 0);
        self.stream.read_exact(&mut out[have..])?;
        Ok(out)
    }

    /// Reads until the server closes.
    pub fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let mut out = std::mem::take(&mut self.unread);
        self.stream.read_to_end(&mut out)?;
        Ok(out)
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut buffer = [0_u8; 16 * 1024];
        let n = self.stream.read(&mut buffer)?;
        if n == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
        }
        self.unread.extend_from_slice(&buffer[..n]);
        Ok(())
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

/// Speaks to one server; every request on a connection of its own.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// Where the server listens.
    pub addr: SocketAddr,
    /// The `Authorization` header of every request that has none of its own.
    pub authorization: Option<&'static str>,
}

impl Client {
    /// A client of the server at this address, which shows nothing.
    pub fn at(addr: SocketAddr) -> Self {
        Self { addr, authorization: None }
    }

    /// The same client, which sends this `Authorization` header. (It lives as long as the test program.)
    #[must_use]
    pub fn authorized(self, value: &str) -> Self {
        Self { authorization: Some(value.to_owned().leak()), ..self }
    }

    /// Sends a request; a wire that fails is a failed test.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Answer {
        self.try_send(request).unwrap_or_else(|e| panic!("{request:?}: {e}"))
    }

    /// Sends a request to a server that may die meanwhile.
    pub fn try_send(&self, request: &Request) -> io::Result<Answer> {
        let mut connection = Connection::open(self.addr)?;
        match self.authorization {
            Some(value) if !request.has("Authorization") => {
                connection.exchange(&request.clone().header("Authorization", value))
            }
            _ => connection.exchange(request),
        }
    }

    /// Opens a connection that the test drives by hand.
    #[track_caller]
    pub fn connect(&self) -> Connection {
        Connection::open(self.addr).expect("the server accepts a connection")
    }
}
