//! Databases for tests: on the server that `HOLDFAST_TEST_POSTGRES` names (the URL of a role that may make databases), or
//! on one that is started in a temporary folder if `initdb` is here. Where there is neither, a test says that it was
//! skipped.

use crate::metadata::open::{Metadata, shared};
use crate::metadata::postgres::config::Config;
use crate::metadata::postgres::connections::server;
use crate::metadata::postgres::database::Database;
use crate::secret::Secret;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Once, OnceLock};
use std::time::Duration;
use uuid::Uuid;

/// A server that was started for tests. It ends, and its folder goes, when this does, or the process.
pub struct Server {
    folder: String,
    // The script waits for its end.
    alive: Option<ChildStdin>,
    script: Child,
}

/// Makes a server, tells its folder, and removes both when nobody holds the other end any more. Sorted as a language does
/// it, where that can be had: names must come in the order of their bytes all the same.
const SCRIPT: &str = r#"
folder=$(mktemp -d) && cd "$folder" || exit 1
{ initdb -D data -U postgres -A trust --no-sync -E UTF8 --locale-provider=icu --icu-locale=en-US \
    || { rm -rf data; initdb -D data -U postgres -A trust --no-sync -E UTF8 --locale=C; }; } > log 2>&1
echo "listen_addresses = ''
unix_socket_directories = '$folder'
fsync = off
full_page_writes = off
max_connections = 500" >> data/postgresql.conf
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

impl Server {
    /// Starts a server, if there is one to be started.
    pub fn start() -> Option<Self> {
        let mut command = as_user(&["sh", "-c", SCRIPT]);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut script = piped.spawn().ok()?;
        let alive = script.stdin.take();
        let mut folder = String::new();
        BufReader::new(script.stdout.take()?).read_line(&mut folder).ok()?;
        let folder = folder.trim().to_owned();
        (!folder.is_empty()).then_some(Self { folder, alive, script })
    }

    /// Runs `pg_ctl` with these words: `["-m", "fast", "stop"]`.
    pub fn control(&self, words: &[&str]) {
        let (data, log) = (format!("{}/data", self.folder), format!("{}/log", self.folder));
        let words = [&["pg_ctl", "-w", "-D", data.as_str(), "-l", log.as_str()], words].concat();
        let done = as_user(&words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let told = std::fs::read_to_string(&log).unwrap_or_default();
        assert!(done.unwrap().success(), "{words:?}: {told}");
    }

    /// A database of it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.alive.take());
        drop(self.script.wait());
    }
}

/// The URL of a database on the server that all tests share.
#[allow(clippy::disallowed_methods)] // for tests alone
fn shared_server() -> Option<&'static str> {
    static SERVER: OnceLock<Option<(String, Option<Server>)>> = OnceLock::new();
    let started = || match std::env::var("HOLDFAST_TEST_POSTGRES") {
        Ok(url) => Some((url, None)),
        Err(_) => Server::start().map(|server| (server.url("postgres"), Some(server))),
    };
    SERVER.get_or_init(started).as_ref().map(|(url, _)| url.as_str())
}

/// A database for one test.
pub struct Scratch {
    /// Where it is.
    pub url: String,
}

/// A new database without tables. `None`: there is no server, which was told.
pub async fn database() -> Option<Scratch> {
    let Some(url) = shared_server() else {
        skipped("neither HOLDFAST_TEST_POSTGRES nor initdb is here");
        return None;
    };
    Some(database_on(url).await)
}

/// Says once, and so that a test that passes is heard too, that tests with PostgreSQL do nothing. Whoever has named a server
/// wants none of them skipped.
#[allow(clippy::disallowed_methods)] // for tests alone
pub fn skipped(why: &str) {
    static TOLD: Once = Once::new();
    assert!(std::env::var("HOLDFAST_TEST_POSTGRES").is_err(), "{why}");
    let line = format!("\nSKIPPED: tests with PostgreSQL: {why}\n");
    TOLD.call_once(|| std::io::stderr().write_all(line.as_bytes()).unwrap());
}

/// A new database on the server that has this one.
pub async fn database_on(url: &str) -> Scratch {
    let name = format!("holdfast_test_{}", Uuid::new_v4().simple());
    let options = server(url).unwrap();
    let mut connection = options.connect().await.unwrap();
    connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    connection.close().await.unwrap();
    let and = if url.contains('?') { '&' } else { '?' };
    Scratch { url: format!("{url}{and}dbname={name}") }
}

impl Scratch {
    /// The settings of metadata there.
    pub fn config(&self) -> Config {
        Config { url: Secret::new(&self.url), connections_max: 4, ..Config::default() }
    }

    /// A process that opens it; others take it for dead after `term`.
    pub async fn open(&self, term: Duration) -> Arc<Database> {
        Arc::new(Database::open(&self.config(), term).await.unwrap())
    }

    /// The same, as the rest of the house sees it.
    pub async fn process(&self, term: Duration) -> Metadata {
        shared(&self.open(term).await)
    }

    /// A connection of its own.
    pub async fn connect(&self) -> PgConnection {
        server(&self.url).unwrap().connect().await.unwrap()
    }

    /// The number that SQL answers.
    pub async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut self.connect().await).await.unwrap()
    }

    /// Keeps the rows that SQL locks, until the answer is dropped.
    pub async fn lock(&self, sql: &str) -> PgConnection {
        let mut connection = self.connect().await;
        connection.execute(AssertSqlSafe(format!("BEGIN; {sql}"))).await.unwrap();
        connection
    }

    /// Runs SQL behind everybody's back.
    pub async fn run(&self, sql: &str) {
        self.connect().await.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    }
}
