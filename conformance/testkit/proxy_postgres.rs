//! PostgreSQL's protocol as the proxy passes it: the client's messages are followed to name a round trip and to find its
//! end, the server's to find the end of an answer. It must not know what a statement means.
//! (PostgreSQL's documentation, "Frontend/Backend Protocol", version 3.0.)

use super::proxy_rule::{Fate, Shared};
use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What a client sends that would like TLS, and one that would like GSSAPI.
const WANTS_TLS: i32 = 80_877_103;
const WANTS_GSSAPI: i32 = 80_877_104;
/// Longest message that is passed.
const MESSAGE_BYTES_MAX: usize = 256 << 20;

/// A message: its kind, and all of it.
struct Message {
    kind: u8,
    bytes: Vec<u8>,
}

impl Message {
    fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut kind = [0];
        from.read_exact(&mut kind)?;
        let rest = untyped(from)?;
        Ok(Self { kind: kind[0], bytes: [kind.as_slice(), &rest].concat() })
    }

    /// The texts in its body that end with a zero, from this place on.
    fn text(&self, nth: usize) -> String {
        let body = self.bytes.get(5..).unwrap_or_default();
        String::from_utf8_lossy(body.split(|byte| *byte == 0).nth(nth).unwrap_or_default()).into_owned()
    }
}

/// A message without a kind, as the first one is: its length, itself included, and its body.
fn untyped(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let whole =
        usize::try_from(i32::from_be_bytes(length)).ok().filter(|n| (4..MESSAGE_BYTES_MAX).contains(n));
    let mut message = vec![0; whole.ok_or(io::ErrorKind::InvalidData)?];
    message[..4].copy_from_slice(&length);
    from.read_exact(&mut message[4..])?;
    Ok(message)
}

/// What the client has sent since the last round trip.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    parsed: Vec<String>,
    run: Vec<String>,
}

/// Texts of statements and of portals, by the names that the client gives them.
#[derive(Default)]
struct Names {
    statements: HashMap<String, String>,
    portals: HashMap<String, String>,
}

/// Passes what both sides say until one of them closes.
pub fn serve(client: TcpStream, server: SocketAddr, shared: &Arc<Shared>) -> io::Result<()> {
    let mut from_client = BufReader::new(client.try_clone()?);
    let mut to_client = client;
    let hello = loop {
        let hello = untyped(&mut from_client)?;
        let code = hello.get(4..8).map_or(0, |code| i32::from_be_bytes([code[0], code[1], code[2], code[3]]));
        if !matches!(code, WANTS_TLS | WANTS_GSSAPI) {
            break hello;
        }
        to_client.write_all(b"N")?;
    };
    let mut to_server = TcpStream::connect(server)?;
    to_server.set_nodelay(true)?;
    let _opened = shared.opened(&to_server)?;
    to_server.write_all(&hello)?;
    let (from_server, swallow) = (to_server.try_clone()?, Arc::new(AtomicBool::new(false)));
    let writer = Arc::new(Mutex::new(to_client));
    let (answers, until_ready) = (Arc::clone(&writer), Arc::clone(&swallow));
    std::thread::spawn(move || {
        let _ = pass_answers(&from_server, &answers, &until_ready);
        let _ = from_server.shutdown(Shutdown::Both);
        let _ = lock(&answers).shutdown(Shutdown::Both);
    });
    let asked = pass_requests(&mut from_client, &mut to_server, &swallow, shared);
    if let Ok(Some(last_word)) = &asked {
        let _ = lock(&writer).write_all(last_word);
    }
    if !swallow.load(Ordering::SeqCst) {
        let _ = lock(&writer).shutdown(Shutdown::Both);
        let _ = to_server.shutdown(Shutdown::Both);
    }
    asked.map(drop)
}

fn lock(stream: &Mutex<TcpStream>) -> std::sync::MutexGuard<'_, TcpStream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes round trip after round trip. `Some`: what to say to the client before it is cut off.
fn pass_requests(
    client: &mut BufReader<TcpStream>,
    server: &mut TcpStream,
    swallow: &AtomicBool,
    shared: &Shared,
) -> io::Result<Option<Vec<u8>>> {
    let (mut batch, mut names) = (Batch::default(), Names::default());
    loop {
        let message = Message::read(client)?;
        batch.take(&message, &mut names);
        if !matches!(message.kind, b'Q' | b'S') {
            // A client that wants its answer now (Flush), that logs in, sends data, or takes its leave.
            if !matches!(message.kind, b'P' | b'B' | b'D' | b'E' | b'C') {
                server.write_all(&std::mem::take(&mut batch.bytes))?;
            }
            continue;
        }
        let batch = std::mem::take(&mut batch);
        let fate = shared.fate(batch.named(), batch.run.len());
        match fate {
            Fate::CutBefore => return Ok(None),
            Fate::CutWithin => {
                server.write_all(&batch.bytes[..batch.bytes.len() / 2])?;
                return Ok(None);
            }
            Fate::Answer(_) => return Ok(Some(shut_down())),
            Fate::CutAfter => {
                swallow.store(true, Ordering::SeqCst);
                server.write_all(&batch.bytes)?;
                return Ok(None); // the other thread cuts, once the server has answered
            }
            _ => server.write_all(&batch.bytes)?,
        }
    }
}

/// Passes whatever the server says; once answers are to be swallowed, nothing any more, until one is whole.
fn pass_answers(server: &TcpStream, client: &Mutex<TcpStream>, swallow: &AtomicBool) -> io::Result<()> {
    let mut server = BufReader::new(server);
    loop {
        let message = Message::read(&mut server)?;
        if !swallow.load(Ordering::SeqCst) {
            lock(client).write_all(&message.bytes)?;
        } else if message.kind == b'Z' {
            return Ok(());
        }
    }
}

/// What a server says that is being shut down (57P01, admin_shutdown).
fn shut_down() -> Vec<u8> {
    let body = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0";
    let length = (body.len() as u32 + 4).to_be_bytes();
    [b"E".as_slice(), &length, body].concat()
}

impl Batch {
    fn take(&mut self, message: &Message, names: &mut Names) {
        self.bytes.extend_from_slice(&message.bytes);
        match message.kind {
            b'Q' => self.run.push(message.text(0)),
            b'P' => {
                names.statements.insert(message.text(0), message.text(1));
                self.parsed.push(message.text(1));
            }
            b'B' => {
                let text = names.statements.get(&message.text(1)).cloned().unwrap_or_default();
                names.portals.insert(message.text(0), text);
            }
            b'E' => self.run.push(names.portals.get(&message.text(0)).cloned().unwrap_or_default()),
            _ => {}
        }
    }

    fn named(&self) -> String {
        let one_line = |text: &String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        if self.run.is_empty() {
            format!("prepare {}", self.parsed.iter().map(one_line).collect::<Vec<_>>().join("; "))
        } else {
            self.run.iter().map(one_line).collect::<Vec<_>>().join("; ")
        }
    }
}
