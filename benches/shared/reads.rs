//! Rows: HEAD and GET of a manifest by tag and HEAD of a blob, over eight connections at once for a fixed time: the CPU of
//! the registry and of PostgreSQL, and how often each request asks PostgreSQL and the bucket.

use std::time::Duration;

use crate::Bench;
use crate::client::{Conn, Res};
use crate::load;
use crate::payload;
use crate::push;
use crate::servers::Kind;
use crate::table::{Demand, Line, Sample};
use crate::tap::Tap;

const AT_ONCE: usize = 8;
const NAME: &str = "bench/reads";

/// What one kind of request costs, on average.
struct Cost {
    sample: Sample,
    postgres: f64,
    statements: f64,
    calls: f64,
}

/// CPU each, statements each and calls each.
pub fn rows(bench: &Bench) -> Res<Vec<Line>> {
    let layer = &payload::image(1).layers[0].digest;
    let work = [
        ("HEAD of a manifest by tag", "HEAD", format!("/v2/{NAME}/manifests/latest")),
        ("GET of a manifest by tag", "GET", format!("/v2/{NAME}/manifests/latest")),
        ("HEAD of a blob", "HEAD", format!("/v2/{NAME}/blobs/{layer}")),
    ];
    let mut lines = Vec::new();
    for (number, (name, method, path)) in work.iter().enumerate() {
        let mut costs = [None, None];
        for kind in bench.registries() {
            let cost = measure(bench, kind, &format!("reads{number}"), (method, path))?;
            bench.say(&format!(
                "{name}, {}: {:.0}/s, {:.1} CPU µs each, PostgreSQL {:.1}; {:.3} statements, {:.3} calls",
                kind.name(),
                cost.sample.rate(),
                cost.sample.cpu_each() * 1e6,
                cost.postgres * 1e6,
                cost.statements,
                cost.calls
            ));
            costs[usize::from(kind == Kind::Registry)] = Some(cost);
        }
        let of = |figure: &dyn Fn(&Cost) -> f64| [0, 1].map(|at: usize| costs[at].as_ref().map(figure));
        let samples = [0, 1].map(|at: usize| costs[at].as_ref().map(|cost| cost.sample));
        let work = format!("{name}, {AT_ONCE} at once");
        let line = |figure| Line::new(&work, figure);
        let postgres = costs[0].as_ref().map_or(0.0, |cost| cost.postgres * 1e6);
        let statements = [costs[0].as_ref().map(|cost| cost.statements), None];
        lines.extend([
            line("CPU µs a request")
                .samples(samples, |sample| sample.cpu_each() * 1e6)
                .beside(format!("PostgreSQL {postgres:.1}"))
                .demand(&Demand::Told),
            line("S3 calls a request").plain(of(&|cost| cost.calls)).demand(&Demand::AtMost(0.01)),
            line("SQL statements a request").plain(statements).demand(&Demand::AtMost(1.01)),
        ]);
    }
    Ok(lines)
}

/// Each kind of request meets a server and a database of its own: what was asked of PostgreSQL is counted in full only when
/// the connections have ended, and the few statements of a start and an end are among them.
fn measure(bench: &Bench, kind: Kind, database: &str, asked: (&str, &str)) -> Res<Cost> {
    let tap = Tap::to(bench.stand.s3.url.trim_start_matches("http://").parse()?)?;
    let server = bench.start(kind, database, &format!("http://{}", tap.addr))?;
    let mut conns = [Conn::open(server.addr)?, Conn::open(server.addr)?, Conn::open(server.addr)?];
    push::image(&mut conns, NAME, "latest", &payload::image(1))?;
    let span = Duration::from_millis(bench.size(5000, 1000));
    let (calls, beneath) = (tap.passed(), bench.stand.beneath()?);
    let sample = load::repeated(server.addr, asked, AT_ONCE, span, || server.cpu())?;
    let (calls, beneath) = (tap.passed() - calls, bench.stand.beneath_since(beneath)?);
    drop(server);
    let statements = if kind == Kind::Holdfast { bench.stand.transactions(database)? } else { 0.0 };
    // Asked also before the clock ran: so these are a little too high, never too low.
    Ok(Cost {
        sample,
        postgres: beneath.postgres / sample.work,
        statements: statements / sample.work,
        calls: calls as f64 / sample.work,
    })
}
