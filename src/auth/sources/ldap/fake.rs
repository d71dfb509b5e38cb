//! A directory for tests: speaks as much LDAP as one login takes, and can be told to misbehave. For tests only.
#![allow(missing_docs)] // it is for tests

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What it does instead of answering as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Well,
    Silent,
    Closes,
    /// Sends these bytes whatever is asked.
    Says(&'static [u8]),
    /// Ends every search, or every bind of a user, with this code.
    Search(u8),
    Bind(u8),
}

/// A person or a group.
#[derive(Clone)]
pub struct Entry {
    pub dn: &'static str,
    pub password: &'static str,
    pub attributes: Vec<(&'static str, &'static str)>,
}

/// What it holds, and what it was asked.
#[derive(Default)]
pub struct Book {
    pub connections: usize,
    /// Names and passwords of binds.
    pub binds: Vec<(String, String)>,
}

/// A directory that listens as long as it is held.
pub struct Fake {
    pub url: String,
    pub book: Arc<Mutex<Book>>,
    _listener: JoinSet<()>,
}

impl Fake {
    pub async fn start(mood: Mood, entries: Vec<Entry>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ldap://{}", listener.local_addr().unwrap());
        let (book, mut tasks) = (Arc::new(Mutex::new(Book::default())), JoinSet::new());
        let shared = Arc::clone(&book);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().unwrap().connections += 1;
                connections.spawn(serve(stream, mood, entries.clone(), Arc::clone(&shared)));
            }
        });
        Self { url, book, _listener: tasks }
    }

    pub fn binds(&self) -> Vec<String> {
        self.book.lock().unwrap().binds.iter().map(|(dn, _)| dn.clone()).collect()
    }
}

async fn serve(mut stream: TcpStream, mood: Mood, entries: Vec<Entry>, book: Arc<Mutex<Book>>) {
    let mut pending = Vec::new();
    loop {
        let Some((message, used)) = split(&pending) else {
            if stream.read_buf(&mut pending).await.unwrap_or(0) == 0 {
                return;
            }
            continue;
        };
        let parts = children(message.1);
        let (id, (operation, body)) = (parts[0].1.to_vec(), parts[1]);
        let answers = match (operation, mood) {
            (0x42, _) | (_, Mood::Closes) => return,
            (_, Mood::Silent) => Vec::new(),
            (_, Mood::Says(bytes)) => {
                stream.write_all(bytes).await.unwrap();
                Vec::new()
            }
            (0x60, _) => vec![tlv(0x61, &result(bind(body, mood, &entries, &book)))],
            (0x63, Mood::Search(code)) => vec![tlv(0x65, &result(code))],
            (0x63, _) => search(body, &entries),
            _ => return,
        };
        for answer in answers {
            let message = tlv(0x30, &[tlv(0x02, &id), answer].concat());
            stream.write_all(&message).await.unwrap();
        }
        pending.drain(..used);
    }
}

/// As careless as a real server: an empty password is a login as nobody, which goes well.
fn bind(body: &[u8], mood: Mood, entries: &[Entry], book: &Mutex<Book>) -> u8 {
    let parts = children(body);
    let text = |at: usize| String::from_utf8(parts[at].1.to_vec()).unwrap();
    let (dn, password) = (text(1), text(2));
    book.lock().unwrap().binds.push((dn.clone(), password.clone()));
    match (mood, entries.iter().find(|entry| entry.dn == dn)) {
        (Mood::Bind(code), Some(_)) => code,
        _ if password.is_empty() => 0,
        (_, Some(entry)) if entry.password == password => 0,
        _ => 49,
    }
}

fn search(body: &[u8], entries: &[Entry]) -> Vec<Vec<u8>> {
    let parts = children(body);
    let base = std::str::from_utf8(parts[0].1).unwrap();
    let limit = usize::from(*parts[3].1.last().unwrap());
    let mut wanted = HashMap::new();
    equalities(parts[6], &mut wanted);
    let fits = |entry: &&Entry| {
        let has = |(name, value): (&String, &String)| {
            let same = |(n, v): &(&str, &str)| n.eq_ignore_ascii_case(name) && v.eq_ignore_ascii_case(value);
            entry.attributes.iter().any(same)
        };
        entry.dn.ends_with(base) && wanted.iter().all(has)
    };
    let found: Vec<_> = entries.iter().filter(fits).collect();
    let mut answers: Vec<_> = found.iter().take(limit).map(|entry| tlv(0x64, &body_of(entry))).collect();
    answers.push(tlv(0x65, &result(if found.len() > limit { 4 } else { 0 })));
    answers
}

/// The attributes that a filter compares, without `objectClass`.
fn equalities((tag, body): (u8, &[u8]), wanted: &mut HashMap<String, String>) {
    let parts = children(body);
    if tag == 0xa3 {
        let text = |at: usize| String::from_utf8(parts[at].1.to_vec()).unwrap();
        if text(0) != "objectClass" {
            wanted.insert(text(0), text(1));
        }
    } else {
        for part in parts {
            equalities(part, wanted);
        }
    }
}

fn body_of(entry: &Entry) -> Vec<u8> {
    let attribute = |(name, value): &(&str, &str)| {
        let values = tlv(0x31, &tlv(0x04, value.as_bytes()));
        tlv(0x30, &[tlv(0x04, name.as_bytes()), values].concat())
    };
    let attributes: Vec<u8> = entry.attributes.iter().flat_map(attribute).collect();
    [tlv(0x04, entry.dn.as_bytes()), tlv(0x30, &attributes)].concat()
}

fn result(code: u8) -> Vec<u8> {
    [tlv(0x0a, &[code]), tlv(0x04, b""), tlv(0x04, b"")].concat()
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82, length[0], length[1]], content].concat()
}

/// The first element and how many bytes it takes, if all of it is there.
fn split(bytes: &[u8]) -> Option<((u8, &[u8]), usize)> {
    let (tag, first) = (*bytes.first()?, usize::from(*bytes.get(1)?));
    let head = if first > 0x7f { 2 + (first & 0x7f) } else { 2 };
    let long = bytes.get(2..head)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let length = if first > 0x7f { long } else { first };
    Some(((tag, bytes.get(head..head + length)?), head + length))
}

fn children(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut found = Vec::new();
    while let Some((part, used)) = split(bytes) {
        found.push(part);
        bytes = &bytes[used..];
    }
    found
}
