//! A way to a server that counts the requests which pass: of bytes that go there, those that come first, or first after an
//! answer, begin one. It must not know what they say.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::client::Res;

/// A way to a server, open as long as the process lives.
pub struct Tap {
    /// Where it begins.
    pub addr: SocketAddr,
    passed: Arc<AtomicU64>,
}

impl Tap {
    /// A way to that address.
    pub fn to(server: SocketAddr) -> Res<Tap> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (addr, passed) = (listener.local_addr()?, Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&passed);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if let Ok(server) = TcpStream::connect(server) {
                    let _ = join(client, server, &count);
                }
            }
        });
        Ok(Tap { addr, passed })
    }

    /// How many requests have passed so far.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }
}

fn join(client: TcpStream, server: TcpStream, passed: &Arc<AtomicU64>) -> Res<()> {
    let (client_again, server_again) = (client.try_clone()?, server.try_clone()?);
    let answered = Arc::new(AtomicBool::new(true));
    let (answers, passed) = (Arc::clone(&answered), Arc::clone(passed));
    thread::spawn(move || {
        pass(client, server, || {
            if answered.swap(false, Ordering::SeqCst) {
                passed.fetch_add(1, Ordering::SeqCst);
            }
        });
    });
    thread::spawn(move || pass(server_again, client_again, || answers.store(true, Ordering::SeqCst)));
    Ok(())
}

/// Hands on all bytes of one direction.
fn pass(mut from: TcpStream, mut to: TcpStream, before_each: impl Fn()) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(count) if count > 0 => {
                before_each();
                if to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            _ => break,
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
