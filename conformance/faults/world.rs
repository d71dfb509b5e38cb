//! A registry of several replicas: one that nothing happens to, `sound`, and others behind proxies. It must not know what
//! is pushed.

use crate::servers::Servers;
use crate::testkit::client::Client;
use crate::testkit::proxy::Proxy;
use crate::testkit::proxy_rule::{Asked, Fate};
use crate::testkit::server::{Home, Server, eventually};
use rustix::process::{Pid, Signal, kill_process};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long a replica behind proxies may be silent. Not the shortest that there is: a third of it must be enough to connect.
pub const LEASE: Duration = Duration::from_secs(3);

/// How long an upload is kept that nobody goes on with, when all is swept. The shortest that there is.
const IDLE: Duration = Duration::from_mins(1);

/// What a replica does by the clock, and not for a client.
const BY_THE_CLOCK: [&str; 9] = [
    "claim.json",
    "holdfast.beat",
    "holdfast.adopt",
    "AND adopted",
    "holdfast.take_lease",
    "holdfast.leases",
    "SET statement_timeout",
    "LISTEN",
    "holdfast.record_",
];

/// Servers, and a replica on them that nothing happens to.
pub struct World {
    /// The replica.
    pub sound: Server,
    _home: Home,
    database: String,
    prefix: String,
    /// What it stands on.
    pub servers: Servers,
}

/// Where requests of a replica are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    S3,
    Postgres,
}

impl World {
    /// A new database and a new place in the bucket.
    #[track_caller]
    pub fn new(servers: Servers) -> Self {
        let database = servers.postgres.database();
        let prefix = format!("{database}-{}", servers.postgres.addr.port());
        let ways = (servers.s3.addr, servers.postgres.addr);
        let home = settings(&servers, &database, &prefix, ways);
        Self { sound: home.start(), _home: home, database, prefix, servers }
    }

    /// A client of the replica that nothing happens to.
    pub fn client(&self) -> Client {
        self.sound.client()
    }

    /// The settings of one more replica, by these ways to S3 and PostgreSQL.
    pub fn settings(&self, ways: (SocketAddr, SocketAddr)) -> Home {
        settings(&self.servers, &self.database, &self.prefix, ways)
    }

    /// The settings of one more replica, without a proxy.
    pub fn plain(&self) -> Home {
        self.settings((self.servers.s3.addr, self.servers.postgres.addr))
    }

    /// A replica behind proxies, not started yet.
    pub fn bench(&self) -> Bench {
        let (s3, postgres) = (Proxy::s3(self.servers.s3.addr), Proxy::postgres(self.servers.postgres.addr));
        let home = self
            .settings((s3.addr, postgres.addr))
            .env("HOLDFAST_METADATA_POSTGRES_LEASE_SECS", LEASE.as_secs().to_string());
        Bench { replica: None, home, s3, postgres }
    }

    /// What a tag says in the bucket itself.
    #[track_caller]
    pub fn tag_in_bucket(&self, repo: &str, tag: &str) -> Option<String> {
        let path = format!("docker/registry/v2/repositories/{repo}/_manifests/tags/{tag}/current/link");
        self.servers.s3.object(&format!("{}/{path}", self.prefix))
    }

    /// Once all replicas have ended, another one drops what uploads have left: nothing stays.
    #[track_caller]
    pub fn nothing_is_left_behind(self) {
        let sweeper = self.plain().env("HOLDFAST_REGISTRY_UPLOAD_IDLE_SECS", IDLE.as_secs().to_string());
        self.sound.stop();
        // The work may be that of a replica that was killed: the others would wait for a quarter of an hour.
        self.servers.postgres.ask(&self.database, "DELETE FROM holdfast.leases");
        std::thread::sleep(IDLE + Duration::from_secs(2)); // or they would not be idle
        let sweeper = sweeper.start();
        let staging = format!("{}/holdfast/staging/", self.prefix);
        let left = || {
            let sessions = self.servers.postgres.ask(&self.database, "SELECT count(*) FROM holdfast.uploads");
            let mut left = self.servers.s3.objects(&staging);
            left.extend(self.servers.s3.unfinished(&self.prefix));
            left.extend((sessions != "0").then(|| format!("{sessions} sessions")));
            left
        };
        let began = std::time::Instant::now();
        while !left().is_empty() {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "left behind: {:#?}\n{}",
                left(),
                sweeper.log()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        let open = self.servers.postgres.ask(&self.database, "SELECT count(*) FROM holdfast.intents");
        assert_eq!(open, "0", "intents that nobody settles");
        sweeper.stop();
    }
}

fn settings(
    servers: &Servers,
    database: &str,
    prefix: &str,
    (s3, postgres): (SocketAddr, SocketAddr),
) -> Home {
    Home::new()
        .env("HOLDFAST_STORAGE_S3_BUCKET", &servers.s3.bucket)
        .env("HOLDFAST_STORAGE_S3_ENDPOINT", format!("http://{s3}"))
        .env("HOLDFAST_STORAGE_S3_REGION", "us-east-1")
        .env("HOLDFAST_STORAGE_S3_ACCESS_KEY_ID", &servers.s3.key)
        .env("HOLDFAST_STORAGE_S3_SECRET_ACCESS_KEY", &servers.s3.secret)
        .env("HOLDFAST_STORAGE_S3_PREFIX", prefix)
        .env("HOLDFAST_STORAGE_S3_PART_BYTES", "10737419") // the smallest that it takes
        .env("HOLDFAST_STORAGE_S3_PART_COPIES_ABOVE_BYTES", "1000000") // all that came in parts
        .env("HOLDFAST_METADATA_POSTGRES_URL", servers.postgres.url(postgres, database))
        .env("HOLDFAST_METADATA_POSTGRES_CONNECTIONS_MAX", "6")
}

/// A replica behind proxies.
pub struct Bench {
    replica: Option<Server>,
    home: Home,
    s3: Proxy,
    postgres: Proxy,
}

/// Counts what a replica asks for a client, since it was armed.
#[derive(Clone)]
pub struct Count(Arc<AtomicUsize>);

impl Count {
    /// How many requests there were.
    pub fn so_far(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Bench {
    /// The replica, which is started if it does not run.
    #[track_caller]
    pub fn replica(&mut self) -> &Server {
        let Self { replica, home, .. } = self;
        replica.get_or_insert_with(|| home.start())
    }

    /// The process of the replica, which runs.
    pub fn pid(&mut self) -> Pid {
        Pid::from_raw(self.replica().pid().try_into().expect("a pid")).expect("a pid")
    }

    /// Forgets a replica that was killed.
    pub fn is_gone(&mut self) {
        self.replica = None;
    }

    /// The proxy of that wire.
    pub fn proxy(&self, wire: Wire) -> &Proxy {
        match wire {
            Wire::S3 => &self.s3,
            Wire::Postgres => &self.postgres,
        }
    }

    /// From now on counts requests on that wire, and asks for the fate of each by its number.
    pub fn arm(&self, wire: Wire, fate: impl Fn(usize, &Asked) -> Fate + Send + Sync + 'static) -> Count {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        self.proxy(wire).decide(move |asked| match is_for_a_client(asked) {
            true => fate(counted.fetch_add(1, Ordering::SeqCst) + 1, asked),
            false => Fate::Pass,
        });
        Count(count)
    }

    /// Everything passes again.
    pub fn disarm(&self) {
        self.s3.pass();
        self.postgres.pass();
    }
}

fn is_for_a_client(asked: &Asked) -> bool {
    asked.statements > 0 && !BY_THE_CLOCK.iter().any(|part| asked.what.contains(part))
}

/// Sends a signal.
pub fn signal(pid: Pid, signal: Signal) {
    kill_process(pid, signal).expect("a signal");
}

/// Stops a process, and waits until it stands still.
pub fn stop_still(pid: Pid) {
    signal(pid, Signal::STOP);
    let path = format!("/proc/{}/stat", pid.as_raw_nonzero());
    eventually("it stands still", || {
        let told = std::fs::read_to_string(&path).unwrap_or_default();
        told.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    });
}
