//! Rows: HEAD and GET of a manifest by tag and HEAD of a blob, over eight connections at once for a fixed time.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::Bench;
use crate::client::{Conn, Res};
use crate::payload::{self, MANIFEST};
use crate::servers::{Kind, Server};
use crate::small;
use crate::table::{Demand, Line, Sample};

const AT_ONCE: usize = 8;
const NAME: &str = "bench/reads";

/// Requests a second, CPU each, and requests for each CPU second, which is what is demanded.
pub fn rows(bench: &Bench) -> Res<Vec<Line>> {
    let image = payload::image(1);
    let layer = format!("/v2/{NAME}/blobs/{}", image.layers[0].digest);
    let tag = format!("/v2/{NAME}/manifests/latest");
    let work = [
        ("HEAD of a manifest by tag", "HEAD", tag.as_str(), Demand::TimesRegistry(10.0)),
        ("GET of a manifest by tag", "GET", tag.as_str(), Demand::TimesRegistry(10.0)),
        ("HEAD of a blob", "HEAD", layer.as_str(), Demand::Told),
    ];
    let mut samples = [[None; 2]; 3];
    for kind in bench.registries() {
        let Some(server) = bench.start(kind, &bench.dir.join(format!("reads-{kind:?}")))? else { continue };
        let mut conns = [Conn::open(server.addr)?, Conn::open(server.addr)?, Conn::open(server.addr)?];
        small::push(&mut conns, NAME, "latest", &image)?;
        for ((name, method, path, _), sample) in work.iter().zip(&mut samples) {
            let measured = measure(bench, &server, method, path)?;
            bench.say(&format!(
                "{name}, {}: {:.0}/s, {:.1} CPU µs each",
                kind.name(),
                measured.rate(),
                measured.cpu_each() * 1e6
            ));
            sample[usize::from(kind == Kind::Registry)] = Some(measured);
        }
    }
    let mut lines = Vec::new();
    for ((name, _, _, demand), samples) in work.iter().zip(samples) {
        let name = format!("{name}, {AT_ONCE} at once");
        let line = |figure| Line::new(&name, figure);
        lines.push(line("requests/s").samples(samples, Sample::rate).demand(&Demand::Told));
        let each = samples.map(|sample| sample.map(|sample| sample.cpu_each() * 1e6));
        lines.push(line("CPU µs a request").plain(each).demand(&Demand::Told));
        let for_cpu = samples.map(|sample| sample.map(|sample| sample.work / sample.cpu));
        lines.push(line("requests a CPU second").plain(for_cpu).demand(demand));
    }
    Ok(lines)
}

fn measure(bench: &Bench, server: &Server, method: &str, path: &str) -> Res<Sample> {
    let (warm, span) = (Duration::from_millis(200), Duration::from_millis(bench.size(3000, 700)));
    let start = Barrier::new(AT_ONCE + 1);
    let start = &start;
    thread::scope(|scope| {
        let readers: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(move || -> Res<(u64, f64)> {
                    let ready = reader(server, method, path, warm);
                    start.wait(); // also after a failure, or the others would wait for ever
                    let (mut conn, request) = ready?;
                    repeat(&mut conn, &request, method == "HEAD", span)
                })
            })
            .collect();
        start.wait();
        let cpu = server.cpu()?;
        let (mut work, mut wall) = (0, 0_f64);
        for reader in readers {
            let (count, took) = reader.join().map_err(|_| "a reader panicked")??;
            work += count;
            wall = wall.max(took);
        }
        let cpu = server.cpu()? - cpu;
        Ok(Sample { work: work as f64, wall, cpu })
    })
}

fn reader(server: &Server, method: &str, path: &str, warm: Duration) -> Res<(Conn, Vec<u8>)> {
    let mut conn = Conn::open(server.addr)?;
    let request = conn.prepared(method, path, &format!("Accept: {MANIFEST}\r\n"));
    repeat(&mut conn, &request, method == "HEAD", warm)?;
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
