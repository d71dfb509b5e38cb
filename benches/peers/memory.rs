//! Row: the most memory resident while 32 clients push 256 MB each at once, to a server just started.

use crate::Bench;
use crate::client::Res;
use crate::load;
use crate::payload::{Large, LargeMaker};
use crate::servers::Kind;
use crate::table::{Demand, Line};

const AT_ONCE: usize = 32;

/// MiB resident at most, with wall and CPU of the pushes.
pub fn rows(bench: &Bench) -> Res<Vec<Line>> {
    let mut maker = LargeMaker::new(33, bench.size(256_000_000, 32_000_000));
    let larges: Vec<Large> = (0..AT_ONCE).map(|_| maker.another()).collect();
    let (mut peaks, mut samples) = ([None; 2], [None; 2]);
    let mut after = Vec::new();
    for kind in bench.registries() {
        let folder = bench.dir.join(format!("memory-{kind:?}"));
        let Some(server) = bench.start(kind, &folder)? else { continue };
        let (_, before) = server.memory()?;
        let sample = load::pushes(server.addr, &larges, || server.cpu())?;
        let (peak, now) = server.memory()?;
        bench.say(&format!(
            "{AT_ONCE} pushes at once, {}: {before:.0} MiB before, {peak:.0} at most, {now:.0} after; {:.1} s",
            kind.name(),
            sample.wall
        ));
        let at = usize::from(kind == Kind::Registry);
        (peaks[at], samples[at]) = (Some(peak), Some(sample));
        after.push(format!("{} {before:.0} before, {now:.0} after", kind.name()));
        drop(server);
        std::fs::remove_dir_all(&folder)?; // 8 GB each
    }
    let work = format!("{AT_ONCE} clients push 256 MB each");
    let peak = Line::new(&work, "MiB resident, at most").plain(peaks).beside(after.join("; "));
    let rate = Line::new(&work, "MB/s").samples(samples, |sample| sample.rate() * 1e3);
    Ok(vec![peak.demand(&Demand::AtMost(96.0)), rate.demand(&Demand::Told)])
}
