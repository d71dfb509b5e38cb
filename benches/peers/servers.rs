//! Starts and stops the servers, and reads their CPU seconds and memory from /proc. It must not know what is
//! measured.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::client::{Conn, Res};

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The program of this project.
    Holdfast,
    /// Debian's `docker-registry`.
    Registry,
    /// Serves a folder with sendfile.
    Nginx,
}

impl Kind {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Holdfast => "Holdfast",
            Kind::Registry => "docker-registry",
            Kind::Nginx => "nginx",
        }
    }

    /// Where a server started on `folder` keeps `docker/registry/v2`, unless told otherwise.
    pub fn storage_root(self, folder: &Path) -> PathBuf {
        if self == Kind::Holdfast { folder.join("registry") } else { folder.to_owned() }
    }
}

/// A running server; stopped when dropped.
pub struct Server {
    /// Which program.
    pub kind: Kind,
    /// Where it listens.
    pub addr: SocketAddr,
    /// The folder that holds `docker/registry/v2` (nginx: what it serves).
    pub root: PathBuf,
    /// Seconds from its start until it was ready.
    pub started_in: f64,
    child: Child,
    _stdout: Option<BufReader<ChildStdout>>,
}

/// How long a server may take to come up or to go.
const PATIENCE: Duration = Duration::from_mins(1);

impl Server {
    /// Starts the program with a folder of its own and its storage in `root`, and waits until it is ready.
    pub fn start(kind: Kind, binary: &Path, folder: &Path, root: &Path) -> Res<Server> {
        let server = match kind {
            Kind::Holdfast => {
                holdfast(binary, folder, &[("HOLDFAST_STORAGE_FILESYSTEM_ROOT", &root.display().to_string())])
            }
            Kind::Registry => {
                registry(binary, folder, &format!("filesystem: {{rootdirectory: \"{}\"}}", root.display()))
            }
            Kind::Nginx => {
                let root = root.display();
                nginx(
                    binary,
                    folder,
                    &format!("sendfile on;\nserver {{ listen @LISTEN@; root {root}; @UP@ }}"),
                )
            }
        };
        let mut server = server?;
        root.clone_into(&mut server.root);
        Ok(server)
    }

    /// User and system seconds so far, of the process with all its threads and of its children.
    pub fn cpu(&self) -> Res<f64> {
        family_cpu(self.child.id())
    }

    /// The most memory that was resident so far and what is now, in MiB.
    pub fn memory(&self) -> Res<(f64, f64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| -> Res<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such field")?;
            Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
        };
        Ok((field("VmHWM:")?, field("VmRSS:")?))
    }

    /// The file of a blob.
    pub fn blob_file(&self, digest: &str) -> PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        self.root.join("docker/registry/v2/blobs/sha256").join(&hex[..2]).join(hex).join("data")
    }

    fn ready(mut self, path: &str, began: Instant) -> Res<Server> {
        while began.elapsed() < PATIENCE {
            let answer = Conn::open(self.addr).and_then(|mut conn| conn.get(path));
            if answer.is_ok_and(|(answer, _)| answer.status == 200) {
                self.started_in = began.elapsed().as_secs_f64();
                return Ok(self);
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("it ended with {status}").into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(format!("not ready after {} s", PATIENCE.as_secs()).into())
    }

    fn stop(&mut self) -> Res<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        let pid = i32::try_from(self.child.id())?;
        kill_process(Pid::from_raw(pid).ok_or("no pid")?, Signal::TERM)?;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.child.kill()?;
        self.child.wait()?;
        Err(format!("{} had to be killed", self.kind.name()).into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("peers: {error}");
        }
    }
}

/// User and system seconds of one process so far.
pub fn process_cpu(pid: u32) -> Res<f64> {
    ticks(pid, 2)
}

/// The same of a process, of its children, and of those that have ended.
pub fn family_cpu(pid: u32) -> Res<f64> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = children.split_whitespace().map(str::parse).collect::<Result<Vec<u32>, _>>()?;
    // One that has ended since is counted by its parent the next time.
    let children: f64 = children.into_iter().map(|child| process_cpu(child).unwrap_or_default()).sum();
    Ok(ticks(pid, 4)? + children)
}

/// Seconds out of a process's `stat`: the 14th field and as many as are asked for: user and system ticks of its own,
/// then of its children that have ended.
fn ticks(pid: u32, count: usize) -> Res<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name stands in brackets and may hold anything.
    let (_, fields) = stat.rsplit_once(") ").ok_or("an unreadable stat")?;
    let ticks: f64 = fields.split(' ').skip(11).take(count).map(|field| field.parse().unwrap_or(0.0)).sum();
    Ok(ticks / ticks_a_second())
}

fn ticks_a_second() -> f64 {
    static TICKS: OnceLock<f64> = OnceLock::new();
    *TICKS.get_or_init(|| {
        let told = Command::new("getconf").arg("CLK_TCK").output().ok();
        told.and_then(|out| String::from_utf8_lossy(&out.stdout).trim().parse().ok()).unwrap_or(100.0)
    })
}

/// Holdfast on a folder of its own, with these settings beside its defaults.
pub fn holdfast(binary: &Path, folder: &Path, settings: &[(&str, &str)]) -> Res<Server> {
    fs::create_dir_all(folder)?;
    let began = Instant::now();
    let mut child = Command::new(binary)
        .args(["serve", "--open", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder)
        .envs(settings.iter().copied())
        .env_remove("HOLDFAST_BIN") // not a setting of the server, which refuses unknown ones
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let stdout = child.stdout.take().ok_or("no stdout")?;
    let (sender, line) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stdout, mut line) = (BufReader::new(stdout), String::new());
        let _ = stdout.read_line(&mut line);
        let _ = sender.send((stdout, line));
    });
    let Ok((stdout, line)) = line.recv_timeout(PATIENCE) else {
        child.kill()?;
        child.wait()?;
        return Err("it said nothing".into());
    };
    let Some(addr) = line.trim().strip_prefix("listening on http://").and_then(|addr| addr.parse().ok())
    else {
        let _ = child.kill();
        return Err(format!("it said {line:?} and ended with {}", child.wait()?).into());
    };
    let server = Server {
        kind: Kind::Holdfast,
        addr,
        root: PathBuf::new(),
        started_in: 0.0,
        child,
        _stdout: Some(stdout),
    };
    server.ready("/readyz", began)
}

/// A port that the system picks; these two cannot tell which one they got.
fn free_port() -> Res<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

/// docker-registry with its files in a folder; `storage` is the driver's line of its configuration.
pub fn registry(binary: &Path, folder: &Path, storage: &str) -> Res<Server> {
    fs::create_dir_all(folder)?;
    // The port was free a moment ago; another process may have taken it since.
    registry_once(binary, folder, storage).or_else(|_| registry_once(binary, folder, storage))
}

fn registry_once(binary: &Path, folder: &Path, storage: &str) -> Res<Server> {
    let addr = free_port()?;
    let config = folder.join("peers.yml");
    let text = format!(
        r#"version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  {storage}
  delete: {{enabled: true}}
  cache: {{blobdescriptor: inmemory}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http: {{addr: "{addr}", relativeurls: true}}
"#
    );
    fs::write(&config, text)?;
    let began = Instant::now();
    let child = quiet(Command::new(binary).arg("serve").arg(&config)).spawn()?;
    let (kind, root) = (Kind::Registry, PathBuf::new());
    let server = Server { kind, addr, root, started_in: 0.0, child, _stdout: None };
    server.ready("/v2/", began)
}

/// nginx with its files in a folder; `http` is what it serves: `@LISTEN@` stands for where, and `@UP@` is part of the
/// server in it.
pub fn nginx(binary: &Path, folder: &Path, http: &str) -> Res<Server> {
    fs::create_dir_all(folder)?;
    nginx_once(binary, folder, http).or_else(|_| nginx_once(binary, folder, http))
}

fn nginx_once(binary: &Path, folder: &Path, http: &str) -> Res<Server> {
    let addr = free_port()?;
    let own = folder.join("peers.nginx");
    fs::create_dir_all(&own)?;
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {}/{name};\n", own.display()))
        .concat();
    let text = format!(
        "daemon off;\nuser root;\nworker_processes 1;\npid {own}/pid;\nerror_log stderr crit;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\naccess_log off;\nkeepalive_requests 1000000;\n{temporary}{http}\n}}\n",
        own = own.display(),
        http = http.replace("@LISTEN@", &addr.to_string()).replace("@UP@", "location = /up { return 200; }"),
    );
    let config = own.join("nginx.conf");
    fs::write(&config, text)?;
    let began = Instant::now();
    let child = quiet(Command::new(binary).args(["-e", "stderr", "-c"]).arg(&config)).spawn()?;
    let (kind, root) = (Kind::Nginx, PathBuf::new());
    let server = Server { kind, addr, root, started_in: 0.0, child, _stdout: None };
    server.ready("/up", began)
}
