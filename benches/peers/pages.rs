//! Rows: a page of 100 of the catalog and of a list of tags in a large store and in one of a tenth, and the start
//! of a server on the large one. Holdfast derives its metadata before (`holdfast rebuild`), off the clock. The
//! storage may lie in memory; the metadata, which answers these requests, lies on the disk.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Bench;
use crate::client::{Conn, Res};
use crate::layout;
use crate::servers::{Kind, Server};
use crate::table::{Demand, Line, median};

/// Medians in ms of the two lists, in the order catalog, tags.
type Lists = [Option<[f64; 2]>; 2];

/// The figures of one store.
#[derive(Default)]
struct Figures {
    lists: Lists,
    starts: [Option<f64>; 2],
    rebuild: Option<f64>,
}

/// How large a store is.
#[derive(Clone, Copy)]
struct Size {
    repositories: usize,
    tags: usize,
}

/// Both kinds of row, over the same stores.
pub fn rows(bench: &Bench, pages: bool, start: bool) -> Res<Vec<Line>> {
    let full = Size { repositories: bench.size(20_000, 4000), tags: bench.size(50_000, 10_000) };
    let tenth = Size { repositories: full.repositories / 10, tags: full.tags / 10 };
    let large = store(bench, full, pages)?;
    let mut lines = Vec::new();
    if pages {
        let small = store(bench, tenth, true)?;
        lines = page_lines(&large.lists, &small.lists, full, tenth);
    }
    if start {
        let work = format!("start with {} repositories and {} tags", full.repositories, full.tags);
        let line = Line::new(work, "s until ready").plain(large.starts);
        let line = match large.rebuild {
            Some(took) => line.beside(format!("`holdfast rebuild` {took:.1} s")),
            None => line,
        };
        lines.push(line.demand(&Demand::AtMost(1.0)));
    }
    Ok(lines)
}

fn page_lines(large: &Lists, small: &Lists, full: Size, tenth: Size) -> Vec<Line> {
    let mut lines = Vec::new();
    for (list, name, counts) in [
        (0, "_catalog, repositories", [full.repositories, tenth.repositories]),
        (1, "tags/list, tags", [full.tags, tenth.tags]),
    ] {
        let of = |lists: &Lists| lists.map(|figures| figures.map(|figures| figures[list]));
        for (lists, count) in [(large, counts[0]), (small, counts[1])] {
            let line = Line::new(format!("page of 100 of {name}: {count}"), "ms").plain(of(lists));
            lines.push(line.demand(&Demand::AtMost(2.0)));
        }
        let [ours, theirs] = [0, 1].map(|at| Some(of(large)[at]? / of(small)[at]?));
        let line = Line::new(format!("page of 100 of {name}: large by tenth"), "ratio").plain([ours, theirs]);
        // "The same": a tree is a level deeper and colder; what walks its store shows 10.
        lines.push(line.demand(&Demand::AtMost(2.0)));
    }
    lines
}

fn store(bench: &Bench, size: Size, pages: bool) -> Res<Figures> {
    let mut figures = Figures::default();
    let root = bench.tiny_files.join(format!("store-{}", size.repositories));
    let folder = |kind: Kind| bench.dir.join(format!("{kind:?}-{}", size.repositories));
    let began = Instant::now();
    layout::write(&root, size.repositories, size.tags)?;
    bench.say(&format!(
        "wrote {} repositories and {} tags: {:.1} s",
        size.repositories,
        size.tags,
        began.elapsed().as_secs_f64()
    ));
    if let Some(binary) = bench.binary(Kind::Holdfast) {
        let took = rebuild(binary, &folder(Kind::Holdfast), &root)?;
        bench.say(&format!("holdfast rebuild: {took:.1} s"));
        figures.rebuild = Some(took);
    }
    for kind in bench.registries() {
        let at = usize::from(kind == Kind::Registry);
        let folder = folder(kind);
        let mut starts = Vec::new();
        for _ in 0..2 {
            starts.extend(bench.start_on(kind, &folder, &root)?.map(|server| server.started_in));
        }
        let Some(server) = bench.start_on(kind, &folder, &root)? else { continue };
        starts.push(server.started_in);
        let started = median(starts);
        bench.say(&format!("{} starts in {started:.3} s", kind.name()));
        figures.starts[at] = Some(started);
        if pages {
            let lists = [
                time_pages(&server, "/v2/_catalog", size.repositories, layout::repository)?,
                time_pages(&server, &format!("/v2/{}/tags/list", layout::TAGGED), size.tags, layout::tag)?,
            ];
            bench.say(&format!(
                "{}: page of the catalog {:.3} ms, of tags {:.3} ms",
                kind.name(),
                lists[0],
                lists[1]
            ));
            figures.lists[at] = Some(lists);
        }
    }
    std::fs::remove_dir_all(&root)?;
    Ok(figures)
}

fn rebuild(binary: &Path, folder: &Path, root: &Path) -> Res<f64> {
    std::fs::create_dir_all(folder)?;
    let began = Instant::now();
    let mut command = Command::new(binary);
    command.args(["rebuild", "--data"]).arg(folder).env("HOLDFAST_STORAGE_FILESYSTEM_ROOT", root);
    command.env_remove("HOLDFAST_BIN");
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if !status.success() {
        return Err(format!("holdfast rebuild ended with {status}").into());
    }
    Ok(began.elapsed().as_secs_f64())
}

/// The median of many pages from all over the list, one after the other on one connection.
fn time_pages(server: &Server, path: &str, count: usize, name: fn(usize) -> String) -> Res<f64> {
    let mut conn = Conn::open(server.addr)?;
    let (began, mut taken) = (Instant::now(), Vec::new());
    for number in 0..300 {
        // A step that has no divisor in common with the round counts visits places all over.
        let last = number * 7919 % (count - 200);
        let asked = Instant::now();
        let (answer, body) = conn.get(&format!("{path}?n=100&last={}", name(last)))?;
        taken.push(asked.elapsed().as_secs_f64() * 1e3);
        answer.expect(200, "a page")?;
        check_page(server.kind, &body, &name(last + 1))?;
        if taken.len() >= 3 && began.elapsed() > Duration::from_secs(4) {
            break; // docker-registry walks its folders for each page
        }
    }
    Ok(median(taken))
}

/// The page holds a hundred names from the right place on, or the figure would mean nothing. docker-registry 2.8
/// has no pages of tags and no order among folders.
fn check_page(kind: Kind, body: &[u8], first: &str) -> Res<()> {
    let text = std::str::from_utf8(body)?;
    let list = text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).ok_or("not a list")?.0;
    let names: Vec<&str> = list.split(',').map(|name| name.trim().trim_matches('"')).collect();
    if kind == Kind::Holdfast && (names.len() != 100 || names[0] != first) {
        return Err(
            format!("a page of {} from {:?} instead of 100 from {first:?}", names.len(), names[0]).into()
        );
    }
    Ok(())
}
