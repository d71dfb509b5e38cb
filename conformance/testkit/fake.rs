//! A registry of a test's own: one thread a connection, every answer made by the test, every request remembered. Over
//! TCP, TLS or a Unix socket, and able to break off or to say nothing. It must not know what a right answer is.

use super::client::GUARD;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Seen {
    /// The first header of that name; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }

    /// Whether it shows anything about who asks.
    pub fn shows_something(&self) -> bool {
        !self.header("authorization").is_empty() || !self.header("cookie").is_empty()
    }

    /// Method and path.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    sent_of_body: Option<usize>,
    silent: bool,
}

/// An answer with this status and body.
pub fn reply(status: u16, body: impl AsRef<[u8]>) -> Reply {
    let body = body.as_ref().to_vec();
    Reply { status, headers: Vec::new(), body, sent_of_body: None, silent: false }
}

/// A challenge and nothing else.
pub fn challenge(text: &str) -> Reply {
    reply(401, r#"{"errors":[{"code":"UNAUTHORIZED","message":"who is it?"}]}"#)
        .header("WWW-Authenticate", text)
}

/// An answer that never comes.
pub fn silence() -> Reply {
    Reply { silent: true, ..reply(200, "") }
}

impl Reply {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Breaks off after so many bytes of the body.
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.sent_of_body = Some(bytes);
        self
    }

    fn write(&self, method: &str, to: &mut impl Write) -> std::io::Result<()> {
        let mut out = format!("HTTP/1.1 {} x\r\nConnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            let _ = write!(out, "{name}: {value}\r\n");
        }
        let _ = write!(out, "Content-Length: {}\r\n\r\n", self.body.len());
        to.write_all(out.as_bytes())?;
        if method != "HEAD" {
            to.write_all(&self.body[..self.sent_of_body.unwrap_or(self.body.len())])?;
        }
        to.flush()
    }
}

type Rule = dyn Fn(&Seen) -> Reply + Send + Sync;

/// A running fake.
pub struct Fake {
    /// Where it listens; of a socket, nowhere.
    pub addr: Option<SocketAddr>,
    state: Arc<State>,
    wake: Box<dyn Fn() + Send + Sync>,
}

struct State {
    seen: Mutex<Vec<Seen>>,
    rule: Box<Rule>,
    stopped: AtomicBool,
}

impl Fake {
    /// Starts on 127.0.0.1.
    pub fn start(rule: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1", rule)
    }

    /// Starts on this address of the machine: each is another host to a client.
    pub fn at(host: &str, rule: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::tcp(host, rule, |stream, state| {
            serve(stream, state);
        })
    }

    /// Starts with TLS and this configuration.
    pub fn tls(
        config: Arc<rustls::ServerConfig>,
        rule: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::tcp("127.0.0.1", rule, move |stream, state| {
            if let Ok(connection) = rustls::ServerConnection::new(Arc::clone(&config)) {
                serve(rustls::StreamOwned::new(connection, stream), state);
            }
        })
    }

    fn tcp(
        host: &str,
        rule: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
        serve: impl Fn(TcpStream, &State) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((host, 0)).expect("a port");
        let addr = listener.local_addr().expect("an address");
        let state = State::new(rule);
        let (here, serve) = (Arc::clone(&state), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if here.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let _ = stream.set_read_timeout(Some(GUARD));
                let (state, serve) = (Arc::clone(&here), Arc::clone(&serve));
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { addr: Some(addr), state, wake: Box::new(move || drop(TcpStream::connect(addr))) }
    }

    /// Starts on a Unix socket.
    pub fn socket(path: &Path, rule: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = UnixListener::bind(path).expect("a socket");
        let state = State::new(rule);
        let (here, path) = (Arc::clone(&state), path.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if here.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let state = Arc::clone(&here);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { addr: None, state, wake: Box::new(move || drop(UnixStream::connect(&path))) }
    }

    /// `HOST:PORT`.
    pub fn host(&self) -> String {
        self.addr.expect("it listens on TCP").to_string()
    }

    /// `http://HOST:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.host())
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().expect("seen").clone()
    }

    /// Method and path of every request so far.
    pub fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        (self.wake)();
    }
}

impl State {
    fn new(rule: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { seen: Mutex::default(), rule: Box::new(rule), stopped: AtomicBool::new(false) })
    }
}

/// One request and its answer; what is not HTTP gets none.
fn serve(stream: impl Read + Write, state: &State) {
    let mut stream = BufReader::new(stream);
    let Some(seen) = request(&mut stream) else { return };
    state.seen.lock().expect("seen").push(seen.clone());
    let reply = (state.rule)(&seen);
    if reply.silent {
        // Until the client has gone.
        let _ = stream.read(&mut [0]);
        return;
    }
    let _ = reply.write(&seen.method, stream.get_mut());
}

fn request(stream: &mut BufReader<impl Read>) -> Option<Seen> {
    if !stream.fill_buf().ok()?.first()?.is_ascii_uppercase() {
        return None; // the greeting of TLS, which has no lines to wait for
    }
    let mut line = || {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let (method, path) = first.strip_suffix(" HTTP/1.1")?.split_once(' ')?;
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, v)| v.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Some(Seen { method: method.to_owned(), path: path.to_owned(), headers, body })
}
