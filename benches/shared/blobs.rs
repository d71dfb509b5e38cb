//! Rows: push and pull of a 1 GB blob through a registry, beside the same bytes straight to and from the S3 server. All take
//! turns, pass by pass, so that a slow moment of the machine meets each of them; the best pass counts, as the fastest is the
//! one that was disturbed least.

use std::fmt::Write as _;
use std::time::Instant;

use crate::Bench;
use crate::client::{Conn, Res};
use crate::direct::{By, Direct};
use crate::load;
use crate::payload::{Large, LargeMaker};
use crate::push::{self, How};
use crate::servers::{Kind, Server};
use crate::table::{Demand, Line, Sample, digits};

const NAME: &str = "bench/large";
const HOW: [(How, &str); 2] = [(How::Streamed, "streamed PATCH"), (How::Whole, "one PUT")];
/// The last one is the measure.
const BY: [(By, &str); 3] = [
    (By::Unsigned, "parallel parts"),
    (By::Signed, "parallel parts, each signed"),
    (By::Command, "its own command"),
];

/// Passes of one contestant: what they took, and the S3 server's CPU seconds.
#[derive(Default)]
struct Passes(Vec<(Sample, f64)>);

impl Passes {
    fn measure(&mut self, bench: &Bench, work: impl FnOnce() -> Res<Sample>) -> Res<()> {
        bench.settle()?;
        let before = bench.stand.beneath()?;
        let sample = work()?;
        self.0.push((sample, bench.stand.beneath_since(before)?.s3));
        Ok(())
    }

    /// The fastest pass, with the least CPU seconds of any.
    fn best(&self) -> Option<(Sample, f64)> {
        let least = |of: &dyn Fn(&(Sample, f64)) -> f64| self.0.iter().map(of).min_by(f64::total_cmp);
        let sample = Sample {
            work: self.0.first()?.0.work,
            wall: least(&|(sample, _)| sample.wall)?,
            cpu: least(&|(sample, _)| sample.cpu)?,
        };
        Some((sample, least(&|&(_, s3)| s3)?))
    }

    fn sample(&self) -> Option<Sample> {
        self.best().map(|(sample, _)| sample)
    }
}

/// One contestant in words: its figure, and whose CPU it took.
fn told(name: &str, sample: Sample, s3: f64) -> String {
    let (mb, wall) = (digits(sample.rate() * 1e3), sample.wall);
    format!("{name} {mb} MB/s ({wall:.2} s, CPU {:.2} s, S3 server {s3:.2} s)", sample.cpu)
}

/// Lines of one work: its speed beside that of the S3 server, of whose last client a part is demanded, and what it takes of
/// the processor.
fn lines(
    bench: &Bench,
    work: &str,
    registries: &[Passes; 2],
    direct: &[(&str, &Passes)],
    part: f64,
) -> Vec<Line> {
    let (mut beside, mut measure) = (String::new(), (0.0, "nobody"));
    for (name, passes) in direct {
        let Some((sample, s3)) = passes.best() else { continue };
        let told = told(name, sample, s3);
        bench.say(&format!("{work}: {told}"));
        let _ = write!(beside, "{}{told}", if beside.is_empty() { "" } else { "; " });
        measure = (sample.rate(), name);
    }
    let mut taken = Vec::new();
    for (passes, kind) in registries.iter().zip([Kind::Holdfast, Kind::Registry]) {
        let Some((sample, s3)) = passes.best() else { continue };
        bench.say(&format!("{work}: {}", told(kind.name(), sample, s3)));
        taken.push(format!("{} {:.2}", kind.name(), s3 / sample.work));
    }
    let samples = [registries[0].sample(), registries[1].sample()];
    let speed = Line::new(work, "MB/s").samples(samples, |sample| sample.rate() * 1e3).beside(beside);
    let cpu = Line::new(work, "CPU s/GB").samples(samples, Sample::cpu_each);
    let why = format!("{:.0} % of {}", part * 100.0, measure.1);
    vec![
        speed.demand(&Demand::AtLeast(measure.0 * 1e3 * part, why)),
        cpu.beside(format!("S3 server's CPU s/GB: {}", taken.join(", "))).demand(&Demand::Told),
    ]
}

/// Pushes in both ways.
pub fn pushes(bench: &Bench) -> Res<Vec<Line>> {
    let mut maker = LargeMaker::new(44, bench.size(1_000_000_000, 250_000_000));
    let direct = Direct::new(&bench.stand.s3, &bench.dir)?;
    let servers = start(bench, "push")?;
    let mut straight: [Passes; 3] = Default::default();
    let mut taken: [[Passes; 2]; 2] = Default::default();
    for pass in 0..bench.size(4, 1) {
        for ((by, _), passes) in BY.iter().zip(&mut straight) {
            if direct.has(*by) {
                passes.measure(bench, || direct.put(*by, &maker.another()))?;
            }
        }
        for server in &servers {
            for ((how, _), taken) in HOW.iter().zip(&mut taken) {
                // Far from any limit: two passes of docker-registry are enough.
                if pass < 2 || server.kind == Kind::Holdfast {
                    let passes = &mut taken[usize::from(server.kind == Kind::Registry)];
                    passes.measure(bench, || push(server, &maker.another(), *how))?;
                }
            }
        }
    }
    let named: Vec<(&str, &Passes)> = BY.iter().map(|(_, name)| *name).zip(&straight).collect();
    Ok(HOW
        .iter()
        .zip(&taken)
        .flat_map(|((_, how), taken)| {
            lines(bench, &format!("push of a 1 GB blob, {how}"), taken, &named, 0.8)
        })
        .collect())
}

fn push(server: &Server, large: &Large, how: How) -> Res<Sample> {
    let mut conn = Conn::open(server.addr)?;
    let (cpu, began) = (server.cpu()?, Instant::now());
    push::large(&mut conn, NAME, large, how)?;
    let (wall, cpu) = (began.elapsed().as_secs_f64(), server.cpu()? - cpu);
    Ok(Sample { work: large.length as f64 / 1e9, wall, cpu })
}

/// Pulls through the registry, one and four at once.
pub fn pulls(bench: &Bench) -> Res<Vec<Line>> {
    let length = bench.size(1_000_000_000, 250_000_000);
    let large = LargeMaker::new(55, length).another();
    let direct = Direct::new(&bench.stand.s3, &bench.dir)?;
    let object = direct.stored(&large)?;
    let s3 = bench.stand.s3.url.trim_start_matches("http://").parse()?;
    let servers = start(bench, "pull")?;
    for server in &servers {
        push::large(&mut Conn::open(server.addr)?, NAME, &large, How::Whole)?;
    }
    let blob = format!("/v2/{NAME}/blobs/{}", large.digest);
    let mut all = Vec::new();
    for at_once in [1, 4] {
        let (mut straight, mut taken) = (Passes::default(), <[Passes; 2]>::default());
        for _ in 0..bench.size(5, 2) {
            straight.measure(bench, || load::whole(s3, &object, length, at_once, || Ok(0.0)))?;
            for server in &servers {
                let passes = &mut taken[usize::from(server.kind == Kind::Registry)];
                passes
                    .measure(bench, || load::whole(server.addr, &blob, length, at_once, || server.cpu()))?;
            }
        }
        let work = format!("GET of a 1 GB blob, {at_once} at once");
        all.extend(lines(bench, &work, &taken, &[("GET from it", &straight)], 0.7));
    }
    Ok(all)
}

fn start(bench: &Bench, name: &str) -> Res<Vec<Server>> {
    bench.registries().into_iter().map(|kind| bench.start(kind, name, &bench.stand.s3.url)).collect()
}
