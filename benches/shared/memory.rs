//! Row: the most memory resident while eight clients push 1 GB each at once, to a server just started.

use crate::Bench;
use crate::client::Res;
use crate::load;
use crate::payload::{Large, LargeMaker};
use crate::servers::Kind;
use crate::table::{Demand, Line, Sample};

const AT_ONCE: usize = 8;

/// MiB resident at most, and how much more that is than before, with wall and CPU of the pushes.
pub fn rows(bench: &Bench) -> Res<Vec<Line>> {
    let mut maker = LargeMaker::new(66, bench.size(1_000_000_000, 250_000_000));
    let larges: Vec<Large> = (0..AT_ONCE).map(|_| maker.another()).collect();
    let (mut peaks, mut growths, mut samples) = ([None; 2], [None; 2], [None; 2]);
    let mut after = Vec::new();
    for kind in bench.registries() {
        let server = bench.start(kind, "memory", &bench.stand.s3.url)?;
        let (_, before) = server.memory()?;
        let sample = match load::pushes(server.addr, &larges, || server.cpu()) {
            Err(error) if kind == Kind::Registry => {
                bench.say(&format!("{AT_ONCE} pushes at once, {}: it failed: {error}", kind.name()));
                after.push(format!("{} failed: {error}", kind.name()));
                continue;
            }
            sample => sample?,
        };
        let (peak, now) = server.memory()?;
        bench.say(&format!(
            "{AT_ONCE} pushes at once, {}: {before:.0} MiB before, {peak:.0} at most, {now:.0} after; {:.1} s",
            kind.name(),
            sample.wall
        ));
        let at = usize::from(kind == Kind::Registry);
        (peaks[at], growths[at], samples[at]) = (Some(peak), Some(peak - before), Some(sample));
        after.push(format!("{} {before:.0} before, {now:.0} after", kind.name()));
    }
    let work = format!("{AT_ONCE} clients push 1 GB each");
    let line = |figure| Line::new(&work, figure);
    Ok(vec![
        line("MiB resident, at most").plain(peaks).beside(after.join("; ")).demand(&Demand::AtMost(128.0)),
        line("MiB resident more than before").plain(growths).demand(&Demand::AtMost(128.0)),
        line("MB/s").samples(samples, |sample| sample.rate() * 1e3).demand(&Demand::Told),
        line("CPU s/GB").samples(samples, Sample::cpu_each).demand(&Demand::Told),
    ])
}
