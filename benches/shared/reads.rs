//! Rows: HEAD and GET of a manifest by tag and HEAD of a blob, over eight connections at once for a fixed time: the CPU of
//! the registry and of PostgreSQL, and how often each request asks PostgreSQL and the bucket.

use std::net::SocketAddr;
use std::time::Duration;

use crate::Bench;
use crate::client::{Conn, Res};
use crate::load;
use crate::payload::{self, MANIFEST};
use crate::push;
use crate::servers::Kind;
use crate::table::{Demand, Line, Sample};
use crate::tap::Tap;

const AT_ONCE: usize = 8;
const NAME: &str = "bench/reads";
/// So many requests are counted out.
const COUNTED: usize = 5000;
/// What may be counted above what is demanded: a replica asks a few statements a second by itself.
const BY_ITSELF: f64 = 0.02;

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
            line("S3 calls a request").plain(of(&|cost| cost.calls)).demand(&Demand::AtMost(BY_ITSELF)),
            line("SQL statements a request").plain(statements).demand(&Demand::AtMost(1.0 + BY_ITSELF)),
        ]);
    }
    Ok(lines)
}

/// The CPU under load, and then, on a server that was just started, what exactly so many requests ask of others.
fn measure(bench: &Bench, kind: Kind, database: &str, asked: (&str, &str)) -> Res<Cost> {
    let tap = Tap::to(bench.stand.s3.url.trim_start_matches("http://").parse()?)?;
    let s3 = format!("http://{}", tap.addr);
    let server = bench.start(kind, database, &s3)?;
    let mut conns = [Conn::open(server.addr)?, Conn::open(server.addr)?, Conn::open(server.addr)?];
    push::image(&mut conns, NAME, "latest", &payload::image(1))?;
    let span = Duration::from_millis(bench.size(5000, 1000));
    let beneath = bench.stand.beneath()?;
    let sample = load::repeated(server.addr, asked, AT_ONCE, span, || server.cpu())?;
    let beneath = bench.stand.beneath_since(beneath)?;
    let calls = tap.passed();
    once(server.addr, asked, COUNTED)?;
    let calls = tap.passed() - calls;
    drop(server);
    let statements = if kind == Kind::Holdfast { statements(bench, database, &s3, asked)? } else { 0.0 };
    Ok(Cost {
        sample,
        postgres: beneath.postgres / sample.work, // a little too much: it was asked before the clock ran, too
        statements,
        calls: calls as f64 / COUNTED as f64,
    })
}

/// Statements of a request: PostgreSQL counts in full only when a connection ends, so a server is started for them, and once
/// more without them.
fn statements(bench: &Bench, database: &str, s3: &str, asked: (&str, &str)) -> Res<f64> {
    let url = format!("{}/{database}", bench.stand.postgres);
    let with = |count: usize| -> Res<f64> {
        let before = bench.stand.transactions(database)?;
        let server = bench.replica(database, 1, s3, &url)?;
        once(server.addr, asked, count)?;
        drop(server);
        Ok(bench.stand.transactions(database)? - before)
    };
    Ok((with(COUNTED)? - with(0)?) / COUNTED as f64)
}

/// So many requests over one connection.
fn once(addr: SocketAddr, (method, path): (&str, &str), count: usize) -> Res<()> {
    let mut conn = Conn::open(addr)?;
    let request = conn.prepared(method, path, &format!("Accept: {MANIFEST}\r\n"));
    for _ in 0..count {
        conn.send_bytes(&request)?;
        let answer = if method == "HEAD" { conn.answer_head()? } else { conn.answer()? };
        answer.expect(200, path)?;
    }
    Ok(())
}
