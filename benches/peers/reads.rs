//! Rows: HEAD and GET of a manifest by tag and HEAD of a blob, over eight connections at once for a fixed time.

use std::time::Duration;

use crate::Bench;
use crate::client::{Conn, Res};
use crate::load;
use crate::payload;
use crate::push;
use crate::servers::{Kind, Server};
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
        push::image(&mut conns, NAME, "latest", &image)?;
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
    let span = Duration::from_millis(bench.size(3000, 700));
    load::repeated(server.addr, (method, path), AT_ONCE, span, || server.cpu())
}
