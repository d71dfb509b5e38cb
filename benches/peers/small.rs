//! Row: push of small images, eight at once, as docker does it: three layers at a time (POST, PUT each), then the
//! config, then the manifest by tag. Bounded in count and in time.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Bench;
use crate::client::{Conn, Res};
use crate::payload::{self, Image, MANIFEST};
use crate::push;
use crate::servers::{Kind, Server};
use crate::table::{Demand, Line, Sample};

const AT_ONCE: usize = 8;

/// One row with a repository for each pusher, one with a repository that all share. One server does both before
/// the next: ext4 passes over inodes freed in the last minutes when it makes files, so that a server would pay for
/// what the one before it removed.
pub fn rows(bench: &Bench) -> Res<Vec<Line>> {
    let ways = [(false, "8 repositories"), (true, "one repository")];
    let mut samples = [[None; 2]; 2];
    for kind in bench.registries() {
        for ((shared, name), samples) in ways.iter().zip(&mut samples) {
            let folder = bench.dir.join(format!("small-{shared}-{kind:?}"));
            let Some(server) = bench.start(kind, &folder)? else { continue };
            let sample = measure(bench, &server, *shared)?;
            bench.say(&format!(
                "push of small images, {name}, {}: {:.0}/s, {:.2} CPU ms each",
                kind.name(),
                sample.rate(),
                sample.cpu_each() * 1e3
            ));
            samples[usize::from(kind == Kind::Registry)] = Some(sample);
        }
    }
    let mut lines = Vec::new();
    for ((_, name), samples) in ways.iter().zip(samples) {
        let work = format!("push of small images, {AT_ONCE} at once, {name}");
        lines.push(
            Line::new(&work, "images/s").samples(samples, Sample::rate).demand(&Demand::TimesRegistry(8.0)),
        );
        let each = |sample: &Sample| sample.cpu_each() * 1e3;
        let line = Line::new(&work, "CPU ms an image").samples(samples, each);
        lines.push(line.demand(&Demand::PartOfRegistry(0.1)));
    }
    Ok(lines)
}

fn measure(bench: &Bench, server: &Server, shared: bool) -> Res<Sample> {
    let count = bench.size(2000, 400);
    let patience = Duration::from_secs(bench.size(10, 4));
    let images = make(count + AT_ONCE);
    let (next, start) = (AtomicUsize::new(AT_ONCE), Barrier::new(AT_ONCE + 1));
    let (images, next, start) = (&images, &next, &start);
    thread::scope(|scope| {
        let pushers: Vec<_> = (0..AT_ONCE)
            .map(|pusher| {
                scope.spawn(move || -> Res<(usize, Duration)> {
                    let name = if shared { "bench/shared".to_owned() } else { format!("bench/own-{pusher}") };
                    let warm = warm(server, &name, pusher, &images[pusher]);
                    start.wait(); // also after a failure, or the others would wait for ever
                    let (mut conns, began, mut pushed) = (warm?, Instant::now(), 0);
                    while began.elapsed() < patience {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(image) = images.get(number) else { break };
                        push::image(&mut conns, &name, &format!("v{number}"), image)?;
                        pushed += 1;
                    }
                    Ok((pushed, began.elapsed()))
                })
            })
            .collect();
        let cpu = {
            start.wait();
            server.cpu()?
        };
        let (mut work, mut wall) = (0, Duration::ZERO);
        for pusher in pushers {
            let (pushed, took) = pusher.join().map_err(|_| "a pusher panicked")??;
            work += pushed;
            wall = wall.max(took);
        }
        let cpu = server.cpu()? - cpu;
        Ok(Sample { work: work as f64, wall: wall.as_secs_f64(), cpu })
    })
}

/// Connects, and pushes and reads back one image, so that the measured ones meet a warm server that works.
fn warm(server: &Server, name: &str, pusher: usize, image: &Image) -> Res<[Conn; 3]> {
    let mut conns = [Conn::open(server.addr)?, Conn::open(server.addr)?, Conn::open(server.addr)?];
    let tag = format!("warm{pusher}");
    push::image(&mut conns, name, &tag, image)?;
    let accept = format!("Accept: {MANIFEST}\r\n"); // without it docker-registry hides OCI manifests
    conns[0].send("GET", &format!("/v2/{name}/manifests/{tag}"), &accept, b"")?;
    let (answer, body) = conns[0].answer_body()?;
    answer.expect(200, "GET of the first manifest")?;
    let (answer, layer) = conns[1].get(&format!("/v2/{name}/blobs/{}", image.layers[0].digest))?;
    answer.expect(200, "GET of the first layer")?;
    if body != image.manifest.bytes || layer != image.layers[0].bytes {
        return Err("what came back is not what was pushed".into());
    }
    Ok(conns)
}

fn make(count: usize) -> Vec<Image> {
    let half = count / 2;
    let range = |from: usize, to: usize| (from..to).map(|seed| payload::image(seed as u64 + 1)).collect();
    thread::scope(|scope| {
        let second = scope.spawn(move || -> Vec<Image> { range(half, count) });
        let mut images: Vec<Image> = range(0, half);
        images.extend(second.join().unwrap_or_default());
        images
    })
}
