//! What the registries stand on, as `run` has started it: an S3 server and PostgreSQL; and what it costs them. It must not
//! know any registry.

use std::env;
use std::process::Command;
use std::time::Duration;

use crate::client::Res;
use crate::servers::family_cpu;

/// The S3 server and PostgreSQL.
pub struct Stand {
    /// The bucket, and who may use it.
    pub s3: S3,
    /// URL without a database's name.
    pub postgres: String,
    postgres_pid: u32,
}

/// A bucket.
pub struct S3 {
    /// Which program serves it.
    pub server: String,
    /// URL of the server.
    pub url: String,
    /// The bucket's name.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// The key of its owner.
    pub key: String,
    /// The secret of that key.
    pub secret: String,
    pid: u32,
}

/// CPU seconds, so far or of some work.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beneath {
    /// Of the S3 server.
    pub s3: f64,
    /// Of PostgreSQL, all its processes.
    pub postgres: f64,
}

impl Stand {
    /// What `run` says.
    pub fn found() -> Res<Stand> {
        let said =
            |name: &str| env::var(name).map_err(|_| format!("{name} is not set: start benches/shared/run"));
        let s3 = S3 {
            server: said("SHARED_S3_SERVER")?,
            url: said("SHARED_S3")?,
            bucket: said("SHARED_S3_BUCKET")?,
            region: said("SHARED_S3_REGION")?,
            key: said("SHARED_S3_KEY")?,
            secret: said("SHARED_S3_SECRET")?,
            pid: said("SHARED_S3_PID")?.parse()?,
        };
        Ok(Stand {
            s3,
            postgres: said("SHARED_POSTGRES")?,
            postgres_pid: said("SHARED_POSTGRES_PID")?.parse()?,
        })
    }

    /// CPU seconds so far.
    pub fn beneath(&self) -> Res<Beneath> {
        Ok(Beneath { s3: family_cpu(self.s3.pid)?, postgres: family_cpu(self.postgres_pid)? })
    }

    /// CPU seconds since then.
    pub fn beneath_since(&self, before: Beneath) -> Res<Beneath> {
        let now = self.beneath()?;
        Ok(Beneath { s3: now.s3 - before.s3, postgres: now.postgres - before.postgres })
    }

    /// Makes an empty database; its URL.
    pub fn database(&self, name: &str) -> Res<String> {
        self.sql("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(format!("{}/{name}", self.postgres))
    }

    /// Transactions of a database so far, as soon as nobody is connected to it: until then some may be missing.
    pub fn transactions(&self, database: &str) -> Res<f64> {
        let connected = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'");
        while self.sql("postgres", &connected)? != "0" {
            std::thread::sleep(Duration::from_millis(20));
        }
        let asked = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname";
        Ok(self.sql("postgres", &format!("{asked} = '{database}'"))?.parse()?)
    }

    /// The first lines of both programs about themselves.
    pub fn versions(&self) -> Res<[String; 2]> {
        let postgres = self.sql("postgres", "SHOW server_version")?;
        Ok([format!("{} as `run` builds it", self.s3.server), format!("PostgreSQL {postgres}")])
    }

    fn sql(&self, database: &str, statement: &str) -> Res<String> {
        let mut psql = Command::new("psql");
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1"]);
        let output = psql.arg(format!("{}/{database}", self.postgres)).args(["-c", statement]).output()?;
        if !output.status.success() {
            return Err(format!("{statement}: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}
