//! Clients that do one thing, several at once: ask again and again for a fixed time, read all of a large body, or push one.
//! It must not know what is measured: the CPU seconds are whatever the caller reads.

use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Conn, Res};
use crate::payload::{Large, MANIFEST};
use crate::push::{self, How};
use crate::table::Sample;

/// How long each client asks before the clock runs.
const WARM: Duration = Duration::from_millis(200);

/// Each client asks for one path, over one connection, for so long.
pub fn repeated(
    addr: SocketAddr,
    (method, path): (&str, &str),
    at_once: usize,
    span: Duration,
    cpu: impl Fn() -> Res<f64>,
) -> Res<Sample> {
    let start = Barrier::new(at_once + 1);
    let start = &start;
    thread::scope(|scope| {
        let readers: Vec<_> = (0..at_once)
            .map(|_| {
                scope.spawn(move || -> Res<(u64, f64)> {
                    let ready = reader(addr, method, path);
                    start.wait(); // also after a failure, or the others would wait for ever
                    let (mut conn, request) = ready?;
                    repeat(&mut conn, &request, method == "HEAD", span)
                })
            })
            .collect();
        start.wait();
        let before = cpu()?;
        let (mut work, mut wall) = (0, 0_f64);
        for reader in readers {
            let (count, took) = reader.join().map_err(|_| "a reader panicked")??;
            work += count;
            wall = wall.max(took);
        }
        Ok(Sample { work: work as f64, wall, cpu: cpu()? - before })
    })
}

fn reader(addr: SocketAddr, method: &str, path: &str) -> Res<(Conn, Vec<u8>)> {
    let mut conn = Conn::open(addr)?;
    let request = conn.prepared(method, path, &format!("Accept: {MANIFEST}\r\n"));
    repeat(&mut conn, &request, method == "HEAD", WARM)?;
    Ok((conn, request))
}

fn repeat(conn: &mut Conn, request: &[u8], head: bool, span: Duration) -> Res<(u64, f64)> {
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < span {
        conn.send_bytes(request)?;
        let answer = if head { conn.answer_head()? } else { conn.answer()? };
        answer.expect(200, "a read")?;
        count += 1;
    }
    Ok((count, began.elapsed().as_secs_f64()))
}

/// Each client reads the whole of a large body once, through one buffer of 1 MiB; the work is counted in GB.
pub fn whole(
    addr: SocketAddr,
    path: &str,
    length: u64,
    at_once: usize,
    cpu: impl Fn() -> Res<f64>,
) -> Res<Sample> {
    let mut conns = (0..at_once).map(|_| Conn::with_buffer(addr, 1 << 20)).collect::<Res<Vec<Conn>>>()?;
    let (before, began) = (cpu()?, Instant::now());
    thread::scope(|scope| -> Res<()> {
        let readers: Vec<_> = conns
            .iter_mut()
            .map(|conn| {
                scope.spawn(move || -> Res<()> {
                    conn.send("GET", path, "", b"")?;
                    let answer = conn.answer()?.expect(200, "GET of a large body")?;
                    if answer.length == length { Ok(()) } else { Err("a body of another length".into()) }
                })
            })
            .collect();
        readers.into_iter().try_for_each(|reader| reader.join().map_err(|_| "a reader panicked")?)
    })?;
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu()? - before);
    Ok(Sample { work: at_once as f64 * length as f64 / 1e9, wall, cpu })
}

/// Each client pushes one large blob to a repository of its own, all at once; the work is counted in GB.
pub fn pushes(addr: SocketAddr, larges: &[Large], cpu: impl Fn() -> Res<f64>) -> Res<Sample> {
    let (before, began) = (cpu()?, Instant::now());
    thread::scope(|scope| -> Res<()> {
        let pushers: Vec<_> = larges
            .iter()
            .enumerate()
            .map(|(number, large)| {
                scope.spawn(move || {
                    let name = format!("bench/memory-{number}");
                    push::large(&mut Conn::open(addr)?, &name, large, How::Streamed)
                })
            })
            .collect();
        pushers.into_iter().try_for_each(|pusher| pusher.join().map_err(|_| "a pusher panicked")?)
    })?;
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu()? - before);
    let bytes: u64 = larges.iter().map(|large| large.length).sum();
    Ok(Sample { work: bytes as f64 / 1e9, wall, cpu })
}
