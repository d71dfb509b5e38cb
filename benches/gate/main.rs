//! What accounts cost: requests with a token beside the same in an open registry, and tokens a second.
//!
//! `cargo bench --bench gate`. Two servers of the same binary, asked in turns so that a noisy machine is noisy for both.
//! CPU is that of the servers, from /proc; ratios are what counts.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    clippy::cast_precision_loss,
    reason = "a bench tells"
)]

#[path = "../peers/client.rs"]
#[allow(dead_code, reason = "the rows of `peers` need more of it")]
mod client;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use client::{Conn, Res};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const PASSWORD: &str = "a password of the bench";
const ROUNDS: usize = 12;
const ROUND: Duration = Duration::from_millis(700);
const AT_ONCE: usize = 8;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gate: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A running server; stopped when dropped.
struct Server {
    child: Child,
    addr: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(binary: &Path, data: &Path, open: bool) -> Res<Self> {
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        if open {
            command.arg("--open");
        }
        command.env("HOLDFAST_ADMIN_PASSWORD", PASSWORD).env("HOLDFAST_LOG_LEVEL", "warn");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let stdout = child.stdout.take().ok_or("no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let addr = line.trim().strip_prefix("listening on http://").ok_or("no address")?.parse()?;
        Ok(Self { child, addr })
    }

    /// User and system seconds so far.
    fn cpu(&self) -> Res<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        Ok((ticks(11) + ticks(12)) / 100.0)
    }
}

/// Requests, seconds of wall and of the server's CPU.
#[derive(Default, Clone, Copy)]
struct Sample {
    count: f64,
    wall: f64,
    cpu: f64,
}

impl Sample {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.wall += other.wall;
        self.cpu += other.cpu;
    }

    fn cpu_micros(self) -> f64 {
        self.cpu / self.count * 1e6
    }
}

/// A request that is sent again and again.
struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    headers: String,
    body: String,
}

fn round(server: &Server, asked: &Asked<'_>) -> Res<Sample> {
    let cpu = server.cpu()?;
    let began = Instant::now();
    let counts: Vec<Res<u64>> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| one(server, asked))).collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap_or_else(|_| Err("a client panicked".into())))
            .collect()
    });
    let wall = began.elapsed().as_secs_f64();
    let mut count = 0;
    for one in counts {
        count += one?;
    }
    Ok(Sample { count: count as f64, wall, cpu: server.cpu()? - cpu })
}

fn one(server: &Server, asked: &Asked<'_>) -> Res<u64> {
    let mut conn = Conn::open(server.addr)?;
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < ROUND {
        conn.send(asked.method, asked.path, &asked.headers, asked.body.as_bytes())?;
        let answer = if asked.method == "HEAD" { conn.answer_head()? } else { conn.answer()? };
        answer.expect(200, asked.path)?;
        count += 1;
    }
    Ok(count)
}

fn basic() -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("admin:{PASSWORD}")))
}

fn json(server: &Server, method: &str, path: &str, headers: &str, body: &str) -> Res<serde_json::Value> {
    let mut conn = Conn::open(server.addr)?;
    conn.send(method, path, headers, body.as_bytes())?;
    let (answer, body) = conn.answer_body()?;
    if !(200..300).contains(&answer.status) {
        return Err(format!("{path}: {} {}", answer.status, String::from_utf8_lossy(&body)).into());
    }
    Ok(serde_json::from_slice(&body)?)
}

/// Pushes one manifest without layers: its config is all that it names.
fn push(server: &Server, headers: &str) -> Res<()> {
    const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"; // of `{}`
    let mut conn = Conn::open(server.addr)?;
    conn.send("POST", &format!("/v2/bench/app/blobs/uploads/?digest={DIGEST}"), headers, b"{}")?;
    conn.answer()?.expect(201, "a blob")?;
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let body = format!(
        r#"{{"schemaVersion":2,"mediaType":"{kind}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{DIGEST}","size":2}},"layers":[]}}"#
    );
    let headers = format!("{headers}Content-Type: {kind}\r\n");
    conn.send("PUT", "/v2/bench/app/manifests/1", &headers, body.as_bytes())?;
    conn.answer()?.expect(201, "a manifest")?;
    Ok(())
}

fn run() -> Res<()> {
    let binary = option_env!("CARGO_BIN_EXE_holdfast").map(PathBuf::from).ok_or("no binary")?;
    let dir = std::env::temp_dir().join(format!("holdfast-gate-{}", std::process::id()));
    let told = measure(&binary, &dir);
    let _ = fs::remove_dir_all(&dir);
    told
}

fn measure(binary: &Path, dir: &Path) -> Res<()> {
    let open = Server::start(binary, &dir.join("open"), true)?;
    let guarded = Server::start(binary, &dir.join("guarded"), false)?;
    push(&open, "")?;
    push(&guarded, &basic())?;
    // A thousand grants to others, so that a decision has something to pass over.
    for nth in 0..200 {
        let body = format!(
            r#"{{"subject":{{"kind":"user","name":"u{nth}"}},"repository":"team{nth}/**","actions":["pull"]}}"#
        );
        json(
            &guarded,
            "POST",
            "/api/v1/grants",
            &format!("{}Content-Type: application/json\r\n", basic()),
            &body,
        )?;
    }
    let reply = json(
        &guarded,
        "GET",
        "/token?service=holdfast&offline_token=true&scope=repository:bench/app:pull",
        &basic(),
        "",
    )?;
    let text = |field: &str| reply[field].as_str().unwrap_or_default().to_owned();
    let bearer = format!("Authorization: Bearer {}\r\n", text("token"));
    let path = "/v2/bench/app/manifests/1";
    let head =
        |headers: &str| Asked { method: "HEAD", path, headers: headers.to_owned(), body: String::new() };
    let rows = [
        ("open, no header", &open, head("")),
        ("with a cached token", &guarded, head(&bearer)),
        ("with a remembered password", &guarded, head(&basic())),
    ];
    let mut samples = [Sample::default(); 3];
    for round_number in 0..=ROUNDS {
        for ((_, server, asked), sample) in rows.iter().zip(&mut samples) {
            let measured = round(server, asked)?;
            if round_number > 0 {
                sample.add(measured); // the first one warms up
            }
        }
    }
    println!("| HEAD of a manifest by tag, {AT_ONCE} at once | requests/s | CPU µs a request | of open |");
    println!("|---|---|---|---|");
    for ((name, ..), sample) in rows.iter().zip(samples) {
        let ratio = sample.cpu_micros() / samples[0].cpu_micros();
        println!("| {name} | {:.0} | {:.1} | {ratio:.3} |", sample.count / sample.wall, sample.cpu_micros());
    }
    tokens(&guarded, &text("refresh_token"))
}

fn tokens(guarded: &Server, refresh: &str) -> Res<()> {
    let headers = format!("{}Content-Type: application/json\r\n", basic());
    let minted = json(guarded, "POST", "/api/v1/me/tokens", &headers, "{}")?;
    let secret = minted["secret"].as_str().unwrap_or_default();
    let pat = format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("admin:{secret}")));
    let form = format!(
        "grant_type=refresh_token&service=holdfast&client_id=bench&scope=repository:bench/app:pull&refresh_token={refresh}"
    );
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n".to_owned();
    let rows = [
        ("for a refresh token", Asked { method: "POST", path: "/token", headers: kind, body: form }),
        (
            "for a personal access token",
            Asked {
                method: "GET",
                path: "/token?service=holdfast&scope=repository:bench/app:pull",
                headers: pat,
                body: String::new(),
            },
        ),
    ];
    println!("\n| access token | tokens/s | CPU µs a token |\n|---|---|---|");
    for (name, asked) in rows {
        round(guarded, &asked)?;
        let mut sample = Sample::default();
        for _ in 0..4 {
            sample.add(round(guarded, &asked)?);
        }
        println!("| {name} | {:.0} | {:.1} |", sample.count / sample.wall, sample.cpu_micros());
    }
    Ok(())
}
