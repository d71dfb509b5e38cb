//! Rows: push of a 1 GB blob, as docker streams it (one chunked PATCH, then PUT) and whole in the PUT, beside the
//! bare parts of the work in the same run: SHA-256 of the same bytes, and a synced write of them.

use std::fmt::Write as _;
use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::time::Instant;

use sha2::{Digest as _, Sha256};

use crate::Bench;
use crate::client::{Conn, Res};
use crate::payload::{Large, LargeMaker};
use crate::push::{self, How};
use crate::servers::{Kind, Server, process_cpu};
use crate::table::{Demand, Line, Sample, median};

const NAME: &str = "bench/large";

/// Wall and CPU of both ways, beside the bare parts.
pub fn rows(bench: &Bench) -> Res<Vec<Line>> {
    let mut maker = LargeMaker::new(22, bench.size(1_000_000_000, 250_000_000));
    let mut servers = Vec::new();
    for kind in bench.registries() {
        servers.extend(bench.start(kind, &bench.dir.join(format!("push-{kind:?}")))?);
    }
    let (mut hashes, mut writes, mut syncs) = (Vec::new(), Vec::new(), Vec::new());
    let mut taken = [(How::Streamed, [Vec::new(), Vec::new()]), (How::Whole, [Vec::new(), Vec::new()])];
    for pass in 0..bench.size(3, 1) {
        hashes.push(hash(&maker.another())?);
        writes.push(write(bench, &maker.another())?);
        for (how, samples) in &mut taken {
            // Seconds for each push, and far from any limit: two passes of docker-registry are enough.
            for server in servers.iter().filter(|server| pass < 2 || server.kind == Kind::Holdfast) {
                let (sample, sync) = measure(server, &maker.another(), *how)?;
                samples[usize::from(server.kind == Kind::Registry)].push(sample);
                if server.kind == Kind::Registry {
                    syncs.push(sync);
                }
            }
        }
    }
    let hash = Sample::of_passes(&hashes).unwrap_or_default();
    let write = Sample::of_passes(&writes).unwrap_or_default();
    let mut bare = format!(
        "SHA-256 {:.2} s (CPU {:.2} s), synced write {:.2} s (CPU {:.2} s)",
        hash.wall, hash.cpu, write.wall, write.cpu
    );
    if !syncs.is_empty() {
        let _ = write!(bare, "; a sync after docker-registry's answer {:.2} s", median(syncs));
    }
    bench.say(&format!("bare {bare}"));
    let mut lines = Vec::new();
    for (how, samples) in taken {
        let work = match how {
            How::Streamed => "push of a 1 GB blob, streamed PATCH",
            How::Whole => "push of a 1 GB blob, one PUT",
        };
        let samples = samples.map(|samples| Sample::of_passes(&samples));
        for (sample, kind) in samples.iter().zip(["Holdfast", "docker-registry"]) {
            let Some(sample) = sample else { continue };
            bench.say(&format!("{work}, {kind}: {:.2} s, {:.2} CPU s/GB", sample.wall, sample.cpu_each()));
        }
        let slower = hash.wall.max(write.wall) * 1.15;
        let seconds = Line::new(work, "s").samples(samples, |sample| sample.wall).beside(&bare);
        lines.push(seconds.demand(&Demand::AtMostOf(slower, "1.15 × the slower bare part")));
        let cpu = |figure| Line::new(work, figure).samples(samples, Sample::cpu_each);
        lines.push(cpu("CPU s/GB").demand(&Demand::AtMost(1.25)));
        lines.push(cpu("CPU s/GB, to its peer").demand(&Demand::PartOfRegistry(1.0 / 3.0)));
    }
    Ok(lines)
}

/// One push; and how long a sync of the stored file took after it, which docker-registry leaves undone.
fn measure(server: &Server, large: &Large, how: How) -> Res<(Sample, f64)> {
    let mut conn = Conn::open(server.addr)?;
    let (cpu, began) = (server.cpu()?, Instant::now());
    push::large(&mut conn, NAME, large, how)?;
    let (wall, cpu) = (began.elapsed().as_secs_f64(), server.cpu()? - cpu);
    let began = Instant::now();
    File::open(server.blob_file(&large.digest))?.sync_data()?;
    Ok((Sample { work: large.length as f64 / 1e9, wall, cpu }, began.elapsed().as_secs_f64()))
}

/// A bare part in this process: one thread, nothing else.
fn bare(large: &Large, work: impl FnOnce() -> Res<()>) -> Res<Sample> {
    let own = std::process::id();
    let (cpu, began) = (process_cpu(own)?, Instant::now());
    work()?;
    let (wall, cpu) = (began.elapsed().as_secs_f64(), process_cpu(own)? - cpu);
    Ok(Sample { work: large.length as f64 / 1e9, wall, cpu })
}

fn hash(large: &Large) -> Res<Sample> {
    bare(large, || {
        black_box(large.pieces().fold(Sha256::new(), Sha256::chain_update).finalize());
        Ok(())
    })
}

fn write(bench: &Bench, large: &Large) -> Res<Sample> {
    let path = bench.dir.join("bare");
    let sample = bare(large, || {
        let mut file = File::create(&path)?;
        large.pieces().try_for_each(|piece| file.write_all(piece))?;
        Ok(file.sync_data()?)
    })?;
    std::fs::remove_file(&path)?;
    Ok(sample)
}
