//! A proxy between Holdfast and what it stands on, S3 or PostgreSQL, in threads of the test: it tells and counts each
//! request, and lets a rule decide what becomes of it. All that passes does so unchanged. TLS is not spoken.
//!
//! ```text
//! let bucket = Proxy::s3(server);                    // give http://{bucket.addr} to Holdfast as its endpoint
//! bucket.decide(|asked| if asked.number == 3 { Fate::CutAfter } else { Fate::Pass });
//! ...
//! assert_eq!(bucket.seen().len(), 5);
//! ```
//!
//! What Holdfast does by the clock comes by too: a test that counts leaves it out by its name.

use super::proxy_rule::{Asked, Fate, Shared};
use super::{proxy_http, proxy_postgres};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A running proxy. It ends, with its connections, when it is dropped.
pub struct Proxy {
    /// Where it listens.
    pub addr: SocketAddr,
    shared: Arc<Shared>,
    ended: Arc<AtomicBool>,
}

impl Proxy {
    /// In front of a server that speaks S3 over plain HTTP/1.1. A request is one of HTTP.
    pub fn s3(server: SocketAddr) -> Self {
        Self::start(server, proxy_http::serve)
    }

    /// In front of a PostgreSQL server that speaks over TCP. A request is a round trip: what ends with a `Query` or a
    /// `Sync` message. The greeting and the login are none, and always pass.
    pub fn postgres(server: SocketAddr) -> Self {
        Self::start(server, proxy_postgres::serve)
    }

    fn start(
        server: SocketAddr,
        serve: fn(TcpStream, SocketAddr, &Arc<Shared>) -> std::io::Result<()>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("an address");
        let (shared, ended) = (Arc::new(Shared::new()), Arc::new(AtomicBool::new(false)));
        let (here, over) = (Arc::clone(&shared), Arc::clone(&ended));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                if here.is_refusing() {
                    continue; // closed before a word was said
                }
                let shared = Arc::clone(&here);
                std::thread::spawn(move || {
                    let _opened = shared.opened(&stream);
                    if shared.is_refusing() {
                        return; // since a moment ago
                    }
                    let _ = stream.set_nodelay(true);
                    // A connection that breaks is what such a proxy is for.
                    let _ = serve(stream, server, &shared);
                });
            }
        });
        Self { addr, shared, ended }
    }

    /// The rule from now on, asked once for each request, in the thread of its connection: it may take its time, and other
    /// connections go on meanwhile. Until there is one everything passes.
    pub fn decide(&self, rule: impl Fn(&Asked) -> Fate + Send + Sync + 'static) {
        self.shared.decide_by(rule);
    }

    /// Everything passes from now on, also what is held.
    pub fn pass(&self) {
        self.decide(|_| Fate::Pass);
        self.release();
    }

    /// Lets go on what is held now.
    pub fn release(&self) {
        self.shared.release();
    }

    /// How many requests are held now.
    pub fn held(&self) -> usize {
        self.shared.held()
    }

    /// Cuts all connections and closes each new one at once, or no longer does.
    pub fn refuse(&self, refuse: bool) {
        self.shared.refuse(refuse);
    }

    /// Cuts all connections; new ones are welcome.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// All requests so far, in the order in which they came.
    pub fn seen(&self) -> Vec<Asked> {
        self.shared.seen()
    }

    /// Counts from 1 again; gives all requests so far.
    pub fn forget(&self) -> Vec<Asked> {
        self.shared.forget()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        self.pass();
        self.shared.cut();
        drop(TcpStream::connect(self.addr));
    }
}
