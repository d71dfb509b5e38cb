//! Starts the built program on a folder of the test's own, stops it gently or with SIGKILL, starts it again.
//! It must not know what the server does: it reads the one line of stdout and the exit code, and keeps stderr
//! in a file that is shown when a test fails.

use super::client::{Client, GUARD, get};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// The built program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_holdfast");

/// The program that is started as a server: the built one, or what `HOLDFAST_TEST_SERVER` names, as a release of it.
#[allow(clippy::disallowed_methods, reason = "tests read the environment of their run")]
fn server_program() -> PathBuf {
    std::env::var("HOLDFAST_TEST_SERVER").unwrap_or_else(|_| PROGRAM.to_owned()).into()
}

/// A folder for a server: its data, its settings and the logs of all its lives.
pub struct Home {
    folder: tempfile::TempDir,
    data: PathBuf,
    env: Vec<(String, String)>,
    flags: Vec<String>,
    serve_flags: Vec<String>,
    accounts: bool,
    lives: AtomicUsize,
}

impl Home {
    /// A fresh folder and the default settings.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("holdfast-test-").tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        Self {
            folder,
            data,
            env: Vec::new(),
            flags: Vec::new(),
            serve_flags: Vec::new(),
            accounts: false,
            lives: AtomicUsize::new(0),
        }
    }

    /// Sets an environment variable for the server.
    pub fn env(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.env.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Starts the server with accounts, and gives its administrator the password of the tests.
    pub fn with_accounts(mut self) -> Self {
        self.accounts = true;
        self.env("HOLDFAST_ADMIN_PASSWORD", super::accounts::ADMIN_PASSWORD)
    }

    /// Starts the server with accounts, whose first administrator gets a password that the server makes up.
    pub fn with_made_up_password(mut self) -> Self {
        self.accounts = true;
        self
    }

    /// Where the configuration file of [`Home::config`] is, for a test that changes it.
    pub fn config_path(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    /// Adds a flag for `serve` alone.
    pub fn flag(mut self, flag: &str) -> Self {
        self.serve_flags.push(flag.to_owned());
        self
    }

    /// Uses another data folder than the one inside this home.
    pub fn data_at(mut self, data: &Path) -> Self {
        data.clone_into(&mut self.data);
        self
    }

    /// Adds a configuration file.
    pub fn config(mut self, toml: &str) -> Self {
        let path = self.folder.path().join("config.toml");
        fs::write(&path, toml).expect("write the configuration");
        self.flags.extend(["--config".to_owned(), path.display().to_string()]);
        self
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The folder around the data folder, for what a test keeps beside it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The root of the storage in registry:2's layout.
    pub fn registry(&self) -> PathBuf {
        self.data.join("registry").join("docker").join("registry").join("v2")
    }

    /// The program with this home's settings and none of the surrounding HOLDFAST_* variables.
    pub fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(server_program());
        command.arg(subcommand).args(&self.flags).env_clear().stdin(Stdio::null());
        command.envs(self.env.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        command
    }

    /// Starts the server and waits until it is ready.
    #[track_caller]
    pub fn start(&self) -> Server {
        let server = self.start_unready();
        server.wait_ready();
        server
    }

    /// Starts the server and waits only for its address.
    #[track_caller]
    pub fn start_unready(&self) -> Server {
        let mut life = self.launch();
        let first = life.lines.lock().expect("lines").recv_timeout(GUARD);
        match first {
            Ok(told) => {
                let addr = told.strip_prefix("listening on ").and_then(|url| {
                    url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?.trim().parse().ok()
                });
                life.addr = Some(addr.unwrap_or_else(|| panic!("not the promised line: {told:?}")));
                life
            }
            Err(why) => panic!("no address from the server ({why}); its log:\n{}", life.log()),
        }
    }

    /// Starts a server that is expected to refuse, and waits for its exit.
    #[track_caller]
    pub fn start_refused(&self) -> (ExitStatus, String) {
        let mut life = self.launch();
        let status = life.wait_exit();
        (status, life.log())
    }

    fn launch(&self) -> Server {
        let life = self.lives.fetch_add(1, Ordering::SeqCst);
        let log = self.folder.path().join(format!("stderr.{life}"));
        let mut command = self.command("serve");
        if !self.accounts {
            command.arg("--open");
        }
        command.args(["--listen", "127.0.0.1:0", "--data"]).arg(&self.data).args(&self.serve_flags);
        command.stdout(Stdio::piped()).stderr(File::create(&log).expect("a log file"));
        let mut child = command.spawn().expect("the program starts");
        let stdout = child.stdout.take().expect("stdout is piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Server { child, addr: None, log, lines: Mutex::new(lines) }
    }

    /// Runs `holdfast rebuild` on this (stopped) home.
    #[track_caller]
    pub fn rebuild(&self) -> Output {
        self.command("rebuild").arg("--data").arg(&self.data).output().expect("rebuild runs")
    }

    /// Copies the data folder of this (stopped) home into a new one with the same settings.
    #[track_caller]
    pub fn copy(&self) -> Home {
        let mut copy = Home::new();
        copy.env.clone_from(&self.env);
        copy.accounts = self.accounts;
        super::disk::copy_folder(&self.data, &copy.data);
        copy
    }
}

/// A running server.
pub struct Server {
    child: Child,
    addr: Option<SocketAddr>,
    log: PathBuf,
    lines: Mutex<Receiver<String>>,
}

impl Server {
    /// A client for it.
    pub fn client(&self) -> Client {
        Client::at(self.addr.expect("the server listens"))
    }

    /// What it wrote to stderr so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Lines of stdout after the first.
    pub fn further_lines(&self) -> Vec<String> {
        self.lines.lock().expect("lines").try_iter().collect()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `/readyz` says 200.
    #[track_caller]
    pub fn wait_ready(&self) {
        eventually("the server is ready", || {
            self.client().try_send(&get("/readyz")).is_ok_and(|answer| answer.status == 200)
        });
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    /// Sends SIGTERM without waiting.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends a signal.
    pub fn signal(&self, signal: &str) {
        let status =
            Command::new("kill").args([signal, &self.pid().to_string()]).status().expect("kill runs");
        assert!(status.success(), "kill {signal} failed");
    }

    /// SIGTERM, and waits for the exit, which must be 0.
    #[track_caller]
    pub fn stop(mut self) {
        self.terminate();
        let status = self.wait_exit();
        assert!(status.success(), "a graceful shutdown ended with {status}");
    }

    /// Waits for the exit.
    #[track_caller]
    pub fn wait_exit(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the program exits", || {
            status = self.child.try_wait().expect("wait");
            status.is_some()
        });
        status.expect("it exited")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let from = log.lines().count().saturating_sub(40);
            let tail: Vec<&str> = log.lines().skip(from).collect();
            eprintln!("--- the end of the server's log ---\n{}\n---", tail.join("\n"));
        }
    }
}

/// A server on a fresh folder, used as its client.
pub struct Running {
    /// The server; dropped before its folder.
    pub server: Server,
    /// Its folder.
    pub home: Home,
    client: Client,
}

/// Starts a server with default settings on a fresh folder.
#[track_caller]
pub fn fresh() -> Running {
    running(Home::new())
}

/// Starts a server with the settings of this home.
#[track_caller]
pub fn running(home: Home) -> Running {
    let server = home.start();
    let client = server.client();
    Running { server, home, client }
}

impl std::ops::Deref for Running {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// Waits for something to become true; failing to is a hang, not a matter of speed.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < GUARD, "waited {GUARD:?} until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
