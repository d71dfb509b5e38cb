//! A small HTTP/1.1 client on blocking sockets, cheap enough not to be what is measured: no pipelining, no allocation
//! a byte, bodies read into one buffer and dropped. It must not know which server it talks to.

use std::error::Error;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Whatever went wrong, for the terminal.
pub type Res<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// No answer for so long means that the run is stuck.
const PATIENCE: Duration = Duration::from_mins(2);

/// One connection that is kept alive.
pub struct Conn {
    stream: TcpStream,
    host: String,
    request: Vec<u8>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

/// The parts of an answer that the rows need.
#[derive(Debug, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Bytes of the body that were read.
    pub length: u64,
    /// Path and query of `Location`.
    pub location: Option<String>,
}

impl Answer {
    /// The answer, if it has the status.
    pub fn expect(self, status: u16, what: &str) -> Res<Answer> {
        if self.status == status {
            return Ok(self);
        }
        Err(format!("{what}: status {} instead of {status}", self.status).into())
    }
}

impl Conn {
    /// Connects with a buffer of 64 KiB.
    pub fn open(addr: SocketAddr) -> Res<Conn> {
        Conn::with_buffer(addr, 64 << 10)
    }

    /// Connects; large bodies are cheaper to drop in a large buffer.
    pub fn with_buffer(addr: SocketAddr, bytes: usize) -> Res<Conn> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let buffer = vec![0; bytes].into_boxed_slice();
        Ok(Conn { stream, host: addr.to_string(), request: Vec::new(), buffer, start: 0, end: 0 })
    }

    /// Sends a request whole; `headers` are lines that end with CRLF.
    pub fn send(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> Res<()> {
        self.compose(method, path, headers);
        if method != "GET" && method != "HEAD" {
            write!(self.request, "Content-Length: {}\r\n", body.len())?;
        }
        self.request.extend_from_slice(b"\r\n");
        write_slices(&mut self.stream, &mut [IoSlice::new(&self.request), IoSlice::new(body)])
    }

    /// Sends the head of a request whose body follows through `body`.
    pub fn send_head(&mut self, method: &str, path: &str, headers: &str) -> Res<()> {
        self.compose(method, path, headers);
        self.request.extend_from_slice(b"\r\n");
        self.stream.write_all(&self.request)?;
        Ok(())
    }

    /// Sends pieces of a body.
    pub fn body(&mut self, pieces: &mut [IoSlice<'_>]) -> Res<()> {
        write_slices(&mut self.stream, pieces)
    }

    /// Bytes of a request that is sent many times, for `send_bytes`.
    pub fn prepared(&mut self, method: &str, path: &str, headers: &str) -> Vec<u8> {
        self.compose(method, path, headers);
        self.request.extend_from_slice(b"\r\n");
        self.request.clone()
    }

    /// Sends what `prepared` made.
    pub fn send_bytes(&mut self, request: &[u8]) -> Res<()> {
        Ok(self.stream.write_all(request)?)
    }

    /// The answer of a HEAD.
    pub fn answer_head(&mut self) -> Res<Answer> {
        Ok(self.head()?.0)
    }

    /// The answer; its body is read and dropped.
    pub fn answer(&mut self) -> Res<Answer> {
        self.take(|_| ())
    }

    /// The answer and its body.
    pub fn answer_body(&mut self) -> Res<(Answer, Vec<u8>)> {
        let mut body = Vec::new();
        let answer = self.take(|bytes| body.extend_from_slice(bytes))?;
        Ok((answer, body))
    }

    /// A GET with its body.
    pub fn get(&mut self, path: &str) -> Res<(Answer, Vec<u8>)> {
        self.send("GET", path, "", b"")?;
        self.answer_body()
    }

    /// Opens an upload session; the path to write to.
    pub fn upload(&mut self, repository: &str) -> Res<String> {
        self.send_upload(repository)?;
        self.answer_upload()
    }

    /// The first half of `upload`.
    pub fn send_upload(&mut self, repository: &str) -> Res<()> {
        self.send("POST", &format!("/v2/{repository}/blobs/uploads/"), "", b"")
    }

    /// The second half of `upload`.
    pub fn answer_upload(&mut self) -> Res<String> {
        let answer = self.answer()?.expect(202, "POST of an upload")?;
        Ok(answer.location.ok_or("an upload without a Location")?)
    }

    /// Finishes an upload with the whole blob in one PUT; the answer is 201.
    pub fn send_blob(&mut self, location: &str, digest: &str, bytes: &[u8]) -> Res<()> {
        self.send("PUT", &with_digest(location, digest), "Content-Type: application/octet-stream\r\n", bytes)
    }

    fn compose(&mut self, method: &str, path: &str, headers: &str) {
        self.request.clear();
        for part in [method, " ", path, " HTTP/1.1\r\nHost: ", &self.host, "\r\n", headers] {
            self.request.extend_from_slice(part.as_bytes());
        }
    }

    /// Reads more into the buffer, whose unread part moves to the front when it must.
    fn fill(&mut self) -> Res<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        loop {
            match self.stream.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(count) => {
                    self.end += count;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Reads up to and with `mark`; where it ends in the buffer.
    fn until(&mut self, mark: &[u8]) -> Res<usize> {
        loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some(at) = unread.windows(mark.len()).position(|window| window == mark) {
                return Ok(self.start + at + mark.len());
            }
            self.fill()?;
        }
    }

    /// Status and headers, and how long the body is (`None`: chunked).
    fn head(&mut self) -> Res<(Answer, Option<u64>)> {
        let stop = self.until(b"\r\n\r\n")?;
        let text = std::str::from_utf8(&self.buffer[self.start..stop])?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.get(9..12)).ok_or("no status line")?.parse()?;
        let mut answer = Answer { status, ..Answer::default() };
        let mut length = Some(0);
        for line in lines {
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.parse()?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                length = None;
            } else if name.eq_ignore_ascii_case("location") {
                answer.location = Some(path_of(value).to_owned());
            }
        }
        self.start = stop;
        if status == 100 { self.head() } else { Ok((answer, length)) }
    }

    fn take(&mut self, mut sink: impl FnMut(&[u8])) -> Res<Answer> {
        let (mut answer, length) = self.head()?;
        if let Some(length) = length {
            self.bytes(length, &mut sink)?;
            answer.length = length;
            return Ok(answer);
        }
        loop {
            let stop = self.until(b"\r\n")?;
            let line = std::str::from_utf8(&self.buffer[self.start..stop])?;
            let size = u64::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)?;
            self.start = stop;
            self.bytes(size, &mut sink)?;
            self.bytes(2, &mut |_: &[u8]| ())?; // no server here sends trailers
            answer.length += size;
            if size == 0 {
                return Ok(answer);
            }
        }
    }

    fn bytes(&mut self, mut left: u64, sink: &mut impl FnMut(&[u8])) -> Res<()> {
        while left > 0 {
            if self.start == self.end {
                self.fill()?;
            }
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(self.end - self.start);
            sink(&self.buffer[self.start..self.start + count]);
            self.start += count;
            left -= count as u64;
        }
        Ok(())
    }
}

/// The location of an upload with its closing digest.
pub fn with_digest(location: &str, digest: &str) -> String {
    let joint = if location.contains('?') { '&' } else { '?' };
    format!("{location}{joint}digest={digest}")
}

/// Locations may be whole URLs or paths.
fn path_of(location: &str) -> &str {
    let Some((_, rest)) = location.split_once("://") else { return location };
    rest.find('/').map_or("/", |at| &rest[at..])
}

fn write_slices(stream: &mut TcpStream, mut slices: &mut [IoSlice<'_>]) -> Res<()> {
    IoSlice::advance_slices(&mut slices, 0); // drops empty ones, whose write would look like a closed socket
    while !slices.is_empty() {
        match stream.write_vectored(slices) {
            Ok(0) => return Err("the server takes no more".into()),
            Ok(count) => IoSlice::advance_slices(&mut slices, count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
