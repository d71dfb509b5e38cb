//! Row: GET of a 1 GB blob, one and four at once, beside nginx with sendfile on the very same bytes. The servers
//! take turns, pass by pass, so that a slow moment of the machine meets all of them.

use crate::Bench;
use crate::client::{Conn, Res};
use crate::load;
use crate::payload::LargeMaker;
use crate::push::{self, How};
use crate::servers::{Kind, Server};
use crate::table::{Demand, Line, Sample, digits};

const NAME: &str = "bench/large";

/// MB/s and CPU seconds a GB.
pub fn rows(bench: &Bench) -> Res<Vec<Line>> {
    let length = bench.size(1_000_000_000, 250_000_000);
    let large = LargeMaker::new(11, length).another();
    let mut servers = Vec::new();
    for kind in bench.registries() {
        let Some(server) = bench.start(kind, &bench.dir.join(format!("pull-{kind:?}")))? else { continue };
        push::large(&mut Conn::open(server.addr)?, NAME, &large, How::Whole)?;
        let path = format!("/v2/{NAME}/blobs/{}", large.digest);
        servers.push((server, path));
    }
    if bench.binary(Kind::Nginx).is_some() {
        let stored = servers.first().ok_or("no registry")?.0.blob_file(&large.digest);
        let served = stored.parent().ok_or("no folder")?;
        if let Some(server) = bench.start_on(Kind::Nginx, &bench.dir.join("pull-nginx"), served)? {
            servers.push((server, "/data".into()));
        }
    }
    let mut lines = Vec::new();
    for (at_once, passes) in [(1, bench.size(7, 3)), (4, bench.size(3, 1))] {
        lines.extend(compare(bench, &servers, length, at_once, passes)?);
    }
    Ok(lines)
}

fn compare(
    bench: &Bench,
    servers: &[(Server, String)],
    length: u64,
    at_once: usize,
    passes: usize,
) -> Res<Vec<Line>> {
    let mut taken: Vec<Vec<Sample>> = servers.iter().map(|_| Vec::new()).collect();
    for _ in 0..passes {
        for ((server, path), taken) in servers.iter().zip(&mut taken) {
            taken.push(load::whole(server.addr, path, length, at_once, || server.cpu())?);
        }
    }
    let of = |kind: Kind| {
        let at = servers.iter().position(|(server, _)| server.kind == kind)?;
        Sample::of_passes(&taken[at])
    };
    for (server, _) in servers {
        let Some(sample) = of(server.kind) else { continue };
        bench.say(&format!(
            "GET of 1 GB, {at_once} at once, {}: {:.0} MB/s, {:.2} CPU s/GB",
            server.kind.name(),
            sample.rate() * 1e3,
            sample.cpu_each()
        ));
    }
    let (samples, nginx) = ([of(Kind::Holdfast), of(Kind::Registry)], of(Kind::Nginx));
    let work = format!("GET of a 1 GB blob, {at_once} at once");
    let mut speed = Line::new(&work, "MB/s").samples(samples, |sample| sample.rate() * 1e3);
    let mut cpu = Line::new(&work, "CPU s/GB").samples(samples, Sample::cpu_each);
    if let Some(nginx) = nginx {
        let (rate, each) = (nginx.rate() * 1e3, nginx.cpu_each());
        speed = speed
            .beside(format!("nginx {} ({:.2} s, CPU {:.2} s)", digits(rate), nginx.wall, nginx.cpu))
            .demand(&Demand::AtLeast(rate, "nginx".into()));
        cpu = cpu
            .beside(format!("nginx {}", digits(each)))
            .demand(&Demand::AtMostOf(each * 1.6, "1.6 × nginx"));
    }
    Ok(vec![speed, cpu])
}
