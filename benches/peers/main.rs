//! `cargo bench --bench peers [-- ROW.. --quick --dir FOLDER]`: Holdfast, Debian's `docker-registry` and nginx side
//! by side in one run, driven by one client; prints a Markdown table of figures, ratios and server CPU seconds.
//! Rows: push-small head pull push pages memory start (all without arguments). It needs `apt-get install
//! docker-registry nginx-light` and about 25 GB of disk; what is missing is named and left out. `HOLDFAST_BIN`
//! names another binary than the one that Cargo built; HOLDFAST_* settings reach the server.
//! It knows the servers only by their wire, their storage folder and /proc.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a program for the terminal
#![allow(clippy::disallowed_methods)] // the environment and threads are its own, no server code runs here
#![allow(clippy::cast_precision_loss, clippy::cast_sign_loss)] // counts become figures of three digits

mod blob;
mod client;
mod layout;
mod load;
mod memory;
mod pages;
#[allow(dead_code, reason = "the rows of `shared` need more of it")]
mod payload;
mod programs;
mod pull;
mod push;
mod reads;
mod servers;
mod small;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use client::Res;
use servers::{Kind, Server};
use table::Line;

/// What a reader of the table must know.
const NOTES: &str = "docker-registry runs without its access log, and syncs files but not the folders that name them; Holdfast logs \
     each request and syncs both. The client shares the cores.";
const ROWS: [&str; 7] = ["push-small", "head", "pull", "push", "pages", "memory", "start"];

/// What a row is given: where it may write, how much it may do, and which servers there are.
pub struct Bench {
    /// A folder of this run's own.
    pub dir: PathBuf,
    /// A folder for very many tiny files: in memory where there is room, for a disk takes minutes to forget them.
    pub tiny_files: PathBuf,
    /// Less of everything: for a look, not for the record.
    pub quick: bool,
    holdfast: Option<PathBuf>,
    registry: Option<PathBuf>,
    nginx: Option<PathBuf>,
}

impl Bench {
    /// `full` normally, `quick` under `--quick`.
    pub fn size<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// The registries that are here, Holdfast first.
    pub fn registries(&self) -> Vec<Kind> {
        [Kind::Holdfast, Kind::Registry].into_iter().filter(|kind| self.binary(*kind).is_some()).collect()
    }

    /// Starts a server on a folder below the run's own; `None` when it is not installed.
    pub fn start(&self, kind: Kind, folder: &Path) -> Res<Option<Server>> {
        self.start_on(kind, folder, &kind.storage_root(folder))
    }

    /// The same with the storage somewhere else.
    pub fn start_on(&self, kind: Kind, folder: &Path, root: &Path) -> Res<Option<Server>> {
        let Some(binary) = self.binary(kind) else { return Ok(None) };
        std::fs::create_dir_all(folder)?;
        Server::start(kind, binary, folder, root).map(Some)
    }

    /// The program of a server.
    pub fn binary(&self, kind: Kind) -> Option<&Path> {
        match kind {
            Kind::Holdfast => self.holdfast.as_deref(),
            Kind::Registry => self.registry.as_deref(),
            Kind::Nginx => self.nginx.as_deref(),
        }
    }

    /// A line on stderr, so that a long run tells where it is.
    pub fn say(&self, text: &str) {
        eprintln!("peers: {text}");
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Res<()> {
    let (rows, quick, dir) = arguments()?;
    let dir = unspoilt(&dir.join("holdfast-peers"))?;
    let own = format!("holdfast-peers-{}", std::process::id());
    let bench = Bench {
        tiny_files: tiny_files(&dir).join(&own),
        dir: dir.join(&own),
        quick,
        holdfast: programs::holdfast(),
        registry: programs::find("docker-registry"),
        nginx: programs::find("nginx"),
    };
    for (kind, how) in [
        (Kind::Holdfast, "set HOLDFAST_BIN to the built program"),
        (Kind::Registry, "apt-get install docker-registry"),
        (Kind::Nginx, "apt-get install nginx-light"),
    ] {
        if bench.binary(kind).is_none() {
            bench.say(&format!("{} is missing, its column stays empty ({how})", kind.name()));
        }
    }
    if bench.registries().is_empty() {
        return Err("neither Holdfast nor docker-registry is here".into());
    }
    std::fs::create_dir_all(&bench.dir)?;
    warn_of_room(&bench)?;
    let named = [Kind::Holdfast, Kind::Registry, Kind::Nginx].map(|kind| {
        bench.binary(kind).map_or_else(|| format!("{}: not here", kind.name()), programs::version)
    });
    let header = table::header(&named, NOTES, bench.quick);
    let began = Instant::now();
    let outcome = all_rows(&bench, &rows);
    let _ = std::fs::remove_dir_all(&bench.dir);
    let _ = std::fs::remove_dir_all(&bench.tiny_files);
    println!("{header}\n");
    let (lines, failures) = outcome;
    print!("{}", table::render(&lines));
    println!("\nThe run took {:.0} s.", began.elapsed().as_secs_f64());
    if failures.is_empty() { Ok(()) } else { Err(format!("{} failed", failures.join(", ")).into()) }
}

/// Every chosen row in turn; one that fails is told and the others still run.
fn all_rows(bench: &Bench, rows: &[String]) -> (Vec<Line>, Vec<&'static str>) {
    let chosen = |name: &str| rows.is_empty() || rows.iter().any(|row| row == name);
    let (mut lines, mut failures) = (Vec::new(), Vec::new());
    let mut row = |name: &'static str, wanted: bool, work: &dyn Fn() -> Res<Vec<Line>>| {
        if !wanted {
            return;
        }
        let began = Instant::now();
        match work() {
            Ok(more) => lines.extend(more),
            Err(error) => {
                bench.say(&format!("{name} failed: {error}"));
                failures.push(name);
            }
        }
        if let Err(error) = settle(&bench.dir) {
            bench.say(&format!("{name}: settling: {error}"));
        }
        bench.say(&format!("{name}: {:.0} s", began.elapsed().as_secs_f64()));
    };
    row("push-small", chosen("push-small"), &|| small::rows(bench));
    row("head", chosen("head"), &|| reads::rows(bench));
    row("pull", chosen("pull"), &|| pull::rows(bench));
    row("push", chosen("push"), &|| blob::rows(bench));
    row("memory", chosen("memory"), &|| memory::rows(bench));
    let (pages, start) = (chosen("pages"), chosen("start"));
    row("pages and start", pages || start, &|| pages::rows(bench, pages, start));
    (lines, failures)
}

/// A folder whose folders ext4 lays apart from each other. Where many files were removed in the last minutes, by a
/// run before this or by a build, making a file costs several times as much, whichever server does it.
fn unspoilt(dir: &Path) -> Res<PathBuf> {
    std::fs::create_dir_all(dir)?;
    // Other file systems do not know this, nor need it.
    let _ = Command::new("chattr").arg("+T").arg(dir).stderr(std::process::Stdio::null()).status();
    Ok(dir.to_owned())
}

/// Lets the disk settle, so that a row does not pay for the one before. What the rows of large blobs wrote is
/// removed; many small files stay until the end, for ext4 makes files slower in the minutes after removing as many.
fn settle(dir: &Path) -> Res<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if ["pull-", "push-", "memory-"].iter().any(|row| name.to_string_lossy().starts_with(row)) {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    rustix::fs::syncfs(std::fs::File::open(dir)?)?;
    Ok(())
}

fn arguments() -> Res<(Vec<String>, bool, PathBuf)> {
    let (mut rows, mut quick) = (Vec::new(), false);
    // Not the temporary folder of the system, which is often memory: syncing would cost nothing there.
    let mut dir = option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let mut given = std::env::args().skip(1);
    while let Some(word) = given.next() {
        match word.as_str() {
            "--bench" => {} // Cargo says so to every bench target
            "--quick" => quick = true,
            "--dir" => dir = given.next().ok_or("--dir needs a folder")?.into(),
            row if ROWS.contains(&row) => rows.push(word),
            other => return Err(format!("unknown row {other:?}; there are: {}", ROWS.join(" ")).into()),
        }
    }
    Ok((rows, quick, dir))
}

/// The system's memory file system if a million tiny files find room there; `dir` otherwise.
fn tiny_files(dir: &Path) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let Ok(room) = rustix::fs::statvfs(memory) else { return dir.join("tiny") };
    let enough = room.f_bavail * room.f_frsize > 4_000_000_000 && room.f_favail > 1_000_000;
    if !enough {
        return dir.join("tiny");
    }
    // What a run that was interrupted left there would take memory until the next start of the machine.
    for entry in std::fs::read_dir(memory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(pid) = name.strip_prefix("holdfast-peers-")
            && !Path::new("/proc").join(pid).exists()
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    memory.to_owned()
}

fn warn_of_room(bench: &Bench) -> Res<()> {
    let disk = rustix::fs::statvfs(&bench.dir)?;
    let free = disk.f_bavail * disk.f_frsize / 1_000_000_000;
    if free < bench.size(25, 8) {
        bench.say(&format!("only {free} GB free in {}: rows may fail (--dir)", bench.dir.display()));
    }
    Ok(())
}
