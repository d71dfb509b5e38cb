//! A PostgreSQL server for tests that want one over TCP: the one that `HOLDFAST_TEST_POSTGRES` names (the URL of a role
//! that may make databases), or one that is started in a temporary folder if `initdb` is here. Its own program `psql` asks
//! it. It must not know what is kept in it.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A server.
pub struct Postgres {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Who may make databases: `NAME` or `NAME:PASSWORD`, as in a URL.
    user: String,
    own: Option<Own>,
}

/// A server that was started here. It ends, and its folder goes, when this does, or the process.
struct Own {
    folder: String,
    // The script waits for its end.
    alive: Option<ChildStdin>,
    script: Child,
}

/// Makes a server, tells its folder, and removes both when nobody holds the other end any more.
const SCRIPT: &str = r#"
folder=$(mktemp -d) && cd "$folder" || exit 1
initdb -D data -U postgres -A trust --no-sync -E UTF8 --locale=C > log 2>&1
echo "listen_addresses = '127.0.0.1'
port = $1
unix_socket_directories = ''
max_connections = 300" >> data/postgresql.conf
pg_ctl -D "$folder/data" -w -l "$folder/log" start < /dev/null >> log 2>&1 && echo "$folder"
cat > /dev/null
pg_ctl -D "$folder/data" -m immediate stop >> log 2>&1
rm -rf "$folder"
"#;

/// The command, as a user whom PostgreSQL serves: root is none.
fn as_user(words: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    if rustix::process::geteuid().is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    // A folder that every user may enter.
    command.arg("--").args(words).current_dir("/");
    command
}

impl Postgres {
    /// The server of the environment, or one of its own. Why not, if there is neither.
    #[allow(clippy::disallowed_methods, reason = "tests read the environment of their run")]
    pub fn found() -> Result<Self, String> {
        match std::env::var("HOLDFAST_TEST_POSTGRES") {
            Ok(url) => {
                Self::at(&url).ok_or_else(|| "HOLDFAST_TEST_POSTGRES names no user and address".into())
            }
            Err(_) => Self::start(),
        }
    }

    fn at(url: &str) -> Option<Self> {
        let (user, rest) = url.split_once("://")?.1.split_once('@')?;
        let addr = rest.split(['/', '?']).next()?.parse().ok()?;
        Some(Self { addr, user: user.to_owned(), own: None })
    }

    /// Starts one that this test may restart. Why not, if there is none to be started.
    pub fn start() -> Result<Self, String> {
        let why = "neither HOLDFAST_TEST_POSTGRES nor initdb is here";
        // The port was free a moment ago; somebody else may take it meanwhile.
        (0..3).find_map(|_| Self::try_start()).ok_or_else(|| why.to_owned())
    }

    fn try_start() -> Option<Self> {
        let addr = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?;
        let mut command = as_user(&["sh", "-c", SCRIPT, "sh", &addr.port().to_string()]);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut script = piped.spawn().ok()?;
        let alive = script.stdin.take();
        let mut folder = String::new();
        BufReader::new(script.stdout.take()?).read_line(&mut folder).ok()?;
        let own = Own { folder: folder.trim().to_owned(), alive, script };
        (!own.folder.is_empty()).then(|| Self { addr, user: "postgres".into(), own: Some(own) })
    }

    /// Ends a server of this test's own: `smart`, `fast` or `immediate`, as `pg_ctl` calls it.
    #[track_caller]
    pub fn end(&self, how: &str) {
        self.control(&["-m", how, "stop"]);
    }

    /// Starts it again, at its address.
    #[track_caller]
    pub fn begin(&self) {
        self.control(&["start"]);
    }

    #[track_caller]
    fn control(&self, words: &[&str]) {
        let own = self.own.as_ref().expect("a server of this test's own");
        let (data, log) = (format!("{}/data", own.folder), format!("{}/log", own.folder));
        let words = [&["pg_ctl", "-w", "-D", data.as_str(), "-l", log.as_str()], words].concat();
        let done = as_user(&words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let told = || std::fs::read_to_string(&log).unwrap_or_default();
        assert!(done.expect("pg_ctl runs").success(), "{words:?}: {}", told());
    }

    /// The URL of a database, by a way to the server: its own address, or a proxy's.
    pub fn url(&self, by: SocketAddr, database: &str) -> String {
        format!("postgres://{}@{by}/{database}", self.user)
    }

    /// A new database, and its name.
    #[track_caller]
    pub fn database(&self) -> String {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let name = format!("holdfast_test_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::SeqCst));
        self.ask("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// The URL of a new database.
    #[track_caller]
    pub fn new_url(&self) -> String {
        self.url(self.addr, &self.database())
    }

    /// What a statement answers, without a frame.
    #[track_caller]
    pub fn ask(&self, database: &str, statement: &str) -> String {
        let output = psql(&self.url(self.addr, database), statement);
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// Asks by `psql`, with one simple query.
pub fn psql(url: &str, statement: &str) -> Output {
    let options = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1"];
    let mut command = Command::new("psql");
    command.args(options).args([url, "-c", statement]).current_dir("/").stdin(Stdio::null());
    command.output().expect("psql runs")
}

impl Drop for Own {
    fn drop(&mut self) {
        drop(self.alive.take());
        let _ = self.script.wait();
    }
}
