//! What a proxy asks its rule for each request, and what the rule may answer. It must not know how requests are read off
//! a wire.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A request that came by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which one it is since the start, or since `Proxy::forget`: 1, 2, ...
    pub number: usize,
    /// Of HTTP: `METHOD /path?query`. Of PostgreSQL: the text of the statement, after `prepare ` if it is only parsed, and
    /// several of one round trip joined by `; `.
    pub what: String,
    /// How many statements it runs; of HTTP always 1, of PostgreSQL 0 where one is only parsed.
    pub statements: usize,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is passed, and its answer comes back.
    Pass,
    /// The same, so much later.
    Delay(Duration),
    /// The same, once `Proxy::release` is called.
    Hold,
    /// The connection is cut; the server never sees the request.
    CutBefore,
    /// The server gets half of its body, then both connections are cut. A request without a body is cut before.
    CutWithin,
    /// The server has answered; the connection is cut before one byte of the answer comes back.
    CutAfter,
    /// The proxy answers, and the server never sees the request. Of HTTP an error of S3 with that status: `SlowDown` with
    /// 503, `InternalError` with any other. Of PostgreSQL, whatever the number, what a server says that is being shut down.
    Answer(u16),
}

type Deciding = dyn Fn(&Asked) -> Fate + Send + Sync;

/// What all connections of a proxy share.
pub struct Shared {
    rule: Mutex<Arc<Deciding>>,
    seen: Mutex<Vec<Asked>>,
    held: Mutex<usize>,
    released: Condvar,
    releases: AtomicUsize,
    refusing: AtomicBool,
    open: Mutex<Vec<(u64, TcpStream)>>,
    next: AtomicU64,
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Everything passes.
    pub fn new() -> Self {
        Self {
            rule: Mutex::new(Arc::new(|_| Fate::Pass)),
            seen: Mutex::default(),
            held: Mutex::default(),
            released: Condvar::new(),
            releases: AtomicUsize::new(0),
            refusing: AtomicBool::new(false),
            open: Mutex::default(),
            next: AtomicU64::new(0),
        }
    }

    /// Another rule from now on.
    pub fn decide_by(&self, rule: impl Fn(&Asked) -> Fate + Send + Sync + 'static) {
        *lock(&self.rule) = Arc::new(rule);
    }

    /// Counts a request and asks what becomes of it. Delays and holds are over when this returns.
    pub fn fate(&self, what: String, statements: usize) -> Fate {
        let asked = {
            let mut seen = lock(&self.seen);
            let asked = Asked { number: seen.len() + 1, what, statements };
            seen.push(asked.clone());
            asked
        };
        let rule = Arc::clone(&lock(&self.rule));
        match rule(&asked) {
            Fate::Delay(time) => std::thread::sleep(time),
            Fate::Hold => self.hold(),
            fate => return fate,
        }
        Fate::Pass
    }

    fn hold(&self) {
        let mut held = lock(&self.held);
        let before = self.releases.load(Ordering::SeqCst);
        *held += 1;
        while self.releases.load(Ordering::SeqCst) == before {
            held = self.released.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        *held -= 1;
    }

    /// How many requests are held.
    pub fn held(&self) -> usize {
        *lock(&self.held)
    }

    /// Lets all go on that are held.
    pub fn release(&self) {
        let _held = lock(&self.held);
        self.releases.fetch_add(1, Ordering::SeqCst);
        self.released.notify_all();
    }

    /// All that came by.
    pub fn seen(&self) -> Vec<Asked> {
        lock(&self.seen).clone()
    }

    /// Counts from 1 again; gives what came by so far.
    pub fn forget(&self) -> Vec<Asked> {
        std::mem::take(&mut *lock(&self.seen))
    }

    /// Whether connections are refused.
    pub fn is_refusing(&self) -> bool {
        self.refusing.load(Ordering::SeqCst)
    }

    /// Refuses connections, or no longer does.
    pub fn refuse(&self, refuse: bool) {
        self.refusing.store(refuse, Ordering::SeqCst);
        if refuse {
            self.cut();
        }
    }

    /// Cuts all connections that are open.
    pub fn cut(&self) {
        for (_, stream) in lock(&self.open).iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Remembers a connection for as long as the answer lives.
    pub fn opened<'a>(&'a self, stream: &TcpStream) -> std::io::Result<Opened<'a>> {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        lock(&self.open).push((number, stream.try_clone()?));
        Ok(Opened { shared: self, number })
    }
}

/// A connection that can be cut.
pub struct Opened<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        lock(&self.shared.open).retain(|(number, _)| *number != self.number);
    }
}
