//! `benches/shared/run [ROW.. --quick]`: the registry in a bucket and PostgreSQL, beside Debian's `docker-registry` on the
//! same bucket and the S3 server's own clients, in one run; prints a Markdown table like that of `peers`.
//! Rows: push memory pull reads replicas (all without arguments). `run` starts the S3 server and PostgreSQL and says where
//! they are; `HOLDFAST_BIN` names another binary than the one that Cargo built; HOLDFAST_* settings reach the server.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a program for the terminal
#![allow(clippy::disallowed_methods)] // the environment and threads are its own, no server code runs here
#![allow(clippy::cast_precision_loss, clippy::cast_sign_loss)] // counts become figures of three digits
#![allow(dead_code)] // the rows of `peers` need more of what both share

mod blobs;
#[path = "../peers/client.rs"]
mod client;
mod direct;
#[path = "../peers/load.rs"]
mod load;
mod memory;
#[path = "../peers/payload.rs"]
mod payload;
#[path = "../peers/programs.rs"]
mod programs;
#[path = "../peers/push.rs"]
mod push;
mod reads;
mod replicas;
#[path = "../peers/servers.rs"]
mod servers;
mod stand;
#[path = "../peers/table.rs"]
mod table;
mod tap;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use client::Res;
use servers::{Kind, Server};
use stand::Stand;
use table::Line;

const ROWS: [&str; 5] = ["push", "memory", "pull", "reads", "replicas"];
/// What a reader of the table must know.
const NOTES: &str = "Everything shares the cores: the client, the registry, the S3 server and PostgreSQL. The S3 server is \
     spoken to without TLS. docker-registry has neither PostgreSQL nor an access log.";

/// What a row is given: where it may write, how much it may do, and what there is.
pub struct Bench {
    /// A folder of this run's own.
    pub dir: PathBuf,
    /// Less of everything: for a look, not for the record.
    pub quick: bool,
    /// The S3 server and PostgreSQL.
    pub stand: Stand,
    holdfast: PathBuf,
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
        let registry = self.registry.as_ref().map(|_| Kind::Registry);
        std::iter::once(Kind::Holdfast).chain(registry).collect()
    }

    /// Starts a registry on a prefix and a database of its own; `s3` is where it finds the bucket.
    pub fn start(&self, kind: Kind, name: &str, s3: &str) -> Res<Server> {
        if kind == Kind::Holdfast {
            return self.replica(name, 1, s3, &self.stand.database(name)?);
        }
        let of = &self.stand.s3;
        let storage = format!(
            "s3: {{region: {}, regionendpoint: '{s3}', bucket: {}, accesskey: '{}', secretkey: '{}', secure: false, \
             rootdirectory: '/{name}-registry'}}\n  redirect: {{disable: true}}",
            of.region, of.bucket, of.key, of.secret
        );
        let binary = self.registry.as_ref().ok_or("docker-registry is not here")?;
        servers::registry(binary, &self.dir.join(format!("{name}-registry")), &storage)
    }

    /// Starts a replica on the prefix of that name and a database.
    pub fn replica(&self, name: &str, number: usize, s3: &str, database: &str) -> Res<Server> {
        let of = &self.stand.s3;
        let settings = [
            ("HOLDFAST_STORAGE_S3_BUCKET", of.bucket.as_str()),
            ("HOLDFAST_STORAGE_S3_ENDPOINT", s3),
            ("HOLDFAST_STORAGE_S3_REGION", &of.region),
            ("HOLDFAST_STORAGE_S3_ACCESS_KEY_ID", &of.key),
            ("HOLDFAST_STORAGE_S3_SECRET_ACCESS_KEY", &of.secret),
            ("HOLDFAST_STORAGE_S3_PREFIX", name),
            ("HOLDFAST_METADATA_POSTGRES_URL", database),
        ];
        servers::holdfast(&self.holdfast, &self.dir.join(format!("{name}-{number}")), &settings)
    }

    /// Starts a load balancer that picks one of the replicas at random for each request.
    pub fn balancer(&self, name: &str, replicas: &[&Server]) -> Res<Server> {
        let binary = self.nginx.as_ref().ok_or("nginx is not here")?;
        let servers: String =
            replicas.iter().map(|replica| format!("server {} max_fails=0; ", replica.addr)).collect();
        let http = format!(
            "upstream replicas {{ random; {servers} keepalive 64; keepalive_requests 1000000; }}\n\
             server {{ listen @LISTEN@; @UP@ client_max_body_size 0; proxy_request_buffering off; proxy_buffering off;\n\
             location / {{ proxy_pass http://replicas; proxy_http_version 1.1; proxy_set_header Connection \"\"; \
             proxy_set_header Host $http_host; }} }}"
        );
        servers::nginx(binary, &self.dir.join(name), &http)
    }

    /// A line on stderr, so that a long run tells where it is.
    pub fn say(&self, text: &str) {
        eprintln!("shared: {text}");
    }

    /// Lets the disk settle, so that nobody pays for who came before.
    pub fn settle(&self) -> Res<()> {
        Ok(rustix::fs::syncfs(std::fs::File::open(&self.dir)?)?)
    }
}

fn main() -> ExitCode {
    // As a part of all benches there is nothing to stand on.
    if std::env::var_os("SHARED_DIR").is_none() {
        eprintln!("shared: skipped: it is started by benches/shared/run");
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shared: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Res<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let quick = arguments.iter().any(|word| word == "--quick");
    arguments.retain(|word| word != "--quick");
    if let Some(other) = arguments.iter().find(|word| !ROWS.contains(&word.as_str())) {
        return Err(format!("unknown row {other:?}; there are: {}", ROWS.join(" ")).into());
    }
    let bench = Bench {
        dir: std::env::var_os("SHARED_DIR").map(PathBuf::from).ok_or("SHARED_DIR is not set")?.join("bench"),
        quick,
        stand: Stand::found()?,
        holdfast: programs::holdfast().ok_or("set HOLDFAST_BIN to the built program")?,
        registry: programs::find("docker-registry"),
        nginx: programs::find("nginx"),
    };
    std::fs::create_dir_all(&bench.dir)?;
    let programs = [Some(&bench.holdfast), bench.registry.as_ref(), bench.nginx.as_ref()];
    let mut named: Vec<String> =
        programs.into_iter().flatten().map(|program| programs::version(program)).collect();
    named.extend(bench.stand.versions()?);
    let header = table::header(&named, NOTES, quick);
    let began = Instant::now();
    let (mut lines, mut failures) = (Vec::new(), Vec::new());
    for row in ROWS {
        if !arguments.is_empty() && !arguments.iter().any(|word| word == row) {
            continue;
        }
        match rows(&bench, row) {
            Ok(more) => lines.extend(more),
            Err(error) => {
                bench.say(&format!("{row} failed: {error}"));
                failures.push(row);
            }
        }
        bench.settle()?;
    }
    println!("{header}\n\n{}", table::render(&lines));
    println!("The run took {:.0} s.", began.elapsed().as_secs_f64());
    if failures.is_empty() { Ok(()) } else { Err(format!("{} failed", failures.join(", ")).into()) }
}

fn rows(bench: &Bench, row: &str) -> Res<Vec<Line>> {
    match row {
        "push" => blobs::pushes(bench),
        "memory" => memory::rows(bench),
        "pull" => blobs::pulls(bench),
        "reads" => reads::rows(bench),
        _ => replicas::rows(bench),
    }
}
